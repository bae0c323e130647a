"""Shapes and text as inline SVG.

Colours and fonts come from the page: shapes carry class names, so that one drawing serves light and dark.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from html import escape

import numpy as np

from diabolo.report.drawing.axes import Axis


@dataclass
class Drawing:
    """Shapes in the order in which they are drawn.

    Args:
        width: in units of the drawing; the page scales it.
        height: the same.
        name: unique in the page: the ids of title and description are made of it.
        digits: decimals of the places of lines.
        parts: the SVG of each shape.
    """

    width: float
    height: float
    name: str
    digits: int = 1
    parts: list[str] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, kind: str, *, title: str = "") -> None:
        """Draw a rectangle, at least 1.5 units wide so that it can be seen.

        Args:
            x: left.
            y: top.
            width: to the right.
            height: downwards; a negative one is 0.
            kind: class of the shape in the style sheet.
            title: shown when pointed at.
        """
        x, width = (x - (1.5 - width) / 2, 1.5) if width < 1.5 else (x, width)
        tip = f"<title>{escape(title)}</title>" if title else ""
        place = f'x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(max(height, 0))}"'
        self.parts.append(f'<rect class="{kind}" {place}>{tip}</rect>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str, *, more: str = "") -> None:
        """Draw a straight line.

        Args:
            x1: x of the start.
            y1: y of the start.
            x2: x of the end.
            y2: y of the end.
            kind: class of the shape in the style sheet.
            more: further attributes as SVG, which must not hold text of the data.
        """
        place = f'x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" y2="{_px(y2)}"'
        self.parts.append(f'<line class="{kind}" {place}{more}/>')

    def path(self, x: np.ndarray, y: np.ndarray, kind: str, *, apart: float = math.inf) -> None:
        """Draw a line through points.

        Args:
            x: (points,) places.
            y: (points,) places; NaN where one is missing.
            kind: class of the shape in the style sheet.
            apart: the distance in x from which two points are not connected.
        """
        known = np.isfinite(x) & np.isfinite(y)
        runs = np.cumsum(~known)[known]
        px, py = np.asarray(x, float)[known], np.asarray(y, float)[known]
        if len(px) == 0:
            return
        breaks = np.flatnonzero((np.diff(runs) > 0) | (np.diff(px) > apart)) + 1
        # A single point is drawn as a dot: a line of no length with a round end.
        steps = [
            self._steps(px[run], py[run]) + ("h0" if len(run) == 1 else "")
            for run in np.split(np.arange(len(px)), breaks)
        ]
        self.parts.append(f'<path class="{kind}" d="{"".join(steps)}"/>')

    def band(self, x: np.ndarray, low: np.ndarray, high: np.ndarray, kind: str) -> None:
        """Fill the area between two lines, interrupted at missing values.

        Args:
            x: (points,) places.
            low: (points,) places of one line; NaN where one is missing.
            high: (points,) the same of the other.
            kind: class of the shape in the style sheet.
        """
        known = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
        pieces = [
            self._steps(np.r_[x[run], x[run][::-1]], np.r_[high[run], low[run][::-1]]) + "Z"
            for run in np.split(np.arange(len(x)), np.flatnonzero(np.diff(known)) + 1)
            if len(run) > 1 and known[run[0]]
        ]
        if pieces:
            self.parts.append(f'<path class="{kind}" d="{"".join(pieces)}"/>')

    def bars(self, edges: np.ndarray, y: np.ndarray, base: float, chosen: np.ndarray, kind: str) -> None:
        """Draw some of the bars of a bar chart without gaps.

        Args:
            edges: (bars + 1,) places in x.
            y: (bars,) places of the tops.
            base: the place of the bottom.
            chosen: (bars,) which ones to draw.
            kind: class of the shape in the style sheet.
        """
        y = np.round(y, self.digits)
        runs = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).reshape(-1, 2)
        steps = []
        for first, past in runs:
            # Bars of one height are one bar.
            starts = first + np.flatnonzero(np.diff(y[first:past], prepend=np.inf))
            along = np.repeat(edges[np.r_[starts, past]], 2)
            steps.append(self._steps(along, np.r_[base, np.repeat(y[starts], 2), base]) + "Z")
        if steps:
            self.parts.append(f'<path class="{kind}" d="{"".join(steps)}"/>')

    def _steps(self, x: np.ndarray, y: np.ndarray) -> str:
        """A path from point to point in relative coordinates, which take few characters."""
        unit = 10**self.digits
        path = np.round(np.stack([x, y], 1) * unit).astype(np.int64)
        path[1:] = np.diff(path, axis=0)
        places = [_px(v / unit) for v in path.ravel().tolist()]
        steps = f"M{' '.join(places[:2])}" + (f"l{' '.join(places[2:])}" if len(path) > 1 else "")
        return re.sub(r"(?<!\d)0\.", ".", steps.replace(" -", "-"))

    def dots(self, x: np.ndarray, y: np.ndarray, kind: str) -> None:
        """Draw dots as one path: lines of no length with round ends, a few bytes each.

        Args:
            x: (points,) places.
            y: (points,) places; NaN where one is missing.
            kind: class of the shape in the style sheet.
        """
        steps = "".join(
            f"M{_px(a)} {_px(b)}h0" for a, b in zip(x, y, strict=True) if np.isfinite(a) and np.isfinite(b)
        )
        if steps:
            self.parts.append(f'<path class="{kind}" d="{steps}"/>')

    def circle(self, x: float, y: float, radius: float, kind: str, *, title: str = "") -> None:
        """Draw a circle.

        Args:
            x: of the centre.
            y: of the centre.
            radius: in units of the drawing.
            kind: class of the shape in the style sheet.
            title: shown when pointed at.
        """
        tip = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(
            f'<circle class="{kind}" cx="{_px(x)}" cy="{_px(y)}" r="{_px(radius)}">{tip}</circle>'
        )

    def image(self, x: float, y: float, size: float, uri: str, kind: str, *, title: str) -> None:
        """Draw an image within a square, in its own shape.

        Args:
            x: of the centre.
            y: of the centre.
            size: of the square.
            uri: a data URI that contains the image.
            kind: class of the shape in the style sheet.
            title: what it shows.
        """
        place = f'x="{_px(x - size / 2)}" y="{_px(y - size / 2)}" width="{_px(size)}" height="{_px(size)}"'
        self.parts.append(
            f'<image class="{kind}" {place} href="{escape(uri)}"><title>{escape(title)}</title></image>'
        )

    def text(self, x: float, y: float, words: str, kind: str = "tick", *, anchor: str = "start") -> None:
        """Write a line of text.

        Args:
            x: the place of the anchor.
            y: the place of the base line.
            words: the text.
            kind: class of the text in the style sheet.
            anchor: start, middle or end.
        """
        self.parts.append(
            f'<text class="{kind}" x="{_px(x)}" y="{_px(y)}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def vertical_axis(self, axis: Axis, left: float, right: float) -> None:
        """Draw the grid lines of a vertical axis, labelled at the left.

        Args:
            axis: its scale and ticks.
            left: the start of the lines.
            right: their end.
        """
        for value, label in axis.ticks:
            y = float(axis.scale(value))
            self.line(left, y, right, y, "grid")
            self.text(left - 6, y + 4, label, anchor="end")

    def horizontal_axis(self, axis: Axis, top: float, bottom: float, *, grid: bool = True) -> None:
        """Draw the labels of a horizontal axis; those that would overlap are left out.

        Args:
            axis: its scale and ticks.
            top: the start of the grid lines.
            bottom: their end; labels are below.
            grid: whether to draw grid lines.
        """
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
        """Draw another drawing in a part of this one, stretched to it.

        Args:
            inner: the other drawing.
            x: left.
            y: top.
            width: to the right.
            height: downwards.
            kind: class of the part in the style sheet.
            more: further attributes as SVG, which must not hold text of the data.
        """
        place = f'x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(height)}"'
        box = f'viewBox="0 0 {_px(inner.width)} {_px(inner.height)}" preserveAspectRatio="none"'
        self.parts.append(f'<svg class="{kind}" {place} {box}{more}>{"".join(inner.parts)}</svg>')

    def svg(self, title: str, description: str, kind: str = "") -> str:
        """Return the drawing as SVG, to be put into a page.

        Args:
            title: of the drawing.
            description: for readers who do not see it.
            kind: class of the drawing in the style sheet.
        """
        name = escape(self.name)
        head = (
            f'<svg class="{kind}" viewBox="0 0 {_px(self.width)} {_px(self.height)}" role="img" '
            f'aria-labelledby="{name}-title {name}-desc">'
        )
        words = f'<title id="{name}-title">{escape(title)}</title>'
        words += f'<desc id="{name}-desc">{escape(description)}</desc>'
        return head + words + "".join(self.parts) + "</svg>"


def _px(value: float) -> str:
    """A place or a length with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")
