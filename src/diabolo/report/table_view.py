"""What a report shows of a table."""

from __future__ import annotations

import numpy as np

from diabolo.report.cards import Card
from diabolo.report.drawing import charts
from diabolo.report.formatting import count
from diabolo.report.rows import row_cards
from diabolo.report.view import Overview, View


class TableView(View):
    """A table: every row is scored by itself."""

    kind = "table"
    unit = "row"
    max_sampled = 2_000  # a choice

    @property
    def frame_bits(self) -> np.ndarray:
        return np.asarray(self.bits)

    def when(self, row: int) -> str:
        return f"row {row:,}"

    def headline(self, number: int, first: Card) -> str:
        """Return the number of anomalies and the most anomalous of them, in one sentence.

        Args:
            number: how many rows are in alarm, at least 1.
            first: the card of the most anomalous one.
        """
        rows, cell = self.user_table.rows, first.main_cell()
        finding = first.title.lower()
        if cell is not None:
            finding += f": {cell.column} is {cell.observed} where {cell.expected} was expected"
        if number == 1:
            return f"One of {count(rows)} rows is anomalous, {finding}."
        return f"{count(number)} of {count(rows)} rows are anomalous; the most anomalous is {finding}."

    def cards(self) -> list[Card]:
        return row_cards(self)

    def overview(self, n_cards: int) -> Overview:
        """Return the anomaly scores of all rows; those that have a card are labelled."""
        rows = np.argsort(-self.bits, kind="stable")[:n_cards].tolist()
        labels = {row: f"{self.when(row)}: {self.bits[row]:.1f} bits" for row in rows}
        title = "Anomaly score of every row"
        drawing = charts.row_scores("rows", self.bits, self.scores.threshold, labels, title=title)
        return Overview([("", drawing)])
