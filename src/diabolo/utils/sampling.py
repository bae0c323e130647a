"""An even choice of many rows."""

from __future__ import annotations

import numpy as np


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """(at most `most`,) an even choice of so many rows, in their order.

    Example:
        >>> even(9, 3).tolist(), even(2, 3).tolist()
        ([0, 4, 8], [0, 1])
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)
