"""Categories: text labels, or numbers that are labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import time
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.base import Column, Part, Values, to_array
from diabolo.data.columns.datetime import is_text
from diabolo.data.fields import Symbol
from diabolo.errors import ColumnError

# The most frequent levels are symbols of their own; the others share symbols, so that 100,000 levels
# cost as much as 256.
OWN, SHARED = 192, 63
NUMBER = r"^[-+]?(\d+([.,' ]\d+)*|\.\d+)([eE][-+]?\d+)?$"
UNIT = r"^(?P<before>[$€£¥]?) ?[-+]?\d+(?:[.,' ]\d+)*\s?(?P<after>[^\d\s.,]{0,6})$"


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
        embedding: numbers in the embedding of a label; None for as many as the network gives all.
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
        kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
        return bool(
            pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or pa.types.is_string_view(kind)
            or pa.types.is_dictionary(values.type)
            or pa.types.is_time(kind)
        )

    def fit(self, values: Values, name: str) -> Self:
        values = to_array(values)
        text = to_text(values, name)
        found = pc.value_counts(text.drop_null())
        levels = found.field("values").to_pylist()
        seen = found.field("counts").to_numpy(zero_copy_only=False)
        if not levels:
            raise ColumnError("no value in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        order = sorted(range(len(levels)), key=lambda i: (-seen[i], levels[i]))
        levels, seen = [levels[i] for i in order], seen[order]
        symbols = np.arange(1, len(levels) + 1)
        if len(levels) > OWN + SHARED:
            rest = seen[OWN:].cumsum()
            symbols[OWN:] = OWN + 1 + np.minimum((rest - seen[OWN:]) * SHARED // rest[-1], SHARED - 1)
            _, symbols[OWN:] = np.unique(symbols[OWN:], return_inverse=True)
            symbols[OWN:] += OWN + 1
        counts = np.bincount(symbols, weights=seen, minlength=2)
        kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
        return replace(self, levels=levels, symbols=symbols, counts=counts, type=str(kind))

    @property
    def fields(self) -> tuple[Symbol]:
        return (Symbol(self.counts, size=self.embedding),)

    def encode(self, values: Values, name: str) -> list[Part]:
        text = to_text(values, name)
        visible = text.is_valid().to_numpy(zero_copy_only=False)
        index = pc.index_in(text, value_set=pa.array(self.levels, pa.string()))
        level = index.fill_null(-1).to_numpy(zero_copy_only=False)
        return [(np.where(level >= 0, self.symbols[level], 0), visible)]

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        # A shared symbol stands for its most frequent level; "unseen" is never an expected value.
        first = np.r_[0, [np.argmax(self.symbols == s) for s in range(1, len(self.counts))]].astype(np.int64)
        text = pa.array(self.levels, pa.string()).take(pa.array(first[parts[0].astype(np.int64)]))
        if not exact or self.type in ("string", "string_view"):
            return text
        if self.type.startswith("time"):
            return pa.array([time.fromisoformat(t) for t in text.to_pylist()], pa.type_for_alias(self.type))
        return text.cast(pa.type_for_alias(self.type))

    def describe(self) -> str:
        shown = ", ".join(self.levels[:3])
        return f"{len(self.levels)} levels: {shown}{', ...' if len(self.levels) > 3 else ''}"


def nearly_numbers(values: Values) -> str | None:
    """What keeps text from being read as numbers, in a few words; None if it does not look like numbers.

    Example:
        >>> nearly_numbers(pa.array(["5 %", "12 %"])), nearly_numbers(pa.array(["5", "7", "8", "9", "new"]))
        ("numbers with '%'", "numbers but for 'new'")
    """
    if not isinstance(values, pa.Array) or not is_text(values.type):
        return None
    text = pc.utf8_trim_whitespace(values.cast(pa.string()).drop_null())
    parts = pc.extract_regex(text, UNIT).drop_null()
    plain = pc.match_substring_regex(text, NUMBER)
    if len(text) and len(parts) >= 0.8 * len(text):
        signs = pc.value_counts(pc.binary_join_element_wise(parts.field("before"), parts.field("after"), ""))
        sign = max(signs.to_pylist(), key=lambda s: s["counts"])
        if sign["values"] and sign["counts"] >= 0.9 * len(parts):
            return f"numbers with {sign['values']!r}"
    if len(text) == 0 or pc.mean(plain).as_py() < 0.8:
        return None
    others = pc.unique(text.filter(pc.invert(plain))).to_pylist()
    if not others:
        return "numbers as text" if pc.any(pc.match_substring_regex(text, "[.,]")).as_py() else None
    return f"numbers but for {others[0][:20]!r}" + (f" and {len(others) - 1} more" if others[1:] else "")


def to_text(values: Values, name: str) -> pa.Array:
    """Labels as arrow strings, holes as nulls."""
    if isinstance(values, np.ndarray):
        values = pa.array(values)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ColumnError(
            f"{values.type} values cannot be read as labels",
            column=name,
            hint=f"ignore it: ignore=[{name!r}]",
        ) from error
