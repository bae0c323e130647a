"""Inputs of an odd shape, of odd names, and things that are no table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse
import torch

from diabolo.errors import ColumnError, DataError, SchemaError
from tests.inputs.checks import ANSWERED, SAME, SAME_FIT, holes, ignored, is_kind, passed
from tests.inputs.kinds import (
    ROWS,
    Answer,
    Asked,
    Refusal,
    column,
    kind,
    pandas,
    plain,
    plain_model,
    polars,
    refused,
    whole,
)

SHAPE, NAMES, NOT = "Shapes", "Names of columns", "No table"
NO_ROWS = Refusal(DataError, ("no rows",))
FITS = Answer("fitted")


def both(error: type[DataError], *words: str) -> dict[str, Any]:
    return {"fit": Refusal(error, words), "asked": refused(error, *words)}


def renamed(**names: str) -> pa.Table:
    table = plain("table")
    return table.rename_columns([names.get(n, n) for n in table.column_names])


def extra(name: str, values: Any) -> pa.Table:
    return pa.table({**{n: plain("table")[n] for n in plain("table").column_names}, name: values})


def wide(columns: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(50, columns))


def masked_array() -> Any:
    """The array with nonsense in a masked cell."""
    x, mask = plain("array").copy(), np.zeros((ROWS, 3), bool)
    x[20, 0], mask[20, 0] = 1e9, True
    return np.ma.masked_array(x, mask)


def as_hole(asked: Asked) -> None:
    x = plain("array").copy()
    x[20, 0] = np.nan
    if asked.stage == "score":
        assert np.allclose(asked.answer.bits, plain_model("array").anomaly_score(x))
    elif asked.stage == "explain":
        assert asked.answer.bits[20, 0] == 0
    else:
        assert asked.answer.changed["row"].to_pylist() == [20]


MASKED: dict[str, Any] = {
    "score": Answer("masked cells are missing values", as_hole),
    "explain": Answer("a missing value is no evidence", as_hole),
    "repair": Answer("filled", as_hole),
}


SHAPES = [
    kind(SHAPE, "no rows", lambda _: plain("table").slice(0, 0), **both(DataError, "no rows")),
    kind(SHAPE, "no columns", lambda _: pd.DataFrame(index=range(5)), **both(DataError, "no columns")),
    kind(SHAPE, "one row", lambda _: plain("table").slice(20, 1), FITS, ANSWERED, rows=1),
    kind(SHAPE, "two rows", lambda _: plain("table").slice(20, 2), FITS, ANSWERED, rows=2),
    kind(SHAPE, "one column", lambda _: plain("one").to_pandas(), SAME_FIT, SAME, base="one"),
    kind(
        SHAPE,
        "every cell missing",
        lambda _: pa.table({f.name: pa.nulls(ROWS, f.type) for f in plain("table").schema}),
        Refusal(DataError, ("no column is left to score", "no values")),
        holes("a", range(ROWS)) | {"score": Answer("every row alike")},
    ),
    kind(
        SHAPE,
        "one row of missing values only",
        lambda _: pa.table(
            {
                n: pa.array(
                    [None if i == 30 else v for i, v in enumerate(whole(n))],
                    plain("table").schema.field(n).type,
                )
                for n in plain("table").column_names
            }
        ),
        FITS,
        ANSWERED | {"repair": holes("a", [30])["repair"]},
    ),
    kind(
        SHAPE,
        "a column of missing values only",
        lambda _: column("a", pa.nulls(ROWS, pa.float64())),
        ignored("a", "no values"),
        holes("a", range(ROWS)),
    ),
    kind(
        SHAPE,
        "a column without a type",
        lambda _: column("a", pa.nulls(ROWS)),
        ignored("a", "no values"),
        holes("a", range(ROWS)),
    ),
    kind(
        SHAPE,
        "a constant column",
        lambda _: column("a", pa.array([1.5] * ROWS)),
        ignored("a", "constant: 1.5"),
        ANSWERED,
    ),
    kind(
        SHAPE,
        "nothing but constant columns",
        lambda _: pa.table(
            {
                "a": [1.0] * ROWS,
                "n": [1] * ROWS,
                "c": ["up"] * ROWS,
                "d": [True] * ROWS,
                "t": plain("table")["t"].take([0] * ROWS),
            }
        ),
        Refusal(DataError, ("no column is left to score", "constant")),
        ANSWERED,
    ),
    kind(
        SHAPE,
        "every row twice",
        lambda _: pa.concat_tables([plain("table")] * 2),
        FITS,
        ANSWERED,
        rows=2 * ROWS,
    ),
    kind(
        SHAPE,
        "10,000 columns",
        lambda _: wide(10_000),
        Refusal(DataError, ("10,000 columns", "at most 2,000")),
        refused(SchemaError, "10000 features"),
        base="array",
    ),
    kind(
        SHAPE,
        "3,000 columns, read at once",
        lambda _: wide(3_000),
        FITS,
        refused(SchemaError, "3000 features"),
        base="array",
        rows=50,
        options={"recipe": "vanilla"},
    ),
    kind(
        SHAPE,
        "columns of different lengths",
        lambda _: {"a": [1.0, 2.0], "n": [1, 2, 3]},
        **both(DataError, "different lengths", "a: 2", "n: 3"),
    ),
    kind(
        SHAPE,
        "rows of different lengths",
        lambda _: [[1.0, 2.0], [3.0]],
        base="array",
        **both(DataError, "row 1"),
    ),
    kind(
        SHAPE,
        "an array of one dimension",
        lambda _: np.zeros(5),
        base="array",
        **both(DataError, "two dimensions, got 1"),
    ),
    kind(
        SHAPE,
        "an array of three dimensions: images",
        lambda _: np.random.default_rng(0).random((ROWS, 4, 5)),
        base="array",
        fit=is_kind("image", "image"),
        asked=refused(SchemaError, "1 features"),
    ),
    kind(
        SHAPE,
        "images next to other columns",
        lambda _: {
            "image": np.random.default_rng(0).integers(0, 256, (ROWS, 4, 5, 3)),
            "n": np.arange(ROWS) % 7,
        },
        fit=is_kind("image", "image"),
        asked=refused(SchemaError, "c", "d", "t"),
    ),
    kind(
        SHAPE,
        "images of no known layout",
        lambda _: np.zeros((5, 2, 6, 7)),
        base="array",
        **both(ColumnError, "expected images, got shape (5, 2, 6, 7)"),
    ),
    kind(
        SHAPE,
        "an array of five dimensions",
        lambda _: np.zeros((5, 2, 2, 2, 2)),
        base="array",
        **both(DataError, "two dimensions, got 5"),
    ),
    kind(
        SHAPE,
        "an array without columns",
        lambda _: np.zeros((5, 0)),
        base="array",
        **both(DataError, "0 feature"),
    ),
    kind(
        SHAPE,
        "an array with a column too few",
        lambda _: plain("array")[:, :2],
        FITS,
        refused(SchemaError, "2 features", "expecting 3"),
        base="array",
    ),
    kind(SHAPE, "a list of rows", lambda _: plain("array").tolist(), SAME_FIT, SAME, base="array"),
    kind(SHAPE, "a tuple of arrays", lambda _: tuple(plain("array")), SAME_FIT, SAME, base="array"),
    kind(SHAPE, "a tensor", lambda _: torch.from_numpy(plain("array")), SAME_FIT, SAME, base="array"),
    kind(
        SHAPE,
        "a tensor with gradients",
        lambda _: torch.from_numpy(plain("array")).requires_grad_(),
        SAME_FIT,
        SAME,
        base="array",
    ),
    kind(SHAPE, "a masked array", lambda _: masked_array(), FITS, MASKED, base="array"),
    kind(SHAPE, "a mapping", lambda _: plain("table").to_pydict(), SAME_FIT, SAME),
    kind(
        SHAPE,
        "a mapping of arrays and a tuple",
        lambda _: {
            **{n: np.array(whole(n), object) for n in "nct"},
            "a": tuple(whole("a")),
            "d": pd.Series(whole("d")),
        },
        FITS,
        SAME | {"explain": Answer("answered"), "repair": Answer("its type kept")},
    ),
    kind(SHAPE, "rows as mappings", lambda _: plain("table").to_pylist(), SAME_FIT, SAME),
    kind(SHAPE, "a record batch", lambda _: plain("table").to_batches()[0], SAME_FIT, SAME),
    kind(SHAPE, "a reader of record batches", lambda _: plain("table").to_reader(), SAME_FIT, SAME),
    kind(SHAPE, "a lazy frame", lambda _: polars().lazy(), SAME_FIT, SAME),
    kind(
        SHAPE,
        "a series of values",
        lambda _: pd.Series(plain("one")["a"].to_pylist(), name="a"),
        SAME_FIT,
        SAME,
        base="one",
    ),
    kind(
        SHAPE,
        "a series of polars",
        lambda _: pl.Series("a", plain("one")["a"].to_pylist()),
        SAME_FIT,
        SAME,
        base="one",
    ),
    kind(SHAPE, "an index with repeats", lambda _: pandas().set_axis([0] * ROWS), SAME_FIT, SAME),
    kind(
        SHAPE,
        "an index of two levels",
        lambda _: pandas().set_axis(pd.MultiIndex.from_product([range(6), range(10)])),
        SAME_FIT,
        SAME,
    ),
    kind(
        NAMES,
        "a name that occurs twice",
        lambda _: pandas().set_axis(["a", "n", "a", "d", "t"], axis=1),
        **both(DataError, "'a'", "2 times"),
    ),
    kind(
        NAMES,
        "a column is missing",
        lambda _: plain("table").drop_columns("a"),
        FITS,
        refused(SchemaError, "- a"),
    ),
    kind(
        NAMES,
        "a column is spelt differently",
        lambda _: renamed(a="A"),
        FITS,
        refused(SchemaError, "- a", "+ A"),
    ),
    kind(NAMES, "a column too many", lambda _: extra("z", pa.array(np.arange(ROWS) % 7)), FITS, passed("z")),
    kind(
        NAMES,
        "columns in another order",
        lambda _: plain("table").select(list("tdcna")),
        FITS,
        SAME | {"repair": Answer("in the order of the data")},
    ),
    kind(NAMES, "an empty name", lambda _: extra("", pa.array(np.arange(ROWS) % 7)), FITS, passed("")),
    kind(
        NAMES,
        "names with NUL, line ends and 10,000 letters",
        lambda _: extra("x\0\n" + "y" * 10_000, pa.array(np.arange(ROWS) % 7)),
        FITS,
        passed("x\0\n" + "y" * 10_000),
    ),
    kind(
        NAMES,
        "names that are numbers",
        lambda _: pandas().assign(**{}).rename(columns={"a": 0}),
        FITS,
        refused(SchemaError, "- a", "+ 0"),
    ),
    kind(
        NAMES,
        "names of two levels",
        lambda _: pd.concat({"x": pandas()}, axis=1),
        FITS,
        refused(SchemaError, "- a", "('x', 'a')"),
    ),
    kind(
        NAMES,
        "numbers and text of the same name",
        lambda _: pd.DataFrame([[1.0, 2.0]] * 5, columns=[0, "0"]),
        **both(DataError, "'0'", "2 times"),
    ),
    kind(NOT, "nothing (None)", lambda _: None, **both(DataError, "NoneType")),
    kind(NOT, "a number", lambda _: 3, **both(DataError, "int")),
    kind(NOT, "a set", lambda _: {1, 2}, **both(DataError, "set")),
    kind(NOT, "a generator", lambda _: (x for x in "ab"), **both(DataError, "generator")),
    kind(NOT, "a class", lambda _: pd.DataFrame, **both(DataError, "the class DataFrame")),
    kind(
        NOT,
        "a mapping of single values",
        lambda _: {"a": 1.0, "n": 2},
        **both(ColumnError, "column 'a'", "a float"),
    ),
    kind(
        NOT,
        "a mapping of texts",
        lambda _: {"a": "one", "n": "two"},
        **both(ColumnError, "column 'a'", "a str"),
    ),
    kind(NOT, "an empty list", lambda _: [], **both(DataError, "two dimensions")),
    kind(NOT, "a sparse matrix", lambda _: scipy.sparse.csr_matrix(np.eye(5)), **both(DataError, "sparse")),
    kind(NOT, "the bytes of a file", lambda _: b"a,n\n1,2\n", **both(DataError, "bytes")),
]
