"""NAB's score, against values worked out by hand."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from benchmarks.metrics import nab_best, nab_score

POINTS = 100
WINDOWS = [(20, 29), (60, 69)]  # first and last point; the first 15 points are the probation


def flags(*spans: tuple[int, int], points: int = POINTS) -> np.ndarray:
    found = np.zeros(points, dtype=int)
    for first, last in spans:
        found[first : last + 1] = 1
    return found


def at(*points: int) -> np.ndarray:
    return flags(*((p, p) for p in points))


def sigma(place: float) -> float:
    return 2 / (1 + math.exp(5 * place)) - 1


LABELS = flags(*WINDOWS)
ONE = 100 / 4  # what 1 of the raw sum is: from two windows missed (-2) to two found at once (2)


def test_both_windows_at_their_first_point_are_100() -> None:
    assert nab_score(LABELS, at(20, 60)) == pytest.approx(100)


def test_no_alarm_is_0() -> None:
    assert nab_score(LABELS, at()) == 0


def test_one_window_found_is_half() -> None:
    assert nab_score(LABELS, at(60)) == pytest.approx(50)


def test_only_false_alarms_are_below_0() -> None:
    # Before any window, one window's length behind the first, and more than three behind the second.
    raw = -0.11 + 0.11 * sigma(10 / 9) - 0.11
    assert nab_score(LABELS, at(16, 39, 99)) == pytest.approx(ONE * raw)


def test_a_false_alarm_just_behind_a_window_costs_little() -> None:
    assert nab_score(LABELS, at(30)) == pytest.approx(ONE * 0.11 * sigma(1 / 9))
    assert nab_score(LABELS, at(30)) > 2 * nab_score(LABELS, at(40))


@pytest.mark.parametrize("late", range(10))
def test_a_later_alarm_counts_less(late: int) -> None:
    # Nothing is lost but what the alarm counts less than the full 1 of the first point.
    share = sigma(-(10 - late) / 10) / sigma(-1)
    assert nab_score(LABELS, at(20 + late)) == pytest.approx(ONE * (share + 1))


def test_the_last_point_of_a_window_is_still_better_than_a_miss() -> None:
    assert nab_score(LABELS, at(29)) > ONE * 1.2


def test_two_alarms_in_one_window_count_as_the_better() -> None:
    assert nab_score(LABELS, at(23, 27)) == nab_score(LABELS, at(23)) == nab_score(LABELS, flags((23, 29)))


def test_probation_counts_nothing() -> None:
    assert nab_score(LABELS, flags((0, 14))) == 0
    assert nab_score(LABELS, at(15)) == pytest.approx(-ONE * 0.11)


def test_probation_ends_after_750_points() -> None:
    labels = flags((5000, 5099), points=10_000)
    alarms = flags((0, 749), points=10_000)
    assert nab_score(labels, alarms) == 0
    alarms[750] = 1
    assert nab_score(labels, alarms) == pytest.approx(-50 * 0.11)


def test_a_window_within_the_probation_is_not_asked_for() -> None:
    labels = flags((2, 8), (60, 69))
    assert nab_score(labels, at(60)) == pytest.approx(100)
    with pytest.raises(ValueError, match="no labelled window reaches beyond the first 15 points"):
        nab_score(flags((2, 8)), at(60))


def test_a_window_across_the_end_of_the_probation_is_as_long_as_it_is() -> None:
    labels = flags((10, 19))
    share = sigma(-0.5) / sigma(-1)
    assert nab_score(labels, flags((10, 19))) == pytest.approx(100 * (share + 1) / 2)


def test_a_window_of_one_point() -> None:
    labels = at(50)
    assert nab_score(labels, at(50)) == pytest.approx(100)
    assert nab_score(labels, at(51)) == pytest.approx(-50 * 0.11)


def test_the_best_threshold_is_found() -> None:
    scores = np.zeros(POINTS)
    scores[[40, 60, 20]] = 3, 2, 1  # a false alarm must be paid to find both
    best = nab_best(LABELS, scores)
    assert best.threshold == 1
    assert best.score == nab_score(LABELS, scores >= 1)
    assert best.score == pytest.approx(100 + ONE * 0.11 * sigma(11 / 9))


def test_silence_is_best_where_scores_are_wrong() -> None:
    assert nab_best(LABELS, 1 - LABELS) == (0, math.inf)


def test_the_best_is_that_of_every_threshold_tried() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.integers(0, 12, POINTS) + 2.0 * LABELS  # with ties
        tried = {level: nab_score(LABELS, scores >= level) for level in np.unique(scores)}
        best = nab_best(LABELS, scores)
        assert best.score == pytest.approx(max(0.0, *tried.values()))
        if math.isfinite(best.threshold):
            assert tried[best.threshold] == pytest.approx(best.score)


def test_a_long_series_is_quick() -> None:
    points = 22_695
    labels = flags((2126, 2692), (3703, 4269), (16_057, 16_623), (19_232, 19_798), points=points)
    start = time.process_time()
    nab_best(labels, np.random.default_rng(0).normal(size=points))
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("scores", "says"),
    [(np.zeros(3), "expected one vector each"), (np.full(POINTS, np.nan), "must be finite")],
)
def test_bad_scores_are_refused(scores: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        nab_best(LABELS, scores)
