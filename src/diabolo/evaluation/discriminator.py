"""A judge that tries to tell the rows of two tables apart, and says what it looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from diabolo.evaluation.tables import Table, coded, is_number, row_count, take_rows

JUDGED = 6_000  # rows of each table that a judge learns from
MOST_LABELS = 255  # that the trees of scikit-learn take
TREES = 80
SHUFFLES = 3


@dataclass(frozen=True)
class Verdict:
    """What a judge said of rows of which it had not learnt.

    Attributes:
        auroc: of a row of either table, how often it picks the right one; .5 is chance.
        looked_at: column -> the AUROC that is lost where its values are shuffled among all rows.
        rows: (judged,) rows of the second table.
        suspicion: (judged,) how sure the judge is that each comes from there, 0 to 1.
        of_each: rows of each table that were judged.
    """

    auroc: float
    looked_at: dict[str, float] = field(default_factory=dict)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    suspicion: np.ndarray = field(default_factory=lambda: np.zeros(0))
    of_each: tuple[int, int] = (0, 0)


def two_sample_test(
    real: Table, other: Table, *, seed: int = 0, rows: int = JUDGED, reasons: bool = False
) -> Verdict:
    """Ask boosted trees to tell rows of the other table from real ones.

    A classifier two-sample test (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017) by
    cross-validation in two halves.

    Args:
        real: a table.
        other: one with the same columns.
        seed: of the rows that are taken.
        rows: at most so many of each.
        reasons: also ask what it looked at.
    """
    picked = [_some(row_count(table), rows, seed) for table in (real, other)]
    both, labels = _mixed(real, other, picked)
    names = list(both)
    places = [i for i, n in enumerate(names) if not is_number(real[n]) and both[n].max() < MOST_LABELS]
    x = np.stack(list(both.values()), axis=1)

    def fit(known: np.ndarray) -> Any:
        trees = HistGradientBoostingClassifier(max_iter=TREES, categorical_features=places)
        return trees.fit(x[known], labels[known])

    said, lost = np.zeros(len(labels)), np.zeros(len(names))
    random = np.random.default_rng(seed)
    halves = list(StratifiedKFold(2, shuffle=True, random_state=0).split(x, labels))
    for known, asked in halves:
        trees = fit(known)
        said[asked] = trees.predict_proba(x[asked])[:, 1]
        if reasons:
            base = roc_auc_score(labels[asked], said[asked])
            lost += [base - _without(trees, x[asked], labels[asked], i, random) for i in range(len(names))]
    return Verdict(
        float(roc_auc_score(labels, said)),
        dict(zip(names, (lost / len(halves)).tolist(), strict=True)) if reasons else {},
        picked[1],
        said[labels == 1],
        (len(picked[0]), len(picked[1])),
    )


def _some(count: int, most: int, seed: int) -> np.ndarray:
    return np.random.RandomState(seed).choice(count, min(most, count), replace=False)


def _mixed(real: Table, other: Table, picked: list[np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Some rows of both tables, one below the other, as numbers; and which come from the second."""
    one, two = (take_rows(table, rows) for table, rows in zip((real, other), picked, strict=True))
    both = {
        name: np.concatenate(
            [values, two[name]]
            if is_number(values)
            else [c.astype(float) for c in coded(values, two[name])[0]]
        )
        for name, values in one.items()
    }
    return both, np.repeat([0.0, 1.0], [len(rows) for rows in picked])


def _without(
    trees: Any, x: np.ndarray, labels: np.ndarray, column: int, random: np.random.Generator
) -> float:
    """The AUROC that is left if a column says nothing any more (permutation importance: Breiman, 2001)."""
    left = []
    for _ in range(SHUFFLES):
        changed = x.copy()
        changed[:, column] = random.permutation(changed[:, column])
        left.append(roc_auc_score(labels, trees.predict_proba(changed)[:, 1]))
    return float(np.mean(left))
