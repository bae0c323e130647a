"""Made tables with dependencies between columns that the tests know."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from diabolo.cleaning.reading import CheckedColumn, read_columns
from diabolo.cleaning.rules.base import Columns

ROWS = 400


def orders(rows: int = ROWS, seed: int = 0) -> dict[str, pa.Array]:
    """Orders: the provider determines city and size, amounts add up, and the end follows the start."""
    rng = np.random.default_rng(seed)
    provider = rng.integers(0, 20, rows)
    cities, sizes = np.array([f"city {i % 8}" for i in range(20)]), rng.permutation(np.arange(100, 900))[:20]
    net, tax = rng.gamma(2, 500, rows).round(2), rng.gamma(2, 100, rows).round(2)
    start = datetime.date(2024, 1, 1)
    begin, days = rng.integers(0, 200, rows), rng.integers(0, 30, rows)
    return {
        "provider": pa.array([f"provider {i}" for i in provider]),
        "city": pa.array(cities[provider]),
        "size": pa.array(sizes[provider]),
        "net": pa.array(net),
        "tax": pa.array(tax),
        "gross": pa.array((net + tax).round(2)),
        "start": pa.array([start + datetime.timedelta(days=int(d)) for d in begin]),
        "end": pa.array([start + datetime.timedelta(days=int(d)) for d in begin + days]),
    }


def changed(table: Mapping[str, pa.Array], name: str, cells: Mapping[int, object]) -> dict[str, pa.Array]:
    """The table with other values in some rows of a column."""
    values = table[name].to_pylist()
    for row, value in cells.items():
        values[row] = value
    return {**table, name: pa.array(values, table[name].type)}


def read(table: Mapping[str, pa.Array]) -> Columns:
    """The columns as rules read them."""
    return read_columns(table, list(table))


def column(*values: str | float | None) -> CheckedColumn:
    """A column of texts or numbers."""
    return read_columns({"_": pa.array(list(values))}, ["_"])["_"]
