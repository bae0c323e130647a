"""The interface of a kind of column."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.convert import Values, plain_values, to_array
from diabolo.data.fields import Field
from diabolo.utils.checks import is_finite_number, require
from diabolo.utils.json import to_json_value

__all__ = ["Column", "Part", "Values", "require_scale"]

Part: TypeAlias = tuple[np.ndarray, np.ndarray]
"""A field's values, and which of them are present, both (rows, *cell)."""


class Column(ABC):
    """A kind of column: how it is recognised, encoded and decoded.

    Subclasses are dataclasses: their options first, then what `fit` learns, all of it numbers,
    strings, lists and numpy arrays.
    """

    kind: ClassVar[str]
    predicts_values: ClassVar[bool] = True
    """Whether what a network predicts is a value of the column; else only what `decode` says it is like."""

    @classmethod
    @abstractmethod
    def claims(cls, values: Values) -> bool:
        """Return whether values like these are of this kind."""

    @abstractmethod
    def fit(self, values: Values, name: str) -> Self:
        """Learn from values, and return a fitted copy; the instance itself does not change.

        Args:
            values: (rows,) values of the fit.
            name: the column's, for the message of an error.

        Raises:
            ColumnError: there is no value to learn from, or one is not of this kind.
        """

    @property
    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """The fields that a network reads and predicts for this column."""

    @abstractmethod
    def encode(self, values: Values, name: str) -> list[Part]:
        """Return each field's values, and which of them are present.

        Args:
            values: (rows,) values, of the fit or new.
            name: the column's, for the message of an error.

        Raises:
            ColumnError: a value is not of this kind.
        """

    @abstractmethod
    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> Values:
        """Return the column's own values from those of its fields.

        Args:
            parts: each field's values, (rows, *cell).
            exact: whether to restore the type and the digits of the fit; else plain numbers or text.
        """

    @abstractmethod
    def check(self) -> None:
        """Check what was learnt, of a column that was read from a file.

        Raises:
            ValueError: no fit can have learnt it.
        """

    def missing(self, values: Values) -> np.ndarray:
        """Return which values are missing: (rows,), or (rows, *cell) of pixels."""
        null = to_array(values).is_null(nan_is_null=True)
        return np.asarray(null.to_numpy(zero_copy_only=False))

    def replace_cells(self, old: Values, new: Values, replaced: np.ndarray) -> pa.Array:
        """Return `new` where replaced, else `old`, in the type of `old` as far as it can hold the new values.

        Args:
            old: (rows,) the values of the user.
            new: (rows,) values to put in their place.
            replaced: (rows,) flags, or (rows, *cell) of pixels.
        """
        old, new = to_array(old), to_array(new)
        kind = old.type
        old = plain_values(old)
        if pa.types.is_null(old.type):
            old = old.cast(new.type)
        elif old.type != new.type:
            new = new.cast(old.type, safe=False)
        merged = pc.if_else(pa.array(replaced), new, old)
        return merged.dictionary_encode() if pa.types.is_dictionary(kind) else merged

    def to_display(self, values: Values) -> Values:
        """Return values as a table of answers can show them: of an image, a description."""
        return values

    def describe(self) -> str:
        """Return what was learnt, in a few words."""
        return ""

    def to_json(self) -> dict[str, Any]:
        """Return options and what was learnt, as plain values."""
        return {"kind": self.kind, **to_json_value(dataclasses.asdict(self))}  # type: ignore[call-overload]


def require_scale(mean: Any, scale: Any) -> None:
    """Raise `ValueError` unless both are finite numbers and the scale is above 0.

    Args:
        mean: the stored mean of a column.
        scale: its stored standard deviation.
    """
    require(is_finite_number(mean) and is_finite_number(scale) and scale > 0, "mean or scale")
