"""The benchmarks of alarms run from their command line on small made folders."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import common, series_alarms, skab

SERIES_KEYS = ["far_mean_1", "far_median_1", "files_above_3x_1", "episodes_found_1", "far_mean_01"]
BENCH_KEYS = ["f1", "far", "mar", "auroc", "f1_05"]


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A wave of 1,600 points, of which 600 are fitted, with an anomaly behind them."""
    folder = tmp_path / "series"
    folder.mkdir()
    values = np.sin(np.arange(1_600) / 4) + 0.1 * np.random.default_rng(0).normal(size=1_600)
    labels = np.zeros(1_600, np.uint8)
    values[900:915] += 3
    labels[900:915] = 1
    np.savez(folder / "made_tr_600.npz", x=values, y=labels)
    return folder


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """600 rows of eight sensors, two of which part after 450 rows."""
    folder = tmp_path / "bench"
    folder.mkdir()
    random = np.random.default_rng(0)
    common_part = np.sin(np.arange(600) / 9)[:, None]
    sensors = common_part * np.arange(1, 9) + 0.1 * random.normal(size=(600, 8))
    labels = np.zeros(600)
    sensors[450:550, :2] += 2
    labels[450:550] = 1
    frame = pd.DataFrame(sensors, columns=[f"sensor {n}" for n in range(8)])
    frame.insert(0, "datetime", pd.date_range("2020-03-09", periods=600, freq="s"))
    frame = frame.assign(anomaly=labels, changepoint=0.0)
    frame.to_csv(folder / "1.csv", sep=";", index=False)
    return folder


