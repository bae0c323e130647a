"""The user's own table: any dataframe, array, mapping or file in; the same kind of dataframe out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from diabolo.errors import ColumnError, DataError
from diabolo.sources.files import read_file


@dataclass(frozen=True)
class Native:
    """A table that remembers where it came from.

    Attributes:
        table: the data, in arrow.
        library: the dataframe library that answers are given in: "pandas", "polars" or "pyarrow".
        index: the pandas index, if there is one.
        named: whether the columns had names of their own.
    """

    table: pa.Table
    library: str = "pyarrow"
    index: Any = None
    named: bool = True

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.table.num_rows)

    def columns(self) -> dict[str, pa.Array]:
        """Name -> one contiguous arrow array."""
        return {n: _whole(c) for n, c in zip(self.table.column_names, self.table.columns, strict=True)}

    def give(self, columns: Mapping[str, Any], *, aligned: bool = True) -> Any:
        """Columns as a dataframe of the user's own library.

        Args:
            columns: name -> values.
            aligned: whether its rows are the user's rows; then a pandas frame keeps its index.
        """
        table = pa.table({n: pa.array(v) if not isinstance(v, pa.Array) else v for n, v in columns.items()})
        if self.library == "polars":
            return nw.from_arrow(table, backend="polars").to_native()
        if self.library == "pandas":
            frame = table.to_pandas()
            if aligned and self.index is not None and len(self.index) == len(frame):
                frame.index = self.index
            return frame
        return table


def read_native(data: Any) -> Native:
    """Read a path, dataframe (pandas, polars, pyarrow, ...), numpy array, mapping or sequence of rows.

    Raises:
        DataError: it is none of these, has no rows or no columns, or names a column twice.
    """
    if isinstance(data, Native):
        return data
    if type(data).__module__.startswith("scipy.sparse"):
        raise DataError("sparse input is not supported: the matrix is sparse", hint="X.toarray()")
    if isinstance(data, str | Path):
        return _checked(Native(read_file(data)))
    if isinstance(data, pa.Table | pa.RecordBatch):
        return _checked(Native(pa.table(data)))
    if isinstance(data, Mapping):
        return _checked(Native(_from_mapping(data)))
    if type(data).__module__.startswith("pandas"):
        return _checked(_from_pandas(data))
    if not isinstance(data, np.ndarray | list | tuple):
        try:
            frame = nw.from_native(data, allow_series=True)
        except TypeError:
            frame = None
        if isinstance(frame, nw.Series):
            frame = frame.to_frame()
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        if isinstance(frame, nw.DataFrame):
            return _checked(Native(frame.to_arrow(), library=frame.implementation.value))
    return _checked(_from_array(data))


def _from_mapping(data: Mapping[str, Any]) -> pa.Table:
    arrays = {str(n): _to_arrow(v, str(n)) for n, v in data.items()}
    lengths = {n: len(v) for n, v in arrays.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{n}: {c}" for n, c in list(lengths.items())[:5])
        raise DataError(f"the columns have different lengths ({shown})")
    return pa.table(arrays)


def _from_pandas(data: Any) -> Native:
    if data.ndim == 1:
        data = data.to_frame(name=data.name if data.name is not None else "value")
    names = [str(c) for c in data.columns]
    _unique(names)
    arrays = {}
    for position, name in enumerate(names):
        column = data.iloc[:, position]
        if "Sparse" in str(column.dtype):
            column = column.sparse.to_dense()
        arrays[name] = _to_arrow(column, name)
    return Native(pa.table(arrays), "pandas", data.index)


def _from_array(data: Any) -> Native:
    array = np.asarray(data)
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported: the array holds complex numbers", hint="X.real")
    if array.ndim != 2:
        hint = "Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row"
        raise DataError(f"expected a table of two dimensions, got {array.ndim}", hint=hint)
    names = [f"x{i}" for i in range(array.shape[1])]
    table = pa.table({n: _to_arrow(array[:, i], n) for i, n in enumerate(names)}) if names else pa.table({})
    if not names:
        raise DataError(f"0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")
    return Native(table, named=False)


def _to_arrow(values: Any, name: str) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _whole(values)
    if isinstance(values, np.ndarray) and values.dtype.kind == "c":
        raise ColumnError("complex numbers cannot be read", column=name, hint="use their real part or size")
    if isinstance(values, np.ndarray) and values.dtype.kind not in "OUSM":
        return pa.array(np.ascontiguousarray(values))
    try:
        return _whole(pa.array(values, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError):
        # Mixed types: text stands for all of them, and the schema shows it as a category.
        return pa.array([None if v is None or v != v else str(v) for v in values], pa.string())


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _unique(names: list[str]) -> None:
    twice = [n for n, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"the column {twice[0]!r} occurs {names.count(twice[0])} times",
            hint="give each column a name of its own",
        )


def _checked(native: Native) -> Native:
    _unique(native.table.column_names)
    if native.table.num_columns == 0:
        raise DataError("the data has no columns")
    if native.rows == 0:
        raise DataError("0 sample(s): the data has columns but no rows; a minimum of 1 is required.")
    return native
