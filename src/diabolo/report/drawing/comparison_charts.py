"""The drawings of a page that holds two tables against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from diabolo.evaluation import MISSING
from diabolo.report.drawing import charts
from diabolo.report.drawing.svg import Drawing
from diabolo.report.formatting import clipped, percent

LABELS = 7  # of a column that are drawn; the others together
WORDS = "Bars: real values. Line: new values."
GRADES = ("98 % or more", "95 to 98 %", "90 to 95 %", "80 to 90 %", "less")  # of likeness
FLOORS = (0.98, 0.95, 0.9, 0.8)


def numbers(name: str, real: np.ndarray, new: np.ndarray, *, dates: bool, title: str) -> str:
    """How the numbers, or the moments in seconds, of two columns are spread."""
    if len(real) == 0 or len(new) == 0:
        return ""
    return charts.histograms(name, real, new, title=title, words=WORDS, dates=dates)


def labels(name: str, real: np.ndarray, new: np.ndarray, *, title: str) -> str:
    """How often the most frequent labels occur in two columns."""
    known, place = np.unique(np.concatenate([real, new]).astype(str), return_inverse=True)
    one, two = (np.bincount(part, minlength=len(known)) / len(part) for part in np.split(place, [len(real)]))
    order = np.argsort(-(one + two), kind="stable")
    first, rest = order[:LABELS], order[LABELS:]
    lines = [("missing" if known[i] == MISSING else str(known[i]), one[i], two[i]) for i in first.tolist()]
    if len(rest):
        lines.append((f"{len(rest)} others", one[rest].sum(), two[rest].sum()))
    drawing = Drawing(320, 18 * len(lines) + 12, name)
    most = max(max(a, b) for _, a, b in lines)
    for i, (label, share, other) in enumerate(lines):
        top = 18 * i + 8
        drawing.text(122, top + 10, clipped(label, 17), anchor="end")
        tip = f"{clipped(label)}: {percent(share)} real, {percent(other)} new"
        drawing.rect(128, top, 184 * share / most, 13, "bar", title=tip)
        x = 128 + 184 * other / most
        drawing.line(x, top - 2, x, top + 15, "outline")
    return drawing.svg(title, WORDS, "small")


def matrix(
    name: str,
    columns: Sequence[str],
    alone: Mapping[str, float],
    pairs: Mapping[tuple[str, str], float],
) -> str:
    """How alike each pair of columns is: a square for each, columns alone on the diagonal."""
    size, left = 22, 210
    drawing = Drawing(left + size * len(columns) + 8, size * len(columns) + 30, name)
    for i, one in enumerate(columns):
        y = 24 + size * i
        drawing.text(left - 30, y + 15, clipped(one, 26), anchor="end")
        drawing.text(left - 8, y + 15, str(i + 1), anchor="end")
        drawing.text(left + size * i + size / 2, 16, str(i + 1), anchor="middle")
        for j, two in enumerate(columns):
            value = alone[one] if i == j else pairs[(one, two) if (one, two) in pairs else (two, one)]
            grade = next((g for g, floor in enumerate(FLOORS) if value >= floor), len(FLOORS))
            named = clipped(one, 40) if i == j else f"{clipped(one, 40)}, {clipped(two, 40)}"
            drawing.rect(
                left + size * j + 1,
                y + 1,
                size - 2,
                size - 2,
                f"h{grade}",
                title=f"{named}: {percent(value)}",
            )
    return drawing.svg(
        "How alike pairs of columns are", "The stronger the colour, the more a pair differs.", "pairs"
    )
