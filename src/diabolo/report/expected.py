"""A series with the expected value of each of its points, also of missing values and gaps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from diabolo.report.drawing.timeline import SeriesSegment, Span
from diabolo.tasks import Episode
from diabolo.tasks.base import decode_column, precision_weights
from diabolo.tasks.explain import suspect_points

if TYPE_CHECKING:
    from diabolo.report.series_view import SeriesView

PARTS = ("expected", "low", "high")  # of a prediction, as in `CellPredictions`
WINDOWS_A_POINT = 10  # from which its expected value is averaged: a choice


def episode_span(view: SeriesView, episode: Episode) -> Span:
    """Return an episode as a drawing shows it.

    Args:
        view: the data.
        episode: one of its episodes.
    """
    start, end, peak = (float(view.times[row]) for row in episode[:3])
    return Span(start, end, peak, episode.bits)


def to_floats(values: pa.Array) -> np.ndarray:
    """Return the numbers of an arrow array, NaN where there is no finite one."""
    numbers = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=float)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def series_segment(
    view: SeriesView, number: int, channels: list[str], low: float = -np.inf, high: float = np.inf
) -> SeriesSegment:
    """Return one series of the data, or a part of it, with its expected values.

    Args:
        view: the data.
        number: the number of the series in `view.series`.
        channels: the names of the channels.
        low: the first time, on the axis of `view.times`.
        high: the last time.
    """
    series, series_of = view.series[number], view.positions[0]
    points = view.frame.layout.point[series.rows]
    gaps = np.setdiff1d(np.arange(points[0], points[-1] + 1), points)
    rows = np.r_[series.rows, np.full(len(gaps), -1)]
    x = np.r_[series.x, np.interp(gaps, points, series.x)]
    points = np.r_[points, gaps]
    order = np.argsort(points, kind="stable")
    order = order[(x[order] >= low) & (x[order] <= high)]
    rows, x, points = rows[order], x[order], points[order]

    def at_points(values: np.ndarray) -> np.ndarray:
        return np.where(rows < 0, np.nan, values[rows])

    spans = [episode_span(view, e) for e in view.scores.episodes if series_of[e.peak] == number]
    return SeriesSegment(
        x,
        view.dates,
        {n: at_points(to_floats(view.columns[n])) for n in channels},
        at_points(view.bits),
        at_points(view.scores.levels),
        [s for s in spans if s.end >= low and s.start <= high],
        **_expected(view, channels, points),
        wrong={},
    )


def _expected(view: SeriesView, channels: list[str], points: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Expected values and their range at points of the grid, whether the data has these points or not."""
    engine, frame, length = view.engine, view.frame, view.source.length
    # An odd number of points apart, so that a point is at varying places of the hidden part of a window.
    windows = view.source.thin(frame, length // WINDOWS_A_POINT | 1)
    start = frame.layout.start[windows]
    covers = (start + length > points.min(initial=0)) & (start <= points.max(initial=0))
    frame = frame.only(windows[covers])
    batches: dict[str, dict[str, list[np.ndarray]]] = {part: {} for part in PARTS}
    for rows, batch in engine.chunks(frame):
        doubtful = suspect_points(
            view.model, frame.only(np.arange(frame.rows)[rows]), batch, view.scores.bits
        )
        cells = engine.cells(batch, suspects=doubtful, middle="median")
        for part, arrays in batches.items():
            for kind, values in getattr(cells, part).items():
                arrays.setdefault(kind, []).append(values)
    predicted = {part: {k: np.concatenate(v) for k, v in arrays.items()} for part, arrays in batches.items()}
    grid = replace(frame, layout=replace(frame.layout, point=np.arange(frame.layout.points)))
    weights = precision_weights(predicted["low"], predicted["high"])
    return {
        part: {
            n: to_floats(decode_column(engine, grid, n, predicted[part], points, weights)) for n in channels
        }
        for part in PARTS
    }
