"""A drawing of a series on its own: an SVG file, or an image in a notebook."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.data.columns.convert import to_float, to_moments, to_seconds
from diabolo.errors import ColumnError, OptionError, UnsupportedError
from diabolo.report.drawing import timeline
from diabolo.report.drawing.charts import LEFT_MARGIN, PAGE_WIDTH
from diabolo.report.drawing.svg import Drawing
from diabolo.report.expected import series_segment
from diabolo.report.formatting import count_of
from diabolo.report.page import read_part
from diabolo.report.series_view import MAX_CHANNELS, MAX_SERIES, SeriesView
from diabolo.tasks.base import Model
from diabolo.utils.files import write_atomic
from diabolo.utils.text import shorten

LEGEND = {  # class of a shape -> what it shows
    "observed": "observed",
    "expected": "expected",
    "range": "expected range (90 %)",
    "episode": "episode",
    "peak": "its most anomalous point",
    "threshold": "alarm level of the fit",
    "level": "alarm level that follows the share of alarms",
}


@dataclass(frozen=True)
class Svg:
    """A drawing, which notebooks show.

    Attributes:
        text: the content of its file.
    """

    text: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.text


def draw_series(
    model: Model,
    data: Any,
    path: str | Path | None = None,
    *,
    column: str | Sequence[str] | None = None,
    series: str | Sequence[str] | None = None,
    start: Any = None,
    stop: Any = None,
) -> Svg:
    """Draw a series with its expected values and episodes: see `Autoencoder.plot_series`.

    Args:
        model: a model fitted on a series.
        data: rows with the columns of the fit.
        path: an .svg file to write; None to write none.
        column: the channels to draw; None for the first eight.
        series: which of several series to draw; None for the six most anomalous.
        start: the first time to draw; None for the first of the data.
        stop: the last time to draw; None for the last of the data.

    Raises:
        UnsupportedError: the model was not fitted on a series.
        OptionError: a channel, series or time is not in the data, or the path is not an .svg file.
        DataError: the data cannot be read, or the file cannot be written.
    """
    if path is not None and Path(path).suffix != ".svg":
        raise OptionError(f"path={str(path)!r}: drawings are written as SVG", hint='path="series.svg"')
    if model.engine_.source.kind != SeriesView.kind:
        raise UnsupportedError(
            "only a model of a series can draw a series", hint='model.report(data, "report.html")'
        )
    view = SeriesView(model, data)
    labels = [one.label for one in view.series]
    channels = _select("column", column, view.channels, MAX_CHANNELS)
    low, high = _parse_time(view, "start", start, -np.inf), _parse_time(view, "stop", stop, np.inf)
    panels = []
    for label in _select("series", series, labels, MAX_SERIES):
        segment = series_segment(view, labels.index(label), channels, low, high)
        if len(segment.x):
            panels.append((label, timeline.draw(label, segment, view.scores.threshold)))
    if not panels:
        first, last = (_time_text(view, row) for row in (view.times.argmin(), view.times.argmax()))
        raise OptionError(
            f"no point is between start={start!r} and stop={stop!r}", hint=f"start={first!r}, stop={last!r}"
        )
    svg = Svg(_join_panels(panels))
    if path is not None:
        write_atomic(Path(path), svg.text.encode())
    return svg


def _select(option: str, names: str | Sequence[str] | None, known: list[str], most: int) -> list[str]:
    """The requested names, or the first of the known ones."""
    if names is None:
        return known[:most]
    requested = [shorten(str(n)) for n in ([names] if isinstance(names, str) else names)]
    for name in requested:
        if name not in known:
            raise OptionError(f"{option}={name!r} is not known", hint=f"one of {', '.join(known[:20])}")
    return requested


def _parse_time(view: SeriesView, option: str, value: Any, default: float) -> float:
    """A time that the user gave, on the axis of `view.times`."""
    source = view.source
    if value is None:
        return default
    try:
        if source.time is None:
            return float(value)
        values = pa.array([value])
        if not view.dates:
            return float(to_float(values, source.time)[0])
        return float(to_seconds(to_moments(values, source.time, source.form))[0])
    except (ColumnError, pa.ArrowException, TypeError, ValueError) as error:
        hint = f"{option}={_time_text(view, 0)!r}"
        raise OptionError(f"{option}={value!r} is no time of the series", hint=hint) from error


def _time_text(view: SeriesView, row: int | np.integer[Any]) -> str | float:
    """The time of a row as the user may write it."""
    time = view.source.time
    if not view.dates or time is None:
        return float(view.times[row])
    return str(view.columns[time][int(row)].as_py())


def _join_panels(panels: list[tuple[str, Drawing]]) -> str:
    """One SVG of several series below each other, with a legend."""
    head = 24 if panels[0][0] else 0
    joined = Drawing(PAGE_WIDTH, sum(panel.height + head for _, panel in panels) + 24, "series")
    joined.rect(0, 0, PAGE_WIDTH, joined.height, "page")
    y = 0.0
    for label, panel in panels:
        joined.text(8, y + 20, label, "label")
        joined.inset(panel, 0, y + head, PAGE_WIDTH, panel.height, "")
        y += panel.height + head
    x = LEFT_MARGIN
    for kind, text in LEGEND.items():
        if kind in ("range", "episode"):
            joined.rect(x, y + 1, 18, 12, kind)
        else:
            joined.line(x, y + 7, x + 18, y + 7, kind)
        joined.text(x + 24, y + 11, text)
        x += 48 + 6.5 * len(text)
    description = (
        f"{count_of(len(panels), 'series', 'series')}, episodes shaded; below, the anomaly score in bits."
    )
    start, rest = joined.svg("Observed and expected values", description).split(">", 1)
    # A file has no page that defines its colours, and not every program that shows it knows variables.
    light = dict(re.findall(r"--(\w+): ([^;]+);", read_part("page.css").partition("@media")[0]))
    style = re.sub(r"var\(--(\w+)\)", lambda found: light[found[1]], read_part("chart.css"))
    return f'{start} xmlns="http://www.w3.org/2000/svg"><style>{style}</style>{rest}\n'
