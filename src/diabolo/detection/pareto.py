"""The tail of the scores of a series: peaks over a threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from diabolo.utils.checks import is_finite_number, require

START_QUANTILE = 0.9  # of the scores, from where on the tail is modelled; a choice
MIN_PEAKS = 4  # separate peaks that a tail is estimated from; fewer say nothing of its shape
# An exponential tail is that of one in twenty scores, and of ten at least (a choice).
SCORES_PER_TAIL_SCORE, MIN_TAIL_SCORES = 20, 10
MAX_SHAPE = 0.5  # of the distribution, either sign: a few peaks cannot tell more extreme ones apart
# Bits beyond one in as many independent windows as there are: a tail is read a thousand times farther than
# data reach, no more.
BITS_BEYOND_DATA = 10.0
# Times the distance from the lowest tenth of the scores to their median: a score above that is far out.
# Measured on 51 series, a test bench and planted anomalies: with 6 the rate is exceeded more often, with 15
# anomalies are found more seldom.
FAR_OUT = 10.0
MAX_ANOMALOUS_SHARE = 0.1  # of the points; where anomalies touch more, they are what is normal


@dataclass(frozen=True)
class ParetoTail:
    """The distribution of scores above a level, by peaks over a threshold.

    Scores of neighbouring points are alike, so that a stretch of high scores counts once, by its peak. Peaks
    above a high level follow a generalised Pareto distribution: a score x beyond the level u is exceeded by a
    share `share (1 + shape (x - u) / scale)^(-1 / shape)` (Pickands, "Statistical inference using extreme
    order statistics", 1975; for runs of dependent values: Davison and Smith, "Models for exceedances over
    high thresholds", 1990).

    Attributes:
        start: the level u.
        share: the share of scores above it.
        scale, shape: of the distribution of the excesses.
        max_bits: the bits up to which the tail is read; beyond, they grow like a logarithm and mean no share.
        points_per_peak: how many points of the tail belong to one peak, on average.
    """

    start: float
    share: float
    scale: float
    shape: float
    max_bits: float
    points_per_peak: float

    @classmethod
    def fit(cls, scores: np.ndarray, positions: np.ndarray, length: int, independent: float) -> Self:
        """Estimate the tail by the moments of the peaks; of few, an exponential one of the highest points.

        Args:
            scores: (points,).
            positions: (points,) in time, ascending.
            length: points of a window; peaks less than half of it apart are one.
            independent: number of independent windows that the scores come from.
        """
        ranked = np.sort(scores)
        first = _start_of_tail(ranked)
        stretches = _stretches(np.flatnonzero(scores > ranked[first]), positions, length)
        peaks = np.array([scores[stretch].max() for stretch in stretches]) - ranked[first]
        per_peak = sum(map(len, stretches)) / max(len(peaks), 1)
        if len(peaks) >= MIN_PEAKS:
            mean, variance = float(peaks.mean()), max(float(peaks.var(ddof=1)), 1e-12)
            shape = float(np.clip((1 - mean**2 / variance) / 2, -MAX_SHAPE, MAX_SHAPE))
            scale = max(mean * (1 - shape), 1e-3 * float(scores.std()), 1e-9)
        else:
            shape, (first, scale) = 0.0, exponential_tail(ranked)
        return cls(0.0, 1.0, scale, shape, 0.0, per_peak)._from(ranked, first, independent)

    def above(self, ranked: np.ndarray, independent: float) -> Self:
        """Return a tail of the same shape above the highest tenth of other scores.

        Args:
            ranked: scores, ascending.
            independent: number of independent windows that they come from.
        """
        return self._from(ranked, _start_of_tail(ranked), independent)

    def _from(self, ranked: np.ndarray, first: int, independent: float) -> Self:
        """Return the tail with its start at one of the ranked scores."""
        start = float(ranked[first])
        # Strictly above it: many scores may be equal.
        share = max(len(ranked) - int(np.searchsorted(ranked, start, side="right")), 1) / (len(ranked) + 1)
        max_bits = float(np.log2(independent + 1)) + BITS_BEYOND_DATA
        ratio = max(self.points_per_peak, 1.0)
        return replace(self, start=start, share=share, max_bits=max_bits, points_per_peak=ratio)

    @property
    def min_bits(self) -> float:
        """The bits of the level where the tail starts."""
        return -float(np.log2(self.share))

    def bits(self, scores: np.ndarray) -> np.ndarray:
        """Return -log2 of the share of normal points that score at least as high.

        Args:
            scores: any shape; those below the start of the tail count as the start.
        """
        excess, last = np.maximum(scores - self.start, 0), self._excess(self.max_bits)
        within = self.min_bits + self._nats(np.minimum(excess, last)) / np.log(2)
        slope = 1 / (np.log(2) * max(self.scale + self.shape * last, 1e-9))
        return np.asarray(within + np.log2(1 + slope * np.maximum(excess - last, 0)))

    def score_at(self, bits: float) -> float:
        """Return the score that has these bits, for bits from `min_bits` to `max_bits`."""
        return self.start + self._excess(bits)

    def _nats(self, excess: np.ndarray) -> np.ndarray:
        """Return -log of the share of peaks that exceed the level by more."""
        if abs(self.shape) < 1e-6:
            return np.asarray(excess / self.scale)
        return np.asarray(np.log1p(self.shape * excess / self.scale) / self.shape)

    def _excess(self, bits: float) -> float:
        """Return the inverse of `_nats`, for bits."""
        nats = max(bits - self.min_bits, 0.0) * np.log(2)
        if abs(self.shape) < 1e-6:
            return float(self.scale * nats)
        return float(self.scale * np.expm1(self.shape * nats) / self.shape)

    def check(self) -> None:
        """Raise `ValueError` if a value from a model file cannot be right."""
        values = (self.start, self.share, self.scale, self.shape, self.max_bits, self.points_per_peak)
        require(all(is_finite_number(v) for v in values), "tail of the calibration")
        require(
            0 < self.share <= 1
            and self.scale > 0
            and self.points_per_peak >= 1
            and abs(self.shape) <= MAX_SHAPE,
            "tail",
        )
        require(self.min_bits <= self.max_bits <= 100, "bits of the tail")


def exponential_tail(ranked: np.ndarray) -> tuple[int, float]:
    """Return where the highest scores begin, and their mean excess over the first of them.

    Args:
        ranked: scores, ascending.
    """
    first = len(ranked) - max(len(ranked) // SCORES_PER_TAIL_SCORE, min(MIN_TAIL_SCORES, len(ranked)))
    top = ranked[first:]
    excess = float((top - top[0]).mean()) if len(top) > 1 else 0.0
    return first, max(excess, 1e-3 * float(ranked.std()), 1e-9)


def _start_of_tail(ranked: np.ndarray) -> int:
    """Return the number of the score that the tail starts above."""
    return min(int(START_QUANTILE * len(ranked)), len(ranked) - 1)


def _stretches(chosen: np.ndarray, positions: np.ndarray, length: int) -> list[np.ndarray]:
    """Return some points in stretches: those less than half a window apart belong together.

    Args:
        chosen: numbers of the points, ascending.
        positions: (points,) in time, ascending.
        length: points of a window.
    """
    ends = np.flatnonzero(np.diff(positions[chosen]) > max(length // 2, 1)) + 1
    return np.split(chosen, ends) if len(chosen) else []


def without_anomalies(scores: np.ndarray, positions: np.ndarray, length: int) -> np.ndarray:
    """Return (points,) which scores calibrate: not those of stretches that are isolated anomalies.

    Who fits on a whole series fits on its anomalies too, and left in, they set the level that they would have
    to exceed. An anomaly raises the score of all points whose windows it touches, two lengths of a window,
    far above the others: its stretch ends where a stretch of a series that changes goes on.

    Args:
        scores: (points,).
        positions: (points,) in time, ascending.
        length: points of a window.
    """
    low, middle = np.quantile(scores, [0.1, 0.5])
    high = np.flatnonzero(scores > middle + FAR_OUT * (middle - low))
    kept = np.ones(len(scores), bool)
    for stretch in _stretches(high, positions, length):
        first, last = positions[stretch[[0, -1]]]
        if last - first <= 2 * length:
            kept &= (positions < first) | (positions > last)
    return kept if kept.mean() >= 1 - MAX_ANOMALOUS_SHARE else np.ones(len(scores), bool)
