"""Series with odd times and odd channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.errors import ColumnError, DataError, OptionError, SchemaError
from tests import made
from tests.inputs.checks import ANSWERED, SAME, SAME_FIT
from tests.inputs.kinds import OPTIONS, Answer, Kind, Refusal, kind, plain, refused

SERIES = "Series"
FITS = Answer("fitted")
POINTS = 240


def odd(
    what: str, make: Any, fit: Any = FITS, asked: Any = ANSWERED, rows: int = POINTS, **more: Any
) -> Kind:
    return kind(
        SERIES,
        what,
        lambda _: make(plain("series")),
        fit,
        asked,
        base="series",
        rows=rows,
        options=OPTIONS["series"] | more,
    )


def times(series: pa.Table, values: Any) -> pa.Table:
    return series.set_column(0, "time", values)


def values(series: pa.Table, new: Any) -> pa.Table:
    return series.set_column(1, "value", new)


def shuffled(series: pa.Table) -> pa.Table:
    return series.take(pa.array(np.random.default_rng(0).permutation(POINTS)))


def oslo(series: pa.Table) -> pa.Table:
    return times(
        series, series["time"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", "Europe/Oslo"))
    )


SERIES_KINDS = [
    odd("unsorted times", shuffled),
    odd("repeated times", lambda s: pa.concat_tables([s, s.slice(10, 5)]), rows=POINTS + 5),
    odd("every time the same", lambda s: times(s, s["time"].take([0] * POINTS)), FITS),
    odd(
        "a point without a time",
        lambda s: made.with_cell(s, "time", 20, None),
        Refusal(ColumnError, ("column 'time', row 20",)),
        refused(ColumnError, "column 'time', row 20"),
    ),
    odd(
        "a gap",
        lambda s: s.filter(pa.array(np.r_[np.ones(100), np.zeros(30), np.ones(110)] > 0)),
        rows=POINTS - 30,
    ),
    odd(
        "a gap of a hundred years",
        lambda s: pa.concat_tables([s.slice(0, 120), made.wave(120, start="2124-03-01")]),
        FITS,
        refused(DataError, "step of 300"),
    ),
    odd("times of a zone over the hour that it skips", oslo, SAME_FIT, SAME),
    odd(
        "times in UTC instead of without a zone",
        lambda s: times(s, s["time"].cast(pa.timestamp("us", "UTC"))),
        SAME_FIT,
        SAME,
    ),
    odd(
        "times as text",
        lambda s: times(s, pa.array([t.isoformat() for t in s["time"].to_pylist()])),
        SAME_FIT,
        SAME,
    ),
    odd(
        "a time that is no time",
        lambda s: times(
            s, pa.array(["soon" if i == 20 else t.isoformat() for i, t in enumerate(s["time"].to_pylist())])
        ),
        Refusal(ColumnError, ("column 'time', row 20", "'soon'")),
        refused(ColumnError, "column 'time', row 20", "'soon'"),
    ),
    odd(
        "irregular times",
        lambda s: times(
            s,
            pa.array(
                np.datetime64("2024-03-01", "us")
                + np.cumsum(np.random.default_rng(0).integers(1, 10**9, POINTS)) * np.timedelta64(1, "us")
            ),
        ),
    ),
    odd(
        "no time column",
        lambda s: s.drop_columns("time"),
        Refusal(OptionError, ("time='time'",)),
        refused(DataError, "no column 'time'"),
    ),
    odd(
        "no channel",
        lambda s: s.drop_columns("value"),
        Refusal(DataError, ("no column of numbers",)),
        refused(SchemaError, "- value"),
    ),
    odd("one point", lambda s: s.slice(7, 1), Refusal(DataError, ("1 point",)), rows=1),
    odd(
        "fewer points than a window",
        lambda s: s.slice(7, 9),
        Refusal(OptionError, ("window=16", "9 points")),
        rows=9,
    ),
    odd("a constant channel", lambda s: values(s, pa.array([1.0] * POINTS)), FITS),
    odd(
        "a channel of missing values only",
        lambda s: values(s, pa.nulls(POINTS, pa.float64())),
        Refusal(DataError, ("no column of numbers",)),
        ANSWERED,
    ),
    odd(
        "a channel of nothing but NaN",
        lambda s: values(s, pa.array([float("nan")] * POINTS)),
        Refusal(DataError, ("no column",)),
        ANSWERED,
    ),
    odd("an infinity in a channel", lambda s: made.with_cell(s, "value", 20, float("inf"))),
    odd(
        "the largest floats in a channel",
        lambda s: made.with_cell(made.with_cell(s, "value", 20, 1.7e308), "value", 21, -1.7e308),
    ),
    odd(
        "a channel of text",
        lambda s: values(s, pa.array([f"{v}" for v in s["value"].to_pylist()])),
        Refusal(DataError, ("no column of numbers",)),
        SAME | {"repair": Answer("filled")},
    ),
    odd(
        "text among the numbers of a channel",
        lambda s: values(
            s, pa.array(["n.a." if i == 20 else f"{v}" for i, v in enumerate(s["value"].to_pylist())])
        ),
        Refusal(DataError, ("no column of numbers",)),
        refused(ColumnError, "column 'value', row 20", "'n.a.'"),
    ),
    odd("whole numbers in a channel", lambda s: values(s, pa.array(np.arange(POINTS) % 24))),
    odd("more series than were seen", lambda s: s.append_column("z", pa.array(["a", "b"] * 120)), FITS),
]
