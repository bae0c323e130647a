"""Generated tables are measured as the protocol says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import common, generate_tables
from benchmarks.metrics import synthetic
from diabolo import evaluation

NUMBERS = ["a", "b"]
SHAPE, TREND = 0.8922222222222221, 0.8329313442614005
LINEAR, TREES, MLE = 0.7929839285714286, 0.78116875, 0.879777271576816


def table(rows: int, seed: int, tie: float = 1.0) -> pd.DataFrame:
    """Two numbers and two labels; all go together as far as `tie` says."""
    random = np.random.default_rng(seed)
    a = random.integers(0, 40, rows)
    b = (tie * a + random.normal(0, 6, rows)).round(1)
    city = np.array(["Oslo", "Rome", "Lima", "Bonn"], dtype=object)[
        (a // 10 + random.integers(0, 2, rows)) % 4
    ]
    label = np.where(a + random.normal(0, 8, rows) > 25, "yes", "no").astype(object)
    return pd.DataFrame({"a": a, "city": city, "b": b, "label": label})


def pair() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return table(900, 0), table(800, 1, tie=0.6), table(700, 2)


def as_table(frame: pd.DataFrame) -> evaluation.Table:
    return synthetic.as_table(frame, NUMBERS)


def test_the_measures_are_those_of_the_reference() -> None:
    # The same tables, measured by the evaluator that the goals were set with.
    real, made, test = pair()
    alike, pairs = (
        ask(as_table(real), as_table(made))
        for ask in (evaluation.column_similarity, evaluation.pair_similarity)
    )
    assert common.mean(alike.values()) == pytest.approx(SHAPE, abs=1e-6)
    assert common.mean(pairs.values()) == pytest.approx(TREND, abs=1e-6)
    assert synthetic.c2st_linear(test, made, NUMBERS) == pytest.approx(LINEAR, abs=1e-6)
    assert evaluation.two_sample_test(as_table(test), as_table(made)).auroc == pytest.approx(TREES, abs=1e-6)
    assert synthetic.mle(made, test, "label", NUMBERS) == pytest.approx(MLE, abs=1e-6)
    assert synthetic.task_of(real, NUMBERS) == "label"


def test_missing_values_count_for_the_linear_classifier() -> None:
    real = table(600, 0)
    gone = real.assign(b=real["b"].mask(real["a"] > 30))
    assert 0 <= synthetic.c2st_linear(gone, real, NUMBERS) <= 1
    labels = synthetic.as_labels(pd.DataFrame({"x": ["u", None], "a": [1.0, None]}), ["a"])
    assert labels["x"].tolist() == ["u", "?"] and np.isnan(labels["a"][1])


def test_a_number_can_be_the_target() -> None:
    real = table(600, 0)[["a", "city", "b"]]
    assert synthetic.task_of(real, NUMBERS) == "b"
    assert 0.5 < synthetic.mle(real, table(300, 1)[["a", "city", "b"]], "b", NUMBERS) < 1


def test_precision_and_recall() -> None:
    random = np.random.default_rng(0)
    real, same, wide, narrow = (random.normal(0, s, (800, 4)) for s in (1, 1, 3, 0.1))
    for part, least in ((same, 0.9), (wide, None), (narrow, None)):
        precision, recall = synthetic.precision_and_recall(real, part)
        if least is not None:
            assert precision > least and recall > 0.5
        else:
            assert precision < 0.5
    assert synthetic.precision_and_recall(real, narrow)[1] < 0.2


def test_figures(
    csv_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(generate_tables.METHODS, common.OURS, generate_tables.copula)
    out, kept = csv_folder.parent / "out.json", csv_folder.parent / "kept"
    more = ["--peers", "real,marginals", "--scores", str(kept)]
    assert generate_tables.main(["--data", str(csv_folder), "--json", str(out), *more]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    mine, peers = result["mean"], result["peers"]
    assert mine["sets"] == 2 and mine["failures"] == 0
    assert peers["marginals"]["trend"] < mine["trend"] < peers["real"]["trend"]
    assert peers["marginals"]["c2st"] > 0.7 and peers["marginals"]["shape"] > 0.99
    assert mine["rows_per_second"] > 0 and mine["bytes"] is None
    assert len(pd.read_parquet(kept / "alone.0.parquet")) == 160
    assert "c2st" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::diabolo.estimator.autoencoder.DiaboloWarning")
def test_our_default_makes_a_table() -> None:
    fitted = table(200, 0)
    made = generate_tables.ours("default", fitted, fitted, frozenset(NUMBERS), 0)
    assert list(made.table) == list(fitted) and len(made.table) == 200
    assert made.bytes and made.seconds > 0 and made.fit_seconds > 0
