"""The case study runs from its command line on a small made folder in NAB's shape."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from benchmarks import common, machine_temperature, nab
from benchmarks.detector_plot import Lane, draw
from benchmarks.machine_temperature import Case

POINTS, ODD = 1200, slice(1000, 1060)
SHARED = ("distance_from_mean", "rolling_mean", "rolling_mean_centred")


def made_series() -> pd.DataFrame:
    """A quiet value that drops for a while; five minutes apart."""
    at = pd.Timestamp("2013-12-23") + pd.to_timedelta(5 * np.arange(POINTS), unit="min")
    value = 80 + np.sin(np.arange(POINTS) / 20) + np.random.default_rng(0).normal(0, 0.3, POINTS)
    value[ODD] -= 30
    return pd.DataFrame({"timestamp": at, "value": value})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    series = made_series()
    (tmp_path / "nab" / "data" / "some").mkdir(parents=True)
    (tmp_path / "nab" / "labels").mkdir()
    series.to_csv(tmp_path / "nab" / "data" / "some" / "made.csv", index=False)
    ends = [str(series["timestamp"][i]) + ".000000" for i in (ODD.start, ODD.stop - 1)]
    windows = {"some/made.csv": [ends], "some/other.csv": []}
    (tmp_path / "nab" / "labels" / "combined_windows.json").write_text(json.dumps(windows), encoding="utf-8")
    return tmp_path / "nab"


def stand_in(case: Case, seed: int) -> dict[str, np.ndarray]:
    return {common.OURS: np.abs(case.values - np.median(case.values))}


def run(folder: Path, *more: str) -> dict:
    out = folder.parent / "results" / "out.json"
    command = ["--data", str(folder), "--json", str(out), "--sets", "made", *more]
    assert machine_temperature.main(command) == 0
    return json.loads(out.read_text(encoding="utf-8"))


def test_it_runs_and_draws(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(machine_temperature.METHODS, (common.OURS,), stand_in)
    kept, drawn = folder.parent / "scores", folder.parent / "pictures"
    more = ["--seeds", "2", "--scores", str(kept), "--pictures", str(drawn)]
    result = run(folder, "--peers", "rolling_mean,sub_pca", *more)
    assert list(result) == ["claim", "protocol", "seeds", "machine", "rows", "mean", "peers"]
    # Two of the three detectors that share a function were not asked for.
    assert list(result["peers"]) == ["rolling_mean", "sub_pca"]
    assert len(result["rows"]) == 2 * 3
    assert result["rows"][0]["train"] == 840 and result["rows"][0]["test"] == POINTS
    assert result["mean"]["auroc"] > 99 and result["mean"]["vus_pr"] > 0.7
    assert result["mean"]["nab_score"] == pytest.approx(100)
    assert "rolling_mean" in capsys.readouterr().out
    with np.load(kept / "rolling_mean" / "made.1.npz") as file:
        assert file["labels"].sum() == 60 and file["scores"].shape == (POINTS,)
    picture = ElementTree.parse(drawn / "made.svg").getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    kinds = [part.get("class") for part in picture]
    assert kinds.count("window") == 1 and kinds.count("score") == 3 and kinds.count("alarm") >= 3


def test_the_windows_are_labelled_with_both_ends(folder: Path) -> None:
    case = machine_temperature.load(nab.find(folder)["made"])
    assert np.flatnonzero(case.labels).tolist() == list(range(1000, 1060))
    assert case.fitted == 840


def test_a_missing_series_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        machine_temperature.main(["--data", str(folder), "--json", "out.json"])
    assert end.value.code == common.NO_DATA
    assert "no data/**/machine_temperature_system_failure.csv with windows in" in capsys.readouterr().err


def test_what_is_read_off_the_clock() -> None:
    table = machine_temperature.with_calendar(made_series())
    assert list(table) == [*machine_temperature.NUMBERS, *machine_temperature.LABELS]
    # Monday, two days before Christmas, at midnight and an hour later.
    first, later = table.iloc[0], table.iloc[12]
    assert [first["minutes"], later["minutes"], later["index"]] == [0, 60, 12]
    assert (first["weekday"], first["holiday"], first["holiday_distance"]) == ("Monday", "no", 2)
    christmas = table.iloc[2 * 288]
    assert (christmas["holiday"], christmas["holiday_distance"]) == ("yes", 0)
    assert table.iloc[3 * 288]["holiday_distance"] == 1


def test_a_window_of_sub_pca_belongs_to_its_middle() -> None:
    series = made_series()
    case = Case(series, np.zeros(POINTS, int), 840)
    scores = machine_temperature.sub_pca(case, 0)["sub_pca"]
    assert scores.shape == (POINTS,)
    assert abs(int(scores.argmax()) - 1030) < 100
    assert (scores[:62] == scores[0]).all() and scores[63] != scores[0]


@pytest.mark.slow
def test_the_classic_net_scores_rows() -> None:
    case = Case(made_series(), np.zeros(POINTS, int), 840)
    answers = machine_temperature.classic(case, 0) | machine_temperature.classic_context(case, 0)
    assert list(answers) == ["classic_loss", "classic_value", "classic_context"]
    inside = np.zeros(POINTS, bool)
    inside[ODD] = True
    for name in ("classic_value", "classic_context"):
        assert np.median(answers[name][inside]) > 100 * np.median(answers[name][:840]), name
    # The running index lies beyond what was fitted: the loss rises on points that are normal.
    loss, new = answers["classic_loss"], ~inside & (np.arange(POINTS) >= 900)
    assert loss.shape == (POINTS,) and np.median(loss[new]) > 2 * np.median(loss[:840])


def test_every_detector_has_words_for_the_picture() -> None:
    assert set(machine_temperature.WORDS) == {common.OURS, *machine_temperature.PEERS}


def test_a_lane_without_alarms_has_no_bars() -> None:
    x, scores = 300.0 * np.arange(50), np.arange(50.0)
    drawn = {
        level: draw("s", x, np.sin(x), np.zeros(50, int), 35, {"d": Lane(scores, level, "")})
        for level in (np.inf, 49.0)
    }
    assert 'class="alarm"' not in drawn[np.inf] and drawn[49.0].count('class="alarm"') == 1
