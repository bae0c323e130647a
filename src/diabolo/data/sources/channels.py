"""Choose the columns that the windows of a series are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from diabolo.data.columns.convert import is_text
from diabolo.data.columns.number import Number
from diabolo.errors import DataError


def find_channels(
    columns: Mapping[str, pa.Array], reserved_columns: Sequence[str], extra_columns: Sequence[str]
) -> tuple[str, ...]:
    """Return the names of the columns of numbers that windows are made of.

    Args:
        columns: name -> values.
        reserved_columns: names of the time and key columns.
        extra_columns: names of columns that are no channels.

    Raises:
        DataError: there is no channel.
    """
    others = {*reserved_columns, *extra_columns}
    channels = tuple(
        n for n, v in columns.items() if n not in others and Number.claims(v) and v.null_count < len(v)
    )
    if channels:
        return channels
    text = [n for n, v in columns.items() if n not in others and is_text(v.type)]
    left_out = [n for n in extra_columns if n in columns and Number.claims(columns[n])]
    hint = "a series needs a column of values besides its time"
    raise DataError(
        "the series has no column of numbers"
        + (f"; {text[0]!r} is text" if text else "")
        + (f"; {left_out[0]!r} is an id, or was left out" if left_out else ""),
        hint=hint + (f"; scored=[{left_out[0]!r}] makes it one" if left_out else ""),
    )
