"""The kinds of columns, in the order in which they are asked whether a column is theirs."""

from diabolo.columns.base import Column, Values
from diabolo.columns.boolean import Boolean
from diabolo.columns.category import Category
from diabolo.columns.datetime import Datetime
from diabolo.columns.image import Image
from diabolo.columns.number import Number
from diabolo.columns.window import Window

COLUMNS: tuple[type[Column], ...] = (Window, Image, Boolean, Datetime, Number, Category)

__all__ = ["COLUMNS", "Boolean", "Category", "Column", "Datetime", "Image", "Number", "Values", "Window"]
