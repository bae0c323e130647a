"""Missing values are what the head of the script says; the script runs with a stand-in for our model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import channels, common, series_imputation
from benchmarks.channels import TIME
from benchmarks.series_imputation import Filled, last, linear, measure, remove_values, seasonal

MADE = channels.made(1_500)
NAMES = [name for name in MADE if name != TIME]


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_blocks_hide_the_share(share: float) -> None:
    series = MADE.assign(c0=MADE["c0"].mask(np.arange(len(MADE)) == 7))
    incomplete = remove_values(series, share, np.random.default_rng(0))
    assert incomplete[TIME].equals(MADE[TIME]) and np.isnan(incomplete["c0"][7])
    for name in NAMES:
        gone = incomplete[name].isna()
        assert share <= gone.mean() < share + 50 / len(MADE)
        assert (incomplete[name][~gone] == MADE[name][~gone]).all()
    edges = np.flatnonzero(np.diff(incomplete["c1"].isna(), prepend=0, append=0)).reshape(-1, 2)
    assert np.diff(edges).min() >= 4 and len(edges) < 60
    assert not incomplete["c1"].isna().equals(incomplete["c2"].isna())


def test_what_peers_put_in() -> None:
    hours = pd.date_range("2024-01-01", periods=96, freq="h")
    wave = np.sin(2 * np.pi * np.arange(96) / 24)
    incomplete = pd.DataFrame({TIME: hours, "a": wave + np.arange(96) / 100, "b": np.arange(96.0)})
    incomplete.loc[30:40, ["a", "b"]] = np.nan
    assert np.allclose(linear(incomplete, 0).table["b"], np.arange(96.0))
    assert (last(incomplete, 0).table["b"][30:41] == 29).all()
    rhythm = seasonal(incomplete, 0).table["a"] - wave - np.arange(96) / 100
    straight = linear(incomplete, 0).table["a"] - wave - np.arange(96) / 100
    assert rhythm.abs().max() < 0.5 * straight.abs().max()


def test_only_what_was_hidden_is_judged() -> None:
    series = MADE.assign(c0=MADE["c0"].mask(np.arange(len(MADE)) < 100))

    def method(incomplete: pd.DataFrame, seed: int) -> Filled:
        # Wrong by half a deviation wherever there is a hole; the range holds the truth of c1 alone.
        off = {n: series[n].fillna(1e6) + 0.5 * series[n].std() * incomplete[n].isna() for n in NAMES}
        table = incomplete.assign(**off)
        low = table[NAMES] - np.array([0, 10, 0, 0])
        return Filled(table, low, table[NAMES])

    found = measure(series, method, 0)
    for share in (10, 50):
        assert found[f"rmse_{share}"] == pytest.approx(0.5) == found[f"mae_{share}"]
        assert found[f"coverage_{share}"] == pytest.approx(0.25)
        assert found["details"][f"coverage_{share} c1"] == 1
    assert "coverage_10" not in measure(series, linear, 0)


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "series").mkdir()
    MADE.to_csv(tmp_path / "series" / "hours.csv", index=False)
    monkeypatch.setitem(series_imputation.METHODS, common.OURS, linear)
    out = tmp_path / "out.json"
    command = ["--data", str(tmp_path / "series"), "--json", str(out), "--seeds", "2", "--sets", "hours"]
    assert series_imputation.main([*command, "--peers", "last,seasonal"]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert list(result["peers"]) == ["last", "seasonal"] and len(result["rows"]) == 6
    assert 0 < result["mean"]["rmse_10"] < result["peers"]["last"]["rmse_10"]
    printed = capsys.readouterr().out
    assert "hours rmse_50 c3" in printed and "details" not in printed


def test_ours_fills_better_than_straight_lines_and_knows_how_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_imputation, "SHARES", (0.1,))
    series = channels.made(2_500)[[TIME, "c0", "c1"]]
    ours, lines = (measure(series, method, 0) for method in (series_imputation.ours, linear))
    assert ours["rmse_10"] < 0.8 * lines["rmse_10"] and ours["mae_10"] < 0.8 * lines["mae_10"]
    assert 0.75 < ours["coverage_10"] < 0.99
