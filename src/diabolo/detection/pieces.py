"""Subsequences of fixed length, cut out of runs of points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from diabolo.data.fields import Batch, Curve
from diabolo.data.interpolation import interpolate_gaps
from diabolo.data.sources.points import CoveredPoints
from diabolo.utils.sampling import evenly_spaced

LENGTH = 16  # points of a subsequence (measured, docs/how-it-detects.md)
MIN_PRESENT = 0.875  # of the points of a channel, for it to count; a choice
MAX_SAMPLES, MAX_NUMBERS = 20_000, 4_000_000  # subsequences that are learnt from, and numbers in them


class Pieces(NamedTuple):
    """Subsequences of a series.

    Attributes:
        values: (subsequences, channels, length) without missing values.
        complete: (subsequences, channels) whether the channel has enough points to count: see `cut`.
        positions: (subsequences,) of their first points in time.
        total: how many there were to choose from.
    """

    values: np.ndarray
    complete: np.ndarray
    positions: np.ndarray
    total: int


def sample_pieces(batch: Batch, positions: np.ndarray) -> Pieces:
    """Return evenly spaced subsequences of the points that windows cover.

    Args:
        batch: windows.
        positions: (windows,) their positions in time.
    """
    _, channels, window = batch.values[Curve.kind].shape
    points, length = CoveredPoints(positions, positions, window, channels), min(LENGTH, window // 2)
    points.take(slice(None), batch)
    runs = [points.values[run] for run in points.runs()]
    all_of = [cut(run, interpolate_gaps(run, length), length) for run in runs]
    ends = np.cumsum([len(values) for values, _ in all_of])
    picked = evenly_spaced(int(ends[-1]), min(MAX_SAMPLES, MAX_NUMBERS // (channels * length)))
    chosen = []
    for (values, complete), run, end in zip(all_of, points.runs(), ends, strict=True):
        here = picked[(picked < end) & (picked >= end - len(values))] - (end - len(values))
        chosen.append((values[here], complete[here], points.positions[run][here]))
    values, complete, where = (np.concatenate(part) for part in zip(*chosen, strict=True))
    return Pieces(values, complete, where, int(ends[-1]))


def cut(values: np.ndarray, bridged: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all subsequences of a run (subsequences, channels, length), and which channels count.

    A channel counts where its first and its last point are present, and of the others all but a few: what is
    put into a longer gap, or beyond the end of a series, would be an anomalous shape.

    Args:
        values: (points, channels), NaN where a value is missing.
        bridged: the same as `interpolate_gaps` returns it.
        length: of a subsequence.
    """
    points, channels = values.shape
    if points < length:
        return np.zeros((0, channels, length), np.float32), np.zeros((0, channels), bool)
    present = sliding_window_view(np.isfinite(values), length, axis=0)
    complete = (present.sum(-1) >= MIN_PRESENT * length) & present[..., 0] & present[..., -1]
    return sliding_window_view(bridged, length, axis=0), complete
