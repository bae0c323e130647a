"""The cards of the most anomalous rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diabolo import tasks
from diabolo.report.cards import MAX_CARDS, Card, Content, expected_value, make_card
from diabolo.report.formatting import format_value
from diabolo.utils.text import shorten

if TYPE_CHECKING:
    from diabolo.report.table_view import TableView

MIN_CARDS = 5  # of a table with few alarms: a choice


def row_cards(view: TableView) -> list[Card]:
    """Return the cards of up to twenty of the most anomalous rows.

    Those are the alarms, but at least a twentieth of the rows, and at least five.
    """
    most = min(max(view.user_table.rows // 20, int(view.scores.alarm.sum()), MIN_CARDS), MAX_CARDS)
    rows = np.argsort(-view.bits, kind="stable")[:most]
    explanation = tasks.explain(view.model, view.user_table, rows=rows.tolist())
    neighbours = explanation.neighbours
    first: dict[int, int] = {}  # row -> the place of its nearest neighbour
    for place, row in enumerate(neighbours.get("row", ())):
        first.setdefault(int(row), place)
    cards = []
    for line, row in enumerate(rows.tolist()):
        nearest: dict[str, Content] = {}
        if row in first:
            nearest = {
                name: expected_value(view, name, neighbours[name], first[row])
                for name in explanation.names
                if name in neighbours
            }
        card = make_card(view, explanation, line, row, nearest)
        card.title = f"Row {row:,}"
        card.details = "; ".join(_identifiers(view, row))
        if nearest:
            distance = float(neighbours["distance"][first[row]])
            card.nearest = f"distance {distance:.2g}" if np.isfinite(distance) else ""
        cards.append(card)
    return cards


def _identifiers(view: TableView, row: int) -> list[str]:
    """How the user knows the row: the pandas index, and ids."""
    index, texts = view.user_table.index, []
    if index is not None and str(index[row]) != str(row):
        texts.append(f"index {shorten(str(index[row]), 40)}")
    for entry in view.engine.schema.entries:
        if entry.reason.startswith("an id") and entry.name in view.columns:
            value = format_value(view.columns[entry.name][row].as_py())
            texts.append(f"{shorten(entry.name, 30)} {value}")
    return texts[:3]
