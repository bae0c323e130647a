"""Split the rows of a fit by their use: training, choosing the best weights, and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Choices: enough rows to rank against at a rate of 0.001, and most of them for training.
CALIBRATION_SHARE, MIN_CALIBRATION_ROWS, MAX_CALIBRATION_ROWS = 0.15, 10, 2_000
HELD_OUT_SHARE, MAX_HELD_OUT_ROWS = 0.1, 1_000
MIN_ROWS_TO_SPLIT = 40  # of a table; fewer rows are all used for everything
MIN_ROWS_TO_HOLD_OUT = 200  # of a table; fewer rows choose no weights
MIN_WINDOWS_TO_SPLIT = 16  # of a series, in lengths of a window
CALIBRATION_BLOCKS = 4  # of a series: neighbouring windows are nearly the same, set aside together


@dataclass(frozen=True)
class Split:
    """Row numbers of a frame by their use; every row has one use only.

    Attributes:
        fit: rows that networks are trained on.
        held_out: rows that the best weights are chosen by; remembered, like those of `fit`.
        calibration: rows that anomaly scores are ranked against; no network sees them, unless `shared`.
        shared: whether the data is too small to spare rows: it is calibrated on the rows of the fit.
    """

    fit: np.ndarray
    held_out: np.ndarray
    calibration: np.ndarray
    shared: bool = False

    @property
    def set_aside(self) -> np.ndarray:
        """(rows,) the rows that no network is trained on, ascending."""
        return np.sort(np.concatenate([self.held_out, self.calibration]))


def split_rows(rows: int, seed: int) -> Split:
    """Split the rows of a table at random.

    Args:
        rows: the number of rows.
        seed: of the permutation.
    """
    order = np.random.default_rng(seed).permutation(rows)
    if rows < MIN_ROWS_TO_SPLIT:
        return Split(np.sort(order), order[:0], np.sort(order), shared=True)
    calibration = int(np.clip(CALIBRATION_SHARE * rows, MIN_CALIBRATION_ROWS, MAX_CALIBRATION_ROWS))
    held_out = (
        int(np.clip(HELD_OUT_SHARE * rows, 0, MAX_HELD_OUT_ROWS)) if rows >= MIN_ROWS_TO_HOLD_OUT else 0
    )
    first, second = calibration, calibration + held_out
    return Split(np.sort(order[second:]), np.sort(order[first:second]), np.sort(order[:first]))


def split_windows(positions: np.ndarray, length: int) -> Split:
    """Split the windows of a series in blocks: neighbouring windows are nearly the same row.

    Args:
        positions: (windows,) their starts in time, ascending.
        length: points in a window.
    """
    rows = len(positions)
    if rows < MIN_WINDOWS_TO_SPLIT * length:
        everything = np.arange(rows)
        return Split(everything, everything[:0], everything, shared=True)
    blocks = CALIBRATION_BLOCKS
    size = int(CALIBRATION_SHARE * rows / blocks)
    starts = ((np.arange(blocks) + 0.5) * rows / blocks - size / 2).astype(int)
    calibration = np.concatenate([np.arange(s, s + size) for s in starts])
    near = np.zeros(rows, bool)
    for s in starts:
        low, high = positions[s] - length, positions[s + size - 1] + length
        near |= (positions > low) & (positions < high)
    rest = np.flatnonzero(~near)
    held_out = rest[len(rest) - len(rest) // 10 :]
    fit = rest[positions[rest] < positions[held_out[0]] - length]
    return Split(fit, held_out, calibration)


def overlaps_any(positions: np.ndarray, chosen: np.ndarray, length: int) -> np.ndarray:
    """Return (windows,) whether each window is chosen, or overlaps a chosen one.

    Args:
        positions: (windows,) starts in time.
        chosen: (windows,) flags.
        length: points in a window.
    """
    taken = np.sort(positions[chosen])
    if len(taken) == 0:
        return chosen
    place = np.searchsorted(taken, positions)
    before = positions - taken[np.maximum(place - 1, 0)]
    after = taken[np.minimum(place, len(taken) - 1)] - positions
    return np.asarray(np.minimum(np.abs(before), np.abs(after)) < length)
