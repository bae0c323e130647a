"""What is said about the cells of one column."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

UNLIKELY = "unlikely given the other columns"  # the reason where no way of being wrong is known


@dataclass
class Verdicts:
    """A judgement of the cells of one column, one for each row.

    Attributes:
        log_odds: (rows,) log odds that the value is wrong; -inf where there is no value.
        suggestions: (rows,) object: the value that is most likely right, text or a number; None if unknown.
        confidence: (rows,) the probability that the suggestion is right, given that the cell is wrong.
        is_style: (rows,) whether the value is right, but written unlike most others of its column; the
            suggestion is the same value, written alike.
        reasons: (rows,) object: why the cell is suspicious, in a few words, such as "10 times what is
            expected" or "typo of 'birmingham'"; None for cells that are not suspicious.
    """

    log_odds: np.ndarray
    suggestions: np.ndarray
    confidence: np.ndarray
    is_style: np.ndarray
    reasons: np.ndarray

    @classmethod
    def empty(cls, rows: int) -> Verdicts:
        """Return verdicts that suspect no cell."""
        return cls(
            np.full(rows, -np.inf),
            np.full(rows, None, dtype=object),
            np.zeros(rows),
            np.zeros(rows, bool),
            np.full(rows, None, dtype=object),
        )

    def say(
        self, row: int, p_wrong: float, reason: str, suggestion: Any = None, confidence: float = 0.0
    ) -> None:
        """Put a verdict in place of a weaker one.

        Args:
            row: of the cell.
            p_wrong: probability that it is wrong.
            reason: why.
            suggestion: the right value; None if it is not known.
            confidence: the probability of the suggestion.
        """
        log_odds = float(np.log(p_wrong / (1 - p_wrong)))
        if log_odds > self.log_odds[row] or (suggestion is not None and self.suggestions[row] is None):
            self.log_odds[row] = max(log_odds, self.log_odds[row])
            self.is_style[row] = False
            self.suggestions[row], self.confidence[row] = suggestion, confidence
            self.reasons[row] = reason

    def clear(self, row: int) -> None:
        """Take a verdict back."""
        self.log_odds[row], self.is_style[row] = -np.inf, False
        self.suggestions[row], self.confidence[row], self.reasons[row] = None, 0.0, None

    def joined(self, other: Verdicts) -> Verdicts:
        """Return for each row the verdict that is surer that the cell is wrong."""
        surer = other.log_odds > self.log_odds
        parts = {f.name: np.where(surer, getattr(other, f.name), getattr(self, f.name)) for f in fields(self)}
        return Verdicts(**parts)
