"""Injected anomalies are what the head of the script says; the script runs with a stand-in for our model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import anomaly_channels, anomaly_series, channels, common
from benchmarks.anomaly_channels import EACH, KINDS, Answer, Place, inject, measure
from benchmarks.channels import TIME

MADE = channels.made(5_000)
NAMES = [name for name in MADE if name != TIME]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "series").mkdir()
    hour, table = MADE[TIME].dt, MADE.drop(columns=TIME)
    table["c1"] = table["c1"].mask(np.arange(len(table)) % 50 == 3)
    table["word"], table["rarely"] = "a", (np.arange(len(table)) % 10 == 0).astype(float)
    table.insert(0, "date", MADE[TIME].astype(str))
    table.to_csv(tmp_path / "series" / "dated.csv.gz", index=False)
    clock = pd.DataFrame({"year": hour.year, "month": hour.month, "day": hour.day, "hour": hour.hour})
    pd.concat([clock, table[["c0", "c1"]]], axis=1).to_csv(tmp_path / "series" / "two.csv", index=False)
    MADE.drop(columns=TIME).to_csv(tmp_path / "series" / "timeless.csv", index=False)
    return tmp_path / "series"


def test_files_with_a_time_and_three_channels_are_found(folder: Path) -> None:
    found = channels.find(folder)
    assert list(found) == ["made", "dated"] and list(channels.find(folder, ["dated"])) == ["dated"]
    table = channels.load(found["dated"])
    assert list(table) == [TIME, *NAMES] and table["c1"].isna().sum() == 100
    assert (table[TIME] == MADE[TIME]).all()
    with pytest.raises(SystemExit, match="no series named two"):
        channels.find(folder, ["two"])


def test_the_clock_is_a_time(folder: Path) -> None:
    table = channels.load(folder / "two.csv")
    assert list(table) == [TIME, "c0", "c1"] and (table[TIME] == MADE[TIME]).all()


def test_the_made_channels_go_together() -> None:
    same = MADE[NAMES].corr()
    assert same.loc["c0", "c1"] > 0.8 and -0.4 < same.loc["c0", "c2"] < 0
    assert np.corrcoef(MADE["c0"][24:], MADE["c0"][:-24])[0, 1] > 0.6


def test_one_segment_in_each_part() -> None:
    clean = MADE[3000:].reset_index(drop=True)
    problem = inject(MADE, seed=1)
    assert problem.train.equals(MADE[:3000]) and problem.window == 24
    assert Counter(one.kind for one in problem.segments) == dict.fromkeys(KINDS, EACH)
    part = len(clean) / len(problem.segments)
    for number, one in enumerate(problem.segments):
        assert part * number < one.start < one.end < part * (number + 1)
        assert one.end - one.start == 1 if one.kind == "spike" else 24 <= one.end - one.start <= 32
        # Odd from its first point on, but where it starts from what was there.
        same = problem.test[one.channel][one.start : one.end] == clean[one.channel][one.start : one.end]
        assert same.mean() < 0.1, one
    changed = (problem.test[NAMES] != clean[NAMES]).any(axis=1).to_numpy()
    assert not changed[problem.labels == 0].any() and 300 < problem.labels.sum() < 700
    assert inject(MADE, seed=1).test.equals(problem.test) and not inject(MADE, seed=2).test.equals(
        problem.test
    )


def test_holes_are_bridged() -> None:
    incomplete = MADE.assign(c1=MADE["c1"].mask(np.arange(len(MADE)) % 7 == 0))
    problem = inject(incomplete, 0)
    assert not problem.train.isna().any().any() and not problem.test.isna().any().any()
    assert problem.train["c1"][7] == pytest.approx((MADE["c1"][6] + MADE["c1"][8]) / 2)


def test_each_kind_is_what_is_said_of_it() -> None:
    whole = np.sin(2 * np.pi * np.arange(1000) / 20) + np.arange(1000) / 1000
    at = Place(whole, 600, 705, 40, 20, np.random.default_rng(0))
    values, deviation = whole[705:745], whole[:600].std()
    made = {name: make(at) for name, make in KINDS.items()}
    assert all(part.shape == (40,) for part in made.values())
    for kind, low, high in (("spike", 3, 6), ("level", 1.5, 3)):
        moved = made[kind] - values
        assert np.ptp(moved) < 1e-12 and low < abs(moved[0]) / deviation < high
    assert (made["shape"][:20] == values[::2]).all() and (made["shape"][20:] == values[::2]).all()
    assert np.abs(made["season"] - np.arange(705, 745) / 1000).max() < 0.01
    assert (made["stuck"] == values[0]).all()
    # The same phase of another time, at the same height: of a rhythm with a trend only the rhythm is left.
    assert np.abs(made["broken"] - values).max() < 1e-9 and made["broken"] is not values
    assert 0.5 < (made["noise"] - values).std() / deviation < 1


def perfect(problem: anomaly_channels.Injected, wrong: bool = False) -> Answer:
    """All segments but the spikes are found, and the channel that was changed is blamed, or another one."""

    def blame(points: Sequence[int]) -> list[str]:
        names = [next(s.channel for s in problem.segments if s.start <= p < s.end) for p in points]
        return ["other" if wrong else name for name in names]

    scores = problem.labels - 0.5
    scores[[one.start for one in problem.segments if one.kind == "spike"]] = -0.4
    return Answer(scores, blame)


def test_segments_are_counted_by_kind() -> None:
    problem = inject(MADE, 0)
    found = measure(problem, lambda *_: perfect(problem), 0)
    assert found["recall_spike"] == 0 and found["recall_level"] == found["recall_noise"] == 1
    assert found["recall"] == pytest.approx(6 / 7) and found["channel_right"] == 1
    assert measure(problem, lambda *_: perfect(problem, wrong=True), 0)["channel_right"] == 0
    silent = measure(problem, lambda *_: Answer(problem.labels - 2.0), 0)
    assert silent["recall"] == 0 and "channel_right" not in silent and silent["vus_pr"] > 0.9


def test_false_alarms_are_those_far_away() -> None:
    problem = inject(channels.made(), 0)
    labels = problem.labels
    away = np.array([labels[max(p - 128, 0) : p + 129].sum() == 0 for p in range(len(labels))])
    scores = np.where(np.arange(len(labels)) == np.flatnonzero(away)[5], 1.0, -1.0)
    assert measure(problem, lambda *_: Answer(scores), 0)["false_alarms"] == pytest.approx(1 / away.sum())


def test_it_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in = anomaly_channels.peer(anomaly_series.sliding_pca)
    monkeypatch.setitem(anomaly_channels.METHODS, common.OURS, stand_in)
    out = folder.parent / "out.json"
    command = ["--data", str(folder), "--json", str(out), "--seeds", "1", "--sets", "dated"]
    assert anomaly_channels.main([*command, "--peers", "knn3_centred,isolation_forest"]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert list(result["peers"]) == ["knn3_centred", "isolation_forest"]
    for figures in (result["mean"], *result["peers"].values()):
        assert figures["vus_pr"] > 0.2 and 0 < figures["recall"] <= 1 and figures["failures"] == 0
    assert "recall_broken" in capsys.readouterr().out


def test_ours_finds_a_level_and_blames_its_channel() -> None:
    problem = inject(MADE[[TIME, "c0", "c1"]], 0)
    answer = anomaly_channels.ours(problem.train, problem.test, 0)
    level = next(one for one in problem.segments if one.kind == "level")
    here = answer.scores[level.start : level.end]
    assert answer.blame is not None and here.max() > 0
    assert answer.blame([level.start + int(here.argmax())]) == [level.channel]
