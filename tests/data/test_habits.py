"""Text files as spreadsheets write them: decimal commas, thousands, dates, and words for missing values."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder, Datetime, Schema, load
from diabolo.data.columns.convert import find_date_formats
from diabolo.data.files import read_file
from diabolo.data.inference import describe_numeric_text
from diabolo.errors import ColumnError, DataError
from tests.fits import fitted


def column(folder: Path, cells: list[str], sign: str = ";") -> list[Any]:
    """What is read for one column next to another."""
    path = folder / "t.csv"
    path.write_text(f"a{sign}b\n" + "".join(f"x{sign}{cell}\n" for cell in cells), encoding="utf-8")
    found: list[Any] = read_file(path)["b"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("sign", "cells", "wanted"),
    [
        (";", ["1,5", "-2", "0,25"], [1.5, -2.0, 0.25]),
        ("\t", ["1,5", "2,5"], [1.5, 2.5]),
        (";", ["1.234,56", "12,5", "1.000.000,0"], [1234.56, 12.5, 1e6]),
        (";", ["1 234,56", "12,5"], [1234.56, 12.5]),
        (";", ["1'234,5", "2,5"], [1234.5, 2.5]),
        (";", ["1.5", "2.5"], [1.5, 2.5]),
        (",", ['"1,234.50"', "7.25"], [1234.5, 7.25]),
        (",", ['"1,234"', "7"], [1234, 7]),
        (",", ["+5", "-7"], [5.0, -7.0]),
        # Neither way of reading fits all: it stays as it is.
        (";", ["1,5", "2.5"], ["1,5", "2.5"]),
        (",", ['"0,512"', '"1,234"'], ["0,512", "1,234"]),
        (",", ['"1,23"', '"1,234"'], ["1,23", "1,234"]),
        # Labels.
        (";", ["1,2,3", "4,5"], ["1,2,3", "4,5"]),
        (",", ["5 %", "7 %"], ["5 %", "7 %"]),
    ],
)
def test_numbers(tmp_path: Path, sign: str, cells: list[str], wanted: list[Any]) -> None:
    found = column(tmp_path, cells, sign)
    assert found == wanted and [type(v) for v in found] == [type(v) for v in wanted]


def test_a_thousand_is_no_decimal_where_commas_are(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1,5;1.234\n2,5;5.678\n")
    assert read_file(tmp_path / "t.csv").to_pydict() == {"a": [1.5, 2.5], "b": [1234, 5678]}


@pytest.mark.parametrize(
    "mark", ["na", "Na", "n/a", "N.A.", "NAN", "nan", "Null", "null", "#n/a", "<NA>", "?"]
)
def test_words_for_missing_values(tmp_path: Path, mark: str) -> None:
    assert column(tmp_path, ["1.5", mark, "2"]) == [1.5, None, 2.0]
    assert column(tmp_path, ["Oslo", mark, "Rome"]) == ["Oslo", None, "Rome"]


def test_dashes_are_missing_values_among_numbers_only(tmp_path: Path) -> None:
    assert column(tmp_path, ["1.5", "-", " na ", "2"]) == [1.5, None, None, 2.0]
    assert column(tmp_path, ["+", "-", "+"]) == ["+", "-", "+"]
    assert column(tmp_path, ["-", "-"]) == ["-", "-"]


def test_unicode_of_spreadsheets(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("Ort\tGröße\nKöln\t1,5\nUlm\t2,5\n", encoding="utf-16")
    assert read_file(tmp_path / "t.txt").to_pydict() == {"Ort": ["Köln", "Ulm"], "Größe": [1.5, 2.5]}


@pytest.mark.parametrize(
    ("written", "form"),
    [
        (["31.12.2024", "1.2.2023"], "%d.%m.%Y"),
        (["03.04.2024"], "%d.%m.%Y"),
        (["12/31/2024", "1/2/2023"], "%m/%d/%Y"),
        (["31/12/2024", "01/02/2023"], "%d/%m/%Y"),
        (["31-12-2024"], "%d-%m-%Y"),
        (["2024/12/31 23:59"], "%Y/%m/%d %H:%M"),
        (["2024-12-31T23:59:01Z"], "%Y-%m-%dT%H:%M:%SZ"),
        (["12/31/2024 1:45 pm"], "%m/%d/%Y %I:%M %p"),
        ([" 31.12.2024 7:05:09 "], "%d.%m.%Y %H:%M:%S"),
    ],
)
def test_dates_as_text(written: list[str], form: str) -> None:
    assert find_date_formats(pa.array([*written, None])) == [form]


@pytest.mark.parametrize(
    "text",
    [
        ["31.02.2024"],  # no such day
        ["31.12.24"],  # of which century?
        ["31.12.2024", "soon"],
        ["12/31/2024", "31/12/2024"],
        ["1.5", "2.5"],
        ["10.0.0.1"],
        ["2024"],
        [None],
        [],
    ],
)
def test_what_is_no_date(text: list[str | None]) -> None:
    assert find_date_formats(pa.array(text, pa.string())) == []
    assert not Datetime.claims(pa.array(text, pa.string()))


def days(form: str, rows: int = 300, most: int = 800) -> list[str]:
    rng = np.random.default_rng(0)
    start = datetime.datetime(2022, 1, 1)
    return [f"{start + datetime.timedelta(int(d)):{form}}" for d in rng.integers(0, most, rows)]


def test_dates_as_text_are_said_and_given_back_as_they_were(tmp_path: Path) -> None:
    written = [None if i % 50 == 7 else d for i, d in enumerate(days("%d.%m.%Y"))]
    table = pa.table({"when": pa.array(written), "x": np.random.default_rng(1).normal(size=300)})
    model = fitted(table, epochs=1)
    entry = model.schema_.entries[0]
    assert entry.column is not None and entry.column.kind == "datetime"
    assert entry.reason == "text, read as day.month.year"
    model.save(tmp_path / "m.diabolo")
    repaired = load(tmp_path / "m.diabolo").repair(table).to_arrow()["when"]
    assert repaired.null_count == 0 and find_date_formats(repaired.combine_chunks()) == ["%d.%m.%Y"]
    assert all(old in (None, new) for old, new in zip(written, repaired.to_pylist(), strict=True))
    # The form is that of the fit, also where the rows at hand would not tell.
    with pytest.raises(ColumnError, match=r"'when', row 1: expected a date as day\.month\.year, got '12/31"):
        model.anomaly_score(pa.table({"when": ["01.02.2022", "12/31/2022"], "x": [0.0, 0.0]}))


def test_day_and_month_that_cannot_be_told_apart_are_said() -> None:
    table = pa.table({"when": ["03/04/2024", "05/06/2023"] * 30, "x": np.arange(60.0) % 7})
    entry = Autoencoder().inspect(table).entries[0]
    assert entry.reason == "text, read as month/day/year; day/month/year would fit too"
    with pytest.warns(UserWarning, match="day/month/year would fit too"):
        model = Autoencoder(epochs=1).fit(table)
    assert any("day/month/year would fit too" in note for note in model.notes_)
    asked = Autoencoder(columns={"when": Datetime(form="%d/%m/%Y")}).inspect(table)["when"]
    assert asked.describe().startswith("2023-06-05 to 2024-04-03")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["5 %", "17 %", "2 %"], "numbers with '%'"),
        (["$5.00", "$1,000.00"], "numbers with '$'"),
        (["5.1 kg", "70 kg", None], "numbers with 'kg'"),
        (["5", "6", "7", "8", "new"], "numbers but for 'new'"),
        (["1", "2", "3", "4", "5", "6", "7", "8", "a", "b"], "numbers but for 'a' and 1 more"),
        (["1.5", "2.5"], "numbers as text"),
        (["1", "2"], None),
        (["u1", "u2"], None),
        (["1st", "2nd", "3rd"], None),
        (["Oslo", "5", "Rome"], None),
        ([None], None),
    ],
)
def test_numbers_that_are_kept_from_being_numbers(values: list[str | None], says: str | None) -> None:
    assert describe_numeric_text(pa.array(values, pa.string())) == says


def test_numbers_as_text_are_said() -> None:
    rows = [f"{v:.3f} kg" for v in np.random.default_rng(0).normal(70, 9, 100)]
    columns = {
        "weight": pa.array(rows),
        "off": pa.array(["5 %", "7 %"] * 50),
        "x": pa.array(np.arange(100) % 7),
    }
    schema = Schema.infer(columns)
    reasons = {e.name: (e.role, e.reason) for e in schema.entries}
    assert reasons["weight"] == ("scored", "text: numbers with 'kg'; nearly every value is different")
    assert reasons["off"] == ("scored", "text: numbers with '%'")
    said = schema.doubts_note()
    assert said is not None and "off (text: numbers with '%')" in said and "weight (text: numbers" in said
    assert Schema.infer({"x": columns["x"]}).doubts_note() is None


def test_series_with_local_times(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    at = datetime.datetime(2024, 3, 1)
    lines = []
    for i in range(200):
        at += datetime.timedelta(seconds=int(rng.integers(200, 400)))
        lines.append(f"{at:%d.%m.%Y %H:%M:%S};{np.sin(i / 4):.3f}".replace(".", ",").replace(",", ".", 2))
    (tmp_path / "s.csv").write_text("Zeit;Wert [°C]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    model = fitted(tmp_path / "s.csv", time="Zeit", window=16, epochs=1)
    scores = model.anomaly_score(tmp_path / "s.csv")
    model.save(tmp_path / "m.diabolo")
    assert np.array_equal(load(tmp_path / "m.diabolo").anomaly_score(tmp_path / "s.csv"), scores)
    page = model.report(tmp_path / "s.csv", tmp_path / "s.html").read_text(encoding="utf-8")
    assert "2024-03-01" in page


def test_series_that_share_their_times_are_said() -> None:
    time = np.repeat(np.datetime64("2024-03-01", "us") + np.arange(60) * np.timedelta64(60, "s"), 2)
    table = pa.table({"time": time, "who": ["a", "b"] * 60, "x": np.sin(np.arange(120))})
    said = fitted(table, time="time", ignore=["who"], window=8, epochs=1).notes_[0]
    assert said.startswith("60 of 120 rows have the time of another") and 'by="..."' in said
    assert not any("time of another" in n for n in fitted(table, time="time", by="who", epochs=1).notes_)


def test_a_series_of_text_is_said() -> None:
    table = {"time": list(range(20)), "x": ["1 %", "2 %"] * 10}
    with pytest.raises(DataError, match="no column of numbers; 'x' is text"):
        Autoencoder(time="time").fit(table)
