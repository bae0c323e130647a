"""The user's table: read from any dataframe, array, mapping or file, and answered in the same library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.image import ARRAY_SHAPES, is_image, to_images, to_pixels
from diabolo.data.columns.objects import COMPLEX_HINT, from_objects, is_missing
from diabolo.data.files import read_file
from diabolo.data.images.folder import IMAGE_COLUMN, is_image_path, read_image_folder
from diabolo.data.images.memory import (
    are_images,
    is_array_file,
    is_pillow_image,
    read_array_file,
    stack_images,
)
from diabolo.errors import ColumnError, DataError

TABLE_HINT = "a dataframe, a numpy array, a mapping of columns, a list of rows, or the path of a file"


@dataclass(frozen=True)
class UserTable:
    """A table in arrow, with the dataframe library that it came from.

    Attributes:
        table: the data, in arrow.
        library: the dataframe library of answers: "pandas", "polars" or "pyarrow".
        index: the pandas index, if there is one.
        named: whether the columns had names of their own.
        frame: the user's own dataframe, if it is one of pandas or polars.
        optional: names of columns that are used only if an option names them: what a folder of images says
            beside the images.
    """

    table: pa.Table
    library: str = "pyarrow"
    index: Any = None
    named: bool = True
    frame: Any = None
    optional: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.table.num_rows)

    def columns(self) -> dict[str, pa.Array]:
        """Return name -> one contiguous arrow array, of a type that arrow can compute with."""
        return {
            n: _to_computable(_combine_chunks(c))
            for n, c in zip(self.table.column_names, self.table.columns, strict=True)
        }

    def to_native(self, columns: Mapping[str, Any], *, aligned: bool = True) -> Any:
        """Return columns as a dataframe of the user's own library.

        Args:
            columns: name -> values.
            aligned: whether its rows are the user's rows; then a pandas frame keeps its index.
        """
        table = pa.table({n: pa.array(v) if not isinstance(v, pa.Array) else v for n, v in columns.items()})
        if self.library == "polars":
            return nw.from_arrow(table, backend="polars").to_native()
        if self.library == "pandas":
            frame = table.to_pandas()
            for name, values in zip(table.column_names, table.columns, strict=True):
                if is_image(values.type):
                    frame[name] = list(to_pixels(_combine_chunks(values)))
            if aligned and self.index is not None and len(self.index) == len(frame):
                frame.index = self.index
            return frame
        return table

    def replace_cells(self, columns: Mapping[str, pa.Array], replaced: Mapping[str, np.ndarray]) -> Any:
        """Return the user's own table with some cells replaced; all else, types included, is unchanged.

        Args:
            columns: name -> values of all rows.
            replaced: name -> (rows,) flags: which of these values to take.
        """
        names = self.table.column_names
        if self.library == "polars" and self.frame is not None:
            new = nw.from_arrow(pa.table(dict(columns)), backend="polars")
            kinds = self.frame.schema
            new_columns = [new[n] if kinds[n] == nw.Unknown else _cast(new[n], kinds[n]) for n in columns]
            return self.frame.with_columns(*new_columns).to_native()
        if self.library == "pandas" and self.frame is not None:
            frame = self.frame.copy()
            for name, values in columns.items():
                position = names.index(name)
                rows = pa.array(np.flatnonzero(replaced[name]))
                frame.isetitem(
                    position, _replace_in_pandas(frame.iloc[:, position], values.take(rows), replaced[name])
                )
            return frame
        if self.library == "pyarrow":
            table = self.table
            for name, values in columns.items():
                position = names.index(name)
                kind = table.schema.field(position).type
                if pa.types.is_run_end_encoded(kind):
                    values = pc.run_end_encode(values, run_end_type=kind.run_end_type)
                elif pa.types.is_dictionary(kind):
                    values = values.dictionary_decode().cast(kind.value_type).dictionary_encode().cast(kind)
                if not pa.types.is_null(kind):
                    values = values.cast(kind)
                table = table.set_column(
                    position, table.schema.field(position).with_type(values.type), values
                )
            return table
        return self.to_native({**self.columns(), **columns})


def _cast(values: nw.Series[Any], kind: Any) -> nw.Series[Any]:
    """Return values in a type of polars; an Enum gains the categories that it lacks."""
    if isinstance(kind, nw.Enum):
        known = list(kind.categories)
        new = [v for v in values.unique().to_list() if v is not None and v not in known]
        kind = nw.Enum([*known, *sorted(new)])
    return values.cast(kind)


def read_user_table(data: Any) -> UserTable:
    """Read a path, dataframe (pandas, polars, pyarrow, ...), numpy array, mapping or sequence of rows.

    Raises:
        DataError: it is none of these, has no rows or no columns, or names a column twice.
    """
    if isinstance(data, UserTable):
        return data
    if type(data).__module__.startswith("scipy.sparse"):
        raise DataError("sparse input is not supported: the matrix is sparse", hint="X.toarray()")
    if isinstance(data, str | Path):
        return _read_path(data)
    if is_pillow_image(data):
        data = [data]
    if isinstance(data, list | tuple) and _are_paths(data):
        return UserTable(_table_of_paths(data))
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return _checked(UserTable(data))
    if isinstance(data, list | tuple) and data and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(name for row in data for name in row)
        data = {name: [row.get(name) for row in data] for name in names}
    if isinstance(data, np.ndarray) and data.dtype.names:
        data = {name: data[name].ravel() for name in data.dtype.names}
    if isinstance(data, Mapping):
        return _checked(UserTable(_from_mapping(data)))
    if type(data).__module__.startswith("pandas"):
        return _checked(_from_pandas(data))
    if hasattr(data, "detach"):
        data = data.detach().cpu()  # a tensor
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
            # Arrow has no whole numbers of 128 bits.
            wide = [n for n, kind in frame.schema.items() if kind in (nw.Int128, nw.UInt128)]
            table = (
                frame.with_columns(nw.col(*wide).cast(nw.Float64)).to_arrow() if wide else frame.to_arrow()
            )
            return _checked(UserTable(table, library=frame.implementation.value, frame=frame))
        if hasattr(data, "__arrow_c_stream__") and not isinstance(data, type):
            return _checked(UserTable(pa.table(data)))
        if isinstance(data, type) or not hasattr(data, "__array__"):
            raise DataError(f"expected a table, got {_describe_type(data)}", hint=TABLE_HINT)
    return _checked(_from_array(data))


def _read_path(path: str | Path) -> UserTable:
    """Read a folder of images, one image, a numpy file, or a file that holds a table."""
    if Path(path).is_dir():
        table = read_image_folder(Path(path))
        return UserTable(table, optional=tuple(n for n in table.column_names if n != IMAGE_COLUMN))
    if is_image_path(path):
        return UserTable(_table_of_paths([path]))
    if is_array_file(path):
        return read_user_table(read_array_file(path))
    return _checked(UserTable(read_file(path)))


def _are_paths(values: Sequence[Any]) -> bool:
    """Return whether values are paths of images; some may be missing."""
    known = [value for value in values if value is not None]
    return bool(known) and all(is_image_path(value) for value in known)


def _table_of_paths(paths: Sequence[Any]) -> pa.Table:
    """Return paths of images as a table of one column."""
    texts = [None if path is None else str(path).encode(errors="replace").decode() for path in paths]
    return pa.table({IMAGE_COLUMN: pa.array(texts, pa.string())})


def _describe_type(data: Any) -> str:
    """Return what data is, in words."""
    return f"the class {data.__name__}" if isinstance(data, type) else f"a {type(data).__name__}"


def _from_mapping(data: Mapping[str, Any]) -> pa.Table:
    """Return name -> values as an arrow table."""
    _check_unique([str(name) for name in data])
    for name, values in data.items():
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise ColumnError(
                f"expected one value for each row, got a {type(values).__name__}",
                column=str(name),
                hint=f"[{{...}}] for one row, or {{{str(name)!r}: [...]}}",
            )
    arrays = {str(n): _to_arrow(v, str(n)) for n, v in data.items()}
    lengths = {n: len(v) for n, v in arrays.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{n}: {c}" for n, c in list(lengths.items())[:5])
        raise DataError(
            f"the columns have different lengths ({shown})", hint="give each column one value for each row"
        )
    return pa.table(arrays)


def _from_pandas(data: Any) -> UserTable:
    """Read a dataframe or a series of pandas."""
    if data.ndim == 1:
        data = data.to_frame(name=data.name if data.name is not None else "value")
    names = [str(c) for c in data.columns]
    _check_unique(names)
    arrays = {}
    for position, name in enumerate(names):
        column = data.iloc[:, position]
        if "Sparse" in str(column.dtype):
            column = column.sparse.to_dense()
        arrays[name] = _to_arrow(column, name)
    return UserTable(pa.table(arrays), "pandas", data.index, frame=data)


def _from_array(data: Any) -> UserTable:
    """Read an array, or a sequence of rows: a table, or images."""
    if isinstance(data, list | tuple) and are_images(data):
        return UserTable(pa.table({IMAGE_COLUMN: stack_images(data, IMAGE_COLUMN)}), named=False)
    if isinstance(data, list | tuple):
        sizes = [len(row) if isinstance(row, list | tuple | np.ndarray) else 1 for row in data]
        bad = next((row for row, size in enumerate(sizes) if size != sizes[0]), None)
        if bad is not None:
            raise DataError(
                f"row {bad} has {sizes[bad]} values, the rows before it have {sizes[0]}",
                hint="give all rows the same number of values; None stands for a missing value",
            )
    array = data if isinstance(data, np.ma.MaskedArray) else np.asarray(data)
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported: the array holds complex numbers", hint="X.real")
    if array.ndim in (3, 4):
        return UserTable(pa.table({IMAGE_COLUMN: to_images(array, IMAGE_COLUMN)}), named=False)
    if array.ndim != 2:
        hint = "Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row"
        if array.ndim > 4:
            hint = f"give images as {ARRAY_SHAPES}"
        raise DataError(f"expected a table of two dimensions, got {array.ndim}", hint=hint)
    names = [f"x{i}" for i in range(array.shape[1])]
    table = pa.table({n: _to_arrow(array[:, i], n) for i, n in enumerate(names)}) if names else pa.table({})
    if not names:
        raise DataError(
            f"0 feature(s) (shape={array.shape}) while a minimum of 1 is required.",
            hint="give it at least one column",
        )
    return UserTable(table, named=False)


def _to_arrow(values: Any, name: str) -> pa.Array:
    """Return the values of one column as an arrow array."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _combine_chunks(values)
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()  # a tensor
    if str(getattr(values, "dtype", "object")) == "object" and not isinstance(values, Mapping):
        listed = values if isinstance(values, list | tuple) else list(values)
        listed = [None if is_missing(value) else value for value in listed]
        if are_images(listed):
            return stack_images(listed, name)
        if any(isinstance(value, Path) for value in listed):
            values = [str(value) if isinstance(value, Path) else value for value in listed]
    if isinstance(values, np.ndarray) and values.ndim in (3, 4):
        return to_images(values, name)
    kind = getattr(values, "dtype", None)
    if isinstance(kind, np.dtype) and kind.kind == "c":
        raise ColumnError("complex numbers cannot be read", column=name, hint=COMPLEX_HINT)
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "mM" and np.datetime_data(values.dtype)[0] not in (
            "D",
            "s",
            "ms",
            "us",
            "ns",
        ):
            values = values.astype(f"{values.dtype.kind}8[s]")
        if values.dtype.kind == "m":
            values = values.astype("m8[us]")  # arrow has no durations of days
        if values.dtype.kind in "biufM":
            # Arrow has neither the other byte order nor floats beyond 64 bits.
            wide = values.dtype.kind == "f" and values.dtype.itemsize > 8
            values = values.astype(np.float64 if wide else values.dtype.newbyteorder("="), copy=False)
        mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
        values = np.ascontiguousarray(np.ma.getdata(values)).reshape(-1)
        if values.dtype.kind not in "OUSMm":
            return pa.array(values, mask=mask)
        if mask is not None:
            values = np.where(mask, None, values.astype(object))
    try:
        return _combine_chunks(pa.array(values, from_pandas=True))
    except (pa.ArrowException, TypeError, OverflowError, UnicodeEncodeError):
        return from_objects(list(values), name)


