"""Rare labels merged and extreme values clipped before a fit, so that the model never holds them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns import Category, Datetime, Number, Values, Window
from diabolo.data.columns.base import to_array
from diabolo.data.columns.category import to_text
from diabolo.data.columns.datetime import is_text, to_moments, to_seconds
from diabolo.data.columns.number import to_float
from diabolo.data.schema import Schema
from diabolo.data.sources import UserTable

OTHER = "other"  # what rare labels become


def coarsen(
    user_table: UserTable, schema: Schema, *, min_count: int, clip: float, leave: Collection[str | None] = ()
) -> tuple[UserTable, str]:
    """The data with rare labels merged and extreme values clipped, and what was done, in a sentence.

    Args:
        user_table: the data of a fit.
        schema: what its columns are.
        min_count: labels that fewer rows have become "other" where the column holds text, holes elsewhere.
        clip: this share of the values at each end of a number or a date becomes the value at that share.
        leave: names of columns that stay as they are.
    """
    table, merged, clipped = user_table.table, 0, 0
    columns = user_table.columns()
    for entry in schema.used:
        if entry.name in leave:
            continue
        if isinstance(entry.column, Category) and min_count > 1:
            values, changed = _merged(columns[entry.name], entry.name, min_count)
            merged += changed
        elif isinstance(entry.column, Number | Datetime | Window) and clip > 0:
            values, changed = _clipped(columns[entry.name], entry.column, entry.name, clip)
            clipped += changed
        else:
            continue
        if changed:
            place = table.column_names.index(entry.name)
            table = table.set_column(place, entry.name, values)
    said = []
    if merged:
        said.append(f"{merged:,} labels that fewer than {min_count} rows have were merged")
    if clipped:
        said.append(f"{clipped:,} values beyond the outer {clip:.2g} of their column were clipped")
    return replace(user_table, table=table), "; ".join(said)


def _merged(values: pa.Array, name: str, min_count: int) -> tuple[pa.Array, int]:
    """Labels without the rare ones, and how many different ones those were."""
    text = to_text(values, name)
    counts = pc.value_counts(text.drop_null())
    rare = counts.field("values").filter(pc.less(counts.field("counts"), min_count))
    if len(rare) == 0:
        return values, 0
    plain = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    other = pa.scalar(OTHER if is_text(plain.type) else None, plain.type)
    coarse = pc.if_else(pc.fill_null(pc.is_in(text, value_set=rare), False), other, plain)
    return coarse, len(rare)


def _clipped(
    values: Values, column: Number | Datetime | Window, name: str, share: float
) -> tuple[pa.Array, int]:
    """Values, those beyond two quantiles brought to them, and how many those were."""
    values = to_array(values)
    if isinstance(column, Datetime):
        x = to_seconds(to_moments(values, name, column.form))
    else:
        x = to_float(values, name)
    known = np.flatnonzero(np.isfinite(x))
    if len(known) == 0:
        return values, 0
    order = known[np.argsort(x[known], kind="stable")]
    cut = int(share * len(known))
    # Values of the column itself: they keep its type, its digits and how its dates are written.
    low, high = order[cut], order[len(order) - 1 - cut]
    below, above = x < x[low], x > x[high]
    take = np.where(below, low, np.where(above, high, np.arange(len(x))))
    return values.take(pa.array(take)), int(below.sum() + above.sum())
