"""Conversions of a column's values: to arrow arrays, numbers, text and dates, and back."""

from __future__ import annotations

from textwrap import shorten
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.errors import ColumnError

Values: TypeAlias = "pa.Array | np.ndarray"
"""A column's values: an arrow array (of images: of tensors), or (rows, length) numbers for windows."""

# Formats of dates that are written as text, a choice of the usual ones. After dots the month, everywhere;
# with slashes and dashes the month comes first unless a day above 12 rules that out: "%m/%d" before "%d/%m".
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y")
TIME_FORMATS = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", "T%H:%M:%SZ", " %I:%M %p", " %I:%M:%S %p")
ZONE_REGEX = r":\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)$"  # the end of 12:00:00Z and of 12:00+01:00
DIRECTIVE_NAMES = {
    "%Y": "year",
    "%m": "month",
    "%d": "day",
    "%H": "hour",
    "%I": "hour",
    "%M": "minute",
    "%S": "second",
}
N_PROBED_TEXTS = 20  # values that are tried first: most text is no date, and the first few values show it
MAX_SHOWN = 60  # characters of a value in an error message


def to_array(values: Values) -> pa.Array:
    """Return values as an arrow array."""
    return pa.array(values) if isinstance(values, np.ndarray) else values


def at_rows(values: pa.Array, rows: np.ndarray, length: int) -> pa.Array:
    """Return a column with values at some rows, and missing at all others.

    Args:
        values: (some rows,).
        rows: their numbers.
        length: of the column.
    """
    place = np.full(length, -1)
    place[rows] = np.arange(len(rows))
    return values.take(pa.array(place, mask=place < 0))


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a column; of a dictionary, that of what it stands for."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain_values(values: pa.Array) -> pa.Array:
    """Return values without a dictionary, as what its numbers stand for."""
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def is_text(kind: pa.DataType | str) -> bool:
    """Return whether an arrow type, or its name, is text."""
    return str(kind) in ("string", "large_string", "string_view")


def to_float(values: Values, name: str) -> np.ndarray:
    """Return numbers as float64, missing values as NaN.

    Args:
        values: numbers, flags, or numbers written as text.
        name: the column's, for the message of an error.

    Raises:
        ColumnError: a value is no number.
    """
    if isinstance(values, np.ndarray):
        return values.astype(float)
    values = plain_values(values)
    try:
        if pa.types.is_decimal(values.type) or pa.types.is_boolean(values.type):
            values = values.cast(pa.float64(), safe=False)
        elif _is_plain_text(values.type):
            values = pc.utf8_trim_whitespace(values).cast(pa.float64())
        elif not (
            pa.types.is_integer(values.type)
            or pa.types.is_floating(values.type)
            or pa.types.is_null(values.type)
        ):
            raise pa.ArrowInvalid(f"{values.type} values")
    except pa.ArrowInvalid as error:
        row = _first_non_number(values)
        observed = _shown(values, row) if row is not None else f"{values.type} values"
        raise ColumnError(
            f"expected a number, got {observed}",
            column=name,
            row=row,
            hint=f"write a number or leave it empty; labels need a model fitted with categorical=[{name!r}]",
        ) from error
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=float)


def to_text(values: Values, name: str) -> pa.Array:
    """Return labels as arrow strings, missing values as nulls.

    Args:
        values: labels: text, numbers, flags, dates or times.
        name: the column's, for the message of an error.

    Raises:
        ColumnError: the values are of a type that has no text, for example lists.
    """
    values = plain_values(to_array(values))
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ColumnError(
            f"{values.type} values cannot be read as labels",
            column=name,
            hint=f"ignore it: ignore=[{name!r}]",
        ) from error


