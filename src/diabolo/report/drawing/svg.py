"""Drawings as inline SVG: scales, ticks, thinning of long data, and shapes.

Colours and fonts come from the page: shapes carry class names, so that one drawing serves light and dark.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape

import numpy as np

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HOUR, DAY, YEAR = 3600, 86_400, 31_557_600
# Steps between ticks of a clock, in seconds; longer ones are months and years.
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
    """A straight line from data to pixels; data without a range lies in the middle."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, values: np.ndarray | float) -> np.ndarray:
        """Data -> pixels."""
        span = self.high - self.low
        if not span > 0:
            return np.full(np.shape(values), (self.start + self.end) / 2)
        share = np.asarray(values, dtype=float) / span - self.low / span
        return np.asarray(self.start + share * (self.end - self.start))


@dataclass(frozen=True)
class Axis:
    """A scale with its ticks: (value, label) each."""

    scale: Scale
    ticks: list[tuple[float, str]]


def number_axis(
    values: np.ndarray, start: float, end: float, *, count: int = 4, margin: float = 0.04
) -> Axis:
    """An axis that holds the finite values with a small margin, and about `count` round ticks."""
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
    """Round numbers from low to high, about `count` of them, with as many digits as tell them apart."""
    raw = (high - low) / max(count, 1)
    # Below the smallest ordinary float there are no round numbers to find.
    if not (raw >= sys.float_info.min and math.isfinite(raw)):
        return [(low, short(low))]
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((s * power for s in (1, 2, 5, 10)), key=lambda s: abs(math.log(s / raw)))
    if abs(low) / step > 1e9:  # the values hardly differ: no round number between them can be told apart
        return [(low, short(low)), (high, short(high))]
    found = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if step >= 1e3 and 1e5 <= max(abs(low), abs(high)) < 1e7:
        return [(float(v), f"{v / 1e3:,.0f}k" if v else "0") for v in found]
    if digits > 6 or max(abs(low), abs(high)) >= 1e7:
        return [(float(v), short(v)) for v in found]
    return [
        (float(v), f"{v + 0.0:,.{digits}f}".replace("-0", "0") if v == 0 else f"{v:,.{digits}f}")
        for v in found
    ]


def short(value: float) -> str:
    """A number in few characters: 12.3M, 4.5k, 0.0012."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size <= abs(value) < size * 1000:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def clock_ticks(low: float, high: float, count: int = 6) -> list[tuple[float, str]]:
    """Round moments from low to high (seconds since 1970), about `count` of them."""
    span = high - low
    if not span > 0:
        return [(low, moment(low))]
    raw = span / count
    step = min(CLOCK_STEPS, key=lambda s: abs(math.log(s / raw)))
    if raw > 21 * DAY:
        return _months(low, high, max(1, round(raw / (YEAR / 12))))
    first = math.ceil(low / step) * step
    found, shown = [], ""
    for value in np.arange(first, high + 1e-9, step):
        at = datetime.fromtimestamp(float(value), UTC)
        day = f"{at.day} {MONTHS[at.month - 1]}"
        if step >= DAY:
            label = day
        else:
            clock = at.strftime("%H:%M:%S" if step < 60 else "%H:%M")
            label = clock if day == shown else f"{day} {clock}"
        shown = day
        found.append((float(value), label))
    return found


def _months(low: float, high: float, step: int) -> list[tuple[float, str]]:
    step = next((s for s in (1, 2, 3, 6) if s >= step), 12 * math.ceil(step / 12))
    at, last = datetime.fromtimestamp(low, UTC), datetime.fromtimestamp(high, UTC)
    found = []
    for month in range(at.year * 12, last.year * 12 + 13, step):
        if month // 12 > 9999:
            break
        value = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()
        if low <= value <= high:
            name = MONTHS[month % 12]
            found.append((value, str(month // 12) if step >= 12 else f"{name} {month // 12}"))
    return found


def moment(seconds: float, *, fine: bool = False) -> str:
    """Seconds since 1970 as 2026-01-31 17:05; `fine` with seconds."""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return short(seconds)
    return at.strftime("%Y-%m-%d %H:%M:%S" if fine else "%Y-%m-%d %H:%M")


def thin(x: np.ndarray, y: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """As many points as a drawing of so many pixel columns can show: no spike is lost."""
    kept = worth_drawing(x, y, columns)
    return x[kept], y[kept]


def worth_drawing(x: np.ndarray, y: np.ndarray, columns: int) -> np.ndarray:
    """The places of the points that `thin` keeps.

    Of each column the first, lowest, highest and last point are kept, which draws the same picture as
    all points (Jugel et al., "M4", VLDB 2014). Holes keep their ends, unless there are more of them than
    columns; then a column without a value keeps a point that parts two runs.
    """
    if len(x) <= 4 * columns:
        return np.arange(len(x))
    column = _columns(x, columns)
    known = np.flatnonzero(np.isfinite(y))
    ordered = known[np.lexsort((y[known], column[known]))]
    every = np.flatnonzero(np.diff(column, prepend=-1))
    empty = every[~np.isin(column[every], column[known])]
    turns = np.flatnonzero(np.diff(np.isfinite(y)))
    if len(turns) <= 2 * columns:
        empty = np.r_[empty, turns, turns + 1]
    ends = [part[where] for part in (known, ordered) for where in _ends(column[part])]
    return np.unique(np.concatenate([empty, *ends]))


def _columns(x: np.ndarray, columns: int) -> np.ndarray:
    """The pixel column that each point lies in."""
    low, span = x.min(), float(x.max() - x.min())
    return np.zeros(len(x), int) if not span > 0 else ((x - low) / span * (columns - 1e-9)).astype(int)


def _ends(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last place of each group; groups lie one after the other."""
    change = np.diff(groups) != 0
    there = np.ones(min(len(groups), 1), bool)
    return np.flatnonzero(np.r_[there, change]), np.flatnonzero(np.r_[change, there])


