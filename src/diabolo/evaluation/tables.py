"""Two tables as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

Table: TypeAlias = "Mapping[str, np.ndarray]"
"""Name -> (rows,): floats, NaN where missing; or labels as objects, `MISSING` where missing."""

MISSING = "?"  # a missing label


def is_number(values: np.ndarray) -> bool:
    """Whether a column is a number."""
    return values.dtype.kind == "f"


def row_count(table: Table) -> int:
    """Rows of a table."""
    return len(next(iter(table.values())))


def take_rows(table: Table, rows: np.ndarray | slice) -> Table:
    """Some of the rows."""
    return {name: values[rows] for name, values in table.items()}


def coded(*parts: np.ndarray) -> tuple[list[np.ndarray], int]:
    """The values of one column of several tables as whole numbers, in their order; and how many there are."""
    joined = np.concatenate(parts)
    if joined.dtype == object:
        joined = joined.astype(str)
    known, index = np.unique(joined, return_inverse=True)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return np.split(index.astype(np.int64), ends), len(known)
