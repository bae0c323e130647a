"""The tail of the scores of a series is that of its separate peaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.detection.calibration import Calibration
from diabolo.detection.pareto import (
    BITS_BEYOND_DATA,
    MAX_ANOMALOUS_SHARE,
    MAX_SHAPE,
    MIN_PEAKS,
    ParetoTail,
    without_anomalies,
)

POINTS = 2_000
KINDS = ("exponential", "heavy")


def draw(kind: str, seed: int, points: int = POINTS) -> np.ndarray:
    """Independent scores whose tail is known."""
    uniform = np.random.default_rng(seed).random(points)
    # The heavy tail is a Pareto distribution of shape .3: its fourth moment is infinite.
    return -np.log(uniform) if kind == "exponential" else (uniform**-0.3 - 1) / 0.3


def level_of(kind: str, share: float) -> float:
    """The score that this share of the scores exceeds."""
    return float(-np.log(share) if kind == "exponential" else (share**-0.3 - 1) / 0.3)


def fit(scores: np.ndarray, length: int = 1, independent: float | None = None) -> ParetoTail:
    return ParetoTail.fit(scores, np.arange(len(scores)) * 2, length, independent or len(scores))


tails = st.builds(
    ParetoTail,
    start=st.floats(-5, 5),
    share=st.floats(0.05, 0.2),
    scale=st.floats(0.01, 5),
    shape=st.floats(-MAX_SHAPE, MAX_SHAPE),
    max_bits=st.floats(10, 30),
    points_per_peak=st.floats(1, 20),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("share", "factor"), [(0.03, 1.5), (0.01, 1.5), (0.003, 1.5), (0.001, 2.0)])
def test_the_share_beyond_a_level_is_estimated(kind: str, share: float, factor: float) -> None:
    """Also where only two of the points are expected beyond it."""
    level = level_of(kind, share)
    found = [2.0 ** -float(fit(draw(kind, seed)).bits(np.array(level))) for seed in range(20)]
    assert share / factor < np.median(found) < share * factor
    assert np.mean([share / factor**2 < f < share * factor**2 for f in found]) >= 0.8


def test_a_heavier_tail_has_a_greater_shape() -> None:
    shapes = {kind: np.mean([fit(draw(kind, seed)).shape for seed in range(10)]) for kind in KINDS}
    assert abs(shapes["exponential"]) < 0.1 < shapes["heavy"]
    bounded = np.mean([fit(np.random.default_rng(seed).random(POINTS)).shape for seed in range(10)])
    assert bounded < -0.3


def test_scale_and_shape_are_those_that_scores_were_drawn_with() -> None:
    """Above a level u, a Pareto distribution of scale 1 is one of scale 1 + shape u, with the same shape."""
    made = [fit((1 - np.random.default_rng(seed).random(POINTS) ** 0.25) / 0.25) for seed in range(10)]
    assert np.mean([tail.shape for tail in made]) == pytest.approx(-0.25, abs=0.06)
    assert np.mean([tail.scale for tail in made]) == pytest.approx(0.1**0.25, rel=0.08)


@given(tails, st.lists(st.floats(-10, 1e6), min_size=2, max_size=30))
def test_higher_scores_have_more_bits(tail: ParetoTail, scores: list[float]) -> None:
    bits = tail.bits(np.sort(scores))
    assert (np.diff(bits) >= -1e-9).all()
    assert np.isfinite(bits).all() and bits[0] >= tail.min_bits - 1e-9


@given(tails)
def test_bits_are_continuous_where_the_tail_starts_and_where_it_is_read_no_farther(tail: ParetoTail) -> None:
    end = tail.score_at(tail.max_bits)
    for place, bits in ((tail.start, tail.min_bits), (end, tail.max_bits)):
        near = tail.bits(place + np.array([-1e-9, 0.0, 1e-9]) * tail.scale)
        assert near == pytest.approx([bits] * 3, abs=1e-4)
    assert tail.bits(np.array(tail.start - 3.0)) == pytest.approx(tail.min_bits)


@given(tails, st.floats(0, 1))
def test_the_score_of_some_bits_has_these_bits(tail: ParetoTail, part: float) -> None:
    bits = tail.min_bits + part * (tail.max_bits - tail.min_bits)
    assert float(tail.bits(np.array(tail.score_at(bits)))) == pytest.approx(bits, abs=1e-4)


@given(tails, st.floats(0.1, 100))
@settings(max_examples=50)
def test_beyond_the_data_bits_grow_like_a_logarithm(tail: ParetoTail, far: float) -> None:
    end = tail.score_at(tail.max_bits)
    further = tail.bits(end + far * np.array([1.0, 2.0, 4.0, 8.0]))
    # To be twice as far beyond the end is worth a bit at most.
    assert (np.diff(further) > 0).all() and (np.diff(further) <= 1 + 1e-9).all()


@pytest.mark.parametrize("kind", KINDS)
def test_bits_of_huge_scores_are_finite(kind: str) -> None:
    tail = fit(draw(kind, 0))
    huge = tail.bits(np.array([1e3, 1e6, 1e12, 1e15]))
    assert np.isfinite(huge).all() and (np.diff(huge) > 0).all()
    assert huge[0] > tail.max_bits and huge[-1] < tail.max_bits + 60


def test_data_determine_how_far_a_tail_is_read() -> None:
    scores = draw("exponential", 0)
    for independent in (15, 255):
        assert fit(scores, independent=independent).max_bits == pytest.approx(
            np.log2(independent + 1) + BITS_BEYOND_DATA
        )


def ramps(peaks: int, points: int = 400) -> np.ndarray:
    """The quantiles of an exponential distribution, rising to so many separate peaks."""
    quantiles = -np.log1p(-(np.arange(points) + 0.5) / points)
    return np.concatenate([quantiles[start::peaks] for start in range(peaks)])


@pytest.mark.parametrize("peaks", [1, MIN_PEAKS - 1, MIN_PEAKS])
def test_few_peaks_do_not_tell_the_shape_of_a_tail(peaks: int) -> None:
    """It is taken to be exponential then, as steep as the highest twentieth of the points."""
    scores = ramps(peaks)
    tail = ParetoTail.fit(scores, np.arange(400), 32, 10)
    tail.check()
    assert tail.points_per_peak == pytest.approx(40 / peaks, abs=1)
    place = 380 if peaks < MIN_PEAKS else 360
    assert tail.start == np.sort(scores)[place] and tail.min_bits == pytest.approx(
        -np.log2((400 - place - 1) / 401)
    )
    if peaks < MIN_PEAKS:
        assert tail.shape == 0 and tail.scale == pytest.approx(1, rel=0.15)
        level = level_of("exponential", 0.001)
        assert float(tail.bits(np.array(level))) == pytest.approx(-np.log2(0.001), abs=1)
    else:
        assert abs(tail.shape) > 0.05


@pytest.mark.parametrize("points", [1, 2, 8, 100])
def test_equal_scores_have_a_tail_too(points: int) -> None:
    tail = ParetoTail.fit(np.ones(points), np.arange(points), 4, 10)
    tail.check()
    bits = tail.bits(np.array([0.0, 1.0, 1.001, 2.0, 1e6]))
    assert np.isfinite(bits).all() and (np.diff(bits[1:]) > 0).all() and bits[0] == bits[1]


def test_neighbouring_high_scores_are_one_peak() -> None:
    """A peak that every window repeats for twenty points says as much as one that lasts for one."""
    scores = draw("exponential", 1, 400)
    once = ParetoTail.fit(scores, np.arange(400) * 100, 32, 400)
    repeated = ParetoTail.fit(
        np.repeat(scores, 20), (np.arange(400)[:, None] * 100 + np.arange(20)).ravel(), 32, 400
    )
    assert (repeated.shape, repeated.scale) == pytest.approx((once.shape, once.scale), rel=0.02)
    assert repeated.points_per_peak == pytest.approx(20, rel=0.05) and once.points_per_peak == 1
    assert repeated.share == pytest.approx(once.share, rel=0.05)


def test_high_scores_far_apart_are_separate_peaks() -> None:
    scores = np.zeros(200)
    scores[[20, 30, 60, 100, 140, 180]] = [1, 2, 3, 4, 5, 6]
    near = ParetoTail.fit(scores, np.arange(200), 32, 6)
    apart = ParetoTail.fit(scores, np.arange(200), 10, 6)
    assert (near.points_per_peak, apart.points_per_peak) == (6 / 5, 1)


def test_a_tail_above_other_scores() -> None:
    tail, others = fit(draw("heavy", 0)), np.sort(draw("exponential", 1, 500) + 7)
    moved = tail.above(others, 40)
    assert (moved.shape, moved.scale, moved.points_per_peak) == (
        tail.shape,
        tail.scale,
        tail.points_per_peak,
    )
    assert moved.start == others[450] and moved.share == pytest.approx(0.1, rel=0.05)
    assert moved.max_bits == pytest.approx(np.log2(41) + BITS_BEYOND_DATA)
    assert float(moved.bits(others[450])) == pytest.approx(-np.log2(49 / 501))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", np.nan),
        ("share", 0.0),
        ("share", 1.5),
        ("share", -0.1),
        ("scale", 0.0),
        ("scale", -1.0),
        ("scale", np.inf),
        ("shape", 0.6),
        ("shape", -0.6),
        ("shape", None),
        ("max_bits", 2.0),
        ("max_bits", 101.0),
        ("points_per_peak", 0.5),
        ("points_per_peak", "4"),
    ],
)
def test_impossible_values_are_refused(name: str, value: object) -> None:
    tail = fit(draw("exponential", 0))
    tail.check()
    with pytest.raises(ValueError, match="tail"):
        replace(tail, **{name: value}).check()


def test_a_calibration_of_points_joins_ranks_and_tail() -> None:
    scores = np.random.default_rng(3).normal(size=POINTS)
    made = Calibration({}, np.zeros(0), 1.0).ranked_points(scores, np.arange(POINTS) * 2, 1, POINTS)
    assert made.tail is not None and made.independent == POINTS
    grid = np.linspace(scores.min() - 1, 40, 20_000)
    bits = made.bits(grid)
    assert (np.diff(bits) >= 0).all() and np.isfinite(bits).all()
    assert np.diff(bits).max() < 0.1  # where ranks end and the tail starts, nothing jumps
    for wanted in (1.0, 3.0, made.tail.min_bits, 6.0, 12.0, made.max_bits):
        assert float(made.bits(np.array(made.score_at(wanted)))) == pytest.approx(wanted, abs=0.02)
    again = Calibration.from_json(made.to_json(), made.scores)
    assert np.array_equal(again.bits(grid), bits) and again.tail == made.tail


def test_episodes_that_come_by_chance_are_counted_by_their_peaks() -> None:
    scores = np.repeat(draw("exponential", 4, 400), 20)
    place = (np.arange(400)[:, None] * 100 + np.arange(20)).ravel()
    made = Calibration({}, np.zeros(0), 1.0).ranked_points(scores, place, 32, 400)
    assert made.false_episodes(8_000, 5.0) == pytest.approx(8_000 / 32 / 20, rel=0.05)
    assert Calibration({}, np.zeros(0), 1.0).ranked(scores).false_episodes(8_000, 5.0) is None


def noise(points: int = 1_000) -> np.ndarray:
    return np.abs(np.random.default_rng(5).normal(1, 0.2, points))


def test_a_short_anomaly_does_not_calibrate() -> None:
    scores, positions = noise(), np.arange(1_000)
    scores[400:440] += 20
    kept = without_anomalies(scores, positions, 32)
    assert np.flatnonzero(~kept).tolist() == list(range(400, 440))


def test_all_points_between_the_ends_of_a_short_anomaly_are_left_out() -> None:
    scores, positions = noise(), np.arange(1_000)
    scores[[400, 410, 425]] += 20  # less than half a window apart
    kept = without_anomalies(scores, positions, 32)
    assert np.flatnonzero(~kept).tolist() == list(range(400, 426))


def test_a_long_high_stretch_is_a_change_and_calibrates() -> None:
    """An anomaly is two windows of high scores at most: a longer stretch is how this series is."""
    scores, positions = noise(), np.arange(1_000)
    scores[400:464] += 20
    assert without_anomalies(scores, positions, 32).sum() == 936
    scores[400:470] += 20
    assert without_anomalies(scores, positions, 32).all()


@pytest.mark.parametrize(("share", "left_out"), [(0.5, True), (0.9, True), (1.2, False), (4.0, False)])
def test_everything_calibrates_where_anomalies_are_the_rule(share: float, left_out: bool) -> None:
    scores, positions = noise(10_000), np.arange(10_000)
    odd = round(share * MAX_ANOMALOUS_SHARE * 100)
    for start in range(0, 10_000, 100):
        scores[start : start + odd] += 20
    kept = without_anomalies(scores, positions, 64)
    assert kept.sum() == (10_000 - 100 * odd if left_out else 10_000)


def test_time_counts_and_not_the_number_of_a_score() -> None:
    """Scores that a long gap parts are no single stretch."""
    scores = noise(3_000)
    scores[400:520] += 20  # a long stretch, in six short parts once there are gaps
    together, parted = np.arange(3_000), np.arange(3_000) + 500 * (np.arange(3_000) // 20)
    assert without_anomalies(scores, together, 32).all()
    assert np.flatnonzero(~without_anomalies(scores, parted, 32)).tolist() == list(range(400, 520))


def test_usual_scores_are_all_kept() -> None:
    assert without_anomalies(noise(), np.arange(1_000), 32).all()


def test_one_anomaly_of_the_fit_does_not_raise_the_level() -> None:
    scores, positions = noise(), np.arange(1_000)
    clean = Calibration({}, np.zeros(0), 1.0).ranked_points(scores, positions, 8, 60)
    scores[400:415] += 20
    soiled = Calibration({}, np.zeros(0), 1.0).ranked_points(scores, positions, 8, 60)
    assert soiled.score_at(8.0) == pytest.approx(clean.score_at(8.0), rel=0.05)
