"""Categories: text labels, or numbers that are labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import time
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.base import Column, Part, Values
from diabolo.data.columns.convert import cast_text, is_text, known_texts, plain_type, to_array, to_text
from diabolo.data.columns.text import Text
from diabolo.data.fields import Symbol
from diabolo.utils.checks import is_text_list, require

# The most frequent levels are symbols of their own; the others share symbols, so that 100,000 levels
# cost as much as 256.
N_OWN_SYMBOLS, N_SHARED_SYMBOLS = 192, 63
N_SHOWN_LEVELS = 3  # in a description


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass
class Category(Column):
    """A label. Symbol 0 is any label that was not seen in fitting.

    Attributes:
        levels: the labels as text, most frequent first.
        symbols: (levels,) the symbol of each.
        counts: (symbols,) how often each symbol occurs.
        type: the arrow type of the column, restored in answers.
        embedding: the size of a label's embedding; None for the size that the network gives all.
    """

    levels: list[str] = field(default_factory=list)
    symbols: np.ndarray = field(default_factory=_none)
    counts: np.ndarray = field(default_factory=_none)
    type: str = "string"
    embedding: int | None = None

    kind = "category"

    def __post_init__(self) -> None:
        self.symbols = np.asarray(self.symbols, dtype=np.int64)
        self.counts = np.asarray(self.counts, dtype=float)

    @classmethod
    def claims(cls, values: Values) -> bool:
        if not isinstance(values, pa.Array):
            return False
        kind = plain_type(values.type)
        labels = is_text(kind) or pa.types.is_dictionary(values.type) or pa.types.is_time(kind)
        return bool(labels and not Text.claims(values))

    def fit(self, values: Values, name: str) -> Self:
        """Count the labels, and give each a symbol.

        Args:
            values: (rows,) labels, see `to_text`.
            name: the column's.

        Raises:
            ColumnError: there is no label.
        """
        found = pc.value_counts(known_texts(values, name))
        levels = found.field("values").to_pylist()
        seen = found.field("counts").to_numpy(zero_copy_only=False)
        order = sorted(range(len(levels)), key=lambda i: (-seen[i], levels[i]))
        levels, seen = [levels[i] for i in order], seen[order]
        symbols = np.arange(1, len(levels) + 1)
        if len(levels) > N_OWN_SYMBOLS + N_SHARED_SYMBOLS:
            rest = seen[N_OWN_SYMBOLS:].cumsum()
            symbols[N_OWN_SYMBOLS:] = (
                N_OWN_SYMBOLS
                + 1
                + np.minimum(
                    (rest - seen[N_OWN_SYMBOLS:]) * N_SHARED_SYMBOLS // rest[-1], N_SHARED_SYMBOLS - 1
                )
            )
            _, symbols[N_OWN_SYMBOLS:] = np.unique(symbols[N_OWN_SYMBOLS:], return_inverse=True)
            symbols[N_OWN_SYMBOLS:] += N_OWN_SYMBOLS + 1
        counts = np.bincount(symbols, weights=seen, minlength=2)
        kind = str(plain_type(to_array(values).type))
        return replace(self, levels=levels, symbols=symbols, counts=counts, type=kind)

    @property
    def fields(self) -> tuple[Symbol]:
        return (Symbol(self.counts, size=self.embedding),)

    def encode(self, values: Values, name: str) -> list[Part]:
        """Return labels as symbols, 0 for a label that was not seen in fitting.

        Args:
            values: (rows,) labels, see `to_text`.
            name: the column's.

        Raises:
            ColumnError: the values cannot be read as labels.
        """
        text = to_text(values, name)
        visible = text.is_valid().to_numpy(zero_copy_only=False)
        index = pc.index_in(text, value_set=pa.array(self.levels, pa.string()))
        level = index.fill_null(-1).to_numpy(zero_copy_only=False)
        return [(np.where(level >= 0, self.symbols[level], 0), visible)]

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        """Return symbols as labels.

        Args:
            parts: one array, (rows,) symbols.
            exact: whether to restore the type of the column; else text.
        """
        # A shared symbol stands for its most frequent level; "unseen" is never an expected value.
        first = np.r_[0, [np.argmax(self.symbols == s) for s in range(1, len(self.counts))]].astype(np.int64)
        text = pa.array(self.levels, pa.string()).take(pa.array(first[parts[0].astype(np.int64)]))
        if exact and self.type.startswith("time"):
            return pa.array([time.fromisoformat(t) for t in text.to_pylist()], pa.type_for_alias(self.type))
        return cast_text(text, self.type) if exact else text

    def check(self) -> None:
        """Check that every level is text and has a symbol.

        Raises:
            ValueError: one is not, or has none.
        """
        require(
            is_text_list(self.levels) and self.symbols.shape == (len(self.levels),) and len(self.levels) > 0,
            "labels",
        )
        known = (self.symbols > 0) & (self.symbols < len(self.counts))
        require(bool(known.all()), "symbols of labels")

    def describe(self) -> str:
        shown = ", ".join(self.levels[:N_SHOWN_LEVELS])
        more = ", ..." if len(self.levels) > N_SHOWN_LEVELS else ""
        return f"{len(self.levels)} levels: {shown}{more}"
