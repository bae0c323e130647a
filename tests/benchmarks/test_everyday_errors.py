"""Errors are planted where and how the plan says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import common, dirty, everyday_errors
from benchmarks.dirty import Answer, Problem
from benchmarks.everyday_errors import Error


def made(rows: int = 300) -> pd.DataFrame:
    """Numbers, labels of which one determines another, and an id."""
    random = np.random.default_rng(0)
    town = np.array(["hamburg", "bremen", "muenchen"])[np.arange(rows) % 3]
    return pd.DataFrame(
        {
            "id": [f"{number:04d}-id" for number in range(rows)],
            "price": [str(number) for number in random.integers(100, 900, rows)],
            "size": [str(number) for number in random.normal(50, 5, rows).round(1)],
            "town": town,
            "state": np.where(town == "muenchen", "south", "north"),
        }
    )


def in_ink(frame: pd.DataFrame, seed: int) -> Answer:
    """A stand-in for our model that finds text in columns of numbers."""
    p_wrong = np.full(frame.shape, 0.01)
    for index, name in enumerate(frame):
        if dirty.as_numbers(frame[name]) is not None:
            p_wrong[pd.to_numeric(frame[name], errors="coerce").isna(), index] = 0.9
    empty = pd.DataFrame(columns=["row", "column", "new", "why"])
    return Answer(p_wrong, p_wrong > 0.5, p_wrong, lambda: empty)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    made().to_csv(data / "towns.csv", index=False)
    made(60).to_csv(data / "few.csv.gz", index=False)
    return data


def test_figures(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(everyday_errors.METHODS, common.OURS, in_ink)
    out, kept = folder.parent / "out.json", folder.parent / "kept"
    more = ["--sets", "adults,towns", "--peers", "frequency", "--scores", str(kept), "--seeds", "2"]
    assert everyday_errors.main(["--data", str(folder), "--json", str(out), *more]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert len(result["rows"]) == 2 * 2 * 2
    mine, other = result["mean"], result["peers"]["frequency"]
    found = {f"found_{kind}" for kind in everyday_errors.KINDS}
    shared = found | {"aupr", "f1", "precision", "recall", "cpu_seconds"}
    assert shared | {"log_loss", "repairs", "repair_precision", "broken"} <= set(mine)
    assert shared <= set(other) and "log_loss" not in other and "repairs" not in other
    assert mine["found_unit"] == 1 and mine["found_case"] == 0 and mine["found_sign"] == 0
    assert mine["repairs"] == 0 and mine["repair_precision"] is None
    row = result["rows"][0]
    assert row["set"] == "adults" and row["test"] == 2_000
    planted = row["details"]["planted"]
    assert planted["decimal"] == 20 and planted["swapped"] == 24 and 140 < sum(planted.values()) < 150
    assert "aupr, mean over seeds" in capsys.readouterr().out
    with np.load(kept / "towns.1.npz") as answers:
        assert answers["scores"].shape == answers["labels"].shape == (300, 5)
    assert (kept / "frequency" / "adults.0.npz").is_file()


def test_errors_are_made_as_planned() -> None:
    frame = made()
    plan = [
        Error("decimal", "price", 0.1),
        Error("sign", "size"),
        Error("sentinel", "price", "999"),
        Error("typo", "town"),
        Error("unit", "size", " cm"),
        Error("swapped", "price", "town"),
        Error("impossible", "state", "south", ("town", "hamburg")),
        Error("case", "state"),
    ]
    spoilt, kinds = everyday_errors.plant(frame, plan, 0)
    assert ((spoilt != frame).to_numpy() == (kinds != "")).all()
    assert (kinds != "").any(axis=1).sum() == 6 * 5 + 3 + 1  # a row each
    expected = {kind: 5 for kind in everyday_errors.KINDS} | {"swapped": 6, "impossible": 1}
    assert Counter(kinds[kinds != ""]) == expected
    for row, column in np.argwhere(kinds != ""):
        old, new = frame.iat[row, column], spoilt.iat[row, column]
        match kinds[row, column]:
            case "decimal":
                assert float(new) == pytest.approx(float(old) / 10)
            case "sign":
                assert float(new) == -float(old)
            case "sentinel":
                assert new == "999"
            case "typo":
                assert new[0] == old[0] and abs(len(new) - len(old)) <= 1
            case "unit":
                assert new == f"{old} cm"
            case "swapped":
                assert new == frame.iloc[row]["town" if frame.columns[column] == "price" else "price"]
            case "impossible":
                assert (old, new, frame.at[row, "town"]) == ("north", "south", "hamburg")
            case _:
                assert new == old.upper()


def test_the_seed_determines_where_errors_are(folder: Path) -> None:
    load = everyday_errors.find(folder, ["towns"])["towns"]
    first, again, other = load(0), load(0), load(1)
    assert first.dirty.equals(again.dirty) and not first.dirty.equals(other.dirty)
    assert first.clean.equals(other.clean)
    assert all(dtype == "str" for dtype in first.dirty.dtypes)


@pytest.mark.parametrize(("seed", "sums"), [(0, (147, 159065, 699)), (1, (149, 143432, 709))])
def test_errors_in_adults_stay_where_they_are(seed: int, sums: tuple[int, int, int]) -> None:
    """Goals are set on these cells."""
    problem = everyday_errors.load("adults", None, seed)
    rows, columns = np.nonzero(problem.wrong)
    assert (len(rows), int(rows.sum()), int(columns.sum())) == sums


def test_a_plan_for_any_table() -> None:
    plan = everyday_errors.derive_plan(made())
    assert {error.kind for error in plan} == set(everyday_errors.KINDS)
    assert {error.column for error in plan if error.kind == "sign"} == {"price", "size"}
    assert {error.column for error in plan if error.kind in ("typo", "case")} == {"town", "state"}
    assert [error for error in plan if error.kind == "impossible"] == [
        Error("impossible", "state", "south", ("town", "bremen"))
    ]
    assert everyday_errors.derive_plan(made()[["id"]]) == ()


def test_most_rows_of_a_small_table_stay_right(folder: Path) -> None:
    problem = everyday_errors.find(folder, ["few"])["few"](0)
    assert 0.4 < problem.wrong.any(axis=1).mean() <= 0.55


def test_a_plan_for_other_columns_is_derived(tmp_path: Path) -> None:
    made().to_csv(tmp_path / "melb.csv", index=False)
    problem = everyday_errors.find(tmp_path)["melb"](0)
    assert problem.wrong.sum() > 100


def test_recall_of_each_kind() -> None:
    kinds = np.array([["typo", ""], ["typo", "case"], ["", ""]], dtype=object)
    flagged = np.array([[True, True], [False, True], [False, False]])
    frame = pd.DataFrame([["a", "b"]] * 3)
    answer = Answer(flagged.astype(float), flagged)
    measures = everyday_errors.measure(kinds, Problem(frame, frame, dict), answer)
    assert (measures["found_typo"], measures["found_case"], measures["found_sign"]) == (0.5, 1, None)
    assert measures["details"]["planted"]["typo"] == 2 and measures["details"]["planted"]["unit"] == 0


def test_which_tables_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(everyday_errors.find(folder)) == ["adults", "few", "towns"]
    made().to_csv(folder / "melb.csv", index=False)
    assert list(everyday_errors.find(folder)) == ["adults", "melb"]
    assert list(everyday_errors.find(folder, ["towns"])) == ["towns"]
    with pytest.raises(SystemExit, match="no table named other in"):
        everyday_errors.find(folder, ["other"])
    ran: list[str] = []
    monkeypatch.setattr(dirty, "run", lambda options, problems, methods: ran.extend(problems) or [])
    monkeypatch.setattr("benchmarks.detection.report", lambda *args: 0)
    file, out = str(folder / "few.csv.gz"), str(folder / "out.json")
    assert everyday_errors.main(["--data", file, "--json", out]) == 0
    assert everyday_errors.main(["--sets", "few", "--data", file, "--json", out]) == 0
    assert ran == ["adults", "few", "few"]


def test_an_empty_folder_and_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        everyday_errors.main(["--data", str(tmp_path), "--json", str(tmp_path / "out.json")])
    assert end.value.code == common.NO_DATA
    for arguments in (["--json", "out.json"], ["--json", "out.json", "--data"]):
        with pytest.raises(SystemExit) as end:
            everyday_errors.main(arguments)
        assert end.value.code == 2
    assert "--data" in capsys.readouterr().err
