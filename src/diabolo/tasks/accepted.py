"""Corrections that a person has accepted: read from a list, and checked against the data."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from diabolo.data.columns.convert import plain_type
from diabolo.data.files import file_format, read_texts
from diabolo.data.sources import read_user_table
from diabolo.errors import ColumnError, DataError
from diabolo.utils.text import shorten

NEEDED = ("row", "column", "new")  # columns of a list of corrections; `old` may be there as well
TEXT_FORMATS = (".csv", ".tsv", ".txt", "")
LIST_HINT = "the columns row, column and new; with old, the data must still have that value"


@dataclass(frozen=True)
class _Correction:
    """A line of the list.

    Attributes:
        row: of the cell, counted from 0.
        column: of the cell.
        new: the value to write.
        old: the value that the data must have; None for a missing one.
    """

    row: int
    column: str
    new: Any
    old: Any


def accepted_values(accepted: Any, columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Return column -> (rows,) the accepted values, null in the cells that stay as they are.

    Every line is checked before anything is returned. A line whose `new` is empty was not accepted.

    Args:
        accepted: the path of a file, a dataframe, or a mapping of columns: row, column, new and perhaps old.
        columns: name -> values of the data.

    Raises:
        DataError: the list cannot be read, or names a row or a column that the data does not have, an old
            value that it does not have, or a new one that its column cannot hold.
    """
    lines, has_old = _read_lines(accepted)
    found: dict[str, dict[int, Any]] = {}
    for line in lines:
        _check_place(line, columns)
        values = columns[line.column]
        if has_old:
            _check_old(line, values)
        new = _to_value(line.new, values.type)
        if new is None:
            raise ColumnError(
                f"the accepted value {_shown(line.new)} does not fit the type {plain_type(values.type)}",
                column=line.column,
                row=line.row,
                hint="write it as the other values of the column are written",
            )
        earlier = found.setdefault(line.column, {}).setdefault(line.row, new)
        if earlier != new:
            raise ColumnError(
                f"two values are accepted for this cell: {_shown(earlier)} and {_shown(new)}",
                column=line.column,
                row=line.row,
                hint="keep one line for each cell",
            )
    return {
        name: pa.array([found[name].get(row) for row in range(len(values))], plain_type(values.type))
        for name, values in columns.items()
        if name in found
    }


def _read_lines(accepted: Any) -> tuple[list[_Correction], bool]:
    """Return the lines with a new value, and whether the list has old values."""
    table = _read_list(accepted)
    if absent := [name for name in NEEDED if name not in table]:
        raise DataError(
            f"accepted: the list has no column {absent[0]!r}; it has {', '.join(map(repr, table)) or 'none'}",
            hint=LIST_HINT,
        )
    has_old = "old" in table
    old = table["old"] if has_old else [None] * len(table["row"])
    cells = zip(table["row"], table["column"], table["new"], old, strict=True)
    lines = [
        _Correction(_to_row(row, place), str(column), new, None if _is_empty(old) else old)
        for place, (row, column, new, old) in enumerate(cells)
        if not _is_empty(new)
    ]
    return lines, has_old


def _read_list(accepted: Any) -> Mapping[str, Sequence[Any]]:
    """Return the list as column -> values; those of a csv file are texts, as they are written there."""
    if isinstance(accepted, str | Path) and file_format(Path(accepted))[0] in TEXT_FORMATS:
        return read_texts(accepted)
    return {name: values.to_pylist() for name, values in read_user_table(accepted).columns().items()}


def _to_row(row: Any, place: int) -> int:
    """Return the number of a row; a spreadsheet may have written 12 as 12.0."""
    try:
        number = float(row)
        if number != int(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            f"accepted: line {place}: {_shown(row)} is not the number of a row",
            hint="rows are whole numbers, counted from 0",
        ) from None
    return int(number)


def _check_place(line: _Correction, columns: Mapping[str, pa.Array]) -> None:
    """Check that the data has the cell of a line."""
    if line.column not in columns:
        near = difflib.get_close_matches(line.column, columns, n=1) or list(columns)[:5]
        raise ColumnError(
            "a correction of it is accepted, but the data has no such column",
            column=shorten(line.column),
            row=line.row,
            hint=f"the data has {', '.join(shorten(name) for name in near)}",
        )
    rows = len(columns[line.column])
    if not 0 <= line.row < rows:
        raise ColumnError(
            f"a correction of it is accepted, but the data has {rows:,} rows",
            column=line.column,
            row=line.row,
            hint=f"rows are counted from 0 to {rows - 1}",
        )


def _check_old(line: _Correction, values: pa.Array) -> None:
    """Check that a cell has the value that the list says."""
    present = values[line.row].as_py()
    if _is_empty(present) and line.old is None:
        return
    if line.old is not None and not _is_empty(present):
        if str(present) == str(line.old):
            return
        old = _to_value(line.old, values.type)
        if old is not None and old == present:
            return
    raise ColumnError(
        f"the list of corrections says that it has {_shown(line.old)}, and it has {_shown(present)}",
        column=line.column,
        row=line.row,
        hint="repair the same rows, in the same order, as those that the list was made from",
    )


def _to_value(value: Any, kind: pa.DataType) -> Any:
    """Return a value as a column of a type holds it; None if it does not fit."""
    kind = plain_type(kind)
    if pa.types.is_null(kind):
        return str(value)
    for given in (value, _whole_number(value)):
        if given is None:
            continue
        for read in (_as_text, _as_it_is):
            try:
                return read(given, kind)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                continue
    return None


def _as_text(value: Any, kind: pa.DataType) -> Any:
    """Return what a column of a type holds where a file has this text."""
    if pa.types.is_boolean(kind) and str(value).strip().lower() in ("yes", "no"):
        return str(value).strip().lower() == "yes"
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    text = str(value) if is_text else str(value).strip()
    return pa.array([text], pa.string()).cast(kind)[0].as_py()


def _as_it_is(value: Any, kind: pa.DataType) -> Any:
    """Return what a column of a type holds for a value that is no text."""
    if isinstance(value, str):
        raise TypeError
    return pa.array([value], kind)[0].as_py()


def _whole_number(value: Any) -> int | None:
    """Return 20.0, also as text, as 20; None for all that is no whole number."""
    try:
        number = float(value)
        return int(number) if number == int(number) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _is_empty(value: Any) -> bool:
    """Return whether there is no value: None, NaN or an empty text."""
    try:
        return value is None or value == "" or bool(value != value)
    except (TypeError, ValueError):
        return False


def _shown(value: Any) -> str:
    """Return a value as the message of an error shows it."""
    return "no value" if value is None else repr(shorten(str(value)))
