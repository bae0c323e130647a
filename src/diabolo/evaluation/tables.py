"""Tables to compare, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

Table: TypeAlias = "Mapping[str, np.ndarray]"
"""Name -> (rows,): floats, NaN where missing; or labels as objects, `MISSING` where missing."""

MISSING = "?"  # a missing label


def is_number(values: np.ndarray) -> bool:
    """Return whether a column is a number."""
    return values.dtype.kind == "f"


def row_count(table: Table) -> int:
    """Return the number of rows of a table."""
    return len(next(iter(table.values())))


def take_rows(table: Table, rows: np.ndarray | slice) -> Table:
    """Return some of the rows of a table.

    Args:
        table: name -> (rows,) values.
        rows: row numbers, or a slice.
    """
    return {name: values[rows] for name, values in table.items()}


def encode_together(*parts: np.ndarray) -> tuple[list[np.ndarray], int]:
    """Return one column of several tables as whole numbers in the order of its values, and their number."""
    joined = np.concatenate(parts)
    if joined.dtype == object:
        joined = joined.astype(str)
    known, index = np.unique(joined, return_inverse=True)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return np.split(index.astype(np.int64), ends), len(known)
