"""Odd values in columns of usual types."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from diabolo.errors import ColumnError
from tests.inputs.checks import ANSWERED, SAME, SAME_FIT, accused, holes, ignored, is_kind, odd
from tests.inputs.kinds import ROWS, Answer, Refusal, cell, column, kind, pandas, plain, refused, whole

NUMBERS, TEXTS, DATES = "Numbers", "Texts and labels", "Dates"
FITS = Answer("fitted")
UTC = datetime.UTC


def text(name: str, **cells: str) -> pa.Table:
    """A column as text, with some cells exchanged: r20="x"."""
    values = [None if v is None else str(v) for v in whole(name)]
    for row, value in cells.items():
        values[int(row[1:])] = value
    return column(name, pa.array(values, pa.string()))


def objects(name: str, **cells: Any) -> pd.DataFrame:
    """A pandas column of objects, with some cells exchanged."""
    values = whole(name)
    for row, value in cells.items():
        values[int(row[1:])] = value
    return pandas().assign(**{name: pd.Series(values, dtype=object)})


def cells(name: str, kind_: pa.DataType, **exchanged: Any) -> pa.Table:
    values = whole(name)
    for row, value in exchanged.items():
        values[int(row[1:])] = value
    return column(name, pa.array(values, kind_))


def stamps(zone: str | None, unit: str = "us") -> pa.Table:
    return column("t", plain("table")["t"].cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone)))


def around(moments: list[str], zone: str) -> pa.Table:
    """Moments of UTC in a zone, in the first rows."""
    values = [v if v is None else v.replace(tzinfo=UTC) for v in whole("t")]
    values[20 : 20 + len(moments)] = [datetime.datetime.fromisoformat(m).replace(tzinfo=UTC) for m in moments]
    return column("t", pa.array(values, pa.timestamp("us", zone)))


ENDS = {"r20": 2**63 - 1, "r21": -(2**63)}
VALUES = [
    kind(
        NUMBERS,
        "infinities",
        lambda _: cells("a", pa.float64(), r20=np.inf, r21=-np.inf),
        FITS,
        odd("a", [20, 21]),
    ),
    kind(
        NUMBERS,
        "a column of infinities",
        lambda _: column("a", pa.array([np.inf, -np.inf] * 30)),
        ignored("a", "no values"),
        accused("a", range(ROWS)),
    ),
    kind(
        NUMBERS,
        "NaN instead of a missing value",
        lambda _: cells("a", pa.float64(), r20=float("nan")),
        FITS,
        holes("a", [20]),
    ),
    kind(
        NUMBERS,
        "the largest floats",
        lambda _: cells("a", pa.float64(), r20=1.7e308, r21=-1.7e308),
        FITS,
        odd("a", [20, 21]),
    ),
    kind(
        NUMBERS,
        "the smallest floats",
        lambda _: cells("a", pa.float64(), r20=5e-324, r21=-0.0),
        FITS,
        ANSWERED,
    ),
    kind(
        NUMBERS,
        "a column of nothing but the smallest floats",
        lambda _: column("a", pa.array([5e-324 * (i % 7) for i in range(ROWS)])),
        FITS,
        ANSWERED,
    ),
    kind(NUMBERS, "the ends of int64", lambda _: cells("n", pa.int64(), **ENDS), FITS, odd("n", [20, 21])),
    kind(
        NUMBERS, "the end of uint64", lambda _: cells("n", pa.uint64(), r20=2**64 - 1), FITS, odd("n", [20])
    ),
    kind(
        NUMBERS,
        "whole numbers beyond 64 bits",
        lambda _: {
            **plain("table").to_pydict(),
            "n": [2**70 if i == 20 else v for i, v in enumerate(whole("n"))],
        },
        FITS,
        odd("n", [20]),
    ),
    kind(
        NUMBERS,
        "a number of 400 digits",
        lambda _: {
            **plain("table").to_pydict(),
            "n": [10**400 if i == 20 else v for i, v in enumerate(whole("n"))],
        },
        FITS,
        odd("n", [20]),
    ),
    kind(NUMBERS, "a far number", lambda _: cell("a", 20, 1e6), FITS, odd("a", [20])),
    kind(
        NUMBERS,
        "numbers as text",
        lambda _: text("a"),
        is_kind("a", "text", "`a` is a text, with a note: numbers as text"),
        SAME | {"repair": Answer("filled with text")},
    ),
    kind(
        NUMBERS,
        "numbers as text, declared numeric",
        lambda _: text("a"),
        SAME_FIT,
        SAME | {"repair": Answer("filled with text")},
        options={"numeric": ["a"]},
    ),
    kind(
        NUMBERS,
        "text among numbers",
        lambda _: text("a", r20="n/a"),
        is_kind("a", "text", "`a` is a text, with a note: numbers but for 'n/a'"),
        refused(ColumnError, "column 'a', row 20", "'n/a'"),
    ),
    kind(
        NUMBERS,
        "a comma for the point",
        lambda _: text("a", r20="1,5"),
        is_kind("a", "text", "`a` is a text, with a note: numbers"),
        refused(ColumnError, "column 'a', row 20", "'1,5'"),
    ),
    kind(
        NUMBERS,
        "numbers and text in one column of objects",
        lambda _: objects("a", r20="old"),
        is_kind("a", "text", "`a` is a text, with a note: numbers but for 'old'"),
        refused(ColumnError, "column 'a', row 20", "'old'"),
    ),
    kind(
        NUMBERS,
        "flags instead of numbers",
        lambda _: column("n", plain("table")["d"]),
        is_kind("n", "boolean"),
        ANSWERED,
    ),
    kind(
        NUMBERS,
        "dates instead of numbers",
        lambda _: column("a", plain("table")["t"]),
        is_kind("a", "datetime"),
        refused(ColumnError, "column 'a'", "expected a number"),
    ),
    kind(
        NUMBERS,
        "lists in a cell",
        lambda _: objects("a", r20=[1.0, 2.0]),
        FITS,
        refused(ColumnError, "column 'a', row 20", "[1.0, 2.0]"),
    ),
    kind(TEXTS, "a label that was not seen", lambda _: cell("c", 20, "sideways"), FITS, odd("c", [20])),
    kind(
        TEXTS, "numbers instead of labels", lambda _: column("c", pa.array(range(ROWS))), FITS, odd("c", [20])
    ),
    kind(TEXTS, "empty text", lambda _: cell("c", 20, ""), FITS, odd("c", [20])),
    kind(TEXTS, "NUL in a text", lambda _: cell("c", 20, "up\0"), FITS, odd("c", [20])),
    kind(TEXTS, "a text of 1 MB", lambda _: cell("c", 20, "x" * 1_000_000), FITS, odd("c", [20])),
    kind(
        TEXTS,
        "signs that are no text by themselves (half a surrogate pair)",
        lambda _: objects("c", r20="\ud800"),
        FITS,
        odd("c", [20]),
    ),
    kind(
        TEXTS,
        "a letter composed in two ways",
        lambda _: cells("c", pa.string(), r20="\u00e5", r21="a\u030a"),
        FITS,
        accused("c", [20, 21]),
    ),
    kind(
        TEXTS,
        "every text is different",
        lambda _: column("c", pa.array([f"{i * 7919:x}" for i in range(ROWS)])),
        is_kind("c", "text"),
        accused("c", range(ROWS)),
    ),
    kind(
        TEXTS,
        "free text",
        lambda _: column(
            "c", pa.array([f"what was written here in many words, number {i}" for i in range(ROWS)])
        ),
        is_kind("c", "text"),
        accused("c", range(ROWS)),
    ),
    kind(
        TEXTS,
        "None, NaN, NA and NaT in one column",
        lambda _: objects("c", r20=np.nan, r21=pd.NA, r22=pd.NaT),
        FITS,
        holes("c", [20, 21, 22]),
    ),
    kind(
        TEXTS,
        "text instead of flags",
        lambda _: column("d", pa.array(["yes", "no"] * 30)),
        is_kind("d", "category"),
        refused(ColumnError, "column 'd'", "row 0", "'yes'"),
    ),
    kind(
        TEXTS,
        "0 and 1 instead of flags",
        lambda _: column("d", plain("table")["d"].cast(pa.int8())),
        is_kind("d", "number"),
        SAME,
    ),
    kind(
        TEXTS,
        "7 instead of a flag",
        lambda _: column("d", pa.array([7] * ROWS)),
        ignored("d", "constant"),
        refused(ColumnError, "column 'd', row 0", "7"),
    ),
    kind(
        DATES,
        "text in ISO 8601",
        lambda _: column("t", pa.array([v and v.isoformat() for v in whole("t")])),
        is_kind("t", "datetime", "text is read as dates"),
        SAME | {"repair": Answer("filled with text")},
    ),
    kind(
        DATES,
        "text that is no date",
        lambda _: column(
            "t", pa.array(["soon" if i == 20 else v and v.isoformat() for i, v in enumerate(whole("t"))])
        ),
        is_kind("t", "text"),
        refused(ColumnError, "column 't', row 20", "'soon'"),
    ),
    kind(
        DATES,
        "numbers instead of dates",
        lambda _: column("t", pa.array(range(ROWS))),
        FITS,
        refused(ColumnError, "column 't'", "expected dates", "int64"),
    ),
    kind(
        DATES,
        "days instead of moments",
        lambda _: column("t", plain("table")["t"].cast(pa.date32(), safe=False)),
        is_kind("t", "datetime"),
        ANSWERED,
    ),
    kind(DATES, "in UTC instead of without a zone", lambda _: stamps("UTC"), SAME_FIT, SAME),
    kind(
        DATES,
        "in another zone",
        lambda _: stamps("Asia/Kathmandu"),
        is_kind("t", "datetime", "hours are those of the zone"),
        ANSWERED,
    ),
    kind(DATES, "at a fixed offset", lambda _: stamps("+05:45"), is_kind("t", "datetime"), ANSWERED),
    kind(
        DATES,
        "in a zone that does not exist",
        lambda _: stamps("Mars/Olympus"),
        Refusal(ColumnError, ("column 't'", "'Mars/Olympus'")),
        refused(ColumnError, "column 't'", "'Mars/Olympus'"),
    ),
    kind(
        DATES,
        "the hour that a zone skips and the one it repeats",
        lambda _: around(
            ["2024-03-31T00:59", "2024-03-31T01:00", "2024-10-27T00:30", "2024-10-27T01:30"], "Europe/Oslo"
        ),
        is_kind("t", "datetime"),
        ANSWERED,
    ),
    kind(
        DATES,
        "the years 1 and 9999",
        lambda _: cells(
            "t", pa.timestamp("us"), r20=datetime.datetime(1, 1, 1), r21=datetime.datetime(9999, 12, 31)
        ),
        FITS,
        odd("t", [20, 21]),
    ),
    kind(
        DATES,
        "the ends of 64 bits",
        lambda _: column(
            "t",
            pa.array(
                [
                    2**63 - 1 if i == 20 else -(2**63) + 2 if i == 21 else i * 3_600_000_000
                    for i in range(ROWS)
                ]
            ).cast(pa.timestamp("us")),
        ),
        FITS,
        ANSWERED,
    ),
    kind(
        DATES,
        "seconds beyond the range of microseconds",
        lambda _: column(
            "t", pa.array([2**50 if i == 20 else i * 3_600 for i in range(ROWS)]).cast(pa.timestamp("s"))
        ),
        FITS,
        ANSWERED,
    ),
    kind(
        DATES,
        "NaT instead of a missing value",
        lambda _: pandas().assign(t=pandas()["t"].where(pandas().index != 20)),
        FITS,
        holes("t", [20]),
    ),
    kind(
        DATES,
        "dates and moments in one column of objects",
        lambda _: objects("t", r20=datetime.date(2024, 1, 9)),
        FITS,
        ANSWERED,
    ),
    kind(
        DATES,
        "zones that differ from row to row",
        lambda _: objects("t", r20=datetime.datetime(2024, 1, 9, tzinfo=UTC)),
        FITS,
        ANSWERED,
    ),
]
