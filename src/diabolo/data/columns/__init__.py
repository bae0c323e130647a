"""The kinds of columns, in the order in which they are asked whether they claim a column."""

from diabolo.data.columns.base import Column, Values
from diabolo.data.columns.boolean import Boolean
from diabolo.data.columns.category import Category
from diabolo.data.columns.datetime import Datetime
from diabolo.data.columns.image import Image
from diabolo.data.columns.number import Number
from diabolo.data.columns.text import Text
from diabolo.data.columns.window import Window

COLUMNS: tuple[type[Column], ...] = (Window, Image, Boolean, Datetime, Number, Text, Category)

__all__ = [
    "COLUMNS",
    "Boolean",
    "Category",
    "Column",
    "Datetime",
    "Image",
    "Number",
    "Text",
    "Values",
    "Window",
]
