"""A series with what was expected at each of its points, those of holes and gaps too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from diabolo.report.drawing.timeline import SeriesSegment, Span
from diabolo.report.view import View
from diabolo.tasks import Episode
from diabolo.tasks.base import decode_column, precision_weights
from diabolo.tasks.explain import suspect_points

PARTS = ("expected", "low", "high")


def span(view: View, episode: Episode) -> Span:
    """An episode in a drawing."""
    start, end, peak = (float(view.times[row]) for row in episode[:3])
    return Span(start, end, peak, episode.bits)


def floats(values: pa.Array) -> np.ndarray:
    """Numbers of an arrow array, NaN where there is no finite one."""
    found = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=float)
    return np.where(np.isfinite(found), found, np.nan)


def with_expected(
    view: View, number: int, channels: list[str], low: float = -np.inf, high: float = np.inf
) -> SeriesSegment:
    """One of the series of the data, or what lies between two of its times, for a drawing."""
    strand, strand_of = view.strands[number], view.places[0]
    points = view.frame.layout.point[strand.rows]
    gaps = np.setdiff1d(np.arange(points[0], points[-1] + 1), points)
    rows = np.r_[strand.rows, np.full(len(gaps), -1)]
    x = np.r_[strand.x, np.interp(gaps, points, strand.x)]
    points = np.r_[points, gaps]
    order = np.argsort(points, kind="stable")
    order = order[(x[order] >= low) & (x[order] <= high)]
    rows, x, points = rows[order], x[order], points[order]

    def seen(values: np.ndarray) -> np.ndarray:
        return np.where(rows < 0, np.nan, values[rows])

    mine = [span(view, e) for e in view.scores.episodes if strand_of[e.peak] == number]
    return SeriesSegment(
        x,
        view.dates,
        {n: seen(floats(view.columns[n])) for n in channels},
        seen(view.bits),
        [s for s in mine if s.end >= low and s.start <= high],
        **_expected(view, channels, points),
        wrong={},
    )


def _expected(view: View, channels: list[str], points: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """What was expected at points of the grid, whether the data has them or not, and its range."""
    engine, frame = view.engine, view.frame
    # Ten for each point, an odd number apart: the point then lies now here, now there in what is hidden.
    windows = engine.source.thin(frame, engine.source.length // 10 | 1)
    start = frame.layout.start[windows]
    covers = (start + engine.source.length > points.min(initial=0)) & (start <= points.max(initial=0))
    frame = frame.only(windows[covers])
    said: dict[str, dict[str, list[np.ndarray]]] = {part: {} for part in PARTS}
    for rows, batch in engine.chunks(frame):
        odd = suspect_points(view.model, frame.only(np.arange(frame.rows)[rows]), batch, view.scores.bits)
        cells = engine.cells(batch, suspects=odd, middle="median")
        for part, store in said.items():
            for kind, values in getattr(cells, part).items():
                store.setdefault(kind, []).append(values)
    whole = {part: {k: np.concatenate(v) for k, v in store.items()} for part, store in said.items()}
    grid = replace(frame, layout=replace(frame.layout, point=np.arange(frame.layout.points)))
    sure = precision_weights(whole["low"], whole["high"])
    return {
        part: {n: floats(decode_column(engine, grid, n, whole[part], points, sure)) for n in channels}
        for part in PARTS
    }
