"""Corrections that were accepted are made exactly, and nothing else is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from diabolo import Autoencoder
from diabolo.cli.output import to_bytes
from diabolo.errors import ColumnError, DataError, OptionError
from tests import made
from tests.fits import fitted

LIST = {"row": [5, 17, 3], "column": ["city", "city", "size"], "new": ["Birmingham", "Leeds", 7]}


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return made.cities()


@pytest.fixture(scope="module")
def model(data: pa.Table) -> Autoencoder:
    return fitted(data, epochs=2)


def differing(before: Any, after: Any) -> dict[tuple[int, str], tuple[Any, Any]]:
    """The cells that differ, with their old and new values."""
    return {
        (row, name): (old, new)
        for name in ("city", "region", "size")
        for row, (old, new) in enumerate(
            zip(made.values_of(before, name), made.values_of(after, name), strict=True)
        )
        if old != new
    }


@pytest.mark.parametrize("library", made.LIBRARIES)
def test_accepted_corrections_are_made_and_no_others(
    model: Autoencoder, data: pa.Table, library: str
) -> None:
    given = made.as_library(made.with_cell(data, "region", 8, None), library)
    answer = model.repair(given, accepted=LIST)
    frame = answer.to_frame()
    assert made.library_of(frame) == library
    size = data["size"][3].as_py()
    assert differing(given, frame) == {
        (5, "city"): ("Birmingxam", "Birmingham"),
        (17, "city"): ("Livxrpool", "Leeds"),
        (3, "size"): (size, 7),
    }
    lines = pa.table(answer.changed).to_pylist()
    assert [(c["row"], c["column"], c["old"], c["new"], c["why"], c["p_wrong"]) for c in lines] == [
        (3, "size", str(size), "7", "accepted", None),
        (5, "city", "Birmingxam", "Birmingham", "accepted", None),
        (17, "city", "Livxrpool", "Leeds", "accepted", None),
    ]
    assert len(answer.suspects) == 0


def test_lists_of_every_kind(model: Autoencoder, data: pa.Table, tmp_path: Path) -> None:
    wanted = model.repair(data, accepted=LIST).to_frame()
    texts = {**LIST, "new": [str(v) for v in LIST["new"]]}
    table = pa.table(texts)
    for name in ("list.csv", "list.tsv", "list.ndjson", "list.parquet", "list.arrow"):
        (tmp_path / name).write_bytes(to_bytes(table, Path(name).suffix))
    (tmp_path / "excel.csv").write_text(
        "\ufeffrow;column;new\r\n5;city;Birmingham\r\n17,0;x;\r\n17;city;Leeds\r\n3;size;7\r\n", "utf-8"
    )
    rows = [dict(zip(LIST, line, strict=True)) for line in zip(*LIST.values(), strict=True)]
    lists = [*tmp_path.iterdir(), table, pd.DataFrame(LIST), pl.DataFrame(texts), rows, pd.DataFrame(texts)]
    for accepted in lists:
        assert model.repair(data, accepted=accepted).to_frame().equals(wanted), accepted


def test_a_list_that_repair_made_gives_its_result(model: Autoencoder, data: pa.Table) -> None:
    incomplete = made.with_cell(made.with_cell(data, "size", 60, None), "city", 61, None)
    repaired = model.repair(incomplete)
    again = model.repair(incomplete, accepted=repaired.changes)
    assert again.to_frame().equals(repaired.to_frame()) and again.changes.num_rows >= 7
    # Lines without a new value were not accepted.
    nothing = {"row": [0], "column": ["none such"], "new": [""], "old": ["x"]}
    assert model.repair(incomplete, accepted=nothing).to_frame().equals(incomplete)


def test_texts_of_a_csv_file_stay_as_they_are(tmp_path: Path) -> None:
    codes = [f"{i % 20:03d}" for i in range(200)]
    data = pd.DataFrame({"code": codes, "number": [i % 20 for i in range(200)], "share": 0.1})
    model = fitted(data, epochs=1)
    odd = 'NA, "or" 1\nsecond line'
    path = tmp_path / "list.csv"
    line = odd.replace('"', '""')
    path.write_text(f'row,column,old,new\n3,code,003,"{line}"\n4,share,0.10,1e-1\n5,code,005,007\n')
    changed = model.repair(data, accepted=path).to_frame()
    assert changed["code"].tolist()[3:6] == [odd, "004", "007"]


def test_types_are_kept(model: Autoencoder) -> None:
    from tests.tasks.test_repair import typed

    frame = typed()
    news = {"f4": "1.5", "i1": "7.0", "u2": 9.0, "label": "left", "flag": "no", "day": "2024-02-03"}
    news["zone"] = "2024-02-03 04:00:00+01:00"
    accepted = {"row": [2] * 7, "column": list(news), "new": [str(v) for v in news.values()]}
    answer = fitted(frame, epochs=1).repair(frame, accepted=accepted).to_frame()
    kept = [name for name in frame if name != "label"]  # a categorical gets its new value as a category
    assert answer[kept].dtypes.equals(frame[kept].dtypes)
    cells = answer.loc[2, ["f4", "i1", "u2", "label", "flag"]].tolist()
    assert cells == [1.5, 7, 9, "left", False]
    assert str(answer["day"][2])[:10] == "2024-02-03" and answer["zone"][2].hour == 4


WRONG: dict[str, tuple[dict[str, list[Any]], str]] = {
    "no column": ({"row": [1], "column": ["city"]}, "no column 'new'"),
    "row": ({"row": [240], "column": ["city"], "new": ["a"]}, "column 'city', row 240: .* has 240 rows"),
    "negative": ({"row": [-1], "column": ["city"], "new": ["a"]}, "column 'city', row -1"),
    "no row": ({"row": ["x"], "column": ["city"], "new": ["a"]}, "'x' is not the number of a row"),
    "half": ({"row": [1.5], "column": ["city"], "new": ["a"]}, "'1.5' is not the number of a row"),
    "column": ({"row": [1], "column": ["citi"], "new": ["a"]}, "column 'citi', row 1: .*\nHint: .*city"),
    "type": ({"row": [1], "column": ["size"], "new": ["big"]}, "column 'size', row 1: .* 'big' .* int64"),
    "fraction": ({"row": [1], "column": ["size"], "new": ["1.5"]}, "column 'size', row 1: .* '1.5'"),
    "old": (
        {"row": [5], "column": ["city"], "old": ["Rome"], "new": ["a"]},
        "column 'city', row 5: .* 'Rome', and it has 'Birmingxam'",
    ),
    "no old": ({"row": [5], "column": ["city"], "old": [None], "new": ["a"]}, "no value, and it has 'Birm"),
    "twice": ({"row": [5, 5], "column": ["city"] * 2, "new": ["a", "b"]}, "two values are accepted"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_an_error_with_its_place(model: Autoencoder, data: pa.Table, case: str) -> None:
    accepted, says = WRONG[case]
    with pytest.raises(DataError, match=f"(?s){says}") as raised:
        model.repair(data, accepted=accepted)
    assert raised.value.hint
    if isinstance(raised.value, ColumnError):
        assert raised.value.row == accepted["row"][0] and raised.value.column == accepted["column"][0]


def test_files_that_cannot_be_read(model: Autoencoder, data: pa.Table, tmp_path: Path) -> None:
    for name, content, says in (
        ("ragged.csv", "row,column,new\n1,city\n", "line 0 below the header has 2 values"),
        ("twice.csv", "row,row,new\n1,1,a\n", "named twice"),
        ("empty.csv", "", "is empty"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=says):
            model.repair(data, accepted=tmp_path / name)
    with pytest.raises(DataError, match="no such file"):
        model.repair(data, accepted=tmp_path / "none.csv")
    (tmp_path / "header.csv").write_text("row,column,old,new\n")
    assert model.repair(data, accepted=tmp_path / "header.csv").to_frame().equals(data)


@pytest.mark.parametrize("options", [{"threshold": 0.9}, {"alike": True}, {"value": "mode"}, {"seed": 1}])
def test_other_options_are_refused(model: Autoencoder, data: pa.Table, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="only the accepted corrections"):
        model.repair(data, accepted=LIST, **options)


def test_a_point_of_a_series_is_corrected(wave_model: Autoencoder, wave: pa.Table) -> None:
    accepted = {"row": [7], "column": ["value"], "new": ["0.25"]}
    answer = wave_model.repair(wave, accepted=accepted).to_frame()
    assert answer["value"][7].as_py() == 0.25
    assert answer["value"].slice(8).equals(wave["value"].slice(8))
