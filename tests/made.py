"""Small made data: tables and series whose secrets the tests know."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

LIBRARIES = ("pandas", "polars", "pyarrow")


def as_library(table: pa.Table, library: str) -> Any:
    """An arrow table as a dataframe of this library."""
    if library == "pandas":
        return table.to_pandas()
    return pl.from_arrow(table) if library == "polars" else table


def library_of(frame: Any) -> str:
    """The library of a dataframe."""
    kinds = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.Table}
    return next(name for name, kind in kinds.items() if isinstance(frame, kind))


def values_of(frame: Any, name: str) -> list[Any]:
    """One column as a list, with None for every hole."""
    column = frame[name]
    values = (
        column.tolist()
        if isinstance(frame, pd.DataFrame)
        else column.to_pylist()
        if isinstance(frame, pa.Table)
        else column.to_list()
    )
    return [None if v is None or v is pd.NaT or v != v else v for v in values]


def mixed(rows: int = 600, seed: int = 0, holes: float = 0.03) -> pa.Table:
    """Numbers, whole numbers, labels, flags, dates and holes; an id, a constant and free text.

    `double` is 2 * `number` + noise, `city` follows the sign of `number`, `flag` says whether `count` > 4:
    every scored column can be predicted from another one.
    """
    rng = np.random.default_rng(seed)
    number = rng.normal(size=rows)
    count = rng.integers(0, 10, rows)
    city = np.where(number > 0.5, "Oslo", np.where(number < -0.5, "Rome", "Lima"))
    start = datetime.datetime(2024, 1, 1)
    moments = [start + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 24 * 900, rows)]
    words = np.array(["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath"])
    text = [" ".join(rng.choice(words, 9)) + f" {i}" for i in range(rows)]

    def holed(values: Any) -> list[Any]:
        gone = rng.random(rows) < holes
        return [None if g else v for g, v in zip(gone, values, strict=True)]

    return pa.table(
        {
            "id": pa.array(np.arange(1000, 1000 + rows)),
            "number": pa.array(holed(number.tolist()), pa.float64()),
            "double": pa.array((2 * number + 0.1 * rng.normal(size=rows)).tolist(), pa.float64()),
            "count": pa.array(holed(count.tolist()), pa.int64()),
            "city": pa.array(holed(city.tolist()), pa.string()),
            "flag": pa.array(holed((count > 4).tolist()), pa.bool_()),
            "when": pa.array(holed(moments), pa.timestamp("us")),
            "unit": pa.array(["kg"] * rows, pa.string()),
            "remark": pa.array(text, pa.string()),
        }
    )


PREDICTED = ["number", "double", "count", "city", "flag", "when"]
SCORED = [*PREDICTED, "remark"]
IGNORED = ["id", "unit"]


def wave(points: int = 1200, seed: int = 0, start: str = "2024-03-01") -> pa.Table:
    """A regular series, one point every five minutes: a wave of 24 points with a little noise."""
    rng = np.random.default_rng(seed)
    value = np.sin(np.arange(points) * 2 * np.pi / 24) + 0.05 * rng.normal(size=points)
    time = np.datetime64(start, "us") + np.arange(points) * np.timedelta64(300, "s")
    return pa.table({"time": pa.array(time), "value": pa.array(value)})


def two_channels(points: int = 1200, seed: int = 0) -> pa.Table:
    """Two channels, one point a minute up to two seconds off, with gaps of time and holes in the values."""
    rng = np.random.default_rng(seed)
    phase = np.arange(points) * 2 * np.pi / 20
    up = np.sin(phase) + 0.05 * rng.normal(size=points)
    side = np.cos(phase) + 0.05 * rng.normal(size=points)
    side[rng.random(points) < 0.02] = np.nan
    jitter = rng.integers(-2, 3, points)
    time = np.datetime64("2024-03-01", "s") + (np.arange(points) * 60 + jitter) * np.timedelta64(1, "s")
    kept = np.ones(points, bool)
    kept[300:340] = kept[800:803] = False
    side = pa.array(side[kept], mask=np.isnan(side[kept]))
    return pa.table({"time": pa.array(time[kept].astype("datetime64[us]")), "up": up[kept], "side": side})


def fleet(points: int = 300, seed: int = 0) -> pa.Table:
    """Three series with the same times, told apart by `machine`, their rows interleaved."""
    rng = np.random.default_rng(seed)
    step = np.repeat(np.arange(points), 3)
    machine = np.tile(np.array(["a", "b", "c"]), points)
    value = np.sin(step * 2 * np.pi / 24 + np.tile([0.0, 1.0, 2.0], points)) + 0.05 * rng.normal(
        size=3 * points
    )
    time = np.datetime64("2024-03-01", "us") + step * np.timedelta64(300, "s")
    return pa.table({"time": pa.array(time), "machine": pa.array(machine.tolist()), "value": pa.array(value)})


def pictures(rows: int = 400, seed: int = 0) -> np.ndarray:
    """(rows, 8, 6) grey bytes: a bright spot on a dark ground, at a place and of a size of its own."""
    rng = np.random.default_rng(seed)
    y, x, size = rng.uniform(1, 7, rows), rng.uniform(1, 5, rows), rng.uniform(0.8, 1.6, rows)
    down, across = np.mgrid[:8, :6]
    far = (down - y[:, None, None]) ** 2 + (across - x[:, None, None]) ** 2
    spot = 200 * np.exp(-far / (2 * size[:, None, None] ** 2))
    return np.clip(spot + rng.normal(20, 4, spot.shape), 0, 255).astype(np.uint8)


def with_cell(table: pa.Table, name: str, row: int, value: Any) -> pa.Table:
    """The table with one cell exchanged."""
    values = table[name].to_pylist()
    values[row] = value
    place = table.column_names.index(name)
    return table.set_column(place, name, pa.array(values, table[name].type))


CITIES = {"Birmingham": "Mid", "Nottingham": "Mid", "Liverpool": "North", "Manchester": "North"}
TYPOS = {5: "Birmingxam", 17: "Livxrpool", 40: "Manchestxr", 90: "Nottinghxm", 130: "Liverpoox"}


def cities(rows: int = 240, typos: bool = True) -> pa.Table:
    """A city, its region and a size, which go together; `TYPOS` says which rows have a typing error.

    The cities of these rows are those that their typing errors come from.
    """
    rng = np.random.default_rng(0)
    picked = rng.choice(list(CITIES), rows)
    for row, wrong in TYPOS.items():
        picked[row] = next(c for c in CITIES if sum(a != b for a, b in zip(c, wrong, strict=False)) == 1)
    city = [TYPOS.get(row, name) if typos else name for row, name in enumerate(picked.tolist())]
    sizes = [
        10 * len(name) + int(extra) for name, extra in zip(picked, rng.integers(0, 5, rows), strict=True)
    ]
    return pa.table({"city": city, "region": [CITIES[name] for name in picked], "size": sizes})
