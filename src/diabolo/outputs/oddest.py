"""The oddest rows of a table, and the oddest episodes of a series, as cards of a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo import tasks
from diabolo.calibration import severity
from diabolo.outputs import charts
from diabolo.outputs.plots import moment
from diabolo.outputs.view import Strand, View
from diabolo.outputs.words import clipped, duration, several, shown
from diabolo.tasks import Episode, Explanation

CARDS = 20
QUIET = 4  # cards of a series without alarms: its oddest stretches
MARKED = 25  # percent of a row's surprise from which a cell is marked
CELLS = 6  # cells shown in a card
POINTS = 2_000  # points of a series explained around one episode


@dataclass(frozen=True)
class Cell:
    """One cell of a card; texts are None where there is no value.

    Attributes:
        odd: whether it is probably wrong, or makes up a good part of the row's surprise.
        share: its percentage of the surprise.
    """

    column: str
    got: str | None
    expected: str | None
    between: str | None
    nearest: str | None
    share: float
    odd: bool


@dataclass
class Card:
    """One of the oddest rows or episodes."""

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


@dataclass
class Oddest:
    """The cards, and what was learnt for them that the drawing of the whole series shows too.

    Attributes:
        cards: oddest first.
        expected: channel -> (rows,) what was expected; NaN where nobody asked.
        low, high: channel -> (rows,) its range.
    """

    cards: list[Card]
    expected: dict[str, np.ndarray] = field(default_factory=dict)
    low: dict[str, np.ndarray] = field(default_factory=dict)
    high: dict[str, np.ndarray] = field(default_factory=dict)


def oddest(view: View) -> Oddest:
    """The up to twenty oddest rows of a table, or episodes of a series."""
    return _rows(view) if view.series is None else _episodes(view)


def _rows(view: View) -> Oddest:
    rows = np.argsort(-view.bits, kind="stable")[:CARDS]
    said = tasks.explain(view.model, view.native, rows=rows.tolist())
    first: dict[int, int] = {}
    for i, row in enumerate(said.neighbours.get("row", ())):
        first.setdefault(int(row), i)
    cards = []
    for i, row in enumerate(rows.tolist()):
        near = {n: shown(said.neighbours[n][first[row]].as_py()) for n in said.names} if row in first else {}
        card = _card(view, said, i, row, near)
        card.title = f"Row {row:,}"
        card.about = "; ".join(_labels(view, row))
        if near:
            distance = float(said.neighbours["distance"][first[row]])
            card.nearest = f"distance {distance:.2g}" if np.isfinite(distance) else ""
        cards.append(card)
    return Oddest(cards)


def _labels(view: View, row: int) -> list[str]:
    """What the user knows the row by: the pandas index, and ids that the model does not read."""
    index, found = view.native.index, []
    if index is not None and str(index[row]) != str(row):
        found.append(f"index {clipped(str(index[row]), 40)}")
    for entry in view.engine.schema.entries:
        if entry.role == "ignored" and entry.reason.startswith("an id") and entry.name in view.columns:
            found.append(f"{clipped(entry.name, 30)} {shown(view.columns[entry.name][row].as_py())}")
    return found[:3]


def _card(view: View, said: Explanation, i: int, row: int, near: dict[str, str | None]) -> Card:
    """A card with the cells that make up most of the surprise; line `i` of the explanation."""
    order = np.argsort(-said.share[i], kind="stable")
    cells = []
    for at in order[:CELLS].tolist():
        name = said.names[at]
        got, expected = (shown(_value(part[name], i)) for part in (said.got, said.expected))
        low, high = (shown(_value(part[name], i)) for part in (said.low, said.high))
        odd = bool(got is not None and (said.p_wrong[i, at] >= 0.5 or said.share[i, at] >= MARKED))
        between = f"{low} to {high}" if low is not None and high is not None and low != high else None
        cells.append(Cell(clipped(name, 40), got, expected, between, near.get(name), float(said.share[i, at]), odd))
    others = order[CELLS:]
    rest = ""
    if len(others):
        share = float(said.share[i, others].sum())
        rest = f"{several(len(others), 'other column')} together: {share:.0f} %"
    bits = float(view.bits[row])
    alarm = bool(view.scores.alarm[row])
    return Card("", "", bits, float(severity(np.array(bits))), alarm, cells, rest, has_nearest=bool(near))


def _value(values: Any, i: int) -> Any:
    if values is None:
        return None
    value = values[i]
    return value.as_py() if isinstance(value, pa.Scalar) else value


def _episodes(view: View) -> Oddest:
    source = view.series
    assert source is not None
    blank = np.full(view.native.rows, np.nan)
    channels = [n for n in view.engine.schema.scored if n in source.channels]
    found = Oddest([], *({n: blank.copy() for n in channels} for _ in range(3)))
    strand_of, place_of = view.places
    alarms = sorted(view.scores.episodes, key=lambda e: -e.bits)[:CARDS]
    for number, episode in enumerate(alarms + _quiet(view, QUIET - len(alarms))):
        strand, peak = view.strands[strand_of[episode.peak]], int(place_of[episode.peak])
        start, end = sorted((int(place_of[episode.start]), int(place_of[episode.end])))
        around = _around(start, end, peak, source.length, len(strand.rows))
        rows = strand.rows[around]
        said = tasks.explain(view.model, view.native, rows=rows.tolist())
        for name in channels:
            for part, store in ((said.expected, found.expected), (said.low, found.low), (said.high, found.high)):
                store[name][rows] = _floats(part[name], len(rows))
        card = _card(view, said, peak - around.start, episode.peak, {})
        card.title, card.about = _title(view, strand, start, end, peak)
        card.nearest = _nearest(view, strand.rows[peak])
        spans = [(float(strand.x[start]), float(strand.x[end]))] if card.alarm else []
        card.picture = charts.zoom(
            f"zoom{number}", stretch(view, strand, found, around, spans, channels), title=card.title
        )
        found.cards.append(card)
    return found


def _quiet(view: View, wanted: int) -> list[Episode]:
    """The oddest stretches that are no alarms, each at least a window from everything odder."""
    source = view.series
    assert source is not None
    point = view.frame.place.point
    left = view.bits.copy()
    for row in np.flatnonzero(view.scores.alarm):
        left[row] = -1
    for episode in view.scores.episodes:
        left[np.abs(point - point[episode.peak]) < source.length] = -1
        low, high = sorted((point[episode.start], point[episode.end]))
        left[(point > low - source.length) & (point < high + source.length)] = -1
    found = []
    while len(found) < wanted and (left > 0).any():
        peak = int(left.argmax())
        bits = float(left[peak])
        found.append(Episode(peak, peak, peak, bits, float(severity(np.array(bits)))))
        left[np.abs(point - point[peak]) < source.length] = -1
    return found


def _around(start: int, end: int, peak: int, length: int, points: int) -> slice:
    """The places to show of a series: the episode with something before and after it."""
    margin = max(length // 2, (end - start) // 3, 4)
    low, high = max(start - margin, 0), min(end + margin + 1, points)
    if high - low > POINTS:
        low = int(np.clip(peak - POINTS // 2, low, high - POINTS))
        high = low + POINTS
    return slice(low, high)


def stretch(
    view: View, strand: Strand, found: Oddest, places: slice, spans: list[tuple[float, float]], channels: list[str]
) -> charts.Stretch:
    """A part of a series, for a drawing."""
    rows = strand.rows[places]

    def of(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {n: table[n][rows] for n in channels if np.isfinite(table[n][rows]).any()}

    values = {n: _floats(view.columns[n], view.native.rows)[rows] for n in channels}
    return charts.Stretch(
        strand.x[places],
        view.dates,
        values,
        view.bits[rows],
        spans,
        of(found.expected),
        of(found.low),
        of(found.high),
    )


def _floats(values: Any, rows: int) -> np.ndarray:
    if values is None:
        return np.full(rows, np.nan)
    floats = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=float)
    return np.where(np.isfinite(floats), floats, np.nan)


def _title(view: View, strand: Strand, start: int, end: int, peak: int) -> tuple[str, str]:
    """When it was, and a line on its length and its peak."""
    first, last, top = (view.when(int(strand.rows[i])) for i in (start, end, peak))
    if view.dates and first[:10] == last[:10]:
        last = last[11:]
    name = f"{strand.label}: " if strand.label else ""
    if start == end:
        return f"{name}{top}", ""
    length = f"{duration(float(strand.x[end] - strand.x[start]))}, " if view.dates else ""
    return f"{name}{first} to {last}", f"{length}{several(end - start + 1, 'point')}; oddest at {top}"


def _nearest(view: View, row: int) -> str:
    """When the remembered window starts that is most like the one around a row."""
    source, frame = view.series, view.frame
    assert source is not None
    memory = view.engine.memory
    if frame.positions is None or memory.positions is None:
        return ""
    window = np.abs(frame.place.start + source.length // 2 - frame.place.point[row]).argmin()
    picked = np.array([window])
    codes = view.engine.schema.encode(frame[picked])
    near = view.engine.neighbours(codes, frame.positions[picked])
    if near.places[0, 0] < 0:
        return ""
    # A position counts steps since 1970 (of a numeric time: since 0); series of one table lie far apart.
    step = int(memory.positions[near.places[0, 0]]) % (1 << 40)
    if not view.dates or not source.step:
        return f"the remembered window from point {step:,} on, distance {near.distance[0]:.2g}"
    return f"the remembered window from {moment(step * source.step)} on, distance {near.distance[0]:.2g}"
