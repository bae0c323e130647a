"""What a kind of column is."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import pyarrow as pa

from diabolo.fields import Field

Values: TypeAlias = "pa.Array | np.ndarray"
"""A column's values: an arrow array, or (rows, length) numbers for the windows of a series."""

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
