"""What a kind of column is."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.fields import Field

Values: TypeAlias = "pa.Array | np.ndarray"
"""A column's values: an arrow array (of pictures: of tensors), or (rows, length) numbers for windows."""

Part = tuple[np.ndarray, np.ndarray]
"""A field's values and which of them are there, both (rows, *cell)."""


class Column(ABC):
    """How a kind of column is recognised, encoded and decoded.

    Subclasses are dataclasses: their options first, then what `fit` learns, all of it numbers,
    strings, lists and numpy arrays.
    """

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def claims(cls, values: Values) -> bool:
        """Whether values like these are of this kind."""

    @abstractmethod
    def fit(self, values: Values, name: str) -> Self:
        """Learn from values; returns a fitted copy and leaves the instance as it is."""

    @property
    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """What a network holds for this column."""

    @abstractmethod
    def encode(self, values: Values, name: str) -> list[Part]:
        """Each field's values, and which of them are there."""

    @abstractmethod
    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> Values:
        """From each field's values back to the column's own; `exact` restores its type and digits."""

    def missing(self, values: Values) -> np.ndarray:
        """Which values are not there: (rows,), or (rows, *cell) of pixels."""
        gone = to_array(values).is_null(nan_is_null=True)
        return np.asarray(gone.to_numpy(zero_copy_only=False))

    def replace_cells(self, old: Values, new: Values, replaced: np.ndarray) -> pa.Array:
        """`new` where replaced, in the type of `old` as far as it can hold the new values."""
        old, new = to_array(old), to_array(new)
        kind = old.type
        if pa.types.is_dictionary(kind):
            old = old.dictionary_decode()
        if pa.types.is_null(old.type):
            old = old.cast(new.type)
        elif old.type != new.type:
            new = new.cast(old.type, safe=False)
        merged = pc.if_else(pa.array(replaced), new, old)
        return merged.dictionary_encode() if pa.types.is_dictionary(kind) else merged

    def in_words(self, values: Values) -> Values:
        """Values as a table of answers can show them."""
        return values

    def describe(self) -> str:
        """What was learnt, in a few words."""
        return ""

    def to_json(self) -> dict[str, Any]:
        """Options and what was learnt, as plain values."""
        return {"kind": self.kind, **_plain(dataclasses.asdict(self))}  # type: ignore[call-overload]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def to_array(values: Values) -> pa.Array:
    """Values as an arrow array."""
    return pa.array(values) if isinstance(values, np.ndarray) else values
