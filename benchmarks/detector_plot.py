"""Plot of a series and, below it, one lane for each detector with its scores and alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from benchmarks.detection import Floats
from diabolo.report.drawing.axes import Axis, Scale, clock_ticks, number_axis
from diabolo.report.drawing.downsampling import column_max, downsample
from diabolo.report.drawing.svg import Drawing

WIDTH, LEFT, TOP, SERIES_HEIGHT, LANE_HEIGHT = 1040.0, 52.0, 24.0, 170.0, 62.0
# A standalone SVG needs its own style.
STYLE = (
    "svg{background:#fff;font:12px system-ui,sans-serif;fill:#56606b}path,line{fill:none}"
    ".grid{stroke:#eceeef}.label{fill:#1b2026;font-weight:600}.window{fill:#f59e0b40}"
    ".fitted{stroke:#56606b;stroke-dasharray:4 3}.value{stroke:#1f5fa8;stroke-width:1.1}"
    ".score{stroke:#6b7480}.alarm{fill:#c2410c}"
)


class Lane(NamedTuple):
    """Results of one detector: a score for each point, the threshold of its alarms, and a caption."""

    scores: Floats
    threshold: float
    caption: str


def draw(
    name: str, x: Floats, values: Floats, labels: np.ndarray, fitted: int, lanes: Mapping[str, Lane]
) -> str:
    """Return the plot as SVG.

    Args:
        name: Name of the series.
        x: Seconds since 1970, shape (points,).
        values: The series, shape (points,).
        labels: 1 in a labelled window, shape (points,); windows are shaded.
        fitted: Number of fitted points, which come first.
        lanes: Name of a detector -> its lane: a curve of the logarithm of its scores, bars for alarms.
    """
    bottom = TOP + SERIES_HEIGHT + LANE_HEIGHT * len(lanes)
    drawing = Drawing(WIDTH, bottom + 30, name)
    axis = Axis(Scale(x.min(), x.max(), LEFT, WIDTH - 10), clock_ticks(x.min(), x.max(), 9))
    drawing.horizontal_axis(axis, TOP, bottom)
    _bars(drawing, axis, x, labels == 1, TOP, bottom - TOP, "window")
    if fitted < len(x):
        border = float(axis.scale(x[fitted]))
        drawing.line(border, TOP, border, bottom, "fitted")
        if border > LEFT + 80:  # there is room beside the label
            drawing.text(border - 6, TOP - 6, "fitted", anchor="end")
        drawing.text(border + 6, TOP - 6, "new")
    value_axis = number_axis(values, TOP + SERIES_HEIGHT - 20, TOP, count=4)
    drawing.vertical_axis(value_axis, LEFT, WIDTH - 10)
    drawing.text(LEFT, TOP - 6, "value", "label")
    x_drawn, y_drawn = downsample(x, values, 900)
    drawing.path(axis.scale(x_drawn), value_axis.scale(y_drawn), "value")
    for index, (detector, lane) in enumerate(lanes.items()):
        base = TOP + SERIES_HEIGHT + LANE_HEIGHT * (index + 1) - 12
        drawing.text(LEFT, base - 36, detector, "label")
        drawing.text(LEFT + 330, base - 36, lane.caption)
        # A logarithmic scale, as scores differ by factors of 1,000; typical ones are at the bottom.
        typical = max(float(np.median(lane.scores - lane.scores.min())), 1e-12)
        height = np.log(lane.scores - lane.scores.min() + typical)
        scale = Scale(float(np.quantile(height, 0.2)), float(height.max()), base, base - 30)
        x_drawn, y_drawn = column_max(x, np.maximum(height, scale.low), 600)
        drawing.path(axis.scale(x_drawn), scale(y_drawn), "score")
        _bars(drawing, axis, x, lane.scores >= lane.threshold, base + 2, 6, "alarm")
    description = "The series, labelled windows shaded; below, the scores of each detector, alarms as bars."
    head, rest = drawing.svg(name, description).split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style>{rest}\n'


def _bars(
    drawing: Drawing, axis: Axis, x: Floats, flags: np.ndarray, top: float, height: float, kind: str
) -> None:
    """Draw a bar for each run of true flags."""
    steps = np.diff(flags.astype(np.int8), prepend=0, append=0)
    for first, stop in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
        start, end = axis.scale(x[[first, stop - 1]])
        drawing.rect(float(start), top, float(end - start), height, kind)
