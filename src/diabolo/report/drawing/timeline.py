"""Drawings of a series over time: all of it, or a part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from diabolo.report.drawing.axes import Axis, Scale, clock_ticks, format_time, number_axis, number_ticks
from diabolo.report.drawing.charts import (
    LEFT_MARGIN,
    PAGE_WIDTH,
    RIGHT_MARGIN,
    draw_alarm_level,
    score_axis,
    score_height,
)
from diabolo.report.drawing.downsampling import downsampled_indices
from diabolo.report.drawing.svg import Drawing
from diabolo.report.formatting import format_number

PIXEL_COLUMNS = 940  # of a line as wide as the page
CONTEXT_POINTS = 64  # on both sides of an episode, of which none is left out: a choice
CHANNEL_HEIGHTS = (162, 102, 102, 102, 76)  # of one channel, of each of two, ...; of more as the last


class Span(NamedTuple):
    """An episode in a drawing.

    Attributes:
        start: its first time, on the axis of time.
        end: its last time.
        peak: the time of its most anomalous point.
        bits: the anomaly score of that point.
    """

    start: float
    end: float
    peak: float
    bits: float


@dataclass(frozen=True)
class SeriesSegment:
    """A part of one series: observed and expected values, and anomaly scores.

    Attributes:
        x: (points,) time in seconds since 1970, or a number; ascending.
        dates: whether `x` is seconds.
        values: channel -> (points,) observed values.
        bits: (points,) anomaly scores.
        levels: (points,) the alarm level that each was compared with, in bits.
        spans: the episodes.
        expected: channel -> (points,) expected values; empty if unknown.
        low: channel -> (points,) low ends of the expected ranges.
        high: channel -> (points,) high ends.
        wrong: channel -> (points,) whether the value is probably wrong; empty if unknown.
    """

    x: np.ndarray
    dates: bool
    values: Mapping[str, np.ndarray]
    bits: np.ndarray
    levels: np.ndarray
    spans: Sequence[Span]
    expected: Mapping[str, np.ndarray]
    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]
    wrong: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class PlotArea:
    """The area in which lines are drawn, and how finely.

    Attributes:
        drawing: what they are drawn in.
        x_scale: the scale from time to places.
        unit: vertical units of the drawing in a unit of the page.
        columns: the number of columns to which lines are downsampled.
        all_kept: (points,) which points are kept in any case.
    """

    drawing: Drawing
    x_scale: Scale
    unit: float
    columns: int
    all_kept: np.ndarray

    def kept(self, x: np.ndarray, y: np.ndarray, columns: int) -> np.ndarray:
        """Return the indices of the points to draw.

        Args:
            x: (points,) times.
            y: (points,) values.
            columns: the number of columns to which the line is downsampled.
        """
        return np.union1d(downsampled_indices(x, y, columns), np.flatnonzero(self.all_kept))


def draw(name: str, segment: SeriesSegment, threshold: float, *, max_points: int | None = None) -> Drawing:
    """Return the channels of one series with shaded episodes, and the anomaly scores below them.

    Args:
        name: unique in the page.
        segment: the series.
        threshold: the alarm level, in bits.
        max_points: of a line, so that a part of the drawing can be enlarged: all points around the most
            anomalous episodes, downsampled elsewhere. None for the number that the page can show.
    """
    height = CHANNEL_HEIGHTS[min(len(segment.values), len(CHANNEL_HEIGHTS)) - 1]
    step = height + 38
    base = len(segment.values) * step
    top, bottom = base + 22, base + 106
    drawing = Drawing(PAGE_WIDTH, base + 140, name)
    axis, wide = _time_axis(segment, PAGE_WIDTH), PAGE_WIDTH - LEFT_MARGIN - RIGHT_MARGIN
    drawing.parts.append(f'<g class="ticks" data-top="22" data-bottom="{bottom}">')
    drawing.horizontal_axis(axis, 22, bottom)
    drawing.parts.append("</g>")
    low, high = axis.scale.low, axis.scale.high
    if max_points is None:
        area = PlotArea(
            Drawing(wide, drawing.height, name), Scale(low, high, 0, wide), 1, PIXEL_COLUMNS, segment.x < low
        )
    else:
        # A unit is a quarter of a step, so that times on a grid lie on whole units.
        steps = float(np.clip(4 * (high - low) / _median_step(segment.x), wide, 1e7))
        inner = Drawing(round(steps), drawing.height * 10, name, digits=0)
        area = PlotArea(
            inner,
            Scale(low, high, 0, inner.width),
            10,
            max_points // 8,
            _around_episodes(segment, max_points // 2),
        )
    for span in segment.spans:
        start, end, peak = (float(area.x_scale(v)) for v in span[:3])
        times = [format_time(v) if segment.dates else format_number(v) for v in span[:2]]
        box = start, 20 * area.unit, end - start, (bottom - 20) * area.unit
        area.drawing.rect(*box, "episode", title=f"{times[0]} to {times[1]}: {span.bits:.1f} bits")
        area.drawing.line(peak, 20 * area.unit, peak, bottom * area.unit, "peak")
    for i, channel in enumerate(segment.values):
        _draw_channel(drawing, area, segment, channel, i * step + 22, i * step + 14 + height)
    highest = float(np.nanmax([segment.bits, segment.levels]))
    upright = score_axis(drawing, highest, threshold, top, bottom)
    _draw_scores(area, segment, threshold, upright)
    data = f' data-low="{low!r}" data-high="{high!r}" data-dates="{segment.dates:d}"'
    drawing.inset(area.drawing, LEFT_MARGIN, 0, wide, drawing.height, "pane", more=data)
    draw_alarm_level(drawing, upright, threshold)
    return drawing


def zoom(name: str, segment: SeriesSegment, *, title: str) -> str:
    """Return a short part of a series with its expected ranges, as SVG.

    Args:
        name: unique in the page.
        segment: the part.
        title: of the drawing.
    """
    width, height = 520.0, 150.0 if len(segment.values) == 1 else 96.0
    step = height + 26
    drawing = Drawing(width, len(segment.values) * step + 26, name)
    axis = _time_axis(segment, width, count=3)
    drawing.horizontal_axis(axis, 22, len(segment.values) * step)
    area = PlotArea(drawing, axis.scale, 1, 400, np.zeros(len(segment.x), bool))
    for span in segment.spans:
        left, right = float(axis.scale(span.start)), float(axis.scale(span.end))
        drawing.rect(left, 20, right - left, len(segment.values) * step - 20, "episode")
    for i, (channel, values) in enumerate(segment.values.items()):
        top = i * step + 22
        upright = _draw_channel(drawing, area, segment, channel, top, top + height - 4)
        if channel in segment.wrong:
            wrong = np.flatnonzero(segment.wrong[channel])
            wrong = wrong[:: max(len(wrong) // 400, 1)]
            drawing.dots(axis.scale(segment.x[wrong]), upright(values[wrong]), "wrong")
    return drawing.svg(
        title,
        "Solid: observed. Dashed: expected. Grey: expected range (90 %). Dots: probably wrong.",
        "zoom",
    )


def _time_axis(segment: SeriesSegment, width: float, *, count: int = 7) -> Axis:
    """The horizontal axis of a drawing of this width, with about `count` ticks."""
    low, high = float(segment.x[0]), float(segment.x[-1])
    scale = Scale(low, high, LEFT_MARGIN, width - RIGHT_MARGIN)
    return Axis(scale, clock_ticks(low, high, count) if segment.dates else number_ticks(low, high, count))


def _around_episodes(segment: SeriesSegment, most: int) -> np.ndarray:
    """(points,) those around the most anomalous episodes, `most` points at most."""
    near = np.zeros(len(segment.x), bool)
    for span in sorted(segment.spans, key=lambda s: -s.bits):
        first, last = np.searchsorted(segment.x, span[:2])
        part = slice(max(int(first) - CONTEXT_POINTS, 0), int(last) + CONTEXT_POINTS + 1)
        if int(near.sum()) + len(near[part]) > most:
            break
        near[part] = True
    return near


def _draw_channel(
    drawing: Drawing, area: PlotArea, segment: SeriesSegment, channel: str, top: float, bottom: float
) -> Scale:
    """Draw expected and observed values of one channel; the scale from values to places of the page."""
    x, values = segment.x, segment.values[channel]
    expected = segment.expected.get(channel, np.full(len(x), np.nan))
    axis = number_axis(np.concatenate([values, expected]), bottom, top, count=3)
    drawing.vertical_axis(axis, LEFT_MARGIN, drawing.width - RIGHT_MARGIN)
    drawing.text(LEFT_MARGIN, top - 6, channel[:60], "label")
    upright = Scale(axis.scale.low, axis.scale.high, bottom * area.unit, top * area.unit)
    # A line is broken between points five usual steps apart, or further if it is downsampled more coarsely.
    width = (area.x_scale.end - area.x_scale.start) / area.columns
    apart = max(
        5 * _median_step(x) * (area.x_scale.end - area.x_scale.start) / max(float(np.ptp(x)), 1e-300),
        3 * width,
    )
    if channel in segment.expected:
        low, high = (
            np.clip(part[channel], upright.low, upright.high) for part in (segment.low, segment.high)
        )
        kept = np.union1d(*(area.kept(x, edge, area.columns // 2) for edge in (low, high)))
        area.drawing.band(area.x_scale(x[kept]), upright(low[kept]), upright(high[kept]), "range")
        kept = area.kept(x, expected, area.columns)
        area.drawing.path(area.x_scale(x[kept]), upright(expected[kept]), "expected", apart=apart)
    kept = area.kept(x, values, area.columns)
    area.drawing.path(area.x_scale(x[kept]), upright(values[kept]), "observed", apart=apart)
    return axis.scale


def _draw_scores(area: PlotArea, segment: SeriesSegment, threshold: float, upright: Scale) -> None:
    """Draw the anomaly scores as bars, each from the middle before its point to the middle after it."""
    bits, levels = np.nan_to_num(segment.bits), np.nan_to_num(segment.levels, nan=threshold)
    kept = area.kept(segment.x, bits, area.columns)
    x, bits, levels = area.x_scale(segment.x[kept]), bits[kept], levels[kept]
    edges = np.r_[x[0], (x[1:] + x[:-1]) / 2, x[-1]]
    heights = upright(score_height(bits)) * area.unit
    for kind, chosen in (("bits", bits <= levels), ("bits alarm", bits > levels)):
        area.drawing.bars(edges, heights, upright.start * area.unit, chosen, kind)
    if (levels > threshold + 1e-6).any():  # a level that holds is the threshold up to rounding
        area.drawing.path(x, upright(score_height(levels)) * area.unit, "level")


def _median_step(x: np.ndarray) -> float:
    """The median step of time; infinite if there is none."""
    gaps = np.diff(x)
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else math.inf
