"""That a series has left what the fit calls normal is found out once, and neither too early nor too late."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diabolo.detection.calibration import Calibration
from diabolo.detection.shifts import WINDOWS, Shift, ShiftDetector, describe_shift, find_shifts, shift_level

LENGTH = 10
SIZE = WINDOWS * LENGTH


def scores(*parts: tuple[float, int]) -> list[float]:
    """Stretches of (score, points)."""
    return [score for score, points in parts for _ in range(points)]


def found(values: list[float], level: float = 1.0) -> list[Shift]:
    return find_shifts(range(len(values)), values, level, LENGTH)


def test_clean_scores_have_no_shift() -> None:
    clean = np.random.default_rng(0).normal(size=5_000)
    assert found(clean.tolist(), float(np.quantile(clean, 0.99))) == []
    assert found([]) == found([0.0]) == found([5.0]) == []


def test_single_anomalies_and_a_short_fault_are_no_shift() -> None:
    values = scores((0, 1_000))
    values[100:140] = [5.0] * 40  # half of eight windows, and not more
    values[500::50] = [9.0] * 10
    assert found(values) == []
    values[140] = 5.0
    assert found(values) == [Shift(100, 140, False, 1.0)]


def test_a_shift_is_found_after_half_of_eight_windows() -> None:
    detector = ShiftDetector(1.0, SIZE)
    answers = [detector.add(score) for score in scores((0, 200), (5, 200))]
    assert np.flatnonzero(answers).tolist() == [200 + SIZE // 2]
    assert detector.since == 200 and detector.seen == 400 and detector.share == 1.0


def test_a_shift_that_lasts_and_one_that_ends() -> None:
    assert found(scores((0, 200), (5, 300))) == [Shift(200, 499, True, 1.0)]
    assert found(scores((0, 200), (5, 300), (0, 300))) == [Shift(200, 499, False, 1.0)]


def test_a_series_may_shift_from_its_first_point_on() -> None:
    assert found(scores((5, 300))) == [Shift(0, 299, True, 1.0)]


def test_its_share_is_that_of_the_points_above_the_level() -> None:
    values = scores((0, 200), (5, 300), (0, 300))
    values[202:498:4] = [0.0] * 74
    (shift,) = found(values)
    assert (shift.start, shift.end) == (200, 499) and shift.share == pytest.approx(1 - 74 / 300)


def test_a_series_may_shift_twice() -> None:
    values = scores((0, 200), (5, 100), (0, 200), (5, 60), (0, 200))
    assert [(s.start, s.end, s.lasts) for s in found(values)] == [(200, 299, False), (500, 559, False)]


def test_a_short_return_does_not_end_a_shift() -> None:
    (shift,) = found(scores((0, 100), (5, 100), (0, 30), (5, 100), (0, 200)))
    assert (shift.start, shift.end, shift.lasts) == (100, 329, False)
    assert shift.share == pytest.approx(200 / 230)


def test_a_shift_is_over_once_few_points_are_above_the_level() -> None:
    detector = ShiftDetector(1.0, SIZE)
    for score in scores((5, SIZE)):
        detector.add(score)
    returned = [detector.add(0.0) or detector.since is None for _ in range(SIZE)]
    assert returned.index(True) == SIZE * 3 // 4  # a quarter of eight windows ends it
    # Found once, it is found again once it comes again.
    assert sum(detector.add(5.0) for _ in range(SIZE)) == 1


def test_a_score_as_high_as_the_level_or_none_is_not_above_it() -> None:
    assert found(scores((1.0, 300))) == [] == found(scores((float("nan"), 300)))


def test_shifts_are_named_by_the_rows_of_the_user() -> None:
    rows = list(range(1_000, 0, -2))
    (shift,) = find_shifts(rows, scores((0, 200), (5, 200), (0, 100)), 1.0, LENGTH)
    assert (shift.start, shift.end) == (600, 202)


values_ = st.lists(st.sampled_from([0.0, 2.0]), max_size=120)


@given(values_, values_)
def test_a_detector_goes_on_where_it_was_saved(before: list[float], after: list[float]) -> None:
    one = ShiftDetector(1.0, 16)
    for score in before:
        one.add(score)
    two = ShiftDetector(1.0, 16).restored(json.loads(json.dumps(one.to_json())))
    assert two == one
    for score in after:
        assert one.add(score) == two.add(score)
        assert (one.since, one.share, one.seen) == (two.since, two.share, two.seen)


def test_another_size_or_level_is_that_of_the_model_and_not_of_the_file() -> None:
    saved = ShiftDetector(1.0, 16)
    saved.add(2.0)
    again = ShiftDetector(3.0, 8).restored(saved.to_json())
    assert (again.level, again.size, again.seen, again.share) == (3.0, 8, 1, 1 / 8)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"since": None, "seen": 4},
        {"since": "soon", "seen": 4, "above": []},
        {"since": None, "seen": None, "above": []},
        {"since": None, "seen": 4, "above": 3},
        {"since": None, "seen": 4, "above": ["x"]},
    ],
)
def test_other_states_are_refused(state: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        ShiftDetector(1.0, 16).restored(state)


@given(values_.map(lambda v: [3 * s for s in v]), st.integers(1, 6))
def test_shifts_of_a_batch_are_those_of_points_that_arrive(values: list[float], length: int) -> None:
    detector, starts = ShiftDetector(1.0, WINDOWS * length), []
    for score in values:
        if detector.add(score):
            starts.append(detector.since)
    shifts = find_shifts(range(len(values)), values, 1.0, length)
    assert [s.start for s in shifts] == starts
    assert all(values[s.start] > 1 and values[s.end] > 1 and s.start < s.end for s in shifts)
    # Most points are above the level until the series comes back, and a quarter when it does.
    assert all(0.25 < s.share <= 1 for s in shifts)
    assert [s.lasts for s in shifts] == [False] * (len(shifts) - 1) + [detector.since is not None] * bool(
        shifts
    )


def test_a_shift_in_words() -> None:
    lasting = describe_shift("2024-03-09 14:20:00", None, 0.874)
    assert lasting.startswith("since 2024-03-09 14:20:00, 87 % of the points exceed a level that 1 % of")
    assert "a long fault, or a new normal" in lasting and "model.partial_fit(newer)" in lasting
    assert describe_shift("row 5", "row 90", 0.5).startswith("from row 5 to row 90, 50 % of the points")


def test_one_in_a_hundred_points_of_the_fit_exceeds_the_level() -> None:
    known = np.random.default_rng(0).normal(size=20_000)
    ranked = Calibration({}, np.zeros(0), 1.0).ranked(known)
    level = shift_level(ranked.ranked_points(known, 2 * np.arange(len(known)), 1, 1_000))
    assert np.mean(known > level) == pytest.approx(0.01, abs=0.002)
    assert np.mean(known > shift_level(ranked)) == pytest.approx(0.01, abs=0.001)
