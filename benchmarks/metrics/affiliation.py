"""Affiliation: distances of predicted segments from labelled ones, and of labelled from predicted ones.

After Huet, Navarro and Rossi, "Local evaluation of time series anomaly detection algorithms" (KDD 2022).
Point i is the interval [i, i + 1). The zone I of a labelled event A contains all positions that are nearer to
A than to another event. A distance is compared with that of a position sampled uniformly from the zone:

- precision of a zone: the mean, over its predictions, of the probability that a random position is at
  least as far from A: `1 - |{z in I: dist(z, A) < dist(x, A)}| / |I|`; then the mean over zones with one;
- recall of a zone: the mean, over the positions y in A, of the probability that a random position is at least
  as far from y as the nearest prediction in the zone, 0 in a zone without one; then the mean over all zones.

The integrands are piecewise linear, and integrated exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

THRESHOLDS = 100


class Affiliation(NamedTuple):
    """Each 0 to 1; `f1` is the harmonic mean of the other two."""

    precision: float
    recall: float
    f1: float


def affiliation(labels: ArrayLike, alarms: ArrayLike) -> Affiliation:
    """Return the affiliation of given alarms; all measures are 0 without alarms.

    Args:
        labels: For each point 1 (anomalous) or 0, shape (points,); adjacent points are one event.
        alarms: For each point 1 or 0, shape (points,).
    """
    return _Pieces(labels).measure(np.asarray(alarms).astype(bool))


def affiliation_best(labels: ArrayLike, scores: ArrayLike) -> Affiliation:
    """Return the affiliation with the highest F1 over 100 evenly spaced thresholds, as in TSB-AD.

    Args:
        labels: As for `affiliation`.
        scores: For each point, higher = more anomalous, shape (points,).
    """
    values = np.asarray(scores, dtype=np.float64)
    thresholds, pieces = np.linspace(values.min(), values.max(), THRESHOLDS), _Pieces(labels)
    return max((pieces.measure(values > level) for level in thresholds), key=lambda result: result.f1)


class _Pieces:
    """The points, cut where zones end: each piece is in one zone, in its event or outside."""

    def __init__(self, labels: ArrayLike) -> None:
        anomalous = np.asarray(labels).astype(bool)
        steps = np.diff(anomalous.astype(np.int8), prepend=0, append=0)
        first, stop = np.flatnonzero(steps == 1).astype(float), np.flatnonzero(steps == -1).astype(float)
        if not len(first):
            raise ValueError("no point is labelled: affiliation needs at least one event")
        borders = np.concatenate([[0.0], (stop[:-1] + first[1:]) / 2, [float(len(anomalous))]])
        edges = np.union1d(np.arange(len(anomalous) + 1.0), borders)
        self.start, self.end = edges[:-1], edges[1:]
        self.point = self.start.astype(np.int64)
        self.zone = np.searchsorted(borders, self.start, side="right") - 1
        self.low, self.high = borders[self.zone], borders[self.zone + 1]
        self.anomalous = anomalous[self.point]
        self.event_lengths = stop - first
        self.precision_integral = self._precision(first[self.zone], stop[self.zone])

    def _precision(self, first: Floats, stop: Floats) -> Floats:
        """Return for each piece the integral of P(a random position is at least as far from the event)."""
        left, right = first - self.low, self.high - stop
        knots = np.stack([self.start, first - right, stop + left, self.end])

        def farther(x: Floats) -> Floats:
            distance = np.maximum(np.maximum(first - x, x - stop), 0)
            nearer = stop - first + np.minimum(distance, left) + np.minimum(distance, right)
            return 1 - nearer / (self.high - self.low)

        outside = _integral(farther, np.sort(knots.clip(self.start, self.end), axis=0))
        return np.where(self.anomalous, self.end - self.start, outside)

    def measure(self, alarms: Flags) -> Affiliation:
        """Return precision, recall and F1 of these alarms."""
        predicted, zones = alarms[self.point], len(self.event_lengths)
        if not predicted.any():
            return Affiliation(0.0, 0.0, 0.0)
        length = np.bincount(self.zone[predicted], (self.end - self.start)[predicted], zones)
        integral = np.bincount(self.zone[predicted], self.precision_integral[predicted], zones)
        precision = float(np.mean(integral[length > 0] / length[length > 0]))
        recall = float(
            np.mean(
                np.bincount(self.zone[self.anomalous], self._recall(predicted), zones) / self.event_lengths
            )
        )
        return Affiliation(precision, recall, 2 * precision * recall / max(precision + recall, 1e-12))

    def _recall(self, predicted: Flags) -> Floats:
        """Return for each anomalous piece the integral of P(a random position is at least as far)."""
        last = np.maximum.accumulate(np.where(predicted, self.end, -np.inf))
        following = np.minimum.accumulate(np.where(predicted, self.start, np.inf)[::-1])[::-1]
        inside, low, high = self.anomalous, self.low[self.anomalous], self.high[self.anomalous]
        # Alarms of other zones do not count: the nearest is then farther than any position of the zone.
        before = np.where(last[inside] > low, last[inside], 2 * low - high)
        after = np.where(following[inside] < high, following[inside], 2 * high - low)
        start, end = self.start[inside], self.end[inside]
        knots = np.stack([start, (before + after) / 2, (after + low) / 2, (before + high) / 2, end])

        def farther(y: Floats) -> Floats:
            distance = np.minimum(y - before, after - y)
            return 1 - (np.minimum(distance, y - low) + np.minimum(distance, high - y)) / (high - low)

        outside = _integral(farther, np.sort(knots.clip(start, end), axis=0))
        return np.where(predicted[inside], end - start, outside)


def _integral(linear: Callable[[Floats], Floats], knots: Floats) -> Floats:
    """Integrate a function that is linear between its knots along the first axis."""
    values = linear(knots)
    return np.asarray((np.diff(knots, axis=0) * (values[1:] + values[:-1]) / 2).sum(0))
