"""Linear interpolation across missing values."""

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
