"""Missing values are made, filled and measured as the protocol says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import common, imputation, tables
from benchmarks.imputation import Filled, Forecast
from benchmarks.tables import Table

PEERS = [name for name in imputation.METHODS if name != common.OURS]


def incomplete(table: Table) -> tuple[pd.DataFrame, np.ndarray]:
    chosen = tables.spread(table.train.shape, 0.3, np.random.default_rng(0))
    return table.train.mask(chosen), chosen & table.train.notna().to_numpy()


def test_figures(
    csv_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(imputation.METHODS, common.OURS, imputation.constant)
    out, kept = csv_folder.parent / "out.json", csv_folder.parent / "kept"
    more = ["--peers", "knn10", "--scores", str(kept)]
    assert imputation.main(["--data", str(csv_folder), "--json", str(out), *more]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    mine, other = result["mean"], result["peers"]["knn10"]
    assert mine["sets"] == 2 and mine["failures"] == 0
    for scenario in imputation.SCENARIOS:
        assert other[f"nrmse{scenario}"] < mine[f"nrmse{scenario}"]
        assert 0.8 < mine[f"coverage{scenario}"] < 1 and other[f"coverage{scenario}"] is None
        assert other[f"crps{scenario}"] == other[f"mae{scenario}"] and mine[f"crps{scenario}"] > 0
        assert mine[f"crps{scenario}"] < mine[f"mae{scenario}"]
    assert other["accuracy"] > mine["accuracy"]
    assert "interval_score_depends" in capsys.readouterr().out
    assert not pd.read_parquet(kept / "alone.depends.0.parquet").isna().any().any()
    assert (kept / "knn10" / "pair.30.0.parquet").is_file()


def test_a_perfect_answer_has_no_error(table: Table) -> None:
    _, hidden = incomplete(table)
    whole = table.train.assign(third=table.train["third"].fillna(0))
    numbers = table.train[sorted(table.numbers)]
    perfect = Filled(whole, lambda: Forecast(numbers, numbers, numbers, [numbers] * 3))
    expected = {"nrmse": 0, "mae": 0, "accuracy": 1, "coverage": 1, "interval_score": 0, "crps": 0}
    assert imputation.errors(table, perfect, hidden) == expected


def test_the_interval_score_weighs_width_against_misses(table: Table) -> None:
    _, hidden = incomplete(table)
    hidden[:, [0, 2, 3]] = False
    truth, deviation = table.train[["second"]], table.train["second"].std()

    def score(low: float, high: float) -> float | None:
        said = Forecast(truth + low, truth + high, truth, [truth, truth])
        answer = Filled(table.train.fillna(0), lambda: said)
        return imputation.errors(table, answer, hidden)["interval_score"]

    assert score(-1, 1) == pytest.approx(2 / deviation)
    assert score(1, 2) == pytest.approx((1 + 20) / deviation)
    assert score(-5, -3) == pytest.approx((2 + 20 * 3) / deviation)


def test_the_median_is_measured_by_mae_and_draws_by_crps(table: Table) -> None:
    _, hidden = incomplete(table)
    hidden[:, [0, 2, 3]] = False
    truth, deviation = table.train[["second"]], table.train["second"].std()
    said = Forecast(truth, truth, truth + 2, [truth - 1, truth + 2])
    measures = imputation.errors(table, Filled(table.train.fillna(0), lambda: said), hidden)
    assert measures["mae"] == pytest.approx(2 / deviation)
    # Both are 1.5 away on average, and 3 from each other.
    assert measures["crps"] == pytest.approx((1.5 - 3 / 2) / deviation, abs=1e-12)


def test_crps_is_that_of_the_distribution() -> None:
    # Of the standard normal distribution at x: x (2 F(x) - 1) + 2 f(x) - 1 / sqrt(pi), Gneiting and Raftery.
    random, x = np.random.default_rng(0), np.repeat([0.0, 1.5], 50_000)
    found = imputation.crps(random.normal(size=(5, len(x))), x)
    assert found[:50_000].mean() == pytest.approx(0.2337, abs=0.005)
    assert found[50_000:].mean() == pytest.approx(0.9944, abs=0.01)


def test_holes_that_are_left_are_a_failure(table: Table) -> None:
    frame, hidden = incomplete(table)
    with pytest.raises(ValueError, match="missing values left in first"):
        imputation.errors(table, Filled(frame), hidden)


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_fills_holes_only(table: Table, name: str) -> None:
    frame, _ = incomplete(table)
    filled = imputation.METHODS[name](frame, table.numbers, 0).table
    assert list(filled) == list(frame) and not filled.isna().any().any()
    for column in frame:
        there = frame[column].notna()
        assert (filled[column][there] == frame[column][there]).all()
    assert set(filled["label"]) <= set(table.train["label"])


@pytest.mark.parametrize("name", [name for name in PEERS if name != "constant"])
def test_every_peer_uses_the_other_columns(table: Table, name: str) -> None:
    frame, hidden = incomplete(table)
    mine, middle = (
        imputation.errors(table, imputation.METHODS[n](frame, table.numbers, 0), hidden)
        for n in (name, "constant")
    )
    assert (
        mine["nrmse"] is not None and middle["nrmse"] is not None and mine["nrmse"] < 0.95 * middle["nrmse"]
    )


@pytest.mark.filterwarnings("ignore::diabolo.estimator.autoencoder.DiaboloWarning")
def test_our_default_fills_and_gives_ranges(table: Table) -> None:
    frame, hidden = incomplete(table)
    filled = imputation.ours(frame[:80], table.numbers, 0)
    hidden[80:] = False
    measures = imputation.errors(table, filled, hidden)
    assert all(value is not None for value in measures.values())
