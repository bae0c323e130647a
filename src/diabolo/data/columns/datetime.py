"""Dates and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from textwrap import shorten
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.base import Column, Part, Values, to_array
from diabolo.data.columns.number import Number
from diabolo.data.fields import Field, Symbol
from diabolo.errors import ColumnError

# Parts of a date: (symbols of the circle, how to read it, length of the circle in days). A part is used
# if the data spans its circle at least twice: with less, it only says when something was recorded.
PARTS: dict[str, tuple[int, Any, float]] = {
    "month": (12, lambda t: pc.subtract(pc.month(t), 1), 365.25),
    "weekday": (7, pc.day_of_week, 7.0),
    "hour": (24, pc.hour, 1.0),
}
DAY = 86_400.0

# How dates are written as text. After dots the month, everywhere; with slashes and dashes the month comes
# first unless a day above 12 rules that out, so "%m/%d" stands before "%d/%m".
DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y")
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", "T%H:%M:%SZ", " %I:%M %p", " %I:%M:%S %p")
ISO = "%Y-%m-%dT%H:%M:%S"
ZONED = r":\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)$"  # how 12:00:00Z and 12:00+01:00 end
WORDS = {"%Y": "year", "%m": "month", "%d": "day", "%H": "hour", "%I": "hour", "%M": "minute", "%S": "second"}


@dataclass
class Datetime(Column):
    """A moment: the seconds since the first one seen, and its parts on their circles.

    Args:
        elapsed: hold the elapsed time too. Off for the calendar of a series: in new data the time only
            ever lies beyond what was seen, which says nothing.
        form: how dates are written where they are text, as `strftime` has it: "%d/%m/%Y"; empty to find out.

    Attributes:
        parts: the parts in use, each a circle of symbols.
        counts: part -> (symbols + 1,) how often each occurs.
        clock: the elapsed seconds, as a number.
        unit: seconds that all moments are whole multiples of: a day, an hour, a minute, a second; or 0.
        type: the arrow type of the column, restored in answers.
    """

    elapsed: bool = True
    form: str = ""
    parts: list[str] = field(default_factory=list)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    clock: Number = field(default_factory=Number)
    unit: float = 0.0
    type: str = "timestamp[us]"

    kind = "datetime"

    def __post_init__(self) -> None:
        self.counts = {k: np.asarray(v, dtype=float) for k, v in self.counts.items()}
        if isinstance(self.clock, dict):
            self.clock = Number(**self.clock)

    @classmethod
    def claims(cls, values: Values) -> bool:
        return isinstance(values, pa.Array) and (
            bool(pa.types.is_timestamp(values.type) or pa.types.is_date(values.type))
            or bool(forms_of(values))
        )

    def fit(self, values: Values, name: str) -> Self:
        values = to_array(values)
        form = self.form or next(iter(forms_of(values)), "")
        moments = to_moments(values, name, form)
        seconds = to_seconds(moments)
        known = seconds[~np.isnan(seconds)]
        if len(known) == 0:
            raise ColumnError("no date in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        days = float(known.max() - known.min()) / DAY
        counts = {}
        for part, (size, read, circle) in PARTS.items():
            symbols = read(moments).drop_null().to_numpy(zero_copy_only=False).astype(np.int64) + 1
            if days >= 2 * circle and len(np.unique(symbols)) > 1:
                counts[part] = np.bincount(symbols, minlength=size + 1).astype(float)
        unit = next((u for u in (DAY, 3600.0, 60.0, 1.0) if not (known % u).any()), 0.0)
        clock = Number().fit(pa.array(seconds, from_pandas=True), name)
        return replace(
            self,
            form=form,
            parts=list(counts),
            counts=counts,
            clock=clock,
            unit=unit,
            type=str(values.type),
        )

    @property
    def fields(self) -> tuple[Field, ...]:
        circles = tuple(Symbol(self.counts[p], circular=True) for p in self.parts)
        return (*self.clock.fields, *circles) if self.elapsed else circles

    def encode(self, values: Values, name: str) -> list[Part]:
        moments = to_moments(values, name, self.form)
        visible = moments.is_valid().to_numpy(zero_copy_only=False)
        parts: list[Part] = []
        if self.elapsed:
            parts += self.clock.encode(pa.array(to_seconds(moments), from_pandas=True), name)
        for part in self.parts:
            symbols = pc.fill_null(PARTS[part][1](moments), 0).to_numpy(zero_copy_only=False)
            parts.append((symbols.astype(np.int64) + 1, visible))
        return parts

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        seconds = np.zeros(len(parts[0]))
        if self.elapsed:
            seconds = parts[0].astype(float) * self.clock.scale + self.clock.mean
        if self.unit:
            seconds = np.round(seconds / self.unit) * self.unit
        moments = from_seconds(seconds)
        if is_text(self.type):
            return pc.strftime(moments.cast(pa.timestamp("s"), safe=False), format=self.form or ISO)
        target = arrow_time(self.type)
        if getattr(target, "tz", None):
            moments = moments.cast(pa.timestamp("us", target.tz))
        return moments.cast(target, safe=False)

    def describe(self) -> str:
        ends = (np.datetime64(int(s * 1e6), "us") for s in (self.clock.low, self.clock.high))
        digits = 10 if self.unit == DAY else 19
        first, last = (str(t)[:digits].replace("T", " ") for t in ends)
        return f"{first} to {last}; {', '.join(self.parts) or 'no'} cycle"


def to_moments(values: Values, name: str, form: str = "") -> pa.Array:
    """Dates as timestamps of microseconds in their own time zone.

    Args:
        values: dates, or text.
        name: the column's.
        form: how text is to be read; without one, as ISO 8601, in UTC where it tells its distance from that.
    """
    values = to_array(values)
    if form and is_text(values.type):
        text = values.cast(pa.string())
        moments = _read(text, form)
        bad = pc.and_(text.is_valid(), moments.is_null()).to_numpy(zero_copy_only=False)
        if bad.any():
            row = int(bad.argmax())
            raise ColumnError(
                f"expected a date as {in_words(form)}, got {shorten(repr(text[row].as_py()), 60)}",
                column=name,
                row=row,
                hint="write it like the others, or leave it empty",
            )
        return moments
    hint = "write dates as 2026-01-31 or 2026-01-31T12:00:00"
    if pa.types.is_integer(values.type):
        raise ColumnError(f"expected dates, got {values.type} values", column=name, hint=hint)
    zone = getattr(values.type, "tz", None)
    if is_text(values.type) and pc.any(pc.match_substring_regex(values, ZONED)).as_py():
        zone = "UTC"
    try:
        moments = values.cast(pa.timestamp("us", zone), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        bad = _first_bad(values, zone)
        got = f"{values.type} values" if bad is None else shorten(repr(values[bad].as_py()), 60)
        raise ColumnError(f"expected dates, got {got}", column=name, row=bad, hint=hint) from error
    try:
        pc.hour(moments.slice(0, 1))
    except pa.ArrowInvalid as error:
        raise ColumnError(
            f"the time zone {zone!r} is not known here", column=name, hint="convert it to UTC"
        ) from error
    return moments


def _first_bad(values: pa.Array, zone: str | None) -> int | None:
    for row in range(len(values) if is_text(values.type) else 0):
        try:
            values.slice(row, 1).cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            return row
    return None


def forms_of(values: Values) -> list[str]:
    """The forms in which all of a column's text reads as dates, the likeliest first; none if it is no text.

    Example:
        >>> forms_of(pa.array(["31/12/2024", "01/02/2024"])), forms_of(pa.array(["03/04/2024"]))
        (['%d/%m/%Y'], ['%m/%d/%Y', '%d/%m/%Y'])
    """
    if not isinstance(values, pa.Array) or not is_text(values.type):
        return []
    text = pc.unique(values.cast(pa.string()).drop_null())
    # Most text is no date, and the first few values show it.
    few = text[:20]
    if len(few) == 0 or not pc.all(pc.match_substring_regex(few, r"^\s*\d{1,4}[./-]\d")).as_py():
        return []
    forms = [date + time for date in DATES for time in TIMES]
    return [f for f in forms if _read(few, f).null_count == 0 and _read(text, f).null_count == 0]


def in_words(form: str) -> str:
    """A form as people say it.

    Example:
        >>> in_words("%d.%m.%Y %H:%M")
        'day.month.year hour:minute'
    """
    for sign, word in WORDS.items():
        form = form.replace(sign, word)
    return form.replace("%p", "AM/PM")


def _read(text: pa.Array, form: str) -> pa.Array:
    """Text as moments; null where it is not written like this."""
    text = pc.utf8_upper(pc.utf8_trim_whitespace(text))
    moments = pc.strptime(text, format=form, unit="s", error_is_null=True)
    # strptime takes 31.02. for a day of March, and 24 for a year: what is read must be what was written,
    # but for zeros in front.
    there, back = (
        pc.replace_substring_regex(t, r"\b0(\d)", r"\1") for t in (text, pc.strftime(moments, format=form))
    )
    return pc.if_else(pc.equal(there, back), moments, None).cast(pa.timestamp("us"))


def is_text(kind: pa.DataType | str) -> bool:
    """Whether this arrow type, or its name, is text."""
    return str(kind) in ("string", "large_string", "string_view")


def to_seconds(moments: pa.Array) -> np.ndarray:
    """Seconds since 1970, float64, holes as NaN."""
    micro = moments.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(micro, dtype=float) / 1e6


def from_seconds(seconds: np.ndarray, zone: str | None = None) -> pa.Array:
    """The inverse of `to_seconds`."""
    return pa.array((seconds * 1e6).astype(np.int64)).cast(pa.timestamp("us", zone))


def arrow_time(name: str) -> pa.DataType:
    """The arrow type of dates with this name, for example `timestamp[us, tz=UTC]`."""
    if name.startswith("date32"):
        return pa.date32()
    if name.startswith("date64"):
        return pa.date64()
    unit, _, zone = name.removeprefix("timestamp[").removesuffix("]").partition(", tz=")
    return pa.timestamp(unit, zone or None)
