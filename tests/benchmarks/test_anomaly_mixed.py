"""Anomalous rows of mixed tables are made as the rules say, and every detector gets what it can read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import anomaly_mixed, common
from benchmarks.anomaly_mixed import Rows

PEERS = [name for name in anomaly_mixed.DETECTORS if name != common.OURS]


def made(rows: int, seed: int = 0) -> pd.DataFrame:
    """Numbers and labels, one number with missing values, and a class that a fifth of the rows are in."""
    random = np.random.default_rng(seed)
    group = random.integers(0, 4, rows)
    return pd.DataFrame(
        {
            "first": random.permutation(rows) + 0.5,
            "second": 10 * group + random.normal(size=rows).round(3),
            "third": np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows).round(3)),
            "label": np.array(["low", "middle", "high", "top"])[group],
            "class": np.where(random.random(rows) < 0.2, "yes", "no"),
        }
    )


def off(train: Rows, test: Rows, seed: int) -> np.ndarray:
    """A stand-in for our model that knows how the columns go together."""
    middle = train.frame.groupby("label")["second"].mean()
    return np.asarray((test.frame["second"] - test.frame["label"].map(middle)).abs(), dtype=np.float64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    made(300, 1).to_csv(folder / "pair_train.csv.gz", index=False)
    made(100, 2).to_csv(folder / "pair_test.csv", index=False)
    made(400, 3).to_csv(folder / "alone.csv", index=False)
    return folder


def test_figures(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(anomaly_mixed.DETECTORS, common.OURS, off)
    out, kept = folder.parent / "out.json", folder.parent / "kept"
    more = ["--tables", "pair", "--scores", str(kept), "--seeds", "2"]
    assert anomaly_mixed.main(["--data", str(folder), "--json", str(out), *more]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert {row["set"] for row in result["rows"]} == {"pair.crossed", "pair.few_cells", "pair.rare"}
    assert len(result["rows"]) == 3 * 2 * 4
    assert result["mean"]["sets"] == 3 and result["mean"]["failures"] == 0
    mine, rivals = result["rows"][0], result["rows"][1:4]
    assert mine["lead"] == pytest.approx(mine["auroc"] - max(rival["auroc"] for rival in rivals))
    assert result["mean"]["auroc"] > result["peers"]["frequency"]["auroc"]
    assert "pair.rare" in capsys.readouterr().out
    with np.load(kept / "knn1" / "pair.crossed.1.npz") as answers:
        assert answers["labels"].mean() == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("rule", list(anomaly_mixed.RULES))
def test_half_is_fitted_and_a_twentieth_is_odd(folder: Path, rule: str) -> None:
    found = anomaly_mixed.find(folder, ["alone"])[f"alone.{rule}"]
    problem = anomaly_mixed.load(found, 0)
    assert problem.labels.mean() == pytest.approx(0.05, abs=0.01)
    assert problem.labels.tolist() == sorted(problem.labels)
    assert len(problem.test) == len(problem.labels) > 100
    assert list(problem.test.frame) == list(problem.train.frame)
    assert {"second", "third"} <= problem.train.numbers
    assert problem.train.frame["third"].isna().any()
    seen = set(problem.train.frame["second"]) & set(problem.test.frame["second"][problem.labels == 0])
    assert len(seen) < 5
    again = anomaly_mixed.load(found, 0)
    pd.testing.assert_frame_equal(again.test.frame, problem.test.frame)
    assert not again.test.frame.equals(anomaly_mixed.load(found, 1).test.frame)


def test_a_large_table_is_cut() -> None:
    fit, normal, material = anomaly_mixed.parts(pd.DataFrame({"a": np.arange(50_000)}), 2)
    assert (len(fit), len(normal), len(material)) == (10_000, 9_500, 1_000)
    assert pd.concat([fit, normal, material])["a"].is_unique


def test_a_crossed_row_is_two_rows() -> None:
    frame = pd.DataFrame({name: np.arange(2_000) for name in "abcde"})
    fit, normal, odd = anomaly_mixed.crossed(frame, np.random.default_rng(0))
    values = odd.to_numpy()
    assert all(len(set(row)) == 2 for row in values)
    assert {(row == row[0]).sum() for row in values} == {2, 3}
    assert not set(values.ravel()) & (set(fit["a"]) | set(normal["a"]))
    assert (odd.dtypes == frame.dtypes).all()


def test_few_cells_are_changed() -> None:
    frame = made(2_000)
    fit, _, odd = anomaly_mixed.few_cells(frame, np.random.default_rng(0))
    _, _, before = anomaly_mixed.parts(frame, 1)
    before = pd.concat([before.iloc[::2], before.iloc[1::2]], ignore_index=True)
    same = (odd == before) | (odd.isna() & before.isna())
    assert (~same.to_numpy()).sum(1).tolist() == [2] * len(before)
    assert (odd.dtypes == fit.dtypes).all() and odd["third"].isna().any()
    # The first half got values of other rows, the second half also numbers that nobody has.
    known = odd["second"].isin(frame["second"]).to_numpy()
    assert known[: len(odd) // 2].all() and not known[len(odd) // 2 :].all()


def test_rare_rows_are_those_of_a_value_and_its_column_is_gone() -> None:
    frame = made(2_000)
    fit, normal, odd = anomaly_mixed.rare(frame, np.random.default_rng(0))
    assert "class" not in fit
    group = frame.set_index("first")["class"]
    assert set(group[odd["first"]]) == {"yes"}
    assert set(group[pd.concat([fit, normal])["first"]]) == {"no"}
    assert len(odd) == round(len(normal) / 19)


def test_rare_needs_a_column_of_few_values() -> None:
    with pytest.raises(ValueError, match="no column with at most 10 values"):
        anomaly_mixed.rare(made(200)[["first", "second"]], np.random.default_rng(0))


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_reads_mixed_rows_with_holes(name: str) -> None:
    if name.startswith("pyod"):
        pytest.importorskip("pyod")
    numbers = frozenset({"first", "second", "third"})
    frame = made(300).assign(label=lambda t: t["label"].where(t.index % 7 > 0))
    strange = frame.iloc[:1].assign(first=1e6, second=500.0, third=-40.0, label="never seen")
    test = Rows(pd.concat([frame.iloc[200:], strange], ignore_index=True), numbers)
    scores = anomaly_mixed.DETECTORS[name](Rows(frame.iloc[:200], numbers), test, 0)
    assert scores.shape == (101,) and np.isfinite(scores).all()
    assert scores[-1] > np.median(scores)


def test_only_nearest_neighbours_see_what_goes_together() -> None:
    problem = anomaly_mixed.made_problem()
    areas = {
        n: anomaly_mixed.measure(problem, anomaly_mixed.DETECTORS[n](problem.train, problem.test, 0))
        for n in PEERS[:3]
    }
    assert areas["knn1"]["auroc"] > 95 and areas["frequency"]["auroc"] < 70


@pytest.mark.filterwarnings("ignore::diabolo.estimator.autoencoder.DiaboloWarning")
def test_our_default_scores_every_row() -> None:
    problem = anomaly_mixed.made_problem()
    scores = anomaly_mixed.ours(problem.train, problem.test, 0)
    assert scores.shape == problem.labels.shape and np.isfinite(scores).all()
