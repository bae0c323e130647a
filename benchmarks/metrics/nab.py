"""The score of the Numenta Anomaly Benchmark: an alarm scores more the earlier it is in its window.

After Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark"
(ICMLA 2015), with the details of NAB's scorer. With `sigma(y) = 2 / (1 + exp(5 y)) - 1`:

- in a labelled window of w points, an alarm j points after the first counts `sigma(j / w - 1) / sigma(-1)`:
  1 at the first point, almost 0 at the last. Only the best alarm of a window counts; a window without one
  counts `-A_FN`;
- an alarm d points after a window of w points counts `A_FP * sigma(d / (w - 1))`: almost 0 just after it,
  `-A_FP` far after it, and `-A_FP` before the first window;
- the first 15 % of the points, at most 750, are the probationary period: alarms there do not count.

The sum is scaled so that no alarm is 0 and a perfect detector 100: `100 (raw - null) / (perfect - null)`.
The weights are those of NAB's profile "standard": 1 for a detected window, .11 for a false alarm, 1 for a
missed window. NAB ranks detectors with one threshold for all its files; the best one of a single file, which
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
    """The highest score over thresholds: at most 100, at least 0, which is the score without alarms.

    Attributes:
        score: The score.
        threshold: Points with at least this score are alarms; infinite if no alarm is best.
    """

    score: float
    threshold: float


def probation(points: int) -> int:
    """Return the number of points of the probationary period."""
    return min(int(PROBATION * points), PROBATION_POINTS)


def nab_score(labels: ArrayLike, alarms: ArrayLike) -> float:
    """Return the score of given alarms.

    Args:
        labels: For each point 1 in a window or 0, shape (points,); adjacent windows count as one.
        alarms: For each point 1 or 0, shape (points,).
    """
    scores, levels = _curve(labels, np.asarray(alarms, dtype=bool).astype(float))
    return float(scores[np.searchsorted(-levels, -1.0, side="right") - 1])


def nab_best(labels: ArrayLike, scores: ArrayLike) -> Best:
    """Return the best score over all thresholds; of equal ones, the one with the fewest alarms.

    Args:
        labels: As for `nab_score`.
        scores: For each point, higher = more anomalous, shape (points,).

    Raises:
        ValueError: If the shapes differ, a score is not finite, or no window reaches beyond the probation.
    """
    curve, levels = _curve(labels, scores)
    best = int(curve.argmax())
    return Best(float(curve[best]), float(levels[best]))


def _curve(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """Return the score at each threshold, and the thresholds, descending; the first is infinite."""
    anomalous, values = np.asarray(labels).astype(bool), np.asarray(scores, dtype=np.float64)
    if anomalous.ndim != 1 or anomalous.shape != values.shape:
        raise ValueError(
            f"labels of shape {anomalous.shape} and scores of shape {values.shape}, expected one vector each"
        )
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite")
    window, credit = _credits(anomalous)
    start = probation(len(anomalous))
    order = start + np.argsort(-values[start:], kind="stable")
    window, credit = window[order], credit[order]
    windows = np.unique(window[window >= 0])
    if not len(windows):
        raise ValueError(f"no labelled window reaches beyond the first {start} points")
    # Gain of each further alarm: a false one adds its cost; one in a window adds its improvement over the
    # best previous alarm of the window, or over a miss if it is the first.
    gains = np.where(window < 0, credit, 0.0)
    for number in windows:
        inside = np.flatnonzero(window == number)
        gains[inside] = np.diff(np.maximum.accumulate(credit[inside]), prepend=-A_FN)
    # Points of equal score become alarms together: only the sum after the last of them is possible.
    descending = values[order]
    last = np.flatnonzero(np.diff(descending, append=-np.inf))
    raw = np.concatenate([[0.0], np.cumsum(gains)[last]])
    return 100 * raw / (len(windows) * (1 + A_FN)), np.concatenate([[np.inf], descending[last]])


def _credits(anomalous: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Floats]:
    """Return for each point the number of its window, -1 outside, and the value of a single alarm there."""
    steps = np.diff(anomalous.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
    point = np.arange(len(anomalous))
    previous = np.searchsorted(starts, point, side="right") - 1
    if not len(starts):
        return previous, np.full(len(anomalous), -A_FP)
    width = (ends - starts + 1)[previous]
    inside = _sigma(-(ends[previous] - point + 1) / width) / _sigma(-1.0)
    # A window of one point has no length as unit of distance: all points after it are far.
    after = A_FP * _sigma((point - ends[previous]) / np.maximum(width - 1, 1e-9))
    credit = np.where(anomalous, inside, np.where(previous < 0, -A_FP, after))
    return np.where(anomalous, previous, -1), credit


def _sigma(position: Floats | float) -> Floats:
    near = 2 / (1 + np.exp(5 * np.minimum(position, 3.0))) - 1
    # As in NAB: the value is constant from three windows after the end.
    values: Floats = np.where(np.asarray(position) > 3, -1.0, near)
    return values
