"""Wrong cells of text are found, judged and corrected as the protocol says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import common, dirty, dirty_tables
from benchmarks.dirty import Answer, Problem

CLEAN = pd.DataFrame({"city": ["bonn", "bonn", "köln", "köln"], "size": ["1", "2", "3", "4"]})
DIRTY = pd.DataFrame({"city": ["bonn", "bnn", "köln", "kölx"], "size": ["1", "2", "3", "40"]})
P_WRONG = np.array([[0.1, 0.0], [0.9, 0.1], [0.7, 0.1], [0.2, 0.6]])


def changes(*lines: tuple[int, str, str | None, str]) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=["row", "column", "new", "why"])


def knowing(frame: pd.DataFrame, seed: int) -> Answer:
    """A stand-in for our model that knows the right cities."""
    p_wrong = np.full(frame.shape, 0.01)
    p_wrong[:, 0] = np.where(frame["city"].isin(["bonn", "köln", "mainz"]), 0.01, 0.99)
    rows = np.flatnonzero(p_wrong[:, 0] > 0.5)
    found = changes(*((int(row), "city", "bonn", "typo") for row in rows))
    return Answer(p_wrong, p_wrong > 0.5, p_wrong, lambda: found)


def no_more(problem: Problem, answer: Answer) -> dict[str, float]:
    return {}


def made(rows: int = 100) -> pd.DataFrame:
    cities = np.array([("bonn", "nrw"), ("köln", "nrw"), ("mainz", "rlp")])[np.arange(rows) % 3]
    numbers = np.random.default_rng(0).normal(50, 5, rows).round(1)
    frame = pd.DataFrame(cities, columns=["city", "state"])
    return frame.assign(size=[str(number) for number in numbers])


def save(folder: Path, found: pd.DataFrame, right: pd.DataFrame, suffix: str = ".csv") -> None:
    folder.mkdir(parents=True)
    found.to_csv(folder / f"dirty{suffix}", index=False)
    right.to_csv(folder / f"clean{suffix}", index=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    right = made()
    save(tmp_path / "data" / "cities", right.replace({"city": {"mainz": "mainx"}}), right)
    found = right.copy()
    found.loc[3:6, "city"] = "kxln"
    found.loc[7, "size"] = f"{float(found.loc[7, 'size']):.3f}"
    save(tmp_path / "data" / "towns", found, right, ".csv.gz")
    (tmp_path / "data" / "empty").mkdir()
    return tmp_path / "data"


def test_figures(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(dirty_tables.METHODS, common.OURS, knowing)
    out, kept = folder.parent / "out.json", folder.parent / "kept"
    more = ["--peers", "frequency,robust_z", "--scores", str(kept), "--seeds", "2"]
    assert dirty_tables.main(["--data", str(folder), "--json", str(out), *more]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert len(result["rows"]) == 2 * 2 * 3
    mine, other = result["mean"], result["peers"]["frequency"]
    assert mine["sets"] == 2 and mine["failures"] == 0
    names = {"aupr", "f1", "precision", "recall", "log_loss", "repairs", "repair_precision", "broken"}
    names |= {"aupr_known", "f1_known", "precision_known", "recall_known", "log_loss_known"}
    assert names | {"error_rate_true", "cpu_seconds"} <= set(mine)
    assert other.keys() & names == {name for name in names if name.startswith(("au", "f1", "pr", "rec"))}
    row = next(row for row in result["rows"] if (row["detector"], row["set"]) == (common.OURS, "towns"))
    assert row["recall"] == 4 / 5 and row["recall_known"] == row["precision_known"] == 1
    # Rows 3 to 6 are bonn, köln, mainz, bonn, and all become bonn.
    assert (row["repairs"], row["repair_precision"], row["broken"]) == (4, 0.5, 0)
    assert row["details"]["columns"]["size"] == {"wrong": 1, "known": 0, "flagged": 0, "hits": 0}
    assert "aupr_known, mean over seeds" in capsys.readouterr().out
    with np.load(kept / "towns.1.npz") as answers:
        assert answers["scores"].shape == answers["labels"].shape == (100, 3)
        assert answers["labels"].sum() == 5
    assert (kept / "robust_z" / "cities.0.npz").is_file()


def test_figures_by_hand() -> None:
    problem = Problem(DIRTY, CLEAN, no_more)
    assert problem.wrong.tolist() == [[False, False], [True, False], [False, False], [True, True]]
    measures = dirty.judge(problem.wrong, Answer(P_WRONG, P_WRONG > 0.5, P_WRONG))
    # Of three flagged cells two are wrong, of three wrong cells two are flagged.
    assert measures["precision"] == measures["recall"] == measures["f1"] == pytest.approx(2 / 3)
    # By P: wrong, right, wrong, wrong.
    assert measures["aupr"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    of_the_truth = [0.9, 1 - 1e-6, 0.9, 0.9, 0.3, 0.9, 0.2, 0.6]
    assert measures["log_loss"] == pytest.approx(-np.log(of_the_truth).mean())
    assert measures["error_rate_true"] == 3 / 8


def test_nothing_flagged_and_nothing_wrong() -> None:
    none = np.zeros((4, 2), dtype=bool)
    silent = Answer(P_WRONG, none)
    measures = dirty.judge(Problem(DIRTY, CLEAN, no_more).wrong, silent)
    assert measures["precision"] == measures["recall"] == measures["f1"] == 0
    assert "log_loss" not in measures
    measures = dirty.judge(none, Answer(P_WRONG, P_WRONG > 0.5, P_WRONG))
    assert measures.pop("error_rate_true") == 0
    assert set(measures.values()) == {None}


def test_corrections_by_hand() -> None:
    made_changes = changes(
        (1, "city", "bonn", "typo"),  # right
        (3, "size", "40.0", "digit"),  # still wrong
        (2, "city", "bonn", "typo"),  # a good cell
        (0, "size", None, "digit"),  # a good cell
        (3, "city", "köln", "missing"),  # only filled
    )
    problem, ignored = Problem(DIRTY, CLEAN, no_more), np.zeros((4, 2), dtype=bool)
    answer = Answer(P_WRONG, P_WRONG > 0.5, changes=lambda: made_changes)
    expected = {"repairs": 4, "repair_precision": 0.25, "broken": 2}
    assert dirty.correct(problem, answer) == expected
    ignored[3, 1] = True
    assert dirty.correct(problem, answer, ignored)["repair_precision"] == pytest.approx(1 / 3)
    nothing = Answer(P_WRONG, P_WRONG > 0.5, changes=changes)
    assert dirty.correct(problem, nothing) == {"repairs": 0, "repair_precision": None, "broken": 0}
    assert dirty.correct(problem, Answer(P_WRONG, P_WRONG > 0.5)) == {}


def test_what_cannot_be_known() -> None:
    pairs = [("7.0", "7", True), ("01907", "1907", True), ("7", "8", False), ("N/A", "", True)]
    pairs += [(" NaN", "", True), ("x", "", False), ("", "7", False), ("Al", "al", False), ("7", "7", False)]
    found, right, expected = zip(*pairs, strict=True)
    table = pd.DataFrame({"some": found, "all": ["12 oz"] * len(pairs)})
    clean = pd.DataFrame({"some": right, "all": ["12"] * len(pairs)})
    hidden = dirty_tables.unknowable(table, clean)
    assert hidden[:, 0].tolist() == list(expected)
    assert hidden[:, 1].all()
    clean.loc[0, "all"] = "12 oz"
    assert not dirty_tables.unknowable(table, clean)[:, 1].any()


def test_errors_that_cannot_be_known_are_right_cells() -> None:
    problem = Problem(DIRTY, CLEAN.assign(size=["1", "2", "3", "40.0"]), dirty_tables.measure)
    measures = dirty_tables.measure(problem, Answer(P_WRONG, P_WRONG > 0.5, P_WRONG, changes))
    assert measures["precision_known"] == measures["recall_known"] == 1 / 2
    assert measures["error_rate_true_known"] == 2 / 8
    of_the_truth = [0.9, 1 - 1e-6, 0.9, 0.9, 0.3, 0.9, 0.2, 1 - 1e-6]
    assert measures["log_loss_known"] == pytest.approx(-np.log(of_the_truth).mean())
    assert measures["details"]["columns"] == {
        "city": {"wrong": 2, "known": 2, "flagged": 2, "hits": 1},
        "size": {"wrong": 1, "known": 0, "flagged": 1, "hits": 1},
    }


def test_texts_are_read_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfzip,word\n01907,NA\n,caf\xe9\n")
    frame = dirty.read(tmp_path / "a.csv")
    assert frame.to_dict("list") == {"zip": ["01907", ""], "word": ["NA", "caf\N{REPLACEMENT CHARACTER}"]}


def test_tables_of_two_shapes_fail_and_others_go_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dirty_tables.METHODS, common.OURS, knowing)
    save(folder / "broken", made(), made(99))
    out = folder.parent / "out.json"
    assert dirty_tables.main(["--data", str(folder), "--json", str(out), "--peers", ""]) == 1
    mean = json.loads(out.read_text(encoding="utf-8"))["mean"]
    assert (mean["sets"], mean["failures"]) == (2, 1)


def test_names_and_folders_without_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(dirty_tables.find(folder)) == ["cities", "towns"]
    assert list(dirty_tables.find(folder, ["towns"])) == ["towns"]
    with pytest.raises(SystemExit, match="no table named other in"):
        dirty_tables.find(folder, ["other"])
    with pytest.raises(SystemExit) as end:
        dirty_tables.main(["--data", str(folder / "empty"), "--json", str(folder / "out.json")])
    assert end.value.code == common.NO_DATA
    assert "no folder with dirty.csv and clean.csv" in capsys.readouterr().err


@pytest.mark.parametrize("name", dirty.PEERS)
def test_every_peer_ranks_odd_cells_of_a_column_first(name: str) -> None:
    frame = made(300)
    frame.loc[7, "city"], frame.loc[11, "size"] = "mxinz", "5000.0"
    answer = dirty.PEERS[name](frame, 0)
    assert answer.evidence.shape == answer.flagged.shape == frame.shape
    assert answer.p_wrong is None and answer.changes is None
    assert answer.evidence[:, 2].argmax() == 11
    assert answer.flagged[11, 2] == (name in ("robust_z", "isolation_forest"))
    if name != "robust_z":
        assert answer.evidence[:, 0].argmax() == 7 and answer.flagged[7, 0]
    assert answer.flagged.mean() < 0.1


def test_rules_flag_a_value_that_is_unusual_beside_another() -> None:
    frame = made(300).drop(columns="size")
    frame.loc[8, "state"] = "nrw"
    answer = dirty.strategies(frame, 0)
    assert np.flatnonzero(answer.evidence[:, 1]).tolist() == [8]


def test_numbers_forms_and_distances() -> None:
    column = pd.Series(["1", "2.5", "", *["3"] * 7, "x"])
    numbers = dirty.as_numbers(column)
    assert numbers is not None and np.isnan(numbers).sum() == 2
    assert dirty.as_numbers(pd.Series(["1", "x"])) is None and dirty.as_numbers(pd.Series(["", ""])) is None
    assert [dirty.form(text) for text in ("Ab-12", "äB", "1.5 oz")] == ["Aa-0", "aA", "0.0 a"]
    # The median is 3 and so is most of what is near it: the mean distance of 6 / 5 counts.
    far = dirty.deviations(np.array([3.0, 3.0, 3.0, 3.0, 9.0]))
    assert far[-1] == pytest.approx(6 / (1.2533 * 6 / 5))
    assert dirty.deviations(np.array([1.0, 2.0, 3.0]))[0] == pytest.approx(1 / 1.4826)


@pytest.mark.filterwarnings("ignore::diabolo.estimator.autoencoder.DiaboloWarning")
def test_our_default_answers_for_every_cell() -> None:
    frame = made(80).assign(id=[f"{number}-x" for number in range(80)])
    answer = dirty.ours(frame, 0)
    assert answer.p_wrong is not None and answer.p_wrong.shape == frame.shape
    assert ((answer.p_wrong >= 0) & (answer.p_wrong <= 1)).all() and (answer.p_wrong[:, 3] < 0.5).all()
    assert answer.changes is not None
    columns: Sequence[str] = answer.changes().columns
    assert {"row", "column", "new", "why"} <= set(columns)
