"""Made tables of texts whose errors the tests know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from diabolo.cleaning.table import TableErrors
from diabolo.cleaning.texts.errors import TextErrors
from diabolo.cleaning.texts.text_table import TextTable
from diabolo.cleaning.verdicts import Verdicts

Table = dict[str, list[str | None]]

REGION_OF = {
    "Birmingham": "Mid",
    "Liverpool": "North",
    "Manchester": "North",
    "Sheffield": "North",
    "Nottingham": "Mid",
    "Leicester": "Mid",
    "Edinburgh": "Scot",
    "Glasgow": "Scot",
    "Aberdeen": "Scot",
    "Cardiff": "Wales",
}
CITIES = list(REGION_OF)


def word(rng: np.random.Generator, least: int = 4, most: int = 9) -> str:
    """A word of random letters."""
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(least, most)))


def places(rows: int = 400, seed: int = 0) -> Table:
    """A city, its code and region, which follow from each other, and a name that follows from nothing."""
    rng = np.random.default_rng(seed)
    cities: list[str | None] = [CITIES[i] for i in rng.integers(0, len(CITIES), rows)]
    return {
        "city": cities,
        "code": [f"{str(c)[:3].upper()}-{CITIES.index(str(c)) + 10}" for c in cities],
        "region": [REGION_OF[str(c)] for c in cities],
        "name": [word(rng).title() for _ in cities],
    }


def rows_where(table: Table, name: str, value: str) -> list[int]:
    """The rows that hold a value."""
    return [row for row, found in enumerate(table[name]) if found == value]


def change(table: Table, name: str, changes: Mapping[int, str]) -> Table:
    """A table with other values in some rows of a column."""
    return {**table, name: [changes.get(row, value) for row, value in enumerate(table[name])]}


def pick(table: Mapping[str, Sequence[str | None]], rows: Sequence[int]) -> Table:
    """Some rows of a table, in any order."""
    return {name: [values[row] for row in rows] for name, values in table.items()}


def as_arrays(table: Mapping[str, Sequence[str | None]]) -> dict[str, pa.Array]:
    return {name: pa.array(list(values), pa.string()) for name, values in table.items()}


def checks(table: Table, seed: int = 0) -> TableErrors:
    """The checks of a table, fitted to it."""
    found = TableErrors.fit(as_arrays(table), list(table), seed)
    assert found is not None
    return found


def verdicts(table: Table) -> dict[str, Verdicts]:
    """What the checks of a table say of the table itself."""
    return checks(table).judge(as_arrays(table))


def text_table(table: Mapping[str, Sequence[str | None]], groups: Sequence[str] | None = None) -> TextTable:
    """A table of texts whose columns may follow from these ones, or from all but names."""
    names = [n for n in table if n != "name"] if groups is None else groups
    values = {n: list(dict.fromkeys(v for v in column if v is not None)) for n, column in table.items()}
    codes = {
        n: np.array([-1 if v is None else values[n].index(v) for v in column], dtype=np.int64)
        for n, column in table.items()
    }
    return TextTable(values, codes, {n: codes[n] for n in names}, {n: values[n] for n in names})


def by_texts(fit: Table, new: Table | None = None) -> dict[str, Verdicts]:
    """What the checks of texts alone say of the table of the fit, or of new rows."""
    known = text_table(fit)
    fitted = TextErrors.fit(known)
    if new is None:
        return fitted.judge(fit, known.groups, np.arange(known.rows))
    groups = {
        n: np.array([known.values[n].index(v) if v in known.values[n] else -1 for v in new[n]])
        for n in known.groups
    }
    return fitted.judge(new, groups, np.full(len(new["name"]), -1))


def p_wrong(found: Verdicts) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-found.log_odds)))


def suspects(found: Mapping[str, Verdicts], least: float = 0.5) -> set[tuple[str, int]]:
    """The cells that are wrong with more than this probability."""
    return {(name, int(row)) for name, v in found.items() for row in np.flatnonzero(p_wrong(v) > least)}


def assert_same(found: Verdicts, expected: Verdicts) -> None:
    """Two verdicts on equal cells are equal; log odds up to the order of sums."""
    assert np.allclose(found.log_odds, expected.log_odds, rtol=0, atol=1e-9, equal_nan=False)
    assert np.allclose(found.confidence, expected.confidence, rtol=0, atol=1e-9)
    for part in ("suggestions", "is_style", "reasons"):
        assert getattr(found, part).tolist() == getattr(expected, part).tolist(), part
