"""Affiliation: how near predicted segments lie to labelled ones, and the other way round.

After Huet, Navarro and Rossi, "Local evaluation of time series anomaly detection algorithms" (KDD 2022).
Point i is the interval [i, i + 1). The zone I of a labelled event A holds all that is nearer to A than to
another event. What is judged is how a distance compares with that of a place drawn evenly from the zone:

- precision of a zone: the mean, over what is predicted in it, of the probability that a random place is at
  least as far from A: `1 - |{z in I: dist(z, A) < dist(x, A)}| / |I|`; then the mean over zones with one;
- recall of a zone: the mean, over the places y of A, of the probability that a random place is at least as
  far from y as the nearest prediction of the zone is, 0 in a zone without one; then the mean over all zones.

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
    """The affiliation of given alarms; all are 0 where there is none.

    Args:
        labels: Per point 1 (anomalous) or 0, shape (points,); points that touch are one event.
        alarms: Per point 1 or 0, shape (points,).
    """
    return _Pieces(labels).measure(np.asarray(alarms).astype(bool))


def affiliation_best(labels: ArrayLike, scores: ArrayLike) -> Affiliation:
    """The one of highest F1 over thresholds, as TSB-AD has it: 100, evenly from lowest to highest score.

    Args:
        labels: As for `affiliation`.
        scores: Per point, higher = more anomalous, shape (points,).
    """
    values = np.asarray(scores, dtype=np.float64)
    levels, pieces = np.linspace(values.min(), values.max(), THRESHOLDS), _Pieces(labels)
    return max((pieces.measure(values > level) for level in levels), key=lambda found: found.f1)


class _Pieces:
    """The points, cut where a zone ends within one: each lies in one zone, in its event or outside."""

    def __init__(self, labels: ArrayLike) -> None:
        odd = np.asarray(labels).astype(bool)
        steps = np.diff(odd.astype(np.int8), prepend=0, append=0)
        first, past = np.flatnonzero(steps == 1).astype(float), np.flatnonzero(steps == -1).astype(float)
        if not len(first):
            raise ValueError("no point is labelled: there is nothing to be near to")
        borders = np.concatenate([[0.0], (past[:-1] + first[1:]) / 2, [float(len(odd))]])
        edges = np.union1d(np.arange(len(odd) + 1.0), borders)
        self.start, self.end = edges[:-1], edges[1:]
        self.point = self.start.astype(np.int64)
        self.zone = np.searchsorted(borders, self.start, side="right") - 1
        self.low, self.high = borders[self.zone], borders[self.zone + 1]
        self.odd = odd[self.point]
        self.events = past - first
        self.near = self._precision(first[self.zone], past[self.zone])

    def _precision(self, first: Floats, past: Floats) -> Floats:
        """Per piece the integral of the probability that a random place of the zone is at least as far."""
        left, right = first - self.low, self.high - past
        knots = np.stack([self.start, first - right, past + left, self.end])

        def farther(x: Floats) -> Floats:
            apart = np.maximum(np.maximum(first - x, x - past), 0)
            nearer = past - first + np.minimum(apart, left) + np.minimum(apart, right)
            return 1 - nearer / (self.high - self.low)

        outside = _integral(farther, np.sort(knots.clip(self.start, self.end), axis=0))
        return np.where(self.odd, self.end - self.start, outside)

    def measure(self, alarms: Flags) -> Affiliation:
        """Precision, recall and F1 of these alarms."""
        told, zones = alarms[self.point], len(self.events)
        if not told.any():
            return Affiliation(0.0, 0.0, 0.0)
        length = np.bincount(self.zone[told], (self.end - self.start)[told], zones)
        near = np.bincount(self.zone[told], self.near[told], zones)
        precision = float(np.mean(near[length > 0] / length[length > 0]))
        recall = float(np.mean(np.bincount(self.zone[self.odd], self._recall(told), zones) / self.events))
        return Affiliation(precision, recall, 2 * precision * recall / max(precision + recall, 1e-12))

    def _recall(self, told: Flags) -> Floats:
        """Per anomalous piece the integral of the probability that a random place is at least as far."""
        last = np.maximum.accumulate(np.where(told, self.end, -np.inf))
        coming = np.minimum.accumulate(np.where(told, self.start, np.inf)[::-1])[::-1]
        odd, low, high = self.odd, self.low[self.odd], self.high[self.odd]
        # An alarm of another zone does not count: then the nearest is farther than any place of the zone.
        before = np.where(last[odd] > low, last[odd], 2 * low - high)
        behind = np.where(coming[odd] < high, coming[odd], 2 * high - low)
        start, end = self.start[odd], self.end[odd]
        knots = np.stack([start, (before + behind) / 2, (behind + low) / 2, (before + high) / 2, end])

        def farther(y: Floats) -> Floats:
            apart = np.minimum(y - before, behind - y)
            return 1 - (np.minimum(apart, y - low) + np.minimum(apart, high - y)) / (high - low)

        missed = _integral(farther, np.sort(knots.clip(start, end), axis=0))
        return np.where(told[odd], end - start, missed)


def _integral(linear: Callable[[Floats], Floats], knots: Floats) -> Floats:
    """The integral along the first axis of a function that is linear between its knots."""
    values = linear(knots)
    return np.asarray((np.diff(knots, axis=0) * (values[1:] + values[:-1]) / 2).sum(0))
