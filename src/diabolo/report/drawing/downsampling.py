"""Fewer points of a long line, so that its drawing stays the same."""

from __future__ import annotations

import numpy as np


def downsample(x: np.ndarray, y: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a line that a drawing can show, so that no spike is lost.

    Args:
        x: (points,) ascending.
        y: (points,) NaN where a value is missing.
        columns: the width of the drawing in pixels.

    Returns:
        x and y of the points that are kept.
    """
    kept = downsampled_indices(x, y, columns)
    return x[kept], y[kept]


def downsampled_indices(x: np.ndarray, y: np.ndarray, columns: int) -> np.ndarray:
    """Return the indices of the points that `downsample` keeps.

    Of each column the first, lowest, highest and last point are kept, which draws the same picture as
    all points (Jugel et al., "M4", VLDB 2014). Runs of missing values keep their ends, unless there are more
    of them than columns; then a column without a value keeps a point that separates two lines.

    Args:
        x: (points,) ascending.
        y: (points,) NaN where a value is missing.
        columns: the width of the drawing in pixels.
    """
    if len(x) <= 4 * columns:
        return np.arange(len(x))
    column = _pixel_columns(x, columns)
    known = np.flatnonzero(np.isfinite(y))
    ordered = known[np.lexsort((y[known], column[known]))]
    every = np.flatnonzero(np.diff(column, prepend=-1))
    empty = every[~np.isin(column[every], column[known])]
    changes = np.flatnonzero(np.diff(np.isfinite(y)))
    if len(changes) <= 2 * columns:
        empty = np.r_[empty, changes, changes + 1]
    ends = [part[where] for part in (known, ordered) for where in _group_ends(column[part])]
    return np.unique(np.concatenate([empty, *ends]))


def _pixel_columns(x: np.ndarray, columns: int) -> np.ndarray:
    """(points,) the pixel column of each point."""
    low, span = x.min(), float(x.max() - x.min())
    return np.zeros(len(x), int) if not span > 0 else ((x - low) / span * (columns - 1e-9)).astype(int)


def _group_ends(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last index of each group; groups follow each other."""
    change = np.diff(groups) != 0
    ends = np.ones(min(len(groups), 1), bool)
    return np.flatnonzero(np.r_[ends, change]), np.flatnonzero(np.r_[change, ends])


def column_max(x: np.ndarray, y: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the highest point in each pixel column that has one.

    Args:
        x: (points,) places.
        y: (points,) values; NaN where one is missing.
        columns: the width of the drawing in pixels.
    """
    known = np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) == 0:
        return x, y
    column = _pixel_columns(x, columns)
    order = np.lexsort((y, column))
    highest = order[_group_ends(column[order])[1]]
    return x[highest], y[highest]
