"""The command `repair`: what it says, its list of changes, and the corrections that were accepted."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from diabolo.cli.output import FORMATS, to_bytes
from diabolo.data.files import read_file, read_texts
from tests import made
from tests.commands import Run, left_in
from tests.fits import fitted


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cities.csv, in which one size is missing, and a model of it. Tests only read them."""
    place = tmp_path_factory.mktemp("cities")
    table = made.with_cell(made.cities(), "size", 60, None)
    (place / "cities.csv").write_bytes(to_bytes(table, ".csv"))
    fitted(place / "cities.csv", epochs=2).save(place / "cities.diabolo")
    return place


@pytest.fixture
def given(place: Path) -> list[object]:
    return ["repair", place / "cities.csv", "-m", place / "cities.diabolo"]


def test_what_was_done_is_said(run: Run, given: list[object], tmp_path: Path) -> None:
    output = tmp_path / "r.csv"
    for options, says in (
        ([], "1 missing value filled, 5 cells corrected, 0 suspicious cells left as they are"),
        (
            ["--threshold", 1],
            "1 missing value filled, 0 cells corrected, 5 suspicious cells left as they are",
        ),
        (["--no-correct"], "1 missing value filled, 0 cells corrected, 0 suspicious cells left as they are"),
        (["--alike"], "5 cells corrected"),
    ):
        said = run(*given, *options, "-o", output)
        assert (said.status, said.out) == (0, "") and says in said.err
        cities = read_file(output)["city"].to_pylist()
        corrected = "5 cells corrected" in says
        assert all((cities[row] in made.CITIES) == corrected for row in made.TYPOS)
    assert run(*given, "--threshold", 2).status == 2
    assert run(*given, "-o", output, "--quiet").err == ""


@pytest.mark.parametrize("suffix", FORMATS)
def test_changes_are_listed(run: Run, given: list[object], tmp_path: Path, suffix: str) -> None:
    changes = tmp_path / f"changes{suffix}"
    said = run(*given, "--changes", changes, "-o", tmp_path / "r.csv")
    assert said.status == 0 and left_in(tmp_path) == [f"changes{suffix}", "r.csv"]
    table = read_file(changes)
    assert table.column_names == ["row", "column", "old", "new", "why", "p_wrong"]
    lines = {line["row"]: line for line in table.to_pylist()}
    assert list(lines) == sorted([*made.TYPOS, 60])
    for row, wrong in made.TYPOS.items():
        line = lines[row]
        assert (line["column"], line["old"], line["why"]) == ("city", wrong, f"typo of {line['new']!r}")
        assert line["new"] in made.CITIES and line["p_wrong"] > 0.9
    assert lines[60]["old"] is None and lines[60]["new"] and lines[60]["why"] == "missing"


def test_suspicious_cells_are_listed_without_a_new_value(
    run: Run, given: list[object], tmp_path: Path
) -> None:
    changes, output = tmp_path / "changes.csv", tmp_path / "r.csv"
    assert run(*given, "--threshold", 1, "--changes", changes, "-o", output).status == 0
    table = read_texts(changes)
    assert [n for r, n in zip(table["row"], table["new"], strict=True) if int(r) in made.TYPOS] == [""] * 5
    assert {table["old"][place] for place in range(6)} >= set(made.TYPOS.values())
    # Written in by hand, they are accepted, and the others are not.
    table["new"] = ["Leeds" if row == "17" else "" for row in table["row"]]
    with open(tmp_path / "accepted.csv", "w", newline="") as file:
        csv.writer(file).writerows([list(table), *zip(*table.values(), strict=True)])
    said = run(*given, "--accepted", tmp_path / "accepted.csv", "-o", output)
    assert said.status == 0 and "1 accepted correction made, all other cells left as they are" in said.err
    before, after = read_file(Path(str(given[1]))), read_file(output)
    assert after["city"][17].as_py() == "Leeds"
    assert made.with_cell(after, "city", 17, "Livxrpool").equals(before)


def test_a_list_of_changes_gives_the_repaired_file(run: Run, given: list[object], tmp_path: Path) -> None:
    changes, first, second = (tmp_path / name for name in ("changes.csv", "first.csv", "second.csv"))
    run(*given, "--changes", changes, "-o", first)
    said = run(*given, "--accepted", changes, "-o", second)
    assert said.status == 0 and "6 accepted corrections made" in said.err
    assert first.read_bytes() == second.read_bytes()
    # The corrected file does not have the old values any more.
    said = run("repair", first, *given[2:], "--accepted", changes, "-o", tmp_path / "third.csv")
    assert said.status == 2 and "column 'city', row 5: " in said.err and "it has 'Birmingham'" in said.err
    assert "Hint: repair the same rows" in said.err and not (tmp_path / "third.csv").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("row,column,new\n900,city,Leeds\n", "column 'city', row 900: "),
        ("row,column,new\n5,town,Leeds\n", "Hint: the data has"),
        ("row,column,new\n5,size,big\n", "column 'size', row 5: the accepted value 'big' does not fit"),
        ("row,column\n5,size\n", "no column 'new'"),
    ],
)
def test_a_wrong_list_writes_nothing(
    run: Run, given: list[object], tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "list.csv").write_text(content)
    (tmp_path / "r.csv").write_text("as it was")
    options = ["--accepted", tmp_path / "list.csv", "--changes", tmp_path / "c.csv", "-o", tmp_path / "r.csv"]
    said = run(*given, *options)
    assert said.status == 2 and says in said.err and "Hint" in said.err
    assert (tmp_path / "r.csv").read_text() == "as it was" and left_in(tmp_path) == ["list.csv", "r.csv"]


def test_a_list_needs_a_file_of_its_own(run: Run, given: list[object], tmp_path: Path) -> None:
    same = tmp_path / "r.csv"
    for changes in ("-", same, tmp_path / "c.xlsx", tmp_path / "none" / "c.csv"):
        said = run(*given, f"--changes={changes}", "-o", same)
        assert said.status == 2 and "Hint" in said.err and left_in(tmp_path) == []


def test_an_explanation_says_why(
    run: Run, given: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run("explain", *given[1:], "--rows", 5, "-o", tmp_path / "e.csv")
    assert said.status == 0
    table = read_file(tmp_path / "e.csv")
    city = table.filter(pa.compute.equal(table["column"], "city"))
    assert city["why"].to_pylist() == ["typo of 'Birmingham'"]
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: self is sys.stdout)
    shown = run("explain", *given[1:], "--rows", 5).out
    assert "typo of" in shown and "'Birmingham'" in shown and "range" in shown and "low" not in shown
    assert len(shown.splitlines()) <= 6
