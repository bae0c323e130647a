"""Volume under the surface: how well the scores of a series detect its labelled segments.

VUS-PR and VUS-ROC (Paparrizos et al., "Volume Under the Surface", VLDB 2022) are the range-aware areas under
the precision-recall and the ROC curve, averaged over smoothed versions of the labels: around each anomaly the
label decreases as sqrt(1 - distance / width) within width / 2 points, for every width from 0 to `window`.
Thresholds are 250 of the scores themselves. Results are equal to those of the reference implementation in
TSB-AD (`RangeAUC_volume_opt`), at lower cost: each point is counted in the histogram of the first threshold
that predicts it, and the count at each threshold is a cumulative sum, without a scan for each threshold.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

DEFAULT_PERIOD = 125
"""The value of the reference implementation for series without a period of 6 to 303 points."""


class Volume(NamedTuple):
    """The two volumes, each 0 to 1."""

    pr: float
    roc: float


def vus(labels: ArrayLike, scores: ArrayLike, window: int, thresholds: int = 250) -> Volume:
    """Return VUS-PR and VUS-ROC.

    Args:
        labels: For each point 1 (anomalous) or 0, shape (points,).
        scores: For each point, higher = more anomalous, shape (points,).
        window: The maximum smoothing width in points, usually the series' `period`.
        thresholds: How many of the sorted scores, evenly spaced, serve as thresholds.

    Raises:
        ValueError: If the shapes differ, a score is not finite, or the labels are not both 0 and 1.
    """
    anomalous, values = _checked(labels, scores)
    first = _first_threshold(values, thresholds)
    starts, ends = _runs(anomalous)
    predicted = _running_count(first, thresholds)
    hits = _running_count(first[anomalous], thresholds)
    areas = []
    for width in range(window + 1):
        soft = _soft_labels(starts, ends, anomalous, width)
        nonzero = np.flatnonzero(soft)
        soft_hits = _running_count(first[nonzero], thresholds, soft[nonzero])
        detected = _share_of_zones_detected(first, _zones(starts, ends, width, len(anomalous)), thresholds)
        areas.append(_areas(predicted, hits, soft_hits, detected, anomalous))
    pr, roc = np.mean(areas, axis=0)
    return Volume(float(pr), float(roc))


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[Flags, Floats]:
    anomalous, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if anomalous.ndim != 1 or anomalous.shape != values.shape:
        raise ValueError(
            f"labels of shape {anomalous.shape} and scores of shape {values.shape}, expected one vector each"
        )
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite")
    if not np.array_equal(np.unique(anomalous), [0, 1]):
        raise ValueError(f"labels must be 0 and 1, both present; got {np.unique(anomalous)[:5]}")
    return anomalous == 1, values


def _first_threshold(scores: Floats, thresholds: int) -> Integers:
    """Return for each point the first of the descending thresholds that predicts it, `thresholds` if none."""
    indices = np.linspace(0, len(scores) - 1, thresholds).astype(int)
    descending = -np.sort(-scores)[indices]
    return np.searchsorted(-descending, -scores, side="left").astype(np.int64)


def _running_count(first: Integers, thresholds: int, weights: Floats | None = None) -> Floats:
    """Return for each threshold the number (or weight) of the predicted points, shape (thresholds,)."""
    histogram: NDArray[Any] = np.bincount(first, weights=weights, minlength=thresholds + 1)
    return np.cumsum(histogram[:thresholds]).astype(np.float64)


def _runs(anomalous: Flags) -> tuple[Integers, Integers]:
    """Return the first and last point of each labelled segment."""
    steps = np.diff(anomalous.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1


def _soft_labels(starts: Integers, ends: Integers, anomalous: Flags, width: int) -> Floats:
    """Return the soft labels outside the segments, shape (points,); overlapping ones add up to at most 1."""
    distance = np.arange(1, width // 2 + 1)
    height = np.sqrt(1 - distance / width) if width else np.empty(0)
    points = np.concatenate([(ends[:, None] + distance).ravel(), (starts[:, None] - distance).ravel()])
    heights = np.tile(height, 2 * len(starts))
    inside = (points >= 0) & (points < len(anomalous))
    soft = np.bincount(points[inside], weights=heights[inside], minlength=len(anomalous))
    return np.where(anomalous, 0.0, np.minimum(soft, 1.0))


def _zones(starts: Integers, ends: Integers, width: int, points: int) -> list[tuple[int, int]]:
    """Return the segments widened by half the width and merged if they touch, as (first, last) point."""
    half = width // 2
    gaps = np.flatnonzero(ends[:-1] + half < starts[1:] - half)
    first = np.concatenate([[max(starts[0] - half, 0)], starts[gaps + 1] - half])
    last = np.concatenate([ends[gaps] + half, [min(ends[-1] + half, points - 1)]])
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _share_of_zones_detected(first: Integers, zones: list[tuple[int, int]], thresholds: int) -> Floats:
    """Return for each threshold the share of zones with a predicted point, shape (thresholds,)."""
    detected_at = np.sort([first[start : end + 1].min() for start, end in zones])
    detected: Integers = np.searchsorted(detected_at, np.arange(thresholds), side="right")
    return detected / len(zones)


def _areas(
    predicted: Floats, hits: Floats, soft_hits: Floats, detected: Floats, anomalous: Flags
) -> tuple[float, float]:
    """Return the areas under the precision-recall and the ROC curve at one width.

    All arguments but `anomalous` have one value for each threshold. The number of positives is midway between
    the hard labels and the soft ones that the threshold predicts; recall is multiplied by the share of zones
    detected.
    """
    true_positives = hits + soft_hits
    positives = anomalous.sum() + soft_hits / 2
    recall = np.minimum(true_positives / positives, 1) * detected
    false_alarms = (predicted - true_positives) / (len(anomalous) - positives)
    precision = true_positives / predicted
    recalls = np.concatenate([[0.0], recall, [1.0]])
    false_alarm_rates = np.concatenate([[0.0], false_alarms, [1.0]])
    area_roc = np.dot(np.diff(false_alarm_rates), (recalls[1:] + recalls[:-1]) / 2)
    area_pr = np.dot(np.diff(recalls[:-1]), precision)
    return float(area_pr), float(area_roc)


def period(series: ArrayLike) -> int:
    """Return the period of a series in points, as TSB-AD's `find_length_rank` with rank 1 does.

    It is the lag of the highest local maximum of the autocorrelation of the first 20,000 points, over lags
    4 to 399; 125 if there is none, or if it is outside 6 to 303.
    """
    values = np.asarray(series, dtype=np.float64)[:20_000]
    skipped = 3
    correlation = _autocorrelation(values, lags=400)[skipped:]
    middle = correlation[1:-1]
    peaks = np.flatnonzero((middle > correlation[:-2]) & (middle > correlation[2:])) + 1
    if not len(peaks):
        return DEFAULT_PERIOD
    highest = int(peaks[np.argsort(correlation[peaks])[-1]])
    return highest + skipped if 3 <= highest <= 300 else DEFAULT_PERIOD


def _autocorrelation(values: Floats, lags: int) -> Floats:
    """Return the biased autocorrelation at lags 0 to `lags`; empty for a constant series."""
    if len(values) < 2 or not np.ptp(values) > 0:
        return np.empty(0)
    centred = values - values.mean()
    length = 1 << (2 * len(values) - 1).bit_length()
    spectrum = np.fft.rfft(centred, length)
    products = np.fft.irfft(spectrum * spectrum.conj(), length)[: min(lags, len(values) - 1) + 1]
    correlation: Floats = products / products[0]
    return correlation
