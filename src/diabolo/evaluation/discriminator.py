"""The classifier two-sample test: whether a discriminator can tell the rows of two tables apart, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from diabolo.evaluation.tables import Table, encode_together, is_number, row_count, take_rows

MAX_ROWS = 6_000  # of each table that the discriminator reads: a choice
MAX_CATEGORIES = 255  # that scikit-learn's trees accept; columns with more are read as numbers
N_TREES = 80  # a choice
N_PERMUTATIONS = 3  # shuffles of a column that its importance is the mean of: a choice


@dataclass(frozen=True)
class TwoSampleResult:
    """The result of a classifier two-sample test; rows are predicted by trees that were not trained on them.

    Attributes:
        auroc: the area under the ROC curve of the discriminator; .5 means that it cannot tell rows apart.
        importances: column -> the AUROC that is lost when its values are shuffled among all rows; empty if
            they were not requested.
        rows: (sampled,) row numbers of the second table that were read.
        probabilities: (sampled,) the predicted probability that each of them is of the second table.
        n_rows: the number of rows of the first and of the second table that were read.
    """

    auroc: float
    importances: dict[str, float] = field(default_factory=dict)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    probabilities: np.ndarray = field(default_factory=lambda: np.zeros(0))
    n_rows: tuple[int, int] = (0, 0)


def two_sample_test(
    real: Table, other: Table, *, seed: int = 0, rows: int = MAX_ROWS, importances: bool = False
) -> TwoSampleResult:
    """Train boosted trees to tell rows of the other table from real ones, and measure how well they do.

    A classifier two-sample test, C2ST (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017),
    by twofold cross-validation.

    Args:
        real: a table.
        other: a table with the same columns.
        seed: the seed of the samples of rows, and of the shuffles.
        rows: the largest number of rows of each table to read.
        importances: whether to measure the permutation importance of each column.
    """
    sampled = [_sample_rows(row_count(table), rows, seed) for table in (real, other)]
    features, labels = _features_and_labels(real, other, sampled)
    names = list(features)
    categorical = [
        i for i, n in enumerate(names) if not is_number(real[n]) and features[n].max() < MAX_CATEGORIES
    ]
    x = np.stack(list(features.values()), axis=1)
    probabilities, lost = np.zeros(len(labels)), np.zeros(len(names))
    random = np.random.default_rng(seed)
    folds = list(StratifiedKFold(2, shuffle=True, random_state=0).split(x, labels))
    for train, test in folds:
        trees = HistGradientBoostingClassifier(max_iter=N_TREES, categorical_features=categorical)
        trees.fit(x[train], labels[train])
        probabilities[test] = trees.predict_proba(x[test])[:, 1]
        if importances:
            whole = roc_auc_score(labels[test], probabilities[test])
            lost += [
                whole - _auroc_without(trees, x[test], labels[test], i, random) for i in range(len(names))
            ]
    return TwoSampleResult(
        auroc=float(roc_auc_score(labels, probabilities)),
        importances=dict(zip(names, (lost / len(folds)).tolist(), strict=True)) if importances else {},
        rows=sampled[1],
        probabilities=probabilities[labels == 1],
        n_rows=(len(sampled[0]), len(sampled[1])),
    )


def _sample_rows(count: int, most: int, seed: int) -> np.ndarray:
    """Return at most so many row numbers, in random order."""
    return np.random.RandomState(seed).choice(count, min(most, count), replace=False)


def _features_and_labels(
    real: Table, other: Table, sampled: list[np.ndarray]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the sampled rows of both tables as columns of numbers, and 1 where they are of the second."""
    first, second = (take_rows(table, rows) for table, rows in zip((real, other), sampled, strict=True))
    features = {
        name: np.concatenate(
            [values, second[name]]
            if is_number(values)
            else [codes.astype(float) for codes in encode_together(values, second[name])[0]]
        )
        for name, values in first.items()
    }
    return features, np.repeat([0.0, 1.0], [len(rows) for rows in sampled])


def _auroc_without(
    trees: Any, x: np.ndarray, labels: np.ndarray, column: int, random: np.random.Generator
) -> float:
    """Return the mean AUROC with one column shuffled (permutation importance: Breiman, 2001)."""
    aurocs = []
    for _ in range(N_PERMUTATIONS):
        changed = x.copy()
        changed[:, column] = random.permutation(changed[:, column])
        aurocs.append(roc_auc_score(labels, trees.predict_proba(changed)[:, 1]))
    return float(np.mean(aurocs))
