"""One of a finite set of symbols: a category, a flag, a part of a date."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from diabolo.data.fields.base import MAX_SYMBOLS, Field, is_finite_table, log_prob_by_error_type
from diabolo.utils.checks import require


@dataclass
class Symbol(Field):
    """One of `len(counts)` symbols; symbol 0 stands for every value that did not occur in the fit.

    Attributes:
        counts: (symbols,) how often each occurred.
        circular: whether the last symbol is next to the first one (symbol 0 aside).
        size: numbers in its embedding; None for the size that the network gives every field.
    """

    counts: np.ndarray
    circular: bool = False
    size: int | None = None

    kind = "symbol"

    def check(self) -> None:
        require(
            is_finite_table(self.counts) and 2 <= len(self.counts) <= MAX_SYMBOLS, "the symbols of a field"
        )
        require(self.counts.min() >= 0, "the counts of a field")

    def log_prob_if_wrong(self, values: np.ndarray, alone: bool = True) -> np.ndarray:
        """Return log q of each value: the label of another row, or any label.

        Args:
            values: (...) symbols.
            alone: as in `Field.log_prob_if_wrong`.
        """
        return self._log_prob_if_wrong[alone][:, values]

    @cached_property
    def _log_prob_if_wrong(self) -> dict[bool, np.ndarray]:
        """Alone -> (error types, symbols) log q: the label of another row, and any label."""
        return log_prob_by_error_type(self.counts, (self.counts + 0.5, 1.0))
