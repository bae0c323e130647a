"""Volume under the surface: how well the scores of a series point at its labelled segments.

VUS-PR and VUS-ROC (Paparrizos et al., "Volume Under the Surface", VLDB 2022) are the range-aware areas under
the precision-recall and the ROC curve, averaged over blurred versions of the labels: around each anomaly the
label falls off as sqrt(1 - distance / width) within width / 2 points, for every width from 0 to `window`.
Thresholds are 250 of the scores themselves. The figures are those of the reference implementation in TSB-AD
(`RangeAUC_volume_opt`); the work is less: each point is put into the histogram of the first threshold that
predicts it, and the count at each threshold is the running sum: nothing is scanned once per threshold.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

DEFAULT_PERIOD = 125
"""What the reference takes where a series shows no period of 6 to 303 points."""


class Volume(NamedTuple):
    """The two volumes, each 0 to 1."""

    pr: float
    roc: float


def vus(labels: ArrayLike, scores: ArrayLike, window: int, thresholds: int = 250) -> Volume:
    """Returns VUS-PR and VUS-ROC.

    Args:
        labels: Per point 1 (anomalous) or 0, shape (points,).
        scores: Per point, higher = more anomalous, shape (points,).
        window: The widest blur in points, usually the series' `period`.
        thresholds: How many of the sorted scores, evenly spaced, serve as thresholds.

    Raises:
        ValueError: If the shapes differ, a score is not finite, or the labels are not both 0 and 1.
    """
    odd, values = _checked(labels, scores)
    first = _first_threshold(values, thresholds)
    starts, ends = _runs(odd)
    predicted = _running_count(first, thresholds)
    hits = _running_count(first[odd], thresholds)
    areas = []
    for width in range(window + 1):
        blur = _blur(starts, ends, odd, width)
        blurred = np.flatnonzero(blur)
        blurred_hits = _running_count(first[blurred], thresholds, blur[blurred])
        found = _share_of_zones_found(first, _zones(starts, ends, width, len(odd)), thresholds)
        areas.append(_areas(predicted, hits, blurred_hits, found, odd))
    pr, roc = np.mean(areas, axis=0)
    return Volume(float(pr), float(roc))


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[Flags, Floats]:
    odd, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if odd.ndim != 1 or odd.shape != values.shape:
        raise ValueError(
            f"labels of shape {odd.shape} and scores of shape {values.shape}, expected one vector each"
        )
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite")
    if not np.array_equal(np.unique(odd), [0, 1]):
        raise ValueError(f"labels must be 0 and 1, both present; got {np.unique(odd)[:5]}")
    return odd == 1, values


def _first_threshold(scores: Floats, thresholds: int) -> Integers:
    """For each point the first of the falling thresholds that predicts it, `thresholds` if none does."""
    places = np.linspace(0, len(scores) - 1, thresholds).astype(int)
    falling = -np.sort(-scores)[places]
    return np.searchsorted(-falling, -scores, side="left").astype(np.int64)


def _running_count(first: Integers, thresholds: int, weights: Floats | None = None) -> Floats:
    """At each threshold the number (or weight) of the points predicted so far, shape (thresholds,)."""
    histogram: NDArray[Any] = np.bincount(first, weights=weights, minlength=thresholds + 1)
    return np.cumsum(histogram[:thresholds]).astype(np.float64)


def _runs(odd: Flags) -> tuple[Integers, Integers]:
    """First and last point of each labelled segment."""
    steps = np.diff(odd.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1


def _blur(starts: Integers, ends: Integers, odd: Flags, width: int) -> Floats:
    """The soft labels outside the segments, shape (points,); where two overlap they add up to at most 1."""
    distance = np.arange(1, width // 2 + 1)
    height = np.sqrt(1 - distance / width) if width else np.empty(0)
    places = np.concatenate([(ends[:, None] + distance).ravel(), (starts[:, None] - distance).ravel()])
    heights = np.tile(height, 2 * len(starts))
    there = (places >= 0) & (places < len(odd))
    blur = np.bincount(places[there], weights=heights[there], minlength=len(odd))
    return np.where(odd, 0.0, np.minimum(blur, 1.0))


def _zones(starts: Integers, ends: Integers, width: int, points: int) -> list[tuple[int, int]]:
    """The segments widened by half the width, those that then touch joined; the last point is included."""
    half = width // 2
    gaps = np.flatnonzero(ends[:-1] + half < starts[1:] - half)
    first = np.concatenate([[max(starts[0] - half, 0)], starts[gaps + 1] - half])
    last = np.concatenate([ends[gaps] + half, [min(ends[-1] + half, points - 1)]])
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _share_of_zones_found(first: Integers, zones: list[tuple[int, int]], thresholds: int) -> Floats:
    """At each threshold the share of zones with at least one predicted point, shape (thresholds,)."""
    found_at = np.sort([first[start : end + 1].min() for start, end in zones])
    found: Integers = np.searchsorted(found_at, np.arange(thresholds), side="right")
    return found / len(zones)


def _areas(
    predicted: Floats, hits: Floats, blurred_hits: Floats, found: Floats, odd: Flags
) -> tuple[float, float]:
    """Areas under the precision-recall and the ROC curve at one width.

    All arguments but `odd` are per threshold. The number of positives is midway between the hard labels and
    the blurred ones that the threshold reaches, and recall is multiplied by the share of zones found.
    """
    true_positives = hits + blurred_hits
    positives = odd.sum() + blurred_hits / 2
    recall = np.minimum(true_positives / positives, 1) * found
    false_alarms = (predicted - true_positives) / (len(odd) - positives)
    precision = true_positives / predicted
    rising = np.concatenate([[0.0], recall, [1.0]])
    across = np.concatenate([[0.0], false_alarms, [1.0]])
    area_roc = np.dot(np.diff(across), (rising[1:] + rising[:-1]) / 2)
    area_pr = np.dot(np.diff(rising[:-1]), precision)
    return float(area_pr), float(area_roc)


def period(series: ArrayLike) -> int:
    """The period of a series in points, as TSB-AD's `find_length_rank` with rank 1 finds it.

    It is the lag of the highest local maximum of the autocorrelation of the first 20,000 points, of the lags
    4 to 399; 125 where there is none, or where it lies outside 6 to 303.
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
    """The biased autocorrelation at lags 0 to `lags`; empty for a constant series."""
    if len(values) < 2 or not np.ptp(values) > 0:
        return np.empty(0)
    centred = values - values.mean()
    length = 1 << (2 * len(values) - 1).bit_length()
    spectrum = np.fft.rfft(centred, length)
    products = np.fft.irfft(spectrum * spectrum.conj(), length)[: min(lags, len(values) - 1) + 1]
    correlation: Floats = products / products[0]
    return correlation
