"""Interpolation across missing values: of windows one by one, and of runs of points."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def interpolate_missing(values: Tensor, seen: Tensor, channels: int) -> Tensor:
    """Return windows with missing values interpolated linearly.

    Before the first and after the last value of a channel the nearest value is repeated. A channel without
    any value in a window gets the mean of the other windows, at each point.

    Args:
        values: (rows, points), on the CPU; the points of one channel after those of the other.
        seen: (rows, points) which values there are.
        channels: number of channels.
    """
    if bool(seen.all()):
        return values
    length = values.shape[1] // channels
    table, present = values.reshape(-1, length).numpy().copy(), seen.reshape(-1, length).numpy()
    positions = np.arange(length)
    for row in np.flatnonzero(~present.all(1)).tolist():
        known = present[row]
        if known.any():
            table[row] = np.interp(positions, positions[known], table[row, known])
    filled = torch.from_numpy(table).view_as(values)
    empty = torch.from_numpy(~present.any(1)).view(-1, channels).repeat_interleave(length, 1)
    if bool(empty.any()):
        weights = (~empty).double()
        mean = (filled * weights).sum(0) / weights.sum(0).clamp_min(1)
        filled = torch.where(empty, mean, filled)
    return filled


def interpolate_gaps(values: np.ndarray, length: int) -> np.ndarray:
    """Return points with lines across short gaps, and the nearest value in long ones; 0 if there is none.

    What is put into a gap follows from fewer points than a subsequence has, so that a stream fills it as a
    batch does.

    Args:
        values: (points, channels), NaN where a value is missing.
        length: of a subsequence; a gap is short if it is at most half as long.
    """
    bridged, present = values.copy(), np.isfinite(values)
    for channel in np.flatnonzero(~present.all(0)):
        known, missing = (np.flatnonzero(present[:, channel] == seen) for seen in (True, False))
        if len(known) == 0:
            bridged[:, channel] = 0.0
            continue
        after = np.searchsorted(known, missing)
        left, right = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
        nearest = np.where(np.abs(missing - left) <= np.abs(right - missing), left, right)
        line = np.interp(missing, known, values[known, channel])
        short = right - left <= length // 2
        bridged[missing, channel] = np.where(short, line, values[nearest, channel])
    return bridged
