"""Single anomalous points and short anomalous subsequences of a series."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo import Autoencoder, load, tasks
from diabolo.data.fields import Batch
from diabolo.data.sources.points import CoveredPoints
from diabolo.detection import subsequences
from diabolo.detection.excess import MAX_EVIDENCE
from diabolo.detection.pieces import sample_pieces
from diabolo.detection.subsequences import Subsequences

POINTS = 2_000


def wave(seed: int, points: int = POINTS, channels: int = 2) -> np.ndarray:
    rng, place = np.random.default_rng(seed), np.arange(points)[:, None]
    return np.sin(place / 8 + np.arange(channels)) + 0.1 * rng.normal(size=(points, channels))


def windows(points: np.ndarray, starts: np.ndarray, length: int = 64) -> Batch:
    values = np.stack([points[s : s + length].T for s in starts]).astype(np.float32)
    seen = torch.from_numpy(np.isfinite(values))
    return Batch({"curve": torch.from_numpy(np.nan_to_num(values))}, {"curve": seen})


def covered(points: np.ndarray, offset: int = 0, length: int = 64) -> CoveredPoints:
    starts = np.arange(len(points) - length + 1)
    made = CoveredPoints(starts, starts + offset, length, points.shape[1])
    made.take(slice(None), windows(points, starts, length))
    return made


def learnt(points: np.ndarray, length: int = 64) -> Subsequences:
    starts = np.arange(len(points) - length + 1)
    return Subsequences.of_pieces(sample_pieces(windows(points, starts, length), starts))


def stillness(model: Autoencoder) -> np.ndarray:
    found = next(e for e in model.engine_.rows.evidence if isinstance(e, Subsequences))
    return found.stillness


@pytest.fixture(scope="module")
def fitted() -> Subsequences:
    return learnt(wave(0))


def scores(made: Subsequences, points: np.ndarray, offset: int = 10**6) -> np.ndarray:
    return made.score(covered(points, offset))


@given(st.lists(st.integers(0, 120), min_size=1, max_size=30), st.integers(2, 20))
@settings(deadline=None, max_examples=60)
def test_covered_points_have_every_covered_point_once(starts: list[int], length: int) -> None:
    points, first = np.arange(160, dtype=float)[:, None], np.array(starts)
    made = CoveredPoints(first, first + 1000, length, 1)
    half = len(first) // 2
    for part in (np.arange(half, len(first)), np.arange(half)):  # in any order
        if len(part):
            made.take(part, windows(points, first[part], length))
    expected = np.unique(first[:, None] + np.arange(length))
    there = made.at >= 0
    assert made.at[there].tolist() == expected.tolist()
    assert made.values[there, 0].tolist() == expected.tolist()
    assert (made.positions[there] == made.at[there] + 1000).all()
    runs = [made.at[run] for run in made.runs()]
    assert all((np.diff(run) == 1).all() for run in runs)
    assert sum(map(len, runs)) == len(expected)
    assert all(b[0] - a[-1] > 1 for a, b in pairwise(runs))


def test_usual_points_are_no_evidence(fitted: Subsequences) -> None:
    found = scores(fitted, wave(1))
    assert (found > np.log(1.1)).mean() < 0.001
    assert found.min() >= 0 and found.max() <= np.log(MAX_EVIDENCE)


@pytest.mark.parametrize("place", [0, 5, 700, POINTS - 1])
def test_an_odd_point_is_found_where_and_in_which_channel_it_is(fitted: Subsequences, place: int) -> None:
    points = wave(1)
    points[place, 1] += 1.5  # within the range of the series
    found = scores(fitted, points)
    assert np.unravel_index(found.argmax(), found.shape) == (place, 1)
    assert found[place, 1] > np.log(2)


def test_a_short_odd_shape(fitted: Subsequences) -> None:
    points = wave(1)
    points[700:712, 0] = points[700, 0]  # for a quarter of its period
    found = scores(fitted, points)
    assert found[700:712, 0].max() > np.log(1.2)
    assert found[:680].max() < np.log(1.2)


@pytest.mark.parametrize("noise", [0.0, 0.02], ids=["stuck", "without its rhythm"])
def test_a_sensor_that_does_not_move_as_it_should(fitted: Subsequences, noise: float) -> None:
    points = wave(1)
    points[700:740, 1] = points[700:740, 1].mean() + noise * np.random.default_rng(0).normal(size=40)
    found = scores(fitted, points)
    assert found[705:735, 1].min() > np.log(1.2)
    assert found[:680].max() < np.log(1.2)


def test_stillness_is_usual_where_it_is_the_rule() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2 * POINTS, 1)) * np.repeat(rng.random(2 * POINTS // 40) < 0.8, 40)[:, None]
    found = scores(learnt(points[:POINTS]), points[POINTS:])
    assert (found > np.log(1.1)).mean() < 0.01


def test_channels_that_no_longer_go_together() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=2 * POINTS)) * 0.03
    points = np.stack([walk, walk + 0.02 * rng.normal(size=2 * POINTS)], 1)
    made = learnt(points[:POINTS])
    new = points[POINTS:].copy()
    new[700:703, 1] += 0.2
    found = scores(made, new)
    assert abs(int(found.max(1).argmax()) - 701) <= 2
    assert found[700:703].max() > np.log(2) > found[:690].max()


def test_odd_points_among_those_of_the_fit_do_not_hide_others() -> None:
    rng, points = np.random.default_rng(3), wave(2, 500, 1)
    points[rng.choice(500, 8, replace=False), 0] += 1.5
    made = learnt(points)
    new = wave(4, 500, 1)
    new[250, 0] += 1.5
    found = scores(made, new)
    assert found[:, 0].argmax() == 250 and found.max() > np.log(1.5)


def test_heavy_tails_are_usual_where_they_are_the_rule() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_t(2, size=(2 * POINTS, 1))
    found = scores(learnt(points[:POINTS]), points[POINTS:])
    assert (found > np.log(1.1)).mean() < 0.05


def test_one_point_is_asked_for_as_all_are(fitted: Subsequences) -> None:
    points = wave(5, 300)
    points[[3, 120, 299]] += 1.0
    points[100:140, 0], points[60:66, 1] = np.nan, np.nan
    whole = scores(fitted, points)
    for place in (0, 3, 60, 99, 120, 139, 140, 299):
        alone = fitted.score(covered(points, 10**6), place)
        assert np.allclose(alone[place], whole[place], atol=1e-5)
        assert np.count_nonzero(np.delete(alone, place, 0)) == 0


def test_holes_are_no_evidence(fitted: Subsequences) -> None:
    points = wave(6)
    points[500:600] = np.nan
    points[np.random.default_rng(0).random(POINTS) < 0.1, 0] = np.nan
    found = scores(fitted, points)
    assert found[~np.isfinite(points)].max() < np.log(1.2)
    assert (found > np.log(1.2)).mean() < 0.002


def test_a_channel_without_a_point_and_one_that_never_moves() -> None:
    points = wave(7, 600, 3)
    points[:, 1], points[:, 2] = np.nan, 0.5
    made = learnt(points)
    assert all(np.isfinite(a).all() for a in made.arrays().values())
    assert scores(made, points).max() == pytest.approx(0, abs=0.05)
    moved = points.copy()
    moved[300, 2] = 0.6
    assert scores(made, moved)[300, 2] > np.log(2)


@pytest.mark.parametrize("rows", [8, 12, 40])
@pytest.mark.filterwarnings("ignore:there is too little data", "ignore:.*are extrapolated")
def test_short_series(rows: int) -> None:
    table = {"value": np.sin(np.arange(rows) * 1.0).tolist()}
    model = Autoencoder(window="auto").fit(table)
    assert np.isfinite(model.anomaly_score(table)).all()


def test_a_spike_is_an_alarm_and_its_channel_is_named(tmp_path: Path) -> None:
    points = wave(8, 3_000, 3)
    table = pd.DataFrame(points, columns=["a", "b", "c"])
    model = Autoencoder(window="auto").fit(table[:2400])
    new = table[2400:].reset_index(drop=True)
    new.loc[300, "b"] += 1.5
    answer = tasks.score(model, new)
    assert int(answer.bits.argmax()) == 300 and answer.alarm[300]
    told = tasks.explain(model, new, rows=[300])
    assert told.names[int(told.share[0].argmax())] == "b"
    again = load(model.save(tmp_path / "machine.diabolo"))
    assert np.array_equal(again.anomaly_score(new), answer.bits)


def test_a_channel_that_drops_out_does_not_make_the_others_odd(fitted: Subsequences) -> None:
    points = wave(9)
    points[500:1000, 1] = np.nan
    points[700, 0] += 1.5
    found = scores(fitted, points)
    assert found[700, 0] > np.log(2)
    others = np.delete(found, np.arange(680, 720), 0)
    assert (others > np.log(1.1)).mean() < 0.001


def test_a_channel_that_training_does_not_show_is_not_judged() -> None:
    points = wave(10, 1_000)
    points[:995, 1] = np.nan
    made = learnt(points)
    found = scores(made, wave(11, 1_000))
    assert found[:, 1].max() < 1e-6
    assert (found[:, 0] > np.log(1.1)).mean() < 0.01


def test_long_series_are_judged_in_parts(fitted: Subsequences, monkeypatch: pytest.MonkeyPatch) -> None:
    points = wave(12)
    points[[31, 32, 700, 1500]] += 1.0
    points[100:130, 1] = np.nan
    whole = scores(fitted, points)
    monkeypatch.setattr(subsequences, "POINTS", 32)
    assert np.allclose(scores(fitted, points), whole, atol=1e-5)


def test_what_stands_in_holes_is_not_learnt_as_stillness() -> None:
    rng, place = np.random.default_rng(0), np.arange(6_000)
    value = np.sin(place / 8) + 0.3 * rng.normal(size=len(place))
    value[place % 300 < 40] = np.nan
    times = pd.date_range("2026-01-01", periods=len(place), freq="min")
    table = pd.DataFrame({"time": times, "value": value})
    with warnings.catch_warnings(action="ignore"):
        model = Autoencoder(time="time", window=64).fit(table[:4000])
        before = stillness(model)
        after = stillness(model.partial_fit(table[4000:]))
    assert after < 1.5 * before
