"""Dates and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.base import Column, Part, Values
from diabolo.data.columns.convert import (
    find_date_formats,
    from_seconds,
    is_text,
    time_type,
    to_array,
    to_moments,
    to_seconds,
)
from diabolo.data.columns.number import Number
from diabolo.data.fields import Field, Symbol
from diabolo.errors import ColumnError
from diabolo.utils.checks import is_finite_number, require

# Cycles of a date: name -> (symbols, function that reads them, length in days). A cycle is used
# if the data spans it at least twice: with less, it only says when something was recorded.
CYCLES: dict[str, tuple[int, Any, float]] = {
    "month": (12, lambda t: pc.subtract(pc.month(t), 1), 365.25),
    "weekday": (7, pc.day_of_week, 7.0),
    "hour": (24, pc.hour, 1.0),
}
DAY = 86_400.0  # seconds
UNITS = (DAY, 3600.0, 60.0, 1.0)  # seconds that the moments of a column can be whole multiples of
ISO_FORMAT = "%Y-%m-%dT%H:%M:%S"


@dataclass
class Datetime(Column):
    """A moment: the elapsed time, and its place in the cycles of the calendar.

    Args:
        elapsed: whether to read the elapsed time too. False for the calendar of a series: new times
            always lie beyond those of the fit, which says nothing.
        form: the `strftime` format of dates that are text, for example "%d/%m/%Y"; empty to find out.

    Attributes:
        parts: the cycles in use: "month", "weekday", "hour".
        counts: cycle -> (symbols + 1,) how often each occurs.
        clock: the elapsed time in seconds, as a number.
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
            or bool(find_date_formats(values))
        )

    def fit(self, values: Values, name: str) -> Self:
        """Learn the format of the dates, their range and unit, and the cycles that they span.

        Args:
            values: (rows,) dates, or text.
            name: the column's.

        Raises:
            ColumnError: a value is no date, or there is none.
        """
        values = to_array(values)
        form = self.form or next(iter(find_date_formats(values)), "")
        moments = to_moments(values, name, form)
        seconds = to_seconds(moments)
        known = seconds[~np.isnan(seconds)]
        if len(known) == 0:
            raise ColumnError("no date in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        days = float(known.max() - known.min()) / DAY
        counts = {}
        for part, (size, read, cycle_days) in CYCLES.items():
            symbols = read(moments).drop_null().to_numpy(zero_copy_only=False).astype(np.int64) + 1
            if days >= 2 * cycle_days and len(np.unique(symbols)) > 1:
                counts[part] = np.bincount(symbols, minlength=size + 1).astype(float)
        unit = next((u for u in UNITS if not (known % u).any()), 0.0)
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
        cycles = tuple(Symbol(self.counts[p], circular=True) for p in self.parts)
        return (*self.clock.fields, *cycles) if self.elapsed else cycles

    def encode(self, values: Values, name: str) -> list[Part]:
        """Return the elapsed time in standard units, and a symbol for each cycle.

        Args:
            values: (rows,) dates, or text in the format of the fit.
            name: the column's.

        Raises:
            ColumnError: a value is no date.
        """
        moments = to_moments(values, name, self.form)
        visible = moments.is_valid().to_numpy(zero_copy_only=False)
        parts: list[Part] = []
        if self.elapsed:
            parts += self.clock.encode(pa.array(to_seconds(moments), from_pandas=True), name)
        for part in self.parts:
            symbols = pc.fill_null(CYCLES[part][1](moments), 0).to_numpy(zero_copy_only=False)
            parts.append((symbols.astype(np.int64) + 1, visible))
        return parts

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        """Return dates in the type and the format of the fit.

        Args:
            parts: (rows,) the elapsed time in standard units, then the symbols of cycles, which are not used.
            exact: makes no difference.
        """
        seconds = np.zeros(len(parts[0]))
        if self.elapsed:
            seconds = parts[0].astype(float) * self.clock.scale + self.clock.mean
        if self.unit:
            seconds = np.round(seconds / self.unit) * self.unit
        moments = from_seconds(seconds)
        if is_text(self.type):
            return pc.strftime(moments.cast(pa.timestamp("s"), safe=False), format=self.form or ISO_FORMAT)
        target = time_type(self.type)
        if getattr(target, "tz", None):
            moments = moments.cast(pa.timestamp("us", target.tz))
        return moments.cast(target, safe=False)

    def check(self) -> None:
        """Check the sizes of the cycles, the unit and the clock.

        Raises:
            ValueError: one of them cannot have been learnt.
        """
        sizes = all(self.counts[p].shape == (CYCLES[p][0] + 1,) for p in self.parts)
        require(sizes, "cycles of dates")
        require(is_finite_number(self.unit) and self.unit >= 0, "unit of dates")
        self.clock.check()

    def describe(self) -> str:
        ends = (np.datetime64(int(s * 1e6), "us") for s in (self.clock.low, self.clock.high))
        digits = 10 if self.unit == DAY else 19
        first, last = (str(t)[:digits].replace("T", " ") for t in ends)
        return f"{first} to {last}; {', '.join(self.parts) or 'no'} cycle"
