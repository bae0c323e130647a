"""Answers as files, and as text on a terminal."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from diabolo.cli.output import FORMATS, check_format, print_table, to_bytes
from diabolo.errors import DataError

TABLE = pa.table(
    {
        "row": pa.array([0, 1, 2]),
        "bits": pa.array([0.5, None, float("inf")]),
        "city": pa.array(["Køge, DK", None, 'say "no"']),
        "when": pa.array([datetime.datetime(2024, 1, 31, 12), None, None], pa.timestamp("us")),
        "alarm": pa.array([True, False, None]),
    }
)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_typed_formats_keep_everything(suffix: str) -> None:
    raw = io.BytesIO(to_bytes(TABLE, suffix))
    read = pa.parquet.read_table if suffix == ".parquet" else pa.feather.read_table
    assert read(raw).equals(TABLE)


@pytest.mark.parametrize(("suffix", "sign"), [(".csv", ","), (".tsv", "\t")])
def test_text_is_read_back(suffix: str, sign: str) -> None:
    raw = to_bytes(TABLE, suffix)
    assert raw.splitlines()[0].decode() == sign.join(TABLE.column_names)
    read = pa.csv.read_csv(
        io.BytesIO(raw),
        parse_options=pa.csv.ParseOptions(delimiter=sign),
        convert_options=pa.csv.ConvertOptions(strings_can_be_null=True),
    )
    for name in ("row", "bits", "city", "alarm"):
        assert read[name].to_pylist() == TABLE[name].to_pylist()
    assert read["when"][0].as_py() == TABLE["when"][0].as_py()


def test_lines_of_json_hold_no_word_that_json_does_not_know() -> None:
    lines = [json.loads(line) for line in to_bytes(TABLE, ".ndjson").decode().splitlines()]
    assert [line["bits"] for line in lines] == [0.5, None, None]
    assert lines[0]["city"] == "Køge, DK" and lines[0]["when"].startswith("2024-01-31")
    assert lines[0]["alarm"] is True


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_without_rows(suffix: str) -> None:
    raw = to_bytes(TABLE.slice(0, 0), suffix)
    assert (raw == b"") == (suffix == ".ndjson")


def test_places_are_checked_before_the_work(tmp_path: Path) -> None:
    check_format(None)
    check_format("-")
    for suffix in FORMATS:
        check_format(tmp_path / f"t{suffix}")
    with pytest.raises(DataError, match=r"'\.xls' cannot be written") as caught:
        check_format(tmp_path / "t.xls")
    assert caught.value.hint == f"one of {', '.join(FORMATS)}"
    with pytest.raises(DataError, match="does not exist"):
        check_format(tmp_path / "none" / "t.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder, not a file"):
        check_format(tmp_path / "folder.csv")


def test_names_and_values_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """rich takes [kg] for a style, and [/b] for the end of one that never began."""
    monkeypatch.setenv("COLUMNS", "120")
    print_table(pa.table({"weight [kg]": [1.23456, None], "[/b]": ["[red]", None]}), "the first rows")
    text = capsys.readouterr().out
    for part in ("the first rows", "weight [kg]", "[/b]", "1.235", "[red]"):
        assert part in text
    assert text.splitlines()[-1].split() == ["-", "-"]
