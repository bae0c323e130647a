"""The cards of a report: its oddest rows, with the cells that make them odd."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo import tasks
from diabolo.data.columns import Image
from diabolo.data.columns.image import to_pixels
from diabolo.detection.calibration import severity
from diabolo.report.drawing.png import Thumbnail, heat, thumbnail
from diabolo.report.formatting import clipped, several, shown
from diabolo.report.view import View
from diabolo.tasks import Explanation

CARDS = 20
FEWEST = 5
MARKED = 20  # percent of a row's surprise from which a cell is marked
CELLS = 6  # cells shown in a card


@dataclass(frozen=True)
class Cell:
    """One cell of a card; texts are None where there is no value.

    Attributes:
        odd: whether it is probably wrong, or makes up a good part of the row's surprise.
        share: its percentage of the surprise.
    """

    column: str
    got: str | Thumbnail | None
    expected: str | Thumbnail | None
    between: str | Thumbnail | None
    nearest: str | Thumbnail | None
    share: float
    odd: bool


@dataclass
class Card:
    """One of the oddest rows or episodes.

    Attributes:
        series, between: the number of the series that an episode lies in, and the times around it.
    """

    title: str
    about: str
    bits: float
    severity: float
    alarm: bool
    cells: list[Cell]
    rest: str = ""
    picture: str = ""
    nearest: str = ""
    has_nearest: bool = False
    has_share: bool = True
    series: int | None = None
    between: tuple[float, float] = (0.0, 0.0)


def odd_rows(view: View) -> list[Card]:
    """The up to twenty oddest rows of a table; of a small one its alarms, and five rows at least."""
    most = min(max(view.user_table.rows // 20, int(view.scores.alarm.sum()), FEWEST), CARDS)
    rows = np.argsort(-view.bits, kind="stable")[:most]
    said = tasks.explain(view.model, view.user_table, rows=rows.tolist())
    first: dict[int, int] = {}
    for i, row in enumerate(said.neighbours.get("row", ())):
        first.setdefault(int(row), i)
    cards = []
    for i, row in enumerate(rows.tolist()):
        near: dict[str, str | Thumbnail | None] = {}
        if row in first:
            near = {n: _expected(view, n, said.neighbours[n], first[row]) for n in said.names}
        card = make_card(view, said, i, row, near)
        card.title = f"Row {row:,}"
        card.about = "; ".join(_labels(view, row))
        if near:
            distance = float(said.neighbours["distance"][first[row]])
            card.nearest = f"distance {distance:.2g}" if np.isfinite(distance) else ""
        cards.append(card)
    return cards


def _labels(view: View, row: int) -> list[str]:
    """What the user knows the row by: the pandas index, and ids that the model does not read."""
    index, found = view.user_table.index, []
    if index is not None and str(index[row]) != str(row):
        found.append(f"index {clipped(str(index[row]), 40)}")
    for entry in view.engine.schema.entries:
        if entry.role == "ignored" and entry.reason.startswith("an id") and entry.name in view.columns:
            found.append(f"{clipped(entry.name, 30)} {shown(view.columns[entry.name][row].as_py())}")
    return found[:3]


def make_card(
    view: View, said: Explanation, i: int, row: int, near: dict[str, str | Thumbnail | None]
) -> Card:
    """A card with the cells that make up most of the surprise; line `i` of the explanation."""
    order = np.argsort(-said.share[i], kind="stable")
    cells = []
    for at in order[:CELLS].tolist():
        name = said.names[at]
        got = _got(view, name, said.got[name], i)
        between: str | Thumbnail | None = None
        expected, low, high = (
            _expected(view, name, part[name], i) for part in (said.expected, said.low, said.high)
        )
        if name in said.maps:
            between = heat(said.maps[name][i])
        elif low is not None and high is not None and low != high:
            between = f"{low} to {high}"
        share, suspect = float(said.share[i, at]), bool(said.p_wrong[i, at] >= 0.5)
        # A wild value misleads what is expected beside it: cells without a share are no suspects.
        odd = share >= (1 if suspect else MARKED) and got is not None and (suspect or _outside(said, name, i))
        cells.append(Cell(clipped(name, 40), got, expected, between, near.get(name), share, odd))
    others = order[CELLS:]
    rest = ""
    if len(others):
        share = float(said.share[i, others].sum())
        rest = f"{several(len(others), 'other column')} together: {share:.0f} %"
    bits = float(view.bits[row])
    alarm = bool(view.scores.alarm[row])
    return Card(
        "",
        "",
        bits,
        float(severity(np.array(bits))),
        alarm,
        cells,
        rest,
        has_nearest=bool(near),
        has_share=len(order) > 1,
    )


def _outside(said: Explanation, name: str, i: int) -> bool:
    """Whether a value lies outside the range expected of it, or is another label, and speaks for an error."""
    if name in said.maps:
        return False  # no range of a picture is one number: only its pixels can be suspect
    got, low, high = (_value(part[name], i) for part in (said.got, said.low, said.high))
    if low is None or high is None:
        return bool(got != _value(said.expected[name], i) and said.bits[i, said.names.index(name)] > 0)
    try:
        return not low <= got <= high
    except TypeError:
        return True


def _got(view: View, name: str, values: Any, i: int) -> str | Thumbnail | None:
    """A value as it is."""
    column = view.engine.schema[name]
    if isinstance(column, Image):
        there = bool(values[i].is_valid)
        return thumbnail(column, to_pixels(values.slice(i, 1))[0]) if there else None
    return shown(_value(values, i))


def _expected(view: View, name: str, values: Any, i: int) -> str | Thumbnail | None:
    """An estimate: dates to the minute, or to the day if the column holds days; numbers to four digits."""
    if isinstance(view.engine.schema[name], Image):
        return _got(view, name, values, i)
    value = _value(values, i)
    if isinstance(value, datetime):
        day = name in view.whole_days
        try:
            value += timedelta(hours=12) if day else timedelta(seconds=30)
        except OverflowError:
            return shown(value)
        return f"{value:%Y-%m-%d}" if day else f"{value:%Y-%m-%d %H:%M}"
    return shown(value, digits=4)


def _value(values: Any, i: int) -> Any:
    if values is None:
        return None
    value = values[i]
    return value.as_py() if isinstance(value, pa.Scalar) else value
