"""How well one table stands for another: column by column, in pairs, to a judge; and what it gives away.

A table is a mapping from names to arrays: (rows,) floats are a number, NaN where it is missing; (rows,)
objects are labels as text, `GONE` where one is missing.
"""

from diabolo.evaluation.discriminator import Verdict, call
from diabolo.evaluation.privacy import NEAR, Leaks, Space, leaks, nearest
from diabolo.evaluation.similarity import alike, pairs
from diabolo.evaluation.tables import GONE, Table, is_number, length, taken

__all__ = [
    "GONE",
    "NEAR",
    "Leaks",
    "Space",
    "Table",
    "Verdict",
    "alike",
    "call",
    "is_number",
    "leaks",
    "length",
    "nearest",
    "pairs",
    "taken",
]
