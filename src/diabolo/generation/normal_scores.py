"""Normal scores of the channels of a series: values mapped to a scale on which windows are near normal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtri

# Quantiles at which the curve of a channel bends: few, so that it follows the tails and not every bump.
_KNOT_SHARES = np.array([0.0, 0.002, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.998, 1.0])
MAX_DISCRETE_VALUES = 256  # a channel is discrete if it has at most so many values ...
MIN_REPEATS = 5  # ... each of which occurs so often in the mean
_VALLEY_RATIO = 5.0  # a valley: the density on both sides is so many times as high
MIN_SCORE_DEVIATION = 1e-3  # deviation of scores below which differences are ignored


class NormalScores:
    """Map the values of each channel to normal scores and back.

    A continuous channel is mapped along a straight line, or along a curve through some quantiles where
    windows are then more likely. Each value of a discrete channel is mapped to the middle of its ranks, and
    the inverse gives one of these values.

    Attributes:
        arrays: `curves` (channels, 3, knots): values, scores, and the score up to which a value reaches;
            `is_discrete` (channels,); `duplicate_of` (channels,): the first channel with the same values.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = {name: arrays[name] for name in ("curves", "is_discrete", "duplicate_of")}

    @classmethod
    def fit(cls, points: np.ndarray, windows: np.ndarray) -> NormalScores:
        """Learn the curve of every channel.

        Args:
            points: (points, channels) values in standard units.
            windows: (windows, channels, length) the same values, as windows.
        """
        channels = range(points.shape[1])
        fits = [_fit_curve(points[:, c], windows[:, c]) for c in channels]
        knots = max(curve.shape[1] for curve, _ in fits)
        curves = [np.pad(curve, ((0, 0), (0, knots - curve.shape[1])), "edge") for curve, _ in fits]
        return cls(
            {
                "curves": np.stack(curves),
                "is_discrete": np.array([is_discrete for _, is_discrete in fits]),
                "duplicate_of": np.array([_first_duplicate(points, c) for c in channels]),
            }
        )

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the (rows, channels, length) normal scores of values in standard units."""
        curves = self.arrays["curves"]
        return np.stack([np.interp(values[:, c], *curves[c, :2]) for c in range(len(curves))], 1)

    def inverse_transform(self, scores: np.ndarray) -> np.ndarray:
        """Return the values of (rows, channels, length) scores, within the range of the fit."""
        values = np.empty_like(scores)
        for c, (value, score, upper) in enumerate(self.arrays["curves"]):
            first = int(self.arrays["duplicate_of"][c])
            if first < c:
                values[:, c] = values[:, first]
            elif self.arrays["is_discrete"][c]:
                index = np.searchsorted(upper, scores[:, c])
                values[:, c] = value[np.minimum(index, len(value) - 1)]
            else:
                values[:, c] = np.interp(scores[:, c], score, value)
        return values


def _fit_curve(points: np.ndarray, windows: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the (3, knots) curve of a channel, and whether it is discrete."""
    value, counts = np.unique(points, return_counts=True)
    if len(value) <= min(MAX_DISCRETE_VALUES, len(points) / MIN_REPEATS):
        cumulative = np.cumsum(counts) / len(points)
        upper = ndtri(np.r_[cumulative[:-1], 1 - 0.5 / len(points)])
        return np.stack([value, ndtri(cumulative - counts / len(points) / 2), upper]), True
    ends = np.array([value[0], value[-1]])
    straight = np.stack([ends, ends - points.mean(), ends])
    straight[1] /= points.std()
    share = _KNOT_SHARES.clip(0.5 / len(points), 1 - 0.5 / len(points))
    value = np.quantile(points, share)
    distinct = np.r_[True, np.diff(value) > 1e-9 * (value[-1] - value[0])]
    bent = np.stack([value, ndtri(share), value])[:, distinct]
    density = np.diff(share[distinct]) / np.diff(bent[0])
    left, right = np.maximum.accumulate(density), np.maximum.accumulate(density[::-1])[::-1]
    if (np.minimum(left, right) > _VALLEY_RATIO * density).any():
        # A curve would bring modes together: keeping them apart is left to the components of the mixture.
        return straight, False
    return min((straight, bent), key=lambda curve: _mean_nats(curve, points, windows)), False


def _mean_nats(curve: np.ndarray, points: np.ndarray, windows: np.ndarray) -> float:
    """Return the negative log-likelihood of a point in nats, if scores of windows are jointly normal."""
    scores = np.interp(windows, *curve[:2])
    covariance = np.cov(scores.T, bias=True) + MIN_SCORE_DEVIATION**2 * np.eye(windows.shape[1])
    slope = np.diff(curve[1]) / np.diff(curve[0])
    segment = np.searchsorted(curve[0][1:-1], points)
    return float(np.linalg.slogdet(covariance)[1] / len(covariance) / 2 - np.log(slope[segment]).mean())


def _first_duplicate(points: np.ndarray, channel: int) -> int:
    """Return the first channel that has the same values; the channel itself if there is none."""
    return next(c for c in range(channel + 1) if np.array_equal(points[:, c], points[:, channel]))
