"""A picture of a series that stands alone."""

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
from diabolo.report.drawing.charts import LEFT, WIDTH
from diabolo.report.drawing.svg import Drawing
from diabolo.report.expected import with_expected
from diabolo.report.formatting import clipped, several
from diabolo.report.page import part
from diabolo.report.view import View
from diabolo.utils.files import write_atomic

STRANDS, CHANNELS = 6, 8  # what is drawn of many, if none are named
KEY = {
    "got": "measured",
    "expected": "expected",
    "range": "nine values in ten",
    "episode": "episode",
    "peak": "its oddest point",
    "threshold": "alarm level",
}


@dataclass(frozen=True)
class Svg:
    """A picture, which notebooks show.

    Attributes:
        text: what a file of it holds.
    """

    text: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.text


def draw_series(
    model: Any,
    data: Any,
    path: str | Path | None = None,
    *,
    column: str | Sequence[str] | None = None,
    series: str | Sequence[str] | None = None,
    start: Any = None,
    stop: Any = None,
) -> Svg:
    """Draw a series with what was expected of it: see `Autoencoder.plot_series`."""
    if path is not None and Path(path).suffix != ".svg":
        raise OptionError(f"path={str(path)!r}: pictures are written as SVG", hint='path="series.svg"')
    if model.engine_.source.kind != "series":
        raise UnsupportedError("only a series has such a picture", hint='model.report(data, "report.html")')
    view = View(model, data)
    labels = [strand.label for strand in view.strands]
    channels = _chosen("column", column, view.channels, CHANNELS)
    low, high = _moment(view, "start", start, -np.inf), _moment(view, "stop", stop, np.inf)
    panels = []
    for label in _chosen("series", series, labels, STRANDS):
        seen = with_expected(view, labels.index(label), channels, low, high)
        if len(seen.x):
            panels.append((label, timeline.draw(label, seen, view.scores.threshold)))
    if not panels:
        raise OptionError(
            f"no point lies between start={start!r} and stop={stop!r}",
            hint=f"start={_text(view, view.times.argmin())!r}, stop={_text(view, view.times.argmax())!r}",
        )
    picture = Svg(_page(panels))
    if path is not None:
        write_atomic(Path(path), picture.text.encode())
    return picture


def _chosen(option: str, names: str | Sequence[str] | None, known: list[str], most: int) -> list[str]:
    """The names that are asked for, or the first of those that are known."""
    if names is None:
        return known[:most]
    wanted = [clipped(str(n)) for n in ([names] if isinstance(names, str) else names)]
    for name in wanted:
        if name not in known:
            raise OptionError(f"{option}={name!r} is not known", hint=f"one of {', '.join(known[:20])}")
    return wanted


def _moment(view: View, option: str, value: Any, default: float) -> float:
    """A time of the user's on the axis of the series."""
    source = view.series
    if value is None or source is None:
        return default
    try:
        if source.time is None:
            return float(value)
        given = pa.array([value])
        if not view.dates:
            return float(to_float(given, source.time)[0])
        return float(to_seconds(to_moments(given, source.time, source.form))[0])
    except (ColumnError, pa.ArrowException, TypeError, ValueError) as error:
        hint = f"{option}={_text(view, 0)!r}"
        raise OptionError(f"{option}={value!r} is no time of the series", hint=hint) from error


def _text(view: View, row: int | np.integer[Any]) -> str | float:
    """The time of a row as the user may write it."""
    source = view.series
    if not view.dates or source is None or source.time is None:
        return float(view.times[row])
    return str(view.columns[source.time][int(row)].as_py())


def _page(panels: list[tuple[str, Drawing]]) -> str:
    """Series under each other, with a key."""
    head = 24 if panels[0][0] else 0
    whole = Drawing(WIDTH, sum(panel.height + head for _, panel in panels) + 24, "series")
    whole.rect(0, 0, WIDTH, whole.height, "page")
    y = 0.0
    for label, panel in panels:
        whole.text(8, y + 20, label, "label")
        whole.inset(panel, 0, y + head, WIDTH, panel.height, "")
        y += panel.height + head
    x = LEFT
    for kind, words in KEY.items():
        if kind in ("range", "episode"):
            whole.rect(x, y + 1, 18, 12, kind)
        else:
            whole.line(x, y + 7, x + 18, y + 7, kind)
        whole.text(x + 24, y + 11, words)
        x += 48 + 6.5 * len(words)
    said = f"{several(len(panels), 'series', 'series')}, shaded where in alarm; below, the oddness in bits."
    start, rest = whole.svg("What was measured and what was expected", said).split(">", 1)
    # Alone it gets no colours from a page, and not every program that shows it knows variables.
    light = dict(re.findall(r"--(\w+): ([^;]+);", part("page.css").partition("@media")[0]))
    style = re.sub(r"var\(--(\w+)\)", lambda found: light[found[1]], part("chart.css"))
    return f'{start} xmlns="http://www.w3.org/2000/svg"><style>{style}</style>{rest}\n'
