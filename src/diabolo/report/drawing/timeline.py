"""The drawings of a series: all of it, or a stretch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from diabolo.report.drawing.charts import LEFT, RIGHT, WIDTH, alarm_level, rise, strip
from diabolo.report.drawing.svg import (
    Axis,
    Drawing,
    Scale,
    clock_ticks,
    moment,
    number_axis,
    number_ticks,
    worth_drawing,
)
from diabolo.report.formatting import figure

COLUMNS = 940  # of pixels that a line has
AROUND = 64  # points on both sides of an episode that are drawn one by one
HEIGHTS = (162, 102, 102, 102, 76)  # of one channel, of each of two, ...; more are no lower


class Span(NamedTuple):
    """An episode in a drawing: its ends and its oddest point, on the axis of time, and how odd that is."""

    start: float
    end: float
    peak: float
    bits: float


@dataclass(frozen=True)
class SeriesSegment:
    """A stretch of one series: what was measured, what was expected, and how odd it is.

    Attributes:
        x: (points,) time in seconds since 1970, or a number; rising.
        dates: whether `x` is seconds.
        values: channel -> (points,) measured.
        expected, low, high: channel -> (points,); empty where nobody asked.
        bits: (points,) how odd.
        wrong: channel -> (points,) whether the value is probably wrong.
        spans: the alarms.
    """

    x: np.ndarray
    dates: bool
    values: Mapping[str, np.ndarray]
    bits: np.ndarray
    spans: Sequence[Span]
    expected: Mapping[str, np.ndarray]
    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]
    wrong: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class PlotArea:
    """Where lines are drawn, and how fine.

    Attributes:
        drawing: that they become a part of.
        across: from time to its places.
        unit: its steps in a pixel, upwards.
        columns: of which lowest and highest points are kept.
        near: (points,) which points are all kept.
    """

    drawing: Drawing
    across: Scale
    unit: float
    columns: int
    near: np.ndarray

    def kept(self, x: np.ndarray, y: np.ndarray, columns: int) -> np.ndarray:
        """The places of the points to draw."""
        return np.union1d(worth_drawing(x, y, columns), np.flatnonzero(self.near))


def draw(name: str, seen: SeriesSegment, threshold: float, *, room: int | None = None) -> Drawing:
    """The channels of one series over time, with shaded episodes, and how odd each point is below them.

    Args:
        name: unique in the page.
        seen: the series.
        threshold: bits of an alarm.
        room: points that a line may have, so that a part of the drawing can be shown enlarged: all
            around the oddest episodes, thinned ones elsewhere. None for as many as its pixels can show.
    """
    height = HEIGHTS[min(len(seen.values), len(HEIGHTS)) - 1]
    step = height + 38
    base = len(seen.values) * step
    top, bottom = base + 22, base + 106
    drawing = Drawing(WIDTH, base + 140, name)
    axis, wide = _along(seen, WIDTH), WIDTH - LEFT - RIGHT
    drawing.parts.append(f'<g class="ticks" data-top="22" data-bottom="{bottom}">')
    drawing.along(axis, 22, bottom)
    drawing.parts.append("</g>")
    low, high = axis.scale.low, axis.scale.high
    if room is None:
        pane = PlotArea(
            Drawing(wide, drawing.height, name), Scale(low, high, 0, wide), 1, COLUMNS, seen.x < low
        )
    else:
        # A unit is a quarter of a step, so that times on a grid lie on whole units.
        steps = float(np.clip(4 * (high - low) / _usual(seen.x), wide, 1e7))
        inner = Drawing(round(steps), drawing.height * 10, name, digits=0)
        pane = PlotArea(inner, Scale(low, high, 0, inner.width), 10, room // 8, _near(seen, room // 2))
    for span in seen.spans:
        start, end, peak = (float(pane.across(v)) for v in span[:3])
        said = [moment(v) if seen.dates else figure(v) for v in span[:2]]
        place = start, 20 * pane.unit, end - start, (bottom - 20) * pane.unit
        pane.drawing.rect(*place, "episode", title=f"{said[0]} to {said[1]}: {span.bits:.1f} bits")
        pane.drawing.line(peak, 20 * pane.unit, peak, bottom * pane.unit, "peak")
    for i, channel in enumerate(seen.values):
        _channel(drawing, pane, seen, channel, i * step + 22, i * step + 14 + height)
    highest = float(np.nanmax(seen.bits))
    upright = strip(drawing, highest, threshold, top, bottom)
    _bars(pane, seen, threshold, upright)
    data = f' data-low="{low!r}" data-high="{high!r}" data-dates="{seen.dates:d}"'
    drawing.inset(pane.drawing, LEFT, 0, wide, drawing.height, "pane", more=data)
    alarm_level(drawing, upright, threshold)
    return drawing


def zoom(name: str, seen: SeriesSegment, *, title: str) -> str:
    """A short stretch: what was measured against what was expected and its range."""
    width, height = 520.0, 150.0 if len(seen.values) == 1 else 96.0
    step = height + 26
    drawing = Drawing(width, len(seen.values) * step + 26, name)
    axis = _along(seen, width, count=3)
    drawing.along(axis, 22, len(seen.values) * step)
    pane = PlotArea(drawing, axis.scale, 1, 400, np.zeros(len(seen.x), bool))
    for span in seen.spans:
        left, right = float(axis.scale(span.start)), float(axis.scale(span.end))
        drawing.rect(left, 20, right - left, len(seen.values) * step - 20, "episode")
    for i, (channel, values) in enumerate(seen.values.items()):
        top = i * step + 22
        upright = _channel(drawing, pane, seen, channel, top, top + height - 4)
        if channel in seen.wrong:
            wrong = np.flatnonzero(seen.wrong[channel])
            wrong = wrong[:: max(len(wrong) // 400, 1)]
            drawing.dots(axis.scale(seen.x[wrong]), upright(values[wrong]), "wrong")
    return drawing.svg(
        title,
        "Solid: measured. Dashed: expected. Grey: the range of nine values in ten. Dots: probably wrong.",
        "zoom",
    )


def _along(seen: SeriesSegment, width: float, *, count: int = 7) -> Axis:
    low, high = float(seen.x[0]), float(seen.x[-1])
    scale = Scale(low, high, LEFT, width - RIGHT)
    return Axis(scale, clock_ticks(low, high, count) if seen.dates else number_ticks(low, high, count))


def _near(seen: SeriesSegment, most: int) -> np.ndarray:
    """(points,) those around the oddest episodes, as long as there are not too many of them."""
    near = np.zeros(len(seen.x), bool)
    for span in sorted(seen.spans, key=lambda s: -s.bits):
        first, last = np.searchsorted(seen.x, span[:2])
        part = slice(max(int(first) - AROUND, 0), int(last) + AROUND + 1)
        if int(near.sum()) + len(near[part]) > most:
            break
        near[part] = True
    return near


def _channel(
    drawing: Drawing, pane: PlotArea, seen: SeriesSegment, channel: str, top: float, bottom: float
) -> Scale:
    """Draw one channel: what was expected, and what was measured over it; its vertical scale."""
    x, values = seen.x, seen.values[channel]
    expected = seen.expected.get(channel, np.full(len(x), np.nan))
    axis = number_axis(np.concatenate([values, expected]), bottom, top, count=3)
    drawing.across(axis, LEFT, drawing.width - RIGHT)
    drawing.text(LEFT, top - 6, channel[:60], "label")
    upright = Scale(axis.scale.low, axis.scale.high, bottom * pane.unit, top * pane.unit)
    # Neighbours from which a line is broken: five usual steps apart, unless it is thinned more than that.
    width = (pane.across.end - pane.across.start) / pane.columns
    apart = max(
        5 * _usual(x) * (pane.across.end - pane.across.start) / max(float(np.ptp(x)), 1e-300), 3 * width
    )
    if channel in seen.expected:
        low, high = (np.clip(part[channel], upright.low, upright.high) for part in (seen.low, seen.high))
        kept = np.union1d(*(pane.kept(x, edge, pane.columns // 2) for edge in (low, high)))
        pane.drawing.band(pane.across(x[kept]), upright(low[kept]), upright(high[kept]), "range")
        kept = pane.kept(x, expected, pane.columns)
        pane.drawing.path(pane.across(x[kept]), upright(expected[kept]), "expected", apart=apart)
    kept = pane.kept(x, values, pane.columns)
    pane.drawing.path(pane.across(x[kept]), upright(values[kept]), "got", apart=apart)
    return axis.scale


def _bars(pane: PlotArea, seen: SeriesSegment, threshold: float, upright: Scale) -> None:
    """Bars as high as the points are odd, each from the middle before it to the middle after it."""
    bits = np.nan_to_num(seen.bits)
    kept = pane.kept(seen.x, bits, pane.columns)
    x, bits = pane.across(seen.x[kept]), bits[kept]
    edges = np.r_[x[0], (x[1:] + x[:-1]) / 2, x[-1]]
    heights = upright(rise(bits)) * pane.unit
    for kind, chosen in (("bits", bits <= threshold), ("bits alarm", bits > threshold)):
        pane.drawing.bars(edges, heights, upright.start * pane.unit, chosen, kind)


def _usual(x: np.ndarray) -> float:
    """The usual step of time; infinite where there is none."""
    gaps = np.diff(x)
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else math.inf
