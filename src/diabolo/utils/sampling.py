"""Choosing some of many rows."""

from __future__ import annotations

import numpy as np


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """Return the numbers of at most `most` evenly spaced rows, in their order.

    Args:
        count: number of rows.
        most: largest number of rows to choose.

    Example:
        >>> evenly_spaced(9, 3).tolist(), evenly_spaced(2, 3).tolist()
        ([0, 4, 8], [0, 1])
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)
