"""Python objects of any kind as a column: numbers if all of them are, else text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.errors import ColumnError

COMPLEX_HINT = "use their real part or their absolute value"


def from_objects(values: list[Any], name: str) -> pa.Array:
    """Return values that arrow has no type for: whole numbers of any size as floats, mixed types as text."""
    known = [None if is_missing(v) else v for v in values]
    if any(isinstance(v, complex | np.complexfloating) for v in known):
        row = next(i for i, v in enumerate(known) if isinstance(v, complex | np.complexfloating))
        raise ColumnError("complex numbers cannot be read", column=name, row=row, hint=COMPLEX_HINT)
    if all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in known):
        return pa.array([None if v is None else _to_float(v) for v in known], pa.float64())
    # The schema shows text as a category. Half a surrogate pair is no text by itself.
    text = [None if v is None else str(v).encode(errors="replace").decode() for v in known]
    return pa.array(text, pa.string())


def is_missing(value: Any) -> bool:
    """Return whether a Python object stands for a missing value: None, NaN, NaT or NA."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"  # an array in a cell is not missing


def _to_float(value: float) -> float:
    """Return a whole number of any size as a float, an infinity if it is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
