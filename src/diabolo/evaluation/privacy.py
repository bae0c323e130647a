"""Privacy: what new rows disclose of the rows that they were made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from diabolo.evaluation.tables import Table, encode_together, is_number, row_count

MAX_DISTANCE_ROWS = 4_000  # of each table between which distances are measured: a choice
FITTED_FACTOR = 10  # times as many rows of the fit are searched for the closest record


@dataclass(frozen=True)
class PrivacyReport:
    """What new rows disclose of fitted ones, and what unseen real rows disclose of them (None without any).

    Attributes:
        copies, copies_real: the share of new and of unseen rows that also are rows of the fitted table.
        distance_to_closest, distance_to_closest_real: the median distance of new and of unseen rows to the
            closest fitted row (distance to closest record, DCR), in the units of `DistanceSpace`.
        closer_to_fit: the share of new rows that are closer to a fitted row than to any of as many unseen
            ones; .5 means that nothing is disclosed.
        membership_auroc: membership inference: the AUROC of the distance to the closest new row, by which an
            attacker tells fitted rows from unseen ones; .5 means that nothing is disclosed.
        attribute_accuracy, attribute_accuracy_real: attribute inference: how often the closest new row, by
            all other columns, has the target of a fitted and of an unseen row.
        target: the column that the attacker infers.
    """

    copies: float
    distance_to_closest: float
    attribute_accuracy: float
    target: str
    copies_real: float | None = None
    distance_to_closest_real: float | None = None
    closer_to_fit: float | None = None
    membership_auroc: float | None = None
    attribute_accuracy_real: float | None = None


def privacy_report(fitted: Table, new: Table, unseen: Table | None, *, target: str) -> PrivacyReport:
    """Measure what new rows disclose.

    Args:
        fitted: the rows that they were made from, in random order.
        new: the new rows.
        unseen: real rows that they were not made from; None if there are none.
        target: the column that an attacker wants to infer.
    """
    space = DistanceSpace(fitted)
    count = min(
        MAX_DISTANCE_ROWS, *(row_count(table) for table in (fitted, new, unseen) if table is not None)
    )
    new_points, all_fitted = space(new, count), space(fitted, FITTED_FACTOR * MAX_DISTANCE_ROWS)
    report = PrivacyReport(
        copies=_copy_share(new, fitted),
        distance_to_closest=float(np.median(nearest_rows(new_points, all_fitted)[0])),
        attribute_accuracy=_attribute_accuracy(fitted, fitted, new, target, count),
        target=target,
    )
    if unseen is None:
        return report
    fitted_points, unseen_points = space(fitted, count), space(unseen, count)
    to_fitted, to_unseen = (nearest_rows(new_points, p)[0] for p in (fitted_points, unseen_points))
    closeness = np.r_[
        -nearest_rows(fitted_points, new_points)[0], -nearest_rows(unseen_points, new_points)[0]
    ]
    is_fitted = np.repeat([1, 0], [len(fitted_points), len(unseen_points)])
    return replace(
        report,
        copies_real=_copy_share(unseen, fitted),
        distance_to_closest_real=float(np.median(nearest_rows(unseen_points, all_fitted)[0])),
        closer_to_fit=float((to_fitted < to_unseen).mean() + (to_fitted == to_unseen).mean() / 2),
        membership_auroc=float(roc_auc_score(is_fitted, closeness)),
        attribute_accuracy_real=_attribute_accuracy(fitted, unseen, new, target, count),
    )


def _copy_share(rows: Table, fitted: Table) -> float:
    """Return the share of rows that are equal to a row of the fitted table in every column."""
    columns = [encode_together(rows[name], fitted[name])[0] for name in fitted]
    one, other = (np.ascontiguousarray(np.stack(side, axis=1)) for side in zip(*columns, strict=True))
    row_type = np.dtype((np.void, one.dtype.itemsize * one.shape[1]))
    return float(np.isin(one.view(row_type).ravel(), other.view(row_type).ravel()).mean())


def _attribute_accuracy(fitted: Table, attacked: Table, new: Table, target: str, count: int) -> float:
    """Return how often the closest new row, by all other columns, has the target of an attacked row."""
    space = DistanceSpace({name: values for name, values in fitted.items() if name != target})
    inferred = new[target][:count][nearest_rows(space(attacked, count), space(new, count))[1]]
    true = attacked[target][:count]
    same = inferred == true
    return float((same | (np.isnan(inferred) & np.isnan(true)) if is_number(true) else same).mean())


class DistanceSpace:
    """Rows as points; their distance is the sum of absolute differences of coordinates.

    Numbers are their rank in the fitted table, 0 to 1, and -1 where missing; labels are indicators of 0 and
    1/2. So a column contributes at most 1, or up to 2 where one of two numbers is missing. A variant, with
    ranks, of the distance of Gower ("A general coefficient of similarity and some of its properties", 1971).

    Args:
        fitted: the table that ranks and labels are taken from.
    """

    def __init__(self, fitted: Table) -> None:
        self.ranks = {n: np.sort(v[~np.isnan(v)]) for n, v in fitted.items() if is_number(v)}
        self.labels = {n: np.unique(v.astype(str)) for n, v in fitted.items() if not is_number(v)}

    def __call__(self, table: Table, rows: int = MAX_DISTANCE_ROWS) -> np.ndarray:
        """Return rows of a table as points, (rows, coordinates).

        Args:
            table: a table with the columns of the fitted one, its rows in random order.
            rows: the largest number of rows, from the first.
        """
        parts = []
        for name, known in self.ranks.items():
            x = table[name][:rows]
            ends = (np.searchsorted(known, x, side) for side in ("left", "right"))
            rank = sum(ends) / (2 * max(len(known), 1))
            parts.append(np.where(np.isnan(x), -1.0, rank)[:, None])
        for name, values in self.labels.items():
            parts.append((table[name][:rows].astype(str)[:, None] == values) / 2)
        return np.concatenate(parts, axis=1) if parts else np.zeros((min(rows, row_count(table)), 1))


def nearest_rows(
    points: np.ndarray, others: np.ndarray, *, exclude_self: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return (points,) the distance to the nearest of the others, by sums of differences, and its row number.

    Args:
        points: (points, coordinates).
        others: (others, coordinates).
        exclude_self: whether both are the same points, none of which counts as its own neighbour.
    """
    search = NearestNeighbors(n_neighbors=2 if exclude_self else 1, metric="manhattan", algorithm="brute")
    distance, index = search.fit(others).kneighbors(points)
    return distance[:, -1], index[:, -1]