def known_texts(values: Values, name: str) -> pa.Array:
    """Return the labels that are there, see `to_text`.

    Args:
        values: (rows,) labels of a fit.
        name: the column's, for the message of an error.

    Raises:
        ColumnError: there is none, or they have no text.
    """
    known = to_text(values, name).drop_null()
    if not len(known):
        raise ColumnError("no value in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
    return known


def cast_text(text: pa.Array, kind: str) -> pa.Array:
    """Return text in a type of text; a view comes back as plain text.

    Args:
        text: (rows,) strings.
        kind: the name of an arrow type.
    """
    return text if kind in ("string", "string_view") else text.cast(pa.type_for_alias(kind))


def to_moments(values: Values, name: str, form: str = "") -> pa.Array:
    """Return dates as timestamps of microseconds, in their own time zone.

    Args:
        values: dates, or text.
        name: the column's, for the message of an error.
        form: the `strftime` format of text; empty to read it as ISO 8601, in UTC where it has an offset.

    Raises:
        ColumnError: a value is no date, or the time zone is not known on this machine.
    """
    values = to_array(values)
    if form and is_text(values.type):
        return _parse_moments(values.cast(pa.string()), name, form)
    hint = "write dates as 2026-01-31 or 2026-01-31T12:00:00"
    if pa.types.is_integer(values.type):
        raise ColumnError(f"expected dates, got {values.type} values", column=name, hint=hint)
    zone = getattr(values.type, "tz", None)
    if is_text(values.type) and pc.any(pc.match_substring_regex(values, ZONE_REGEX)).as_py():
        zone = "UTC"
    try:
        moments = values.cast(pa.timestamp("us", zone), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        row = _first_non_date(values, zone)
        observed = f"{values.type} values" if row is None else _shown(values, row)
        raise ColumnError(f"expected dates, got {observed}", column=name, row=row, hint=hint) from error
    try:
        pc.hour(moments.slice(0, 1))
    except pa.ArrowInvalid as error:
        raise ColumnError(
            f"the time zone {zone!r} is not known on this machine", column=name, hint="convert it to UTC"
        ) from error
    return moments


def to_seconds(moments: pa.Array) -> np.ndarray:
    """Return timestamps of microseconds as seconds since 1970, float64, missing values as NaN."""
    micro = moments.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(micro, dtype=float) / 1e6


def from_seconds(seconds: np.ndarray, zone: str | None = None) -> pa.Array:
    """Return seconds since 1970 as timestamps of microseconds: the inverse of `to_seconds`.

    Args:
        seconds: (rows,) finite numbers.
        zone: the time zone of the timestamps; None for none.
    """
    return pa.array((seconds * 1e6).astype(np.int64)).cast(pa.timestamp("us", zone))


def time_type(name: str) -> pa.DataType:
    """Return the arrow type of dates with this name, for example `timestamp[us, tz=UTC]`."""
    if name.startswith("date32"):
        return pa.date32()
    if name.startswith("date64"):
        return pa.date64()
    unit, _, zone = name.removeprefix("timestamp[").removesuffix("]").partition(", tz=")
    return pa.timestamp(unit, zone or None)


def find_date_formats(values: Values) -> list[str]:
    """Return the formats in which all of a column's text reads as dates, the likeliest first.

    An empty list means that the column is not text, or that its text is not dates.

    Example:
        >>> (
        ...     find_date_formats(pa.array(["31/12/2024", "01/02/2024"])),
        ...     find_date_formats(pa.array(["03/04/2024"])),
        ... )
        (['%d/%m/%Y'], ['%m/%d/%Y', '%d/%m/%Y'])
    """
    if not isinstance(values, pa.Array) or not is_text(values.type):
        return []
    text = pc.unique(values.cast(pa.string()).drop_null())
    few = text[:N_PROBED_TEXTS]
    if len(few) == 0 or not pc.all(pc.match_substring_regex(few, r"^\s*\d{1,4}[./-]\d")).as_py():
        return []
    forms = [date + time for date in DATE_FORMATS for time in TIME_FORMATS]
    return [f for f in forms if _strptime(few, f).null_count == 0 and _strptime(text, f).null_count == 0]


def format_in_words(form: str) -> str:
    """Return a `strftime` format in words.

    Example:
        >>> format_in_words("%d.%m.%Y %H:%M")
        'day.month.year hour:minute'
    """
    for directive, word in DIRECTIVE_NAMES.items():
        form = form.replace(directive, word)
    return form.replace("%p", "AM/PM")


def _parse_moments(text: pa.Array, name: str, form: str) -> pa.Array:
    """Return text of one format as timestamps; raise `ColumnError` at the first that is not of it."""
    moments = _strptime(text, form)
    wrong = pc.and_(text.is_valid(), moments.is_null()).to_numpy(zero_copy_only=False)
    if wrong.any():
        row = int(wrong.argmax())
        raise ColumnError(
            f"expected a date as {format_in_words(form)}, got {_shown(text, row)}",
            column=name,
            row=row,
            hint="write it like the others, or leave it empty",
        )
    return moments


def _strptime(text: pa.Array, form: str) -> pa.Array:
    """Return text as timestamps; null where it is not of this format."""
    text = pc.utf8_upper(pc.utf8_trim_whitespace(text))
    moments = pc.strptime(text, format=form, unit="s", error_is_null=True)
    # strptime takes 31.02. for a day of March, and 24 for a year: what is read must be what was written,
    # but for zeros in front.
    written, formatted = (
        pc.replace_substring_regex(t, r"\b0(\d)", r"\1") for t in (text, pc.strftime(moments, format=form))
    )
    return pc.if_else(pc.equal(written, formatted), moments, None).cast(pa.timestamp("us"))


def _is_plain_text(kind: pa.DataType) -> bool:
    """Return whether arrow can trim and cast text of this type; it cannot do so with views."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _first_non_number(values: pa.Array) -> int | None:
    """Return the row of the first text that is no number; None if the values are not text."""
    if not _is_plain_text(values.type):
        return None
    for row, value in enumerate(values.to_pylist()):
        try:
            float(value or 0)
        except ValueError:
            return row
    return None


def _first_non_date(values: pa.Array, zone: str | None) -> int | None:
    """Return the row of the first text that is no date; None if the values are not text."""
    for row in range(len(values) if is_text(values.type) else 0):
        try:
            values.slice(row, 1).cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            return row
    return None


def _shown(values: pa.Array, row: int) -> str:
    """Return a value as an error message shows it."""
    return shorten(repr(values[row].as_py()), MAX_SHOWN)
