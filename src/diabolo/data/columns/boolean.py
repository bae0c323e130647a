"""Flags: true or false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from textwrap import shorten
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.base import Column, Part, Values
from diabolo.data.columns.convert import MAX_SHOWN, to_array
from diabolo.data.fields import Symbol
from diabolo.errors import ColumnError
from diabolo.utils.checks import require

N_SYMBOLS = 3


@dataclass
class Boolean(Column):
    """True or false. Symbols: 0 never occurs, 1 is false, 2 is true.

    Attributes:
        counts: (3,) how often each symbol occurs.
    """

    counts: np.ndarray = field(default_factory=lambda: np.zeros(N_SYMBOLS))

    kind = "boolean"

    def __post_init__(self) -> None:
        self.counts = np.asarray(self.counts, dtype=float)

    @classmethod
    def claims(cls, values: Values) -> bool:
        return isinstance(values, pa.Array) and bool(pa.types.is_boolean(values.type))

    def fit(self, values: Values, name: str) -> Self:
        """Count both values.

        Args:
            values: (rows,) flags, see `encode`.
            name: the column's.

        Raises:
            ColumnError: a value is no flag.
        """
        symbol, visible = self.encode(values, name)[0]
        return replace(self, counts=np.bincount(symbol[visible], minlength=N_SYMBOLS))

    @property
    def fields(self) -> tuple[Symbol]:
        return (Symbol(self.counts),)

    def encode(self, values: Values, name: str) -> list[Part]:
        """Return flags as symbols.

        Args:
            values: (rows,) flags, the numbers 0 and 1, or text: "true", "false", "0" or "1".
            name: the column's.

        Raises:
            ColumnError: a value is none of these.
        """
        values = to_array(values)
        try:
            flags = values.cast(pa.bool_())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise _no_flag_error(values, name) from error
        if pa.types.is_integer(values.type) and pc.any(pc.not_equal(values, flags.cast(values.type))).as_py():
            raise _no_flag_error(values, name)
        visible = flags.is_valid().to_numpy(zero_copy_only=False)
        return [(pc.fill_null(flags, False).to_numpy(zero_copy_only=False).astype(np.int64) + 1, visible)]

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        """Return symbols as flags.

        Args:
            parts: one array, (rows,) symbols.
            exact: makes no difference.
        """
        return pa.array(parts[0] == 2)

    def check(self) -> None:
        require(len(self.counts) == N_SYMBOLS, "number of flags")

    def describe(self) -> str:
        return f"true in {self.counts[2] / max(self.counts.sum(), 1):.1%}"


def _no_flag_error(values: pa.Array, name: str) -> ColumnError:
    """Return the error that names the first value that is no flag."""
    known = ((row, v) for row, v in enumerate(values.to_pylist()) if v is not None)
    row, value = next(
        ((r, v) for r, v in known if str(v).lower() not in ("true", "false", "0", "1")), (None, None)
    )
    observed = f"{values.type} values" if row is None else shorten(repr(value), MAX_SHOWN)
    return ColumnError(
        f"expected true or false, got {observed}", column=name, row=row, hint="write true, false, 1 or 0"
    )
