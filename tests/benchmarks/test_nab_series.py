"""NAB's series run from their command line on a small made folder, with a stand-in for our model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from benchmarks import common, nab

PROBLEM = nab.made_problem()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place in ("data/some", "data/more", "labels"):
        (tmp_path / "nab" / place).mkdir(parents=True)
    series = PROBLEM.test
    ends = [str(series["timestamp"][i]) + ".000000" for i in (1000, 1059)]
    for name in ("some/drop", "more/again", "more/quiet"):
        series.to_csv(tmp_path / "nab" / "data" / f"{name}.csv", index=False)
    windows = {"some/drop.csv": [ends], "more/again.csv": [ends], "more/quiet.csv": []}
    (tmp_path / "nab" / "labels" / "combined_windows.json").write_text(json.dumps(windows), encoding="utf-8")
    return tmp_path / "nab"


def stand_in(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> np.ndarray:
    return np.abs(test["value"].to_numpy() - train["value"].mean()) - 10


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict:
    seen = []

    def detector(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> np.ndarray:
        seen.append(len(train))
        return stand_in(train, test, seed)

    known = nab.PREFIX.detectors | {common.OURS: detector}
    for name, variant in list(nab.VARIANTS.items()):
        monkeypatch.setitem(nab.VARIANTS, name, replace(variant, detectors=known))
    out = folder.parent / "out.json"
    code = nab.main(["--data", str(folder), "--json", str(out), "--peers", "sliding_pca", *more])
    assert code == 0
    return json.loads(out.read_text(encoding="utf-8")) | {"fitted": seen[1:]}


def test_the_probation_is_fitted_and_everything_is_scored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(folder, monkeypatch, "--pictures", str(folder.parent / "pictures"))
    assert result["fitted"] == [180, 180]
    assert result["mean"]["sets"] == result["peers"]["sliding_pca"]["sets"] == 2
    mean = result["mean"]
    assert mean["nab_score"] == mean["nab_score_alarm"] == pytest.approx(100)
    assert mean["windows_found"] == 1 and mean["false_alarms"] == 0 and mean["vus_pr"] > 0.7
    names = sorted(path.name for path in (folder.parent / "pictures").iterdir())
    assert names == ["again.svg", "drop.svg"]
    kinds = [
        part.get("class") for part in ElementTree.parse(folder.parent / "pictures" / "drop.svg").getroot()
    ]
    assert kinds.count("window") == 1 and kinds.count("score") == 2 and kinds.count("alarm") >= 2


def test_the_whole_series_is_fitted_if_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = ["--protocol", "whole", "--sets", "drop", "--pictures", str(folder.parent)]
    result = run(folder, monkeypatch, *more)
    assert result["fitted"] == [1200] and result["protocol"].startswith("whole: ")
    assert (folder.parent / "drop.svg").is_file()


def test_a_peer_has_an_alarm_for_the_highest_thousandth_of_what_it_fitted() -> None:
    scores = nab.with_alarm_level(lambda train, test, seed: test)(PROBLEM.test[:1001], PROBLEM.test, 0)
    assert (scores[:1001] > 0).sum() == 1


def test_what_is_fitted_and_scored_is_one_array() -> None:
    seen = []

    def detector(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
        seen.append(train is test)
        return test

    for train in (PROBLEM.test, PROBLEM.train):
        nab.with_alarm_level(detector)(train, PROBLEM.test, 0)
    assert seen == [True, False]


def test_alarms_are_judged_at_their_level() -> None:
    scores = np.full(1200, -1.0)
    scores[[1000, 10]] = 1.0  # one in the window, one false
    found = nab.measure(PROBLEM, scores)
    assert found["windows_found"] == 1 and found["false_alarms"] == pytest.approx(1 / 1140)
    none = nab.measure(PROBLEM, scores - 2)
    assert none["nab_score_alarm"] == none["windows_found"] == none["false_alarms"] == 0


def test_our_default_finds_the_drop() -> None:
    series = PROBLEM.test
    long = pd.concat([series[:900]] * 3, ignore_index=True)
    long["timestamp"] = series["timestamp"][0] - pd.to_timedelta(5 * np.arange(len(long), 0, -1), unit="min")
    found = nab.measure(PROBLEM, nab.ours(long, series, 0))
    assert found["windows_found"] == 1 and found["vus_pr"] > 0.5


@pytest.mark.parametrize("missing", ["labels", "series"])
def test_a_folder_without_series_is_no_failure(folder: Path, missing: str) -> None:
    if missing == "labels":
        (folder / "labels" / "combined_windows.json").unlink()
    with pytest.raises(SystemExit) as end:
        nab.find(folder, ["quiet"] if missing == "series" else [])
    assert end.value.code == common.NO_DATA
