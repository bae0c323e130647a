"""The score of the Numenta Anomaly Benchmark: an alarm is worth more the earlier it is in its window.

After Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark"
(ICMLA 2015), with the details of NAB's scorer. With `sigma(y) = 2 / (1 + exp(5 y)) - 1`:

- in a labelled window of w points, an alarm j points after the first counts `sigma(j / w - 1) / sigma(-1)`:
  1 at the first point, almost 0 at the last. Only the best alarm of a window counts; a window without one
  counts `-A_FN`;
- an alarm d points after a window of w points counts `A_FP * sigma(d / (w - 1))`: almost 0 just behind it,
  `-A_FP` far behind it, and `-A_FP` before the first window;
- the first 15 % of the points, at most 750, are for learning: alarms there count nothing.

The sum is scaled so that no alarm is 0 and a perfect detector 100: `100 (raw - null) / (perfect - null)`.
The weights are those of NAB's profile "standard": 1 for a window found, .11 for a false alarm, 1 for a missed
window. NAB ranks detectors with one threshold for all its files; the best one of a single file, which
`nab_best` takes, is an upper limit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

A_FP, A_FN = 0.11, 1.0
PROBATION, PROBATION_POINTS = 0.15, 750


class Best(NamedTuple):
    """The highest score that a threshold reaches: at most 100; at least 0, as no alarm at all is 0.

    Attributes:
        score: The score.
        threshold: A point is an alarm if its own score is at least this; infinite where silence is best.
    """

    score: float
    threshold: float


def probation(points: int) -> int:
    """How many of the points are for learning."""
    return min(int(PROBATION * points), PROBATION_POINTS)


def nab_score(labels: ArrayLike, alarms: ArrayLike) -> float:
    """The score of given alarms.

    Args:
        labels: Per point 1 in a window or 0, shape (points,); windows that touch count as one.
        alarms: Per point 1 or 0, shape (points,).
    """
    scores, levels = _curve(labels, np.asarray(alarms, dtype=bool).astype(float))
    return float(scores[np.searchsorted(-levels, -1.0, side="right") - 1])


def nab_best(labels: ArrayLike, scores: ArrayLike) -> Best:
    """The best score over all thresholds; of equal ones, the one with the fewest alarms.

    Args:
        labels: As for `nab_score`.
        scores: Per point, higher = more anomalous, shape (points,).

    Raises:
        ValueError: If the shapes differ, a score is not finite, or no window reaches beyond the probation.
    """
    curve, levels = _curve(labels, scores)
    best = int(curve.argmax())
    return Best(float(curve[best]), float(levels[best]))


def _curve(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """The score at each threshold, and the thresholds, falling; the first is infinite."""
    odd, values = np.asarray(labels).astype(bool), np.asarray(scores, dtype=np.float64)
    if odd.ndim != 1 or odd.shape != values.shape:
        raise ValueError(
            f"labels of shape {odd.shape} and scores of shape {values.shape}, expected one vector each"
        )
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite")
    window, credit = _credits(odd)
    learning = probation(len(odd))
    order = learning + np.argsort(-values[learning:], kind="stable")
    window, credit = window[order], credit[order]
    found = np.unique(window[window >= 0])
    if not len(found):
        raise ValueError(f"no labelled window reaches beyond the first {learning} points")
    # What each further alarm adds to the sum: a false one its cost; one in a window what it is better than
    # the best before it, which for the first one was a miss.
    gains = np.where(window < 0, credit, 0.0)
    for one in found:
        inside = np.flatnonzero(window == one)
        gains[inside] = np.diff(np.maximum.accumulate(credit[inside]), prepend=-A_FN)
    # Points of equal score become alarms together: only the sum after the last of them can be had.
    falling = values[order]
    last = np.flatnonzero(np.diff(falling, append=-np.inf))
    raw = np.concatenate([[0.0], np.cumsum(gains)[last]])
    return 100 * raw / (len(found) * (1 + A_FN)), np.concatenate([[np.inf], falling[last]])


def _credits(odd: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Floats]:
    """Per point the number of its window, -1 outside, and what an alarm there counts by itself."""
    steps = np.diff(odd.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
    point = np.arange(len(odd))
    before = np.searchsorted(starts, point, side="right") - 1
    if not len(starts):
        return before, np.full(len(odd), -A_FP)
    width = (ends - starts + 1)[before]
    inside = _sigma(-(ends[before] - point + 1) / width) / _sigma(-1.0)
    # A window of one point has no length to measure the distance by: all behind it is far.
    behind = A_FP * _sigma((point - ends[before]) / np.maximum(width - 1, 1e-9))
    credit = np.where(odd, inside, np.where(before < 0, -A_FP, behind))
    return np.where(odd, before, -1), credit


def _sigma(place: Floats | float) -> Floats:
    near = 2 / (1 + np.exp(5 * np.minimum(place, 3.0))) - 1
    # NAB's own cut: three windows behind is as far as far can be.
    shape: Floats = np.where(np.asarray(place) > 3, -1.0, near)
    return shape
