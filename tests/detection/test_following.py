"""An alarm level holds where the fit puts it, or follows so that the share of alarms is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diabolo.detection.calibration import Calibration
from diabolo.detection.following import GAIN, AlarmLevel

scores_ = st.lists(st.floats(-20, 20), max_size=200)
rates = st.floats(0.001, 0.5)
gains = st.floats(0.001, 2)


def calibration(seed: int = 0) -> Calibration:
    scores = np.random.default_rng(seed).normal(size=1_000)
    return Calibration({}, np.zeros(0), 1.0).ranked_points(scores, np.arange(1_000) * 2, 1, 1_000)


@given(scores_, st.floats(-5, 5), rates)
def test_without_gain_scores_are_compared_with_the_level(
    scores: list[float], level: float, rate: float
) -> None:
    made = AlarmLevel(level, rate, 0.0)
    alarms, levels = made.add_all(scores)
    assert alarms.tolist() == [score > level for score in scores]
    assert (levels == level).all() and len(levels) == len(scores)
    assert [made.add(score) for score in scores] == alarms.tolist() and made.offset == 0


@given(scores_, rates, gains | st.just(0.0), st.integers(0, 200))
def test_points_may_come_one_by_one_or_in_parts(
    scores: list[float], rate: float, gain: float, cut: int
) -> None:
    whole, single, parts = (AlarmLevel(0.5, rate, gain) for _ in range(3))
    alarms, levels = whole.add_all(scores)
    assert [single.add(score) for score in scores] == alarms.tolist()
    first, second = parts.add_all(scores[:cut]), parts.add_all(scores[cut:])
    assert np.concatenate([first[0], second[0]]).tolist() == alarms.tolist()
    assert np.concatenate([first[1], second[1]]).tolist() == levels.tolist()
    assert whole.offset == single.offset == parts.offset


@given(scores_, rates, gains)
def test_the_level_is_never_below_that_of_the_fit(scores: list[float], rate: float, gain: float) -> None:
    made = AlarmLevel(-0.5, rate, gain)
    alarms, levels = made.add_all(scores)
    assert (levels >= -0.5).all() and made.offset >= 0
    assert not (alarms & ~(np.array(scores) > -0.5)).any()  # whoever follows has no alarms of its own


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=300), st.floats(0, 10), rates, gains)
def test_the_share_of_alarms_is_at_most_the_rate_in_the_long_run(
    scores: list[float], shift: float, rate: float, gain: float
) -> None:
    """Whatever the series does, for example if it moves up for good in its middle."""
    moved = np.array(scores)
    moved[len(moved) // 2 :] += shift
    made = AlarmLevel(0.0, rate, gain)
    alarms, levels = made.add_all(moved.tolist())
    highest = max(float(levels.max()), made.level + made.offset) - made.level
    assert alarms.mean() <= rate + highest / (gain * len(moved)) + 1e-9


def test_after_a_lasting_shift_alarms_are_soon_as_rare_as_asked_for() -> None:
    made = AlarmLevel(2.3, 0.01, 0.02)
    scores = np.random.default_rng(0).normal(size=20_000)
    scores[2_000:] += 4
    alarms, levels = made.add_all(scores.tolist())
    held = scores > 2.3
    assert held[2_000:].mean() > 0.9
    assert alarms[2_000:2_050].mean() > 0.5
    assert alarms[5_000:].mean() == pytest.approx(0.01, abs=0.003)
    assert levels[-1] == pytest.approx(6.3, abs=0.5)


def test_the_level_comes_back_with_the_series() -> None:
    made = AlarmLevel(1.0, 0.1, 0.5)
    made.add_all([5.0] * 10)
    risen = made.offset
    assert risen == pytest.approx(4.5 - 0.05 * (10 - 9), abs=0.5)
    made.add_all([0.0] * 1_000)
    assert risen > 0 and made.offset == 0


def test_an_alarm_moves_the_level_up_and_any_other_point_down() -> None:
    made = AlarmLevel(1.0, 0.25, 0.4)
    assert made.add(2.0) and made.offset == pytest.approx(0.3)
    assert not made.add(1.3) and made.offset == pytest.approx(0.2)  # as high as the level is not above it
    assert not made.add(-100.0) and made.offset == pytest.approx(0.1)


@given(scores_, rates, gains, st.integers(0, 200))
def test_a_point_without_a_score_moves_nothing(
    scores: list[float], rate: float, gain: float, place: int
) -> None:
    known, holed = AlarmLevel(0.0, rate, gain), AlarmLevel(0.0, rate, gain)
    place = min(place, len(scores))
    alarms, levels = known.add_all(scores)
    with_hole, its_levels = holed.add_all([*scores[:place], np.nan, *scores[place:]])
    assert not with_hole[place]
    assert np.delete(with_hole, place).tolist() == alarms.tolist()
    assert np.delete(its_levels, place).tolist() == levels.tolist() and holed.offset == known.offset


def test_a_point_without_a_score_is_no_alarm_of_a_level_that_holds() -> None:
    assert AlarmLevel(0.0, 0.1, 0.0).add_all([1.0, np.nan])[0].tolist() == [True, False]


def test_the_level_of_a_calibration_has_the_bits_that_are_asked_for() -> None:
    made = calibration()
    for bits in (2.0, 6.6, 12.0):
        held = AlarmLevel.of(made, 0.01, bits, follow=False)
        assert float(made.bits(np.array(held.level))) == pytest.approx(bits, abs=0.02)
        assert (held.rate, held.gain, held.offset) == (0.01, 0.0, 0.0)
        followed = AlarmLevel.of(made, 0.01, bits, follow=True)
        assert followed.gain == pytest.approx(GAIN * made.spread) and replace(followed, gain=0.0) == held


def test_the_level_moves_in_units_of_the_spread_of_the_calibration() -> None:
    """Scores that are twice as far apart move the level by twice as much: the alarms are the same."""
    one = calibration()
    two = Calibration({}, np.zeros(0), 1.0).ranked_points(2 * one.scores, np.arange(1_000) * 2, 1, 1_000)
    one = Calibration({}, np.zeros(0), 1.0).ranked_points(one.scores, np.arange(1_000) * 2, 1, 1_000)
    assert one.spread == pytest.approx(1.28, abs=0.15) and two.spread == pytest.approx(2 * one.spread)
    stream = np.random.default_rng(1).normal(1, 1.5, 3_000)
    first, _ = AlarmLevel.of(one, 0.05, 4.3, follow=True).add_all(stream.tolist())
    second, _ = AlarmLevel.of(two, 0.05, 4.3, follow=True).add_all((2 * stream).tolist())
    assert first.any() and np.mean(first == second) > 0.999