def column_max(x: np.ndarray, y: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """The highest value in each of so many columns, and where it is; columns without a value are left out."""
    known = np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) == 0:
        return x, y
    column = _columns(x, columns)
    order = np.lexsort((y, column))
    picked = order[_ends(column[order])[1]]
    return x[picked], y[picked]


@dataclass
class Drawing:
    """Shapes in the order they are drawn, and the SVG that they make.

    Args:
        width, height: in pixels of the drawing; the page scales it.
        name: unique in the page: the ids of title and description are made of it.
        digits: behind the point, of the places of lines.
    """

    width: float
    height: float
    name: str
    digits: int = 1
    parts: list[str] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, kind: str, *, title: str = "") -> None:
        """A rectangle; one thinner than a pixel could not be seen, so it is widened."""
        x, width = (x - (1.5 - width) / 2, 1.5) if width < 1.5 else (x, width)
        tip = f"<title>{escape(title)}</title>" if title else ""
        place = f'x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(max(height, 0))}"'
        self.parts.append(f'<rect class="{kind}" {place}>{tip}</rect>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str, *, more: str = "") -> None:
        """A straight line; `more` is further attributes, made by the caller alone."""
        place = f'x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" y2="{_px(y2)}"'
        self.parts.append(f'<line class="{kind}" {place}{more}/>')

    def path(self, x: np.ndarray, y: np.ndarray, kind: str, *, apart: float = math.inf) -> None:
        """A line through points, broken where a value is missing or points are `apart` pixels apart."""
        known = np.isfinite(x) & np.isfinite(y)
        runs = np.cumsum(~known)[known]
        px, py = np.asarray(x, float)[known], np.asarray(y, float)[known]
        if len(px) == 0:
            return
        breaks = np.flatnonzero((np.diff(runs) > 0) | (np.diff(px) > apart)) + 1
        # A run of one point is drawn as a dot: a line of no length with a round end.
        steps = [
            self._steps(px[run], py[run]) + ("h0" if len(run) == 1 else "")
            for run in np.split(np.arange(len(px)), breaks)
        ]
        self.parts.append(f'<path class="{kind}" d="{"".join(steps)}"/>')

    def band(self, x: np.ndarray, low: np.ndarray, high: np.ndarray, kind: str) -> None:
        """The area between two lines, a piece for each run of points without a hole."""
        known = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
        pieces = [
            self._steps(np.r_[x[run], x[run][::-1]], np.r_[high[run], low[run][::-1]]) + "Z"
            for run in np.split(np.arange(len(x)), np.flatnonzero(np.diff(known)) + 1)
            if len(run) > 1 and known[run[0]]
        ]
        if pieces:
            self.parts.append(f'<path class="{kind}" d="{"".join(pieces)}"/>')

    def bars(self, edges: np.ndarray, y: np.ndarray, base: float, chosen: np.ndarray, kind: str) -> None:
        """The chosen ones of bars that stand side by side, one more edge than bars."""
        y = np.round(y, self.digits)
        turns = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).reshape(-1, 2)
        steps = []
        for first, past in turns:
            # Bars of one height are one bar.
            starts = first + np.flatnonzero(np.diff(y[first:past], prepend=np.inf))
            along = np.repeat(edges[np.r_[starts, past]], 2)
            steps.append(self._steps(along, np.r_[base, np.repeat(y[starts], 2), base]) + "Z")
        if steps:
            self.parts.append(f'<path class="{kind}" d="{"".join(steps)}"/>')

    def _steps(self, x: np.ndarray, y: np.ndarray) -> str:
        """The way from point to point, each place told from the one before: that takes few letters."""
        unit = 10**self.digits
        way = np.round(np.stack([x, y], 1) * unit).astype(np.int64)
        way[1:] = np.diff(way, axis=0)
        places = [_px(v / unit) for v in way.ravel().tolist()]
        steps = f"M{' '.join(places[:2])}" + (f"l{' '.join(places[2:])}" if len(way) > 1 else "")
        return re.sub(r"(?<!\d)0\.", ".", steps.replace(" -", "-"))

    def dots(self, x: np.ndarray, y: np.ndarray, kind: str) -> None:
        """Dots as one path: lines of no length with round ends, a few bytes each."""
        steps = "".join(
            f"M{_px(a)} {_px(b)}h0" for a, b in zip(x, y, strict=True) if np.isfinite(a) and np.isfinite(b)
        )
        if steps:
            self.parts.append(f'<path class="{kind}" d="{steps}"/>')

    def circle(self, x: float, y: float, radius: float, kind: str, *, title: str = "") -> None:
        """A circle with a tip that shows when it is pointed at."""
        tip = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(
            f'<circle class="{kind}" cx="{_px(x)}" cy="{_px(y)}" r="{_px(radius)}">{tip}</circle>'
        )

    def text(self, x: float, y: float, words: str, kind: str = "tick", *, anchor: str = "start") -> None:
        """A line of text."""
        self.parts.append(
            f'<text class="{kind}" x="{_px(x)}" y="{_px(y)}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def across(self, axis: Axis, left: float, right: float) -> None:
        """Grid lines of a vertical axis from left to right, labelled at the left."""
        for value, label in axis.ticks:
            y = float(axis.scale(value))
            self.line(left, y, right, y, "grid")
            self.text(left - 6, y + 4, label, anchor="end")

    def along(self, axis: Axis, top: float, bottom: float, *, grid: bool = True) -> None:
        """Ticks of a horizontal axis, labelled below; labels that would overlap are left out."""
        free = -math.inf
        for value, label in axis.ticks:
            x = float(axis.scale(value))
            if grid:
                self.line(x, top, x, bottom, "grid")
            half = 3.3 * len(label)
            middle = min(max(x, half), self.width - half)
            if middle - half > free + 6:
                self.text(middle, bottom + 16, label, anchor="middle")
                free = middle + half

    def inset(
        self, inner: Drawing, x: float, y: float, width: float, height: float, kind: str, *, more: str = ""
    ) -> None:
        """Another drawing, stretched over a part of this one; `more` is further attributes."""
        place = f'x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(height)}"'
        seen = f'viewBox="0 0 {_px(inner.width)} {_px(inner.height)}" preserveAspectRatio="none"'
        self.parts.append(f'<svg class="{kind}" {place} {seen}{more}>{"".join(inner.parts)}</svg>')

    def svg(self, title: str, description: str, kind: str = "") -> str:
        """The drawing, for the middle of a page."""
        name = escape(self.name)
        head = (
            f'<svg class="{kind}" viewBox="0 0 {_px(self.width)} {_px(self.height)}" role="img" '
            f'aria-labelledby="{name}-title {name}-desc">'
        )
        words = f'<title id="{name}-title">{escape(title)}</title>'
        words += f'<desc id="{name}-desc">{escape(description)}</desc>'
        return head + words + "".join(self.parts) + "</svg>"


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
