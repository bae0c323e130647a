"""Affiliation, against values worked out by hand, and against places that are counted one by one."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics import affiliation, affiliation_best


def flags(points: int, *spans: tuple[int, int]) -> np.ndarray:
    found = np.zeros(points, dtype=int)
    for first, past in spans:
        found[first:past] = 1
    return found


def test_what_is_labelled_is_1() -> None:
    labels = flags(100, (10, 20), (50, 51))
    assert affiliation(labels, labels) == (1, 1, 1)


def test_no_alarm_is_0() -> None:
    assert affiliation(flags(10, (2, 4)), np.zeros(10)) == (0, 0, 0)


def test_an_alarm_beside_its_event() -> None:
    # Zone [0, 10), event [4, 6), alarm [7, 8): it is 1 to 2 away, and z = 2 + 2 d places of 10 are nearer.
    # Precision: 1 - mean of (2 + 2 d) / 10 over d in [1, 2] = 1 - .5. Recall: from y in [4, 6) it is 7 - y
    # away, and the nearer places are [2 y - 7, 7): 1 - (14 - 2 y) / 10, in the mean 1 - .4.
    found = affiliation(flags(10, (4, 6)), flags(10, (7, 8)))
    assert found == pytest.approx((0.5, 0.6, 2 * 0.5 * 0.6 / 1.1))


def test_the_end_of_a_zone_is_the_end_of_what_is_nearer() -> None:
    # Zone [0, 10), event [0, 2), alarm [8, 9): places beyond the left end there are none.
    # Precision: places within 6 to 7 are 2 + d: 1 - 8.5 / 10. Recall: from y, [2 y - 8, 8) is cut to [0, 8).
    found = affiliation(flags(10, (0, 2)), flags(10, (8, 9)))
    assert found[:2] == pytest.approx((0.15, 0.2))


def test_a_zone_without_an_alarm_has_no_precision_and_no_recall() -> None:
    # The border is halfway between [2, 4) and [13, 15), at 8.5: the alarm [8, 9) is cut in two.
    labels = flags(20, (2, 4), (13, 15))
    assert affiliation(labels, flags(20, (2, 4))) == pytest.approx((1, 0.5, 2 / 3))
    left = 1 - (2 + 2 + 4.25) / 8.5  # at 4.25 from [2, 4), of whose zone 2 lie to the left
    right = 1 - (2 + 4.25 + 4.25) / 11.5
    assert affiliation(labels, flags(20, (8, 9))).precision == pytest.approx((left + right) / 2)


def test_a_long_alarm_counts_by_its_length() -> None:
    # All of [0, 10) is told: the mean over places of the share of places that are at least as far.
    found = affiliation(flags(10, (4, 6)), np.ones(10))
    assert found.recall == 1
    assert found.precision == pytest.approx((2 + 8 * 0.4) / 10)


def counted(labels: np.ndarray, alarms: np.ndarray, fine: int = 100) -> tuple[float, float]:
    """The definition, on places a hundredth apart."""
    runs = [
        np.flatnonzero(np.diff(part, prepend=0, append=0)).reshape(-1, 2).astype(float)
        for part in (labels, alarms)
    ]
    events, told = runs
    borders = [0.0, *(events[:-1, 1] + events[1:, 0]) / 2, float(len(labels))]

    def away(places: np.ndarray, spans: list[tuple[float, float]]) -> np.ndarray:
        return np.min([np.maximum(np.maximum(a - places, places - b), 0) for a, b in spans], axis=0)

    precision, recall = [], []
    for (first, past), low, high in zip(events, borders[:-1], borders[1:], strict=True):
        places = np.arange(low + 0.5 / fine, high, 1 / fine)
        spans = [(max(a, low), min(b, high)) for a, b in told if min(b, high) > max(a, low)]
        if not spans:
            recall.append(0.0)
            continue
        apart = away(places, [(first, past)])
        inside = away(places, spans) == 0
        precision.append(np.mean([(apart >= d - 1e-9).mean() for d in apart[inside]]))
        odd = places[apart == 0]
        near = away(odd, spans)
        recall.append(np.mean([(abs(places - y) >= d - 1e-9).mean() for y, d in zip(odd, near, strict=True)]))
    return float(np.mean(precision)), float(np.mean(recall))


def test_places_that_are_counted_say_the_same() -> None:
    random = np.random.default_rng(0)
    for _ in range(8):
        labels, alarms = (
            flags(40, *((s, s + random.integers(1, 5)) for s in random.integers(0, 36, n))) for n in (2, 3)
        )
        assert affiliation(labels, alarms)[:2] == pytest.approx(counted(labels, alarms), abs=0.02)


def test_the_best_threshold_is_one_of_a_hundred() -> None:
    labels = flags(100, (40, 50))
    scores = np.where(labels == 1, 1.0, np.linspace(0, 0.98, 100))
    assert affiliation_best(labels, scores) == (1, 1, 1)
    # Above the 99th of 100 levels, .99, but not apart from the event by any of them.
    scores[0] = 0.999
    assert affiliation_best(labels, scores).f1 == affiliation(labels, scores > 98 / 99).f1 < 1


def test_nothing_labelled_is_refused() -> None:
    with pytest.raises(ValueError, match="no point is labelled"):
        affiliation(np.zeros(5), np.ones(5))