def run(script: ModuleType, data: Path, *more: str) -> dict[str, Any]:
    out = data.parent / "results" / "out.json"
    assert script.main(["--data", str(data), "--json", str(out), *more]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert list(found) == ["claim", "protocol", "seeds", "machine", "rows", "mean", "peers"]
    return found


def test_clean_series_are_eleven_kinds() -> None:
    made = series_alarms.clean_series(0)
    assert len(made) == 11
    assert all(len(values) == 6_000 and np.isfinite(values).all() for values in made.values())
    assert not np.array_equal(made["counts"], series_alarms.clean_series(1)["counts"])


@pytest.mark.filterwarnings("ignore::diabolo.DiaboloWarning")
def test_alarms_of_series(series: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # With named sets, the clean synthetic series are left out.
    found = run(series_alarms, series, "--peers", "sliding_pca", "--sets", next(series.iterdir()).stem)
    assert {*SERIES_KEYS, *(f"hold_{key}" for key in SERIES_KEYS)} <= set(found["mean"])
    assert set(SERIES_KEYS) <= set(found["peers"]["sliding_pca"]) and list(found["peers"]) == ["sliding_pca"]
    methods = ("diabolo", "diabolo_hold", "sliding_pca")
    assert [(row["method"], row["asked"]) for row in found["rows"]] == [
        (method, rate) for method in methods for rate in (0.001, 0.01, 0.05)
    ]
    mean = found["mean"]
    for prefix in ("", "hold_"):
        assert mean[f"{prefix}episodes_found_1"] == 1.0
        # In percent, and of a single file: its mean is its median.
        assert 0 <= mean[f"{prefix}far_mean_01"] <= mean[f"{prefix}far_mean_1"] < 3
        assert mean[f"{prefix}far_median_1"] == mean[f"{prefix}far_mean_1"]
        assert mean[f"{prefix}files_above_3x_1"] == 0.0
    assert mean["far_mean_5"] <= mean["hold_far_mean_5"]  # a level that follows is never below
    assert "episodes found" in capsys.readouterr().out


def test_a_series_without_a_prefix_in_its_name_is_refused(series: Path) -> None:
    (series / "made_tr_600.npz").rename(series / "made.npz")
    with pytest.raises(SystemExit, match=r"no tr_N in the name made\.npz"):
        series_alarms.main(["--data", str(series), "--json", str(series / "out.json"), "--peers", ""])


def test_false_alarms_are_counted_far_from_labels() -> None:
    labels, alarm = np.zeros(1_000, np.int64), np.zeros(1_000, bool)
    labels[500:510] = 1
    alarm[[50, 505, 600, 700, 720, 900]] = True  # of the fit; found; near; one episode of two; another
    found = series_alarms.measure(labels, 100, alarm)
    normal = 900 - 10 - 2 * series_alarms.MARGIN
    assert found["rate"] == pytest.approx(3 / normal) and found["found"] == 1.0
    assert found["false_episodes"] == pytest.approx(2 / normal * 1_000)
    missed = series_alarms.measure(labels, 100, np.zeros(1_000, bool))
    assert (missed["rate"], missed["found"]) == (0.0, 0.0)
    # Too few normal points, or no anomaly, say nothing.
    assert series_alarms.measure(labels, 750, alarm)["found"] is None
    assert series_alarms.measure(labels[:680], 100 + 350, alarm[:680])["rate"] is None


def test_a_file_above_three_times_the_rate_is_counted() -> None:
    rows = [
        {"asked": rate, "rate": rate * factor, "found": 1.0, "false_episodes": 0.0, "cpu_seconds": 0.5}
        for rate in series_alarms.RATES.values()
        for factor in (1, 2, 3.5, 6)
    ]
    rows += [{"asked": 0.01, "rate": None, "found": 0.0, "false_episodes": None, "cpu_seconds": 0.5}]
    found = series_alarms.summarise(rows)
    assert found["files_above_3x_1"] == 0.5 and found["far_mean_1"] == pytest.approx(3.125)
    assert found["far_median_01"] == pytest.approx(0.275) and found["episodes_found_1"] == 0.8
    assert found["cpu_seconds"] == 2.5


def test_alarms_on_a_test_bench(bench: Path) -> None:
    scores = bench.parent / "scores"
    found = run(skab, bench, "--peers", "t2_q", "--scores", str(scores))
    assert set(BENCH_KEYS) <= set(found["mean"]) and set(BENCH_KEYS) <= set(found["peers"]["t2_q"])
    assert [(row["set"], row["method"]) for row in found["rows"]] == [("1", "diabolo"), ("1", "t2_q")]
    for figures in (found["mean"], found["peers"]["t2_q"]):
        assert figures["f1"] > 0.6 and figures["auroc"] > 0.8
        assert 0 <= figures["far"] <= 25 and 0 <= figures["mar"] <= 50
    # The level of a peer is its own, whatever the rate.
    assert found["peers"]["t2_q"]["f1"] == found["peers"]["t2_q"]["f1_05"]
    assert found["mean"]["far_05"] >= found["mean"]["far"]
    with np.load(scores / "1.0.npz") as kept:
        assert kept["scores"].shape == kept["labels"].shape == (600,) and kept["labels"].sum() == 100


def test_measures_of_alarms() -> None:
    labels, alarms = np.repeat([False, True], [80, 20]), np.zeros(100, bool)
    alarms[70:95] = True
    assert skab.measures(labels, alarms) == pytest.approx({"f1": 30 / 45, "far": 12.5, "mar": 25.0})
    assert skab.measures(labels, labels) == {"f1": 1.0, "far": 0.0, "mar": 0.0}


@pytest.mark.parametrize("peer", [p for p in skab.PEERS if p != "diabolo_follow"])
def test_every_peer_finds_the_sensors_that_part(
    bench: Path, peer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skab, "STEPS", 150)
    table = pd.read_csv(bench / "1.csv", sep=";", parse_dates=["datetime"])
    judged = skab.METHODS[peer](table.drop(columns=list(skab.LABELS)), 0)
    odd = table["anomaly"].to_numpy() > 0.5
    assert set(judged.alarms) == set(skab.RATES) and np.isfinite(judged.scores).all()
    assert np.median(judged.scores[odd]) > np.quantile(judged.scores[: skab.FITTED], 0.9)


def test_folders_without_files_are_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for script, kind in ((series_alarms, ".npz"), (skab, ".csv")):
        with pytest.raises(SystemExit) as end:
            script.main(["--data", str(tmp_path), "--json", str(tmp_path / "out.json")])
        assert end.value.code == common.NO_DATA
        assert f"no {kind} file in" in capsys.readouterr().err
