"""The plain data in every type that dataframes, arrow and numpy have."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from diabolo.errors import ColumnError, DataError
from tests.inputs.checks import ANSWERED, SAME, SAME_FIT, ignored, passed
from tests.inputs.kinds import ROWS, Answer, Refusal, column, kind, pandas, plain, polars, refused, whole

PANDAS, POLARS, ARROW, NUMPY = "Types of pandas", "Types of polars", "Types of arrow", "Arrays of numpy"
FITS = Answer("fitted")


def as_pandas(**types: Any) -> pd.DataFrame:
    """The plain table with columns of these types."""
    frame = pandas()
    return frame.assign(**{n: pd.Series(whole(n), dtype=t) for n, t in types.items()})


def put(name: str, values: Any) -> pd.DataFrame:
    return pandas().assign(**{name: values})


def beside(values: Any) -> pd.DataFrame:
    """The plain table with one more column."""
    return pandas().assign(z=values)


def cast(**types: Any) -> pl.DataFrame:
    return polars().with_columns(**{n: pl.col(n).cast(t) for n, t in types.items()})


def also(values: pl.Series) -> pl.DataFrame:
    return polars().with_columns(z=values)


def arrow(name: str, target: pa.DataType) -> pa.Table:
    return column(name, plain("table")[name].cast(target, safe=False))


def more(values: Any) -> pa.Table:
    return plain("table").append_column("z", values)


def chunked() -> pa.Table:
    table = plain("table")
    return pa.concat_tables([table.slice(0, 7), table.slice(7, 0), table.slice(7, 20), table.slice(27)])


def memory_mapped(folder: Path) -> np.ndarray:
    np.save(folder / "x.npy", plain("array"))
    return np.load(folder / "x.npy", mmap_mode="r")


def read_only() -> np.ndarray:
    x = plain("array").copy()
    x.setflags(write=False)
    return x


def records() -> np.ndarray:
    x = plain("array")
    return np.array([tuple(r) for r in x.tolist()], [("x0", float), ("x1", float), ("x2", float)])


def read(what: str, make: Any, group: str = NUMPY) -> Any:
    return kind(group, what, lambda _: make(plain("array")), SAME_FIT, SAME, base="array")


FREE = "have no kind"
NONE = {"fit": ignored("z", FREE), "asked": passed("z")}
TEXT_OR_NOT = [None if v is None else v for v in range(3)]
TYPES = [
    kind(
        PANDAS,
        "nullable Int64, Float64, boolean and string",
        lambda _: as_pandas(a="Float64", n="Int64", c="string", d="boolean"),
        SAME_FIT,
        SAME,
    ),
    kind(
        PANDAS,
        "types of arrow",
        lambda _: plain("table").to_pandas(types_mapper=pd.ArrowDtype),
        SAME_FIT,
        SAME,
    ),
    kind(PANDAS, "sparse numbers", lambda _: as_pandas(a=pd.SparseDtype(float, np.nan)), SAME_FIT, SAME),
    kind(
        PANDAS,
        "sparse flags and whole numbers",
        lambda _: pandas().assign(z=pd.arrays.SparseArray(np.arange(ROWS) % 3)),
        FITS,
        passed("z"),
    ),
    kind(
        PANDAS,
        "categories, one of them never used",
        lambda _: as_pandas(c=pd.CategoricalDtype(["down", "never", "up"])),
        SAME_FIT,
        SAME,
    ),
    kind(
        PANDAS,
        "ordered categories",
        lambda _: as_pandas(c=pd.CategoricalDtype(["down", "up"], ordered=True)),
        SAME_FIT,
        SAME,
    ),
    kind(
        PANDAS,
        "categories that are numbers",
        lambda _: as_pandas(n=pd.CategoricalDtype(range(10))),
        Answer("a category"),
        SAME,
    ),
    kind(PANDAS, "objects", lambda _: pandas().astype(object), SAME_FIT, SAME),
    kind(
        PANDAS,
        "decimals in a column of objects",
        lambda _: put(
            "a", pd.Series([None if v is None else Decimal(str(v)) for v in whole("a")], dtype=object)
        ),
        SAME_FIT,
        SAME,
    ),
    kind(
        PANDAS, "moments of Python", lambda _: put("t", pd.Series(whole("t"), dtype=object)), SAME_FIT, SAME
    ),
    kind(
        PANDAS,
        "seconds, milliseconds and nanoseconds",
        lambda _: pandas().astype({"t": "datetime64[s]"}),
        SAME_FIT,
        SAME,
    ),
    kind(PANDAS, "periods", lambda _: beside(pd.period_range("2024-01", periods=ROWS, freq="M")), **NONE),
    kind(PANDAS, "intervals", lambda _: beside(pd.interval_range(0, ROWS)), **NONE),
    kind(PANDAS, "spans of time", lambda _: beside(pd.to_timedelta(np.arange(ROWS) % 7, unit="h")), **NONE),
    kind(
        PANDAS,
        "complex numbers",
        lambda _: put("a", np.arange(ROWS) + 1j),
        Refusal(ColumnError, ("column 'a'", "complex")),
        refused(ColumnError, "column 'a'", "complex"),
    ),
    kind(
        PANDAS,
        "complex numbers in a column of objects",
        lambda _: put("a", pd.Series([1 + 2j] * ROWS, dtype=object)),
        Refusal(ColumnError, ("column 'a'", "complex")),
        refused(ColumnError, "column 'a'", "complex"),
    ),
    kind(PANDAS, "bytes", lambda _: beside([b"x%d" % (i % 3) for i in range(ROWS)]), **NONE),
    kind(PANDAS, "lists", lambda _: beside([[i] for i in range(ROWS)]), **NONE),
    kind(PANDAS, "mappings", lambda _: beside([{"x": i} for i in range(ROWS)]), **NONE),
    kind(
        PANDAS,
        "sets",
        lambda _: beside([{i % 3} for i in range(ROWS)]),
        Answer("text stands for them"),
        passed("z"),
    ),
    kind(
        POLARS,
        "Enum, one of them never used",
        lambda _: cast(c=pl.Enum(["down", "never", "up"])),
        SAME_FIT,
        SAME,
    ),
    kind(POLARS, "Categorical", lambda _: cast(c=pl.Categorical), SAME_FIT, SAME),
    kind(POLARS, "Decimal", lambda _: cast(a=pl.Decimal(10, 2)), SAME_FIT, SAME),
    kind(POLARS, "UInt8 and Int128", lambda _: cast(n=pl.UInt8), SAME_FIT, SAME),
    kind(POLARS, "Int128", lambda _: cast(n=pl.Int128), SAME_FIT, SAME),
    kind(POLARS, "Float32", lambda _: cast(a=pl.Float32), FITS, ANSWERED),
    kind(POLARS, "Null", lambda _: also(pl.Series([None] * ROWS)), ignored("z", "no values"), passed("z")),
    kind(POLARS, "List", lambda _: also(pl.Series([[i] for i in range(ROWS)])), **NONE),
    kind(
        POLARS,
        "Array",
        lambda _: also(pl.Series([[i, i] for i in range(ROWS)], dtype=pl.Array(pl.Int64, 2))),
        **NONE,
    ),
    kind(POLARS, "Struct", lambda _: also(pl.Series([{"x": i} for i in range(ROWS)])), **NONE),
    kind(POLARS, "Binary", lambda _: also(pl.Series([b"x"] * ROWS)), **NONE),
    kind(
        POLARS,
        "Duration",
        lambda _: also(pl.Series([datetime.timedelta(hours=i) for i in range(ROWS)])),
        **NONE,
    ),
    kind(
        POLARS,
        "Time",
        lambda _: also(pl.Series([datetime.time(i % 7) for i in range(ROWS)])),
        Answer("a category"),
        passed("z"),
    ),
    kind(
        POLARS,
        "Object",
        lambda _: also(pl.Series([uuid.UUID(int=i) for i in range(ROWS)], dtype=pl.Object)),
        ignored("z", FREE),
        {**SAME, "repair": Answer("passed through as it is")},
    ),
    kind(
        ARROW,
        "a dictionary",
        lambda _: column("c", plain("table")["c"].combine_chunks().dictionary_encode()),
        SAME_FIT,
        SAME,
    ),
    kind(
        ARROW,
        "a dictionary with a missing value among its values",
        lambda _: column(
            "c",
            pa.DictionaryArray.from_arrays(
                pa.array([{"up": 0, "down": 1, None: 2}[v] for v in whole("c")]),
                pa.array(["up", "down", None]),
            ),
        ),
        SAME_FIT,
        SAME,
    ),
    kind(
        ARROW,
        "a dictionary of numbers",
        lambda _: column("n", plain("table")["n"].combine_chunks().dictionary_encode()),
        Answer("a category"),
        SAME,
    ),
    kind(
        ARROW,
        "a dictionary that differs from chunk to chunk",
        lambda _: column(
            "c",
            pa.chunked_array(
                [pa.array(whole("c")[:30]).dictionary_encode(), pa.array(whole("c")[30:]).dictionary_encode()]
            ),
        ),
        SAME_FIT,
        SAME,
    ),
    kind(ARROW, "large strings", lambda _: arrow("c", pa.large_string()), SAME_FIT, SAME),
    kind(ARROW, "string views", lambda _: arrow("c", pa.string_view()), SAME_FIT, SAME),
    kind(ARROW, "chunks, one of them empty", lambda _: chunked(), SAME_FIT, SAME),
    kind(
        ARROW,
        "a slice of a longer table",
        lambda _: pa.concat_tables([plain("table")] * 3).slice(ROWS, ROWS),
        SAME_FIT,
        SAME,
    ),
    kind(ARROW, "decimals of 128 bits", lambda _: arrow("a", pa.decimal128(12, 2)), SAME_FIT, SAME),
    kind(ARROW, "decimals of 256 bits", lambda _: arrow("a", pa.decimal256(60, 2)), SAME_FIT, SAME),
    kind(ARROW, "floats of 16 bits", lambda _: arrow("n", pa.float16()), FITS, SAME),
    kind(
        ARROW,
        "run-end encoded",
        lambda _: column("c", pa.compute.run_end_encode(plain("table")["c"].combine_chunks())),
        SAME_FIT,
        SAME,
    ),
    kind(
        ARROW,
        "an extension type",
        lambda _: more(
            pa.array([uuid.UUID(int=i).bytes for i in range(ROWS)], pa.binary(16)).cast(pa.uuid())
        ),
        **NONE,
    ),
    kind(ARROW, "binary", lambda _: more(pa.array([b"x", b"y"] * 30)), **NONE),
    kind(
        ARROW, "lists, maps and structs", lambda _: more(pa.array([{"x": [i]} for i in range(ROWS)])), **NONE
    ),
    kind(ARROW, "spans of time", lambda _: more(pa.array(range(ROWS), pa.duration("s"))), **NONE),
    kind(
        ARROW,
        "times of day",
        lambda _: more(pa.array([i % 7 * 3600 for i in range(ROWS)], pa.time32("s"))),
        Answer("a category"),
        passed("z"),
    ),
    kind(ARROW, "seconds and nanoseconds", lambda _: arrow("t", pa.timestamp("ns")), SAME_FIT, SAME),
    kind(ARROW, "days in milliseconds", lambda _: arrow("t", pa.date64()), FITS, ANSWERED),
    read("float32", lambda x: x.astype(np.float32)),
    read("float16", lambda x: x.astype(np.float16)),
    read("long doubles", lambda x: x.astype(np.longdouble)),
    read("the other byte order", lambda x: x.astype(">f8")),
    read("Fortran-ordered", np.asfortranarray),
    read("a view with gaps and backwards", lambda x: np.repeat(x[::-1], 2, axis=0)[::-2]),
    read("objects", lambda x: x.astype(object)),
    read("a matrix", lambda x: x.view(np.matrix)),
    kind(NUMPY, "read-only", lambda _: read_only(), SAME_FIT, SAME, base="array"),
    kind(NUMPY, "memory-mapped", memory_mapped, SAME_FIT, SAME, base="array"),
    kind(NUMPY, "records with names", lambda _: records(), FITS, ANSWERED, base="array"),
    kind(
        NUMPY,
        "numbers as text",
        lambda _: plain("array").astype(str),
        Answer("categories"),
        SAME,
        base="array",
    ),
    kind(
        NUMPY,
        "bytes",
        lambda _: plain("array").astype("S"),
        Refusal(DataError, ("no column is left to score", "x0", FREE)),
        refused(ColumnError, "column 'x0'"),
        base="array",
    ),
    kind(
        NUMPY,
        "complex numbers",
        lambda _: plain("array") + 1j,
        Refusal(DataError, ("complex",)),
        refused(DataError, "complex"),
        base="array",
    ),
    kind(
        NUMPY,
        "moments",
        lambda _: (
            np.datetime64("2024-01-01", "ns") + np.arange(ROWS * 3).reshape(-1, 3) * np.timedelta64(1, "h")
        ),
        FITS,
        refused(ColumnError, "column 'x0'", "expected a number"),
        base="array",
    ),
    kind(
        NUMPY,
        "spans of time",
        lambda _: np.arange(ROWS * 3).reshape(-1, 3) * np.timedelta64(1, "h"),
        Refusal(DataError, ("no column is left",)),
        refused(ColumnError, "column 'x0'"),
        base="array",
    ),
]
