"""The cards of a report: one anomalous row or episode each, with the cells that make it anomalous."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Column, Image
from diabolo.data.columns.image import to_pixels
from diabolo.detection.calibration import severity
from diabolo.report.drawing.png import Thumbnail, error_map, thumbnail
from diabolo.report.formatting import count_of, format_bits, format_value
from diabolo.tasks import Explanation
from diabolo.utils.text import shorten

if TYPE_CHECKING:
    from diabolo.report.view import View

MAX_CARDS = 20  # of a report: a choice
MAX_CELLS = 6  # shown in a card: a choice
MAX_REASON = 160  # characters of why a value is wrong: a choice
MIN_MARKED_SHARE = 20  # percent of a row's anomaly score from which a cell is marked: a choice

Content = str | Thumbnail | None  # what a cell of a card shows; None for a missing value


@dataclass(frozen=True)
class Cell:
    """One cell of a card.

    Attributes:
        column: the name of its column.
        observed: the value of the data.
        expected: the predicted value.
        interval: the range that is expected to hold nine values in ten; of an image, the bits of its pixels.
        nearest: the value of the most similar remembered row.
        share: the part of the row's anomaly score that the cell has, in percent.
        marked: whether the value is probably wrong, or has a large share of the score.
        why: what is wrong with the value, in a few words; empty if nothing is known of it.
    """

    column: str
    observed: Content
    expected: Content
    interval: Content
    nearest: Content
    share: float
    marked: bool
    why: str = ""


@dataclass
class Card:
    """One of the most anomalous rows or episodes.

    Attributes:
        bits: the anomaly score.
        severity: the same from 0 to 100.
        alarm: whether it is an alarm.
        cells: those with the largest shares of the score.
        title: the row's number, or the time of the episode.
        details: a line below the title.
        rest: a line on the cells that are not shown.
        drawing: SVG of an episode.
        nearest: a line on the most similar remembered row.
        has_nearest: whether cells show the values of that row.
        has_share: whether there are several cells that share the score.
        series: the number of the series that an episode is in; None for a row.
        between: the times around an episode.
        max_bits: the bits that the calibration supports.
    """

    bits: float
    severity: float
    alarm: bool
    cells: list[Cell]
    title: str = ""
    details: str = ""
    rest: str = ""
    drawing: str = ""
    nearest: str = ""
    has_nearest: bool = False
    has_share: bool = True
    series: int | None = None
    between: tuple[float, float] = (0.0, 0.0)
    max_bits: float = np.inf

    @property
    def score(self) -> str:
        """The anomaly score as text."""
        return format_bits(self.bits, self.max_bits)

    def main_cell(self) -> Cell | None:
        """Return the first marked cell, if its observed and expected values differ as text."""
        cell = next((c for c in self.cells if c.marked), None)
        differs = cell is not None and isinstance(cell.expected, str) and cell.expected != cell.observed
        return cell if differs else None


def make_card(
    view: View, explanation: Explanation, line: int, row: int, nearest: Mapping[str, Content]
) -> Card:
    """Return a card with the cells that have the largest shares of a row's anomaly score.

    Args:
        view: the data.
        explanation: the explanation of some rows.
        line: the place of the row among them.
        row: the number of the row in the data.
        nearest: column -> value of the most similar remembered row; empty if there is none.
    """
    # Text is not predicted: it is shown where its cell is wrong, or its form counts.
    shown = np.isin(explanation.names, view.engine.schema.predicted) | (explanation.p_wrong[line] >= 0.5)
    shown |= explanation.share[line] >= MIN_MARKED_SHARE
    order = np.argsort(-explanation.share[line], kind="stable")
    order = order[shown[order]]
    cells = [_cell(view, explanation, line, at, nearest) for at in order[:MAX_CELLS].tolist()]
    others = order[MAX_CELLS:]
    rest = ""
    if len(others):
        share = float(explanation.share[line, others].sum())
        rest = f"{count_of(len(others), 'other column')} together: {share:.0f} %"
    bits = float(view.bits[row])
    return Card(
        bits,
        float(severity(np.array(bits))),
        bool(view.scores.alarm[row]),
        cells,
        rest=rest,
        has_nearest=bool(nearest),
        max_bits=view.engine.calibration.max_bits,
        has_share=len(order) > 1,
    )


def _cell(view: View, explanation: Explanation, line: int, at: int, nearest: Mapping[str, Content]) -> Cell:
    """The cell of the column number `at`."""
    name = explanation.names[at]
    observed = observed_value(view, name, explanation.observed[name], line)
    expected, low, high = (
        expected_value(view, name, part[name], line)
        for part in (explanation.expected, explanation.low, explanation.high)
    )
    interval: Content = None
    neighbour = nearest.get(name, "")
    if expected is None and name not in view.engine.schema.predicted:
        expected = ""  # not missing, but not predicted
    if name in explanation.maps:
        interval = error_map(explanation.maps[name][line])
    elif low is not None and high is not None and low != high and not _is_corrected(explanation, name, line):
        interval = f"{low} to {high}"
    share = float(explanation.share[line, at])
    wrong = bool(explanation.p_wrong[line, at] >= 0.5)
    # An extreme value misleads the predictions of its neighbours: a cell without a share is not marked.
    marked = (
        share >= (1 if wrong else MIN_MARKED_SHARE)
        and observed is not None
        and (wrong or _is_outside(explanation, name, line))
    )
    why = shorten(explanation.why[name][line] or "", MAX_REASON) if wrong else ""
    return Cell(shorten(name, 40), observed, expected, interval, neighbour, share, marked, why)


def _is_corrected(explanation: Explanation, name: str, line: int) -> bool:
    """Whether what is expected is a right value outside the range of the prediction."""
    right, low, high = (
        _python_value(part[name], line) for part in (explanation.expected, explanation.low, explanation.high)
    )
    try:
        return not low <= right <= high
    except TypeError:
        return False


def _is_outside(explanation: Explanation, name: str, line: int) -> bool:
    """Whether a value is outside its expected range, or another label with evidence for an error."""
    if name in explanation.maps:
        return False  # an image has no range that is one number: only its pixels can be anomalous
    observed, low, high = (
        _python_value(part[name], line) for part in (explanation.observed, explanation.low, explanation.high)
    )
    if low is None or high is None:
        expected = _python_value(explanation.expected[name], line)
        return bool(observed != expected and explanation.bits[line, explanation.names.index(name)] > 0)
    try:
        return not low <= observed <= high
    except TypeError:
        return True


def observed_value(view: View, name: str, values: Any, line: int) -> Content:
    """Return a value of the data as a cell shows it.

    Args:
        view: the data.
        name: the column.
        values: its values; None if there are none.
        line: the place of the value among them.
    """
    column = _column_of(view, name)
    if isinstance(column, Image):
        return thumbnail(column, to_pixels(values.slice(line, 1))[0]) if values[line].is_valid else None
    return format_value(_python_value(values, line))


def expected_value(view: View, name: str, values: Any, line: int) -> Content:
    """Return a prediction as a cell shows it: numbers with four digits.

    Dates are rounded to the minute, or to the day if the column holds days.

    Args:
        view: the data.
        name: the column.
        values: its values; None if there are none.
        line: the place of the value among them.
    """
    if isinstance(_column_of(view, name), Image):
        return observed_value(view, name, values, line)
    value = _python_value(values, line)
    if isinstance(value, datetime):
        day = name in view.date_only_columns
        try:
            value += timedelta(hours=12) if day else timedelta(seconds=30)
        except OverflowError:
            return format_value(value)
        return f"{value:%Y-%m-%d}" if day else f"{value:%Y-%m-%d %H:%M}"
    return format_value(value, digits=4)


def _column_of(view: View, name: str) -> Column:
    """The kind of a column."""
    return view.engine.schema[name]


def _python_value(values: Any, line: int) -> Any:
    """One value as a Python object; None if there are no values."""
    if values is None:
        return None
    value = values[line]
    return value.as_py() if isinstance(value, pa.Scalar) else value