def _replace_in_pandas(column: Any, new: pa.Array, replaced: np.ndarray) -> Any:
    """Return a pandas column with new values where flagged, in its own type."""
    if "Sparse" in str(column.dtype):
        return _replace_in_pandas(column.sparse.to_dense(), new, replaced).astype(column.dtype)
    column = column.copy()
    if hasattr(column, "cat"):
        known = set(column.cat.categories)
        column = column.cat.add_categories([v for v in dict.fromkeys(new.to_pylist()) if v not in known])
    if column.dtype == object:
        values = np.empty(len(new), object)
        values[:] = list(to_pixels(new)) if is_image(new.type) else new.to_pylist()
        column.iloc[np.flatnonzero(replaced)] = values
    else:
        column.iloc[np.flatnonzero(replaced)] = new.to_pandas().astype(column.dtype).array
    return column


def _to_computable(values: pa.Array) -> pa.Array:
    """Return values of a type that arrow cannot compute with as a plain type that holds the same values."""
    if pa.types.is_run_end_encoded(values.type):
        values = pc.run_end_decode(values)
    if pa.types.is_string_view(values.type):
        return values.cast(pa.string())
    return values.cast(pa.float32()) if pa.types.is_float16(values.type) else values


def _combine_chunks(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return values as one contiguous array."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _check_unique(names: list[str]) -> None:
    """Raise `DataError` if a name occurs twice."""
    repeated = [n for n, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"the column {repeated[0]!r} occurs {names.count(repeated[0])} times",
            hint="give each column a name of its own",
        )


def _checked(user_table: UserTable) -> UserTable:
    """Return a table, or raise `DataError` if it has no rows, no columns, or two of one name."""
    _check_unique(user_table.table.column_names)
    if user_table.table.num_columns == 0:
        raise DataError("the data has no columns", hint="give it at least one column")
    if user_table.rows == 0:
        raise DataError(
            "0 sample(s): the data has columns but no rows; a minimum of 1 is required.",
            hint="check the selection of the rows",
        )
    return user_table
