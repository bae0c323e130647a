"""A table as text and numbers."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diabolo.cleaning.reading import (
    CheckedColumn,
    ColumnKind,
    inner_number,
    read_columns,
    row_hashes,
    to_numbers,
    to_texts,
)

day = datetime.date(2024, 2, 29)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array(["a", "", None, " "]), ["a", None, None, " "]),
        (pa.array(["a", "b", None]).dictionary_encode(), ["a", "b", None]),
        (pa.array([1, 2, None]).dictionary_encode(), ["1", "2", None]),
        (pa.array([1, -2, None]), ["1", "-2", None]),
        (pa.array([1.0, 2.5, None, float("nan"), -0.0, 1e20]), ["1", "2.5", None, None, "0", "1e+20"]),
        (pa.array([0.1 + 0.2, -160310991.60679838]), ["0.30000000000000004", "-160310991.60679838"]),
        (pa.array([Decimal("1.50"), Decimal("2.00"), None]), ["1.5", "2", None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([day, None]), ["2024-02-29", None]),
        (pa.array([b"ab", None]), ["ab", None]),
        (pa.array([None, None]), [None, None]),
        (pa.array([b"\xff"]), None),
        (pa.array([[1], None]), None),
        (pa.array([{"a": 1}]), None),
        (pa.array(["é", "a"], pa.large_string()), ["é", "a"]),
        (pa.array([], pa.string()), []),
    ],
)
def test_values_become_texts(values: pa.Array, texts: list[Any] | None) -> None:
    assert to_texts(values) == texts
    read = read_columns({"c": pa.chunked_array([values, values])}, ["c", "absent"])
    assert read.get("c", CheckedColumn([], np.zeros(0))).texts == (texts * 2 if texts else [])


def test_whole_numbers_are_the_same_text_in_every_type() -> None:
    types = (pa.int8(), pa.int64(), pa.float32(), pa.float64())
    found = {tuple(to_texts(pa.array([1, 2, 100], t)) or ()) for t in types}
    assert found == {("1", "2", "100")}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_moments_are_the_same_text_in_every_type(unit: str) -> None:
    moments = [datetime.datetime(2024, 1, 1, 10), datetime.datetime(2024, 1, 2), None]
    assert to_texts(pa.array(moments, pa.timestamp(unit))) == ["2024-01-01 10:00:00", "2024-01-02", None]
    berlin = pa.array(moments, pa.timestamp(unit)).cast(pa.timestamp(unit, "Europe/Berlin"))
    assert to_texts(berlin) == to_texts(berlin.cast(pa.timestamp(unit, "UTC")))
    assert to_texts(pa.array([datetime.date(2024, 1, 2)])) == ["2024-01-02"]


def test_decimals_are_the_same_text_in_every_type() -> None:
    assert to_texts(pa.array([0.1, 2.5], pa.float32())) == to_texts(pa.array([0.1, 2.5])) == ["0.1", "2.5"]
    assert to_texts(pa.array([10**16])) == to_texts(pa.array([1e16])) == ["10000000000000000"]


def test_numbers_are_read_from_texts() -> None:
    texts = [
        "1",
        " 2.5 ",
        "-3e2",
        ".5",
        "5.",
        "",
        None,
        "5 %",
        "1,000",
        "nan",
        "inf",
        "1e999",
        "0x1",
        "+7",
        "--7",
    ]
    expected = [1, 2.5, -300, 0.5, 5, *[np.nan] * 6, np.inf, np.nan, 7, np.nan]
    assert np.array_equal(to_numbers(texts), np.array(expected), equal_nan=True)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5 %", None),  # a hundredth, or the number
        ("10k", None),
        ("5 million", None),
        ("3 dozen", None),
        ("40h", "40"),
        ("$5", "5"),
        ("€ 12.50", "12.50"),
        ("43.4 kg", "43.4"),
        ("43.4kg", "43.4"),
        ("-7°", "-7"),
        ("120 km²", "120"),
        ("120 m2", "120"),
        ("5m", None),  # metres, or a million
        ("5A", None),
        ("12a", None),
        ("heavy", None),
        ("", None),
        ("3-4", None),
        ("2020-01-02", None),
        ("12:30", None),
        ("1.2.3", None),
        ("7,2", None),
        ("1-3", None),
        ("5 2", None),
    ],
)
def test_the_number_in_a_text_with_a_unit(text: str, number: str | None) -> None:
    assert inner_number(text) == number


@given(st.text(max_size=30))
def test_any_text_may_hold_a_number(text: str) -> None:
    found = inner_number(text)
    assert found is None or np.isfinite(to_numbers([found])).all()


def kind_of(values: list[Any]) -> tuple[bool, bool, bool, bool] | None:
    """Whether a column is judged as text and as numbers, in ranges, and whether others may follow from it."""
    column = CheckedColumn.of(pa.array(values))
    found = None if column is None else column.kind()
    return (
        None if found is None else (found.as_text, found.as_number, found.edges is not None, found.is_group)
    )


def test_the_kind_of_a_column() -> None:
    rng = np.random.default_rng(0)
    assert kind_of([]) is None and kind_of(["a"] * 9) is None and kind_of([None] * 9) is None
    assert kind_of(["a", "b"] * 50) == (True, False, False, True)
    assert kind_of([f"name{i}" for i in range(99)]) == (True, False, False, False)
    assert kind_of(rng.normal(size=99).tolist()) == (False, True, True, True)
    assert kind_of([str(x) for x in rng.normal(size=99)]) == (False, True, True, True)
    assert kind_of([0, 1] * 50) == (True, False, False, True)
    assert kind_of(list(range(10)) * 9) == (True, True, False, True)
    assert kind_of([f"{i:05d}" for i in range(0, 9000, 100)]) == (True, False, False, False)  # leading zeros
    assert kind_of([str(z) for z in rng.choice([10115, 80331, 20095, 50667, 60311, 70173], 200)]) == (
        True,
        False,
        False,
        True,
    )
    assert kind_of([*rng.normal(size=90).astype(str), *["?"] * 60]) == (False, True, True, True)
    assert kind_of([*rng.normal(size=90).astype(str), *["red"] * 20]) == (True, False, False, True)


@given(
    st.lists(
        st.none()
        | st.text(max_size=6)
        | st.sampled_from(["1", "2.5", "?", "0", "99999"])
        | st.floats().map(str),
        max_size=40,
    )
)
def test_the_kind_of_any_column_survives_json(values: list[str | None]) -> None:
    column = CheckedColumn.of(pa.array(values, pa.string()))
    assert column is not None
    found = column.kind()
    if found is not None:
        again = ColumnKind.from_json(found.to_json())
        assert again.to_json() == found.to_json()
        if found.edges is not None:
            ranges = column.ranges(found.edges)
            assert ((ranges >= 0) == np.isfinite(column.numbers)).all() and (ranges <= len(found.edges)).all()


def test_equal_rows_have_equal_hashes_and_others_do_not() -> None:
    columns = [["a", "a", "ab", "", None, "a"], ["b", "b", "", "ab", "b", None]]
    found = row_hashes(columns)
    assert found.dtype == np.int64 and found[0] == found[1] and len(set(found.tolist())) == 5
    assert row_hashes([[], []]).shape == (0,) and len(row_hashes([["\ud800"], ["\0"]])) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"text": 1},
        {"number": None},
        {"group": "yes"},
        {"text": False},
        {"edges": [2.0, 1.0]},
        {"edges": [float("nan")]},
        {"edges": []},
        {"edges": [0.0] * 8},
        {"edges": [1.0]},  # only numbers that are no labels have ranges
    ],
)
def test_no_other_kind_is_restored(changes: dict[str, Any]) -> None:
    state = {"text": True, "number": False, "edges": None, "group": True}
    assert ColumnKind.from_json(state).to_json() == state
    with pytest.raises(ValueError, match="column"):
        ColumnKind.from_json({**state, **changes})
    with pytest.raises(KeyError):
        ColumnKind.from_json({k: v for k, v in state.items() if k != "edges"})
