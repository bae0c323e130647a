"""Scales, axes with round ticks, and numbers and times as labels."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HOUR, DAY, YEAR = 3600, 86_400, 31_557_600
# Steps between ticks of a time axis, in seconds; longer ones are months and years.
CLOCK_STEPS = (
    1,
    2,
    5,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    *(h * HOUR for h in (1, 2, 3, 6, 12)),
    *(d * DAY for d in (1, 2, 4, 7, 14)),
)


@dataclass(frozen=True)
class Scale:
    """A linear map from data to places in a drawing; data without a range is mapped to the middle.

    Attributes:
        low: the value that is mapped to `start`.
        high: the value that is mapped to `end`.
        start: a place.
        end: a place.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, values: np.ndarray | float) -> np.ndarray:
        """Return the places of values."""
        span = self.high - self.low
        if not span > 0:
            return np.full(np.shape(values), (self.start + self.end) / 2)
        share = np.asarray(values, dtype=float) / span - self.low / span
        return np.asarray(self.start + share * (self.end - self.start))


@dataclass(frozen=True)
class Axis:
    """A scale with its ticks.

    Attributes:
        scale: from values to places.
        ticks: (value, label) of each.
    """

    scale: Scale
    ticks: list[tuple[float, str]]


def number_axis(
    values: np.ndarray, start: float, end: float, *, count: int = 4, margin: float = 0.04
) -> Axis:
    """Return an axis that contains all finite values, with round ticks.

    Args:
        values: numbers of any shape.
        start: the place of the low end.
        end: the place of the high end.
        count: the approximate number of ticks.
        margin: at both ends, as a share of the range of values.
    """
    known = np.asarray(values, dtype=float)
    # Beyond that the arithmetic of the axis itself would overflow.
    known = np.clip(known[np.isfinite(known)], -1e300, 1e300)
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if not high > low:
        gap = abs(low) * 0.1 or 1.0
        low, high = low - gap, high + gap
    pad = (high - low) * margin
    low, high = low - pad, high + pad
    return Axis(Scale(low, high, start, end), number_ticks(low, high, count))


def number_ticks(low: float, high: float, count: int = 4) -> list[tuple[float, str]]:
    """Return ticks at round numbers, as (value, label), with the digits that tell them apart.

    Args:
        low: the low end of the axis.
        high: its high end.
        count: the approximate number of ticks.
    """
    raw = (high - low) / max(count, 1)
    # Below the smallest ordinary float there are no round numbers to find.
    if not (raw >= sys.float_info.min and math.isfinite(raw)):
        return [(low, format_short(low))]
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((s * power for s in (1, 2, 5, 10)), key=lambda s: abs(math.log(s / raw)))
    if abs(low) / step > 1e9:  # the values hardly differ: no round number between them can be told apart
        return [(low, format_short(low)), (high, format_short(high))]
    ticks = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if step >= 1e3 and 1e5 <= max(abs(low), abs(high)) < 1e7:
        return [(float(v), f"{v / 1e3:,.0f}k" if v else "0") for v in ticks]
    if digits > 6 or max(abs(low), abs(high)) >= 1e7:
        return [(float(v), format_short(v)) for v in ticks]
    return [
        (float(v), f"{v + 0.0:,.{digits}f}".replace("-0", "0") if v == 0 else f"{v:,.{digits}f}")
        for v in ticks
    ]


def format_short(value: float) -> str:
    """Return a number in few characters: 12.3M, 4.5k, 0.0012."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size <= abs(value) < size * 1000:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def clock_ticks(low: float, high: float, count: int = 6) -> list[tuple[float, str]]:
    """Return ticks at round times, as (seconds since 1970, label).

    Args:
        low: the low end of the axis, in seconds since 1970.
        high: its high end.
        count: the approximate number of ticks.
    """
    span = high - low
    if not span > 0:
        return [(low, format_time(low))]
    raw = span / count
    step = min(CLOCK_STEPS, key=lambda s: abs(math.log(s / raw)))
    if raw > 21 * DAY:
        return _month_ticks(low, high, max(1, round(raw / (YEAR / 12))))
    first = math.ceil(low / step) * step
    ticks, shown = [], ""
    for value in np.arange(first, high + 1e-9, step):
        at = datetime.fromtimestamp(float(value), UTC)
        day = f"{at.day} {MONTH_NAMES[at.month - 1]}"
        if step >= DAY:
            label = day
        else:
            clock = at.strftime("%H:%M:%S" if step < 60 else "%H:%M")
            label = clock if day == shown else f"{day} {clock}"
        shown = day
        ticks.append((float(value), label))
    return ticks


def _month_ticks(low: float, high: float, step: int) -> list[tuple[float, str]]:
    """Ticks at the beginnings of months, about `step` months apart."""
    step = next((s for s in (1, 2, 3, 6) if s >= step), 12 * math.ceil(step / 12))
    at, last = datetime.fromtimestamp(low, UTC), datetime.fromtimestamp(high, UTC)
    ticks = []
    for month in range(at.year * 12, last.year * 12 + 13, step):
        if month // 12 > 9999:
            break
        value = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()
        if low <= value <= high:
            name = MONTH_NAMES[month % 12]
            ticks.append((value, str(month // 12) if step >= 12 else f"{name} {month // 12}"))
    return ticks


def format_time(seconds: float, *, show_seconds: bool = False) -> str:
    """Return a time as text: 2026-01-31 17:05.

    Args:
        seconds: since 1970, in UTC.
        show_seconds: whether to append the seconds.
    """
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return format_short(seconds)
    return at.strftime("%Y-%m-%d %H:%M:%S" if show_seconds else "%Y-%m-%d %H:%M")
