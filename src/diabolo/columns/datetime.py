"""Dates and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.columns.base import Column, Part, Values, to_array
from diabolo.columns.number import Number
from diabolo.errors import ColumnError
from diabolo.fields import Field, Symbol

# Parts of a date: (symbols of the circle, how to read it, length of the circle in days). A part is used
# if the data spans its circle at least twice: with less, it only says when something was recorded.
PARTS: dict[str, tuple[int, Any, float]] = {
    "month": (12, lambda t: pc.subtract(pc.month(t), 1), 365.25),
    "weekday": (7, pc.day_of_week, 7.0),
    "hour": (24, pc.hour, 1.0),
}
DAY = 86_400.0


@dataclass
class Datetime(Column):
    """A moment: the seconds since the first one seen, and its parts on their circles.

    Args:
        elapsed: hold the elapsed time too. Off for the calendar of a series: in new data the time only
            ever lies beyond what was seen, which says nothing.

    Attributes:
        parts: the parts in use, each a circle of symbols.
        counts: part -> (symbols + 1,) how often each occurs.
        clock: the elapsed seconds, as a number.
        unit: seconds that all moments are whole multiples of: a day, an hour, a minute, a second; or 0.
        type: the arrow type of the column, restored in answers.
    """

    elapsed: bool = True
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
        return isinstance(values, pa.Array) and bool(
            pa.types.is_timestamp(values.type) or pa.types.is_date(values.type)
        )

    def fit(self, values: Values, name: str) -> Self:
        values = to_array(values)
        moments = to_moments(values, name)
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
        return replace(self, parts=list(counts), counts=counts, clock=clock, unit=unit, type=str(values.type))

    @property
    def fields(self) -> tuple[Field, ...]:
        circles = tuple(Symbol(self.counts[p], circular=True) for p in self.parts)
        return (*self.clock.fields, *circles) if self.elapsed else circles

    def encode(self, values: Values, name: str) -> list[Part]:
        moments = to_moments(values, name)
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
        target = arrow_time(self.type)
        if self.unit:
            seconds = np.round(seconds / self.unit) * self.unit
        moments = pa.array((seconds * 1e6).astype(np.int64), pa.timestamp("us"))
        if getattr(target, "tz", None):
            moments = moments.cast(pa.timestamp("us", target.tz))
        return moments.cast(target, safe=False)

    def describe(self) -> str:
        first, last = (np.datetime64(int(s * 1e6), "us") for s in (self.clock.low, self.clock.high))
        return f"{str(first)[:19]} to {str(last)[:19]}; {', '.join(self.parts) or 'no'} cycle"


def to_moments(values: Values, name: str) -> pa.Array:
    """Dates as timestamps of microseconds in their own time zone; text is read as ISO 8601."""
    values = to_array(values)
    try:
        zone = getattr(values.type, "tz", None)
        return values.cast(pa.timestamp("us", zone), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ColumnError(
            f"expected dates, got {values.type} values",
            column=name,
            hint="write dates as 2026-01-31 or 2026-01-31T12:00:00",
        ) from error


def to_seconds(moments: pa.Array) -> np.ndarray:
    """Seconds since 1970, float64, holes as NaN."""
    micro = moments.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(micro, dtype=float) / 1e6


def arrow_time(name: str) -> pa.DataType:
    """The arrow type of dates with this name, for example `timestamp[us, tz=UTC]`."""
    if name.startswith("date32"):
        return pa.date32()
    if name.startswith("date64"):
        return pa.date64()
    unit, _, zone = name.removeprefix("timestamp[").removesuffix("]").partition(", tz=")
    return pa.timestamp(unit, zone or None)
