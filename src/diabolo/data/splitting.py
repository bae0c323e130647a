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
# Of a series that is judged in time (measured on 51 series): blocks, the shares of the series after which the
# rest is judged, and the windows that a model needs at least.
MIN_BLOCKS, MAX_BLOCKS = 2, 5
CUTS = (0.5, 0.75)
MIN_LEARNT = 8
MIN_WINDOWS_TO_CUT = 6  # of several channels, in lengths of a window for each channel


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


def learn_windows(rows: np.ndarray, positions: np.ndarray, length: int, *, hold_out: bool) -> Split:
    """Return a split that learns all of some windows: it is calibrated by models of parts of them.

    Args:
        rows: numbers of the windows.
        positions: (all windows,) their starts in time, ascending.
        length: points in a window.
        hold_out: whether the last tenth chooses the best weights; of few windows none does.
    """
    if not hold_out or len(rows) < MIN_WINDOWS_TO_SPLIT * length:
        return Split(rows, rows[:0], rows[:0])
    held_out = rows[len(rows) - len(rows) // 10 :]
    return Split(rows[positions[rows] < positions[held_out[0]] - length], held_out, rows[:0])


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
    learnt = learn_windows(np.flatnonzero(~near), positions, length, hold_out=True)
    return Split(learnt.fit, learnt.held_out, calibration)


@dataclass(frozen=True)
class Fold:
    """Windows that a model learns, and windows that share no point with those, for it to judge.

    Attributes:
        learnt, judged: numbers of the windows.
    """

    learnt: np.ndarray
    judged: np.ndarray


def split_in_time(starts: np.ndarray, length: int, channels: int, *, solved: bool) -> list[Fold]:
    """Split windows for a calibration in time: every block by models of other windows.

    A window inside a block lies between windows that are learnt, as nothing that comes after the fit does;
    so the last half and the last quarter are also judged by models of what came before. Several channels
    need more windows for that: the start of a short series does not determine their covariance. Networks that
    are trained cost more than those that are solved: they are trained on two halves.

    Args:
        starts: (windows,) first points; those of one series are consecutive numbers.
        length: points in a window.
        channels: their number.
        solved: whether networks are solved in closed form.
    """
    runs = np.split(np.arange(len(starts)), np.flatnonzero(np.diff(starts) != 1) + 1)
    points = np.array([len(run) + length - 1 for run in runs])
    # Of each window: the first and the last point as shares of the series.
    offset = np.concatenate([np.arange(len(run)) for run in runs])
    total = np.repeat(points, [len(run) for run in runs])
    first, last = offset / total, (offset + length - 1) / total
    blocks = int(np.clip(points.max() // length, MIN_BLOCKS, MAX_BLOCKS)) if solved else MIN_BLOCKS
    block = [(share * blocks).astype(int) for share in (first, last)]
    found = [
        Fold(
            np.flatnonzero((block[1] < number) | (block[0] > number)),
            np.flatnonzero((block[0] == number) & (block[1] == number)),
        )
        for number in range(blocks)
    ]
    if solved and (channels == 1 or points.max() >= MIN_WINDOWS_TO_CUT * length * channels):
        found += [Fold(np.flatnonzero(last < cut), np.flatnonzero(first >= cut)) for cut in CUTS]
    return [fold for fold in found if len(fold.learnt) >= MIN_LEARNT and len(fold.judged)]


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
