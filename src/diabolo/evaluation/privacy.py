"""What a table gives away of the rows that it was made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from diabolo.evaluation.tables import Table, coded, is_number, row_count

NEAR = 4_000  # rows of each table between which distances are measured


@dataclass(frozen=True)
class PrivacyReport:
    """What new rows tell of fitted ones, beside what unseen real rows tell of them (None without any).

    Attributes:
        copies, copies_real: share of the new and of the unseen rows that stand in the fitted table.
        closest, closest_real: median distance of those to the nearest fitted row; a column counts up to 1.
        closer: share of new rows nearer to a fitted row than to any of as many unseen ones; .5: nothing.
        membership: AUROC of the distance to the nearest new row, fitted against unseen rows; .5: nothing.
        attribute, attribute_real: how often the nearest new row, by all other columns, has the target of a
            fitted and of an unseen row.
        target: the column that was guessed.
    """

    copies: float
    closest: float
    attribute: float
    target: str
    copies_real: float | None = None
    closest_real: float | None = None
    closer: float | None = None
    membership: float | None = None
    attribute_real: float | None = None


def privacy_report(fitted: Table, new: Table, unseen: Table | None, *, target: str) -> PrivacyReport:
    """Measure what new rows give away.

    Args:
        fitted: the rows that they were made from, in no order.
        new: the rows.
        unseen: real rows that they were not made from.
        target: the column that an attacker wants to know.
    """
    space = Space(fitted)
    count = min(NEAR, *(row_count(table) for table in (fitted, new, unseen) if table is not None))
    made, every = space(new, count), space(fitted, 10 * NEAR)
    found = PrivacyReport(
        copies=_copies(new, fitted),
        closest=float(np.median(nearest(made, every)[0])),
        attribute=_guessed(fitted, fitted, new, target, count),
        target=target,
    )
    if unseen is None:
        return found
    seen, others = space(fitted, count), space(unseen, count)
    to_seen, to_others = nearest(made, seen)[0], nearest(made, others)[0]
    ranked = np.r_[-nearest(seen, made)[0], -nearest(others, made)[0]]
    return replace(
        found,
        copies_real=_copies(unseen, fitted),
        closest_real=float(np.median(nearest(others, every)[0])),
        closer=float((to_seen < to_others).mean() + (to_seen == to_others).mean() / 2),
        membership=float(roc_auc_score(np.repeat([1, 0], [len(seen), len(others)]), ranked)),
        attribute_real=_guessed(fitted, unseen, new, target, count),
    )


def _copies(rows: Table, fitted: Table) -> float:
    """The share of rows that stand in the fitted table just like that."""
    parts = [coded(rows[name], fitted[name])[0] for name in fitted]
    one, other = (np.ascontiguousarray(np.stack(side, axis=1)) for side in zip(*parts, strict=True))
    whole = np.dtype((np.void, one.dtype.itemsize * one.shape[1]))
    return float(np.isin(one.view(whole).ravel(), other.view(whole).ravel()).mean())


def _guessed(fitted: Table, asked: Table, new: Table, target: str, count: int) -> float:
    """How often the nearest new row has the target of the rows asked for."""
    space = Space({name: values for name, values in fitted.items() if name != target})
    told = new[target][:count][nearest(space(asked, count), space(new, count))[1]]
    true = asked[target][:count]
    same = told == true
    return float((same | (np.isnan(told) & np.isnan(true)) if is_number(true) else same).mean())


class Space:
    """Rows as points: numbers as their rank in the fitted table, labels as corners; no column counts above 1.

    Args:
        fitted: the table that ranks and labels are taken from.
    """

    def __init__(self, fitted: Table) -> None:
        self.ranks = {n: np.sort(v[~np.isnan(v)]) for n, v in fitted.items() if is_number(v)}
        self.labels = {n: np.unique(v.astype(str)) for n, v in fitted.items() if not is_number(v)}

    def __call__(self, table: Table, rows: int = NEAR) -> np.ndarray:
        """(rows, numbers) at most so many of the rows, which are in no order."""
        parts = []
        for name, known in self.ranks.items():
            x = table[name][:rows]
            ends = (np.searchsorted(known, x, side) for side in ("left", "right"))
            rank = sum(ends) / (2 * max(len(known), 1))
            parts.append(np.where(np.isnan(x), -1.0, rank)[:, None])
        for name, values in self.labels.items():
            parts.append((table[name][:rows].astype(str)[:, None] == values) / 2)
        return np.concatenate(parts, axis=1) if parts else np.zeros((min(rows, row_count(table)), 1))


def nearest(points: np.ndarray, others: np.ndarray, *, itself: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(points,) the distance to the nearest of the others, by sums of differences, and which it is."""
    search = NearestNeighbors(n_neighbors=2 if itself else 1, metric="manhattan", algorithm="brute")
    distance, index = search.fit(others).kneighbors(points)
    return distance[:, -1], index[:, -1]
