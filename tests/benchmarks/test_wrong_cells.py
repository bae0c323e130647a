"""Wrong cells are planted and judged as the protocol says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import cell_peers, common, tables, wrong_cells
from benchmarks.cell_peers import Asked, CellPredictions
from benchmarks.tables import Table


def knowing(train: pd.DataFrame, numbers: frozenset[str], seed: int) -> Asked:
    """A stand-in for our model that knows how the columns go together."""

    def ask(frame: pd.DataFrame) -> CellPredictions:
        first = np.clip(frame["second"] // 3, 0, 99)
        said = np.array(["low", "middle", "high", "top"])[first.astype(int) // 25]
        expected = pd.DataFrame(
            {"first": first, "second": 3 * frame["first"] + 2, "third": 0.0, "label": said}
        )
        off = (frame["second"] - expected["second"]).abs() > 3
        odd = np.stack([off, 2 * off, np.zeros(len(frame)), frame["label"] != said], axis=1).astype(float)
        return CellPredictions(odd, np.clip(odd * 0.4, 0.01, 1), expected, 0.05)

    return ask


def test_figures(
    csv_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(wrong_cells.METHODS, common.OURS, knowing)
    out, kept = csv_folder.parent / "out.json", csv_folder.parent / "kept"
    more = ["--tables", "pair", "--scores", str(kept), "--seeds", "2"]
    assert wrong_cells.main(["--data", str(csv_folder), "--json", str(out), *more]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert len(result["rows"]) == 2 * 3
    mine, other = result["mean"], result["peers"]["marginal"]
    assert mine["aupr_swap"] > 2 * other["aupr_swap"] and mine["aupr_noise"] > other["aupr_noise"]
    assert mine["precision_1_swap"] > 0.4 and mine["nearer_swap"] > 0.5
    assert "log_loss_noise" in mine and "log_loss_noise" not in other
    assert "details" not in mine and result["rows"][0]["details"]["reliability_swap"]
    assert "aupr_rows_swap" in capsys.readouterr().out
    with np.load(kept / "pair.swap.1.npz") as answers:
        assert answers["scores"].shape == answers["labels"].shape == (300, 4)
        assert 0.03 < answers["labels"].mean() < 0.07
    assert (kept / "marginal" / "pair.rows_noise.0.npz").is_file()


def test_trust_of_honest_and_of_boasting_probabilities() -> None:
    random = np.random.default_rng(0)
    p = random.random(20_000) ** 4
    wrong = random.random(20_000) < p
    honest, bins = wrong_cells.calibration(wrong, p)
    boasting, _ = wrong_cells.calibration(wrong, p**0.25)
    assert honest["log_loss"] < honest["log_loss_base"] and honest["gap"] < 0.01
    assert boasting["log_loss"] > honest["log_loss"] and boasting["gap"] > 0.2
    assert honest["error_rate_true"] == pytest.approx(0.2, abs=0.01)
    assert sum(b["cells"] for b in bins) == 20_000 and min(b["cells"] for b in bins) >= wrong_cells.BIN_CELLS
    assert [b["p_wrong"] for b in bins] == sorted(b["p_wrong"] for b in bins)


def test_trust_of_few_cells_is_one_bin() -> None:
    _, bins = wrong_cells.calibration(np.array([True, False]), np.array([0.5, 0.5]))
    assert bins == [{"cells": 2, "p_wrong": 0.5, "wrong": 0.5}]


def test_an_expected_value_is_nearer_than_the_middle_or_as_near(table: Table) -> None:
    everywhere = table.test.notna().to_numpy()
    truth = table.test
    assert wrong_cells.compare_expected(table, truth, everywhere)["nearer"] > 0.7
    constant = pd.DataFrame(
        {n: [table.train[n].median() if n in table.numbers else table.train[n].mode()[0]] for n in truth}
    )
    same = pd.concat([constant] * len(truth), ignore_index=True)
    assert wrong_cells.compare_expected(table, same, everywhere) == {"nearer": 0.0, "tied": 1.0}


def test_repair_of_all_and_of_nothing(table: Table) -> None:
    wrong = tables.spread(table.train.shape, 0.2, np.random.default_rng(0)) & table.train.notna().to_numpy()
    assert wrong_cells.repair(table, table.train, wrong) == {"accuracy": 1.0, "smse": 0.0}
    dirty, wrong = tables.corrupt_cells(table.train, table, wrong, "swap", np.random.default_rng(0))
    left = wrong_cells.repair(table, dirty, wrong)
    # A value of another row is off by two variances on average.
    assert left["accuracy"] == 0 and left["smse"] == pytest.approx(2, rel=0.3)
    constant = wrong_cells.METHODS["marginal"](dirty, table.numbers, 0)(dirty).repaired
    assert constant is not None
    assert wrong_cells.repair(table, constant(wrong), wrong)["smse"] == pytest.approx(1, rel=0.2)


@pytest.mark.parametrize("name", ["marginal", "isolation_forest", "forests", "robust_vae"])
def test_every_peer_judges_rows_of_the_fit_and_others(table: Table, name: str) -> None:
    chosen = tables.spread(table.train.shape, 0.05, np.random.default_rng(0))
    dirty, wrong = tables.corrupt_cells(table.train, table, chosen, "noise", np.random.default_rng(0))
    ask = wrong_cells.METHODS[name](dirty, table.numbers, 0)
    evidence = ask(dirty).evidence
    assert evidence.shape == wrong.shape and np.isfinite(evidence).all()
    labels = evidence[:, 3]
    assert labels[wrong[:, 3]].mean() > labels[~wrong[:, 3]].mean()
    assert np.isfinite(ask(table.test).evidence).all()


def test_a_coder_knows_holes_and_values_it_never_saw() -> None:
    labels = cell_peers.Coder(pd.Series(["a", "a", "b", None]), False, 4)
    assert labels.encode(pd.Series(["a", "b", "c", None])).tolist() == [0, 1, -1, -1]
    assert np.argsort(labels.ratio(pd.Series(["a", "b", "c"]))).tolist() == [0, 1, 2]
    numbers = cell_peers.Coder(pd.Series([0.0] * 6 + [1.0, 2.0]), True, 4)
    assert numbers.encode(pd.Series([-5.0, 0.0, 2.0, np.nan])).tolist() == [0, 1, 2, -1]
    assert numbers.shares.argmax() == 2


@pytest.mark.filterwarnings("ignore::diabolo.estimator.autoencoder.DiaboloWarning")
def test_our_default_answers_for_every_cell(table: Table) -> None:
    prediction = wrong_cells.ours(table.train[["second", "label"]][:80], table.numbers, 0)(
        table.test[["second", "label"]]
    )
    assert prediction.evidence.shape == (100, 2) and prediction.p_wrong is not None
    assert ((prediction.p_wrong >= 0) & (prediction.p_wrong <= 1)).all()
    assert prediction.expected is not None and prediction.expected.notna().all().all()
    assert prediction.error_rate is not None and 0 < prediction.error_rate < 1
    wrong = np.zeros((100, 2), dtype=bool)
    wrong[3] = True
    assert prediction.repaired is not None
    mended = prediction.repaired(wrong)
    assert mended.notna().all().all() and (mended["label"].drop(3) == table.test["label"].drop(3)).all()
