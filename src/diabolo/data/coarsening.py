"""Coarsening: rare labels are merged and extreme values clipped before a fit, so that no model holds them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns import Category, Datetime, Number, Text, Values, Window
from diabolo.data.columns.convert import (
    is_text,
    plain_values,
    to_array,
    to_float,
    to_moments,
    to_seconds,
    to_text,
)
from diabolo.data.schema import Schema
from diabolo.data.sources import UserTable

MERGED_LABEL = "other"  # replaces rare labels of text


def coarsen(
    user_table: UserTable, schema: Schema, *, min_count: int, clip: float, keep: Collection[str] = ()
) -> tuple[UserTable, str]:
    """Return the data with rare labels merged and extreme values clipped, and a sentence on what was done.

    Args:
        user_table: the data of a fit.
        schema: what its columns are.
        min_count: labels that fewer rows have become "other" in a column of text, missing in others.
        clip: this share of the values at each end of a number or a date becomes the value at that share.
        keep: names of columns that stay as they are.
    """
    table, merged, clipped = user_table.table, 0, 0
    columns = user_table.columns()
    for entry in schema.used:
        if entry.name in keep:
            continue
        if isinstance(entry.column, Category | Text) and min_count > 1:
            values, changed = _merge_rare_labels(columns[entry.name], entry.name, min_count)
            merged += changed
        elif isinstance(entry.column, Number | Datetime | Window) and clip > 0:
            values, changed = _clip_values(columns[entry.name], entry.column, entry.name, clip)
            clipped += changed
        else:
            continue
        if changed:
            position = table.column_names.index(entry.name)
            table = table.set_column(position, entry.name, values)
    notes = []
    if merged:
        notes.append(f"{merged:,} labels that fewer than {min_count} rows have were merged")
    if clipped:
        notes.append(f"{clipped:,} values beyond the outer {clip:.2g} of their column were clipped")
    return replace(user_table, table=table), "; ".join(notes)


def _merge_rare_labels(values: pa.Array, name: str, min_count: int) -> tuple[pa.Array, int]:
    """Return labels with the rare ones replaced, and the number of different labels that were replaced."""
    text = to_text(values, name)
    counts = pc.value_counts(text.drop_null())
    rare = counts.field("values").filter(pc.less(counts.field("counts"), min_count))
    if len(rare) == 0:
        return values, 0
    plain = plain_values(values)
    other = pa.scalar(MERGED_LABEL if is_text(plain.type) else None, plain.type)
    coarse = pc.if_else(pc.fill_null(pc.is_in(text, value_set=rare), False), other, plain)
    return coarse, len(rare)


def _clip_values(
    values: Values, column: Number | Datetime | Window, name: str, share: float
) -> tuple[pa.Array, int]:
    """Return values clipped to two quantiles, and the number of values that were clipped."""
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
    # Limits are values of the column itself: they keep its type, its digits and the format of its dates.
    low, high = order[cut], order[len(order) - 1 - cut]
    below, above = x < x[low], x > x[high]
    source_rows = np.where(below, low, np.where(above, high, np.arange(len(x))))
    return values.take(pa.array(source_rows)), int(below.sum() + above.sum())
