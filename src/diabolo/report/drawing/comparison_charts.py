"""The charts of the comparison page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from diabolo.evaluation import MISSING
from diabolo.report.drawing import charts
from diabolo.report.drawing.svg import Drawing
from diabolo.report.formatting import percent
from diabolo.utils.text import shorten

MAX_LABELS = 7  # of a column that are drawn, the others together: a choice
DESCRIPTION = "Bars: real values. Line: synthetic values."
SIMILARITY_GRADES = ("98 % or more", "95 to 98 %", "90 to 95 %", "80 to 90 %", "less")  # of similarity
MIN_SIMILARITY = (0.98, 0.95, 0.9, 0.8)  # of each grade but the last: a choice


def number_chart(name: str, real: np.ndarray, new: np.ndarray, *, dates: bool, title: str) -> str:
    """Return the histograms of the numbers of two columns as SVG; empty if one has none.

    Args:
        name: unique in the page.
        real: numbers, or seconds since 1970.
        new: the same of synthetic rows.
        dates: whether they are seconds.
        title: of the chart.
    """
    if len(real) == 0 or len(new) == 0:
        return ""
    return charts.histogram(name, real, new, title=title, description=DESCRIPTION, dates=dates)


def label_chart(name: str, real: np.ndarray, new: np.ndarray, *, title: str) -> str:
    """Return the frequencies of the most frequent labels of two columns as SVG.

    Args:
        name: unique in the page.
        real: (rows,) labels as text.
        new: (rows,) the same of synthetic rows.
        title: of the chart.
    """
    known, index = np.unique(np.concatenate([real, new]).astype(str), return_inverse=True)
    one, two = (np.bincount(part, minlength=len(known)) / len(part) for part in np.split(index, [len(real)]))
    order = np.argsort(-(one + two), kind="stable")
    first, rest = order[:MAX_LABELS], order[MAX_LABELS:]
    lines = [("missing" if known[i] == MISSING else str(known[i]), one[i], two[i]) for i in first.tolist()]
    if len(rest):
        lines.append((f"{len(rest)} others", one[rest].sum(), two[rest].sum()))
    drawing = Drawing(320, 18 * len(lines) + 12, name)
    most = max(max(a, b) for _, a, b in lines)
    for i, (label, share, other) in enumerate(lines):
        top = 18 * i + 8
        drawing.text(122, top + 10, shorten(label, 17), anchor="end")
        tip = f"{shorten(label)}: {percent(share)} real, {percent(other)} synthetic"
        drawing.rect(128, top, 184 * share / most, 13, "bar", title=tip)
        x = 128 + 184 * other / most
        drawing.line(x, top - 2, x, top + 15, "outline")
    return drawing.svg(title, DESCRIPTION, "small")


def pair_matrix(
    name: str,
    columns: Sequence[str],
    alone: Mapping[str, float],
    pairs: Mapping[tuple[str, str], float],
) -> str:
    """Return the similarity of each pair of columns as a matrix in SVG, single columns on the diagonal.

    Args:
        name: unique in the page.
        columns: the names of the columns, in order.
        alone: column -> similarity, 0 to 1.
        pairs: two columns -> similarity, 0 to 1.
    """
    size, left = 22, 210
    drawing = Drawing(left + size * len(columns) + 8, size * len(columns) + 30, name)
    for i, one in enumerate(columns):
        y = 24 + size * i
        drawing.text(left - 30, y + 15, shorten(one, 26), anchor="end")
        drawing.text(left - 8, y + 15, str(i + 1), anchor="end")
        drawing.text(left + size * i + size / 2, 16, str(i + 1), anchor="middle")
        for j, two in enumerate(columns):
            value = alone[one] if i == j else pairs[(one, two) if (one, two) in pairs else (two, one)]
            grade = next((g for g, floor in enumerate(MIN_SIMILARITY) if value >= floor), len(MIN_SIMILARITY))
            named = shorten(one, 40) if i == j else f"{shorten(one, 40)}, {shorten(two, 40)}"
            drawing.rect(
                left + size * j + 1,
                y + 1,
                size - 2,
                size - 2,
                f"grade{grade}",
                title=f"{named}: {percent(value)}",
            )
    return drawing.svg(
        "Similarity of pairs of columns", "The stronger the colour, the more a pair differs.", "pairs"
    )
