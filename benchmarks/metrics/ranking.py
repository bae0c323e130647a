"""How well scores put the anomalous rows before the normal ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

DRAWS = 200  # of the bootstrap: its standard error is known to about 5 %


def auroc(labels: NDArray[np.integer[Any]], scores: NDArray[np.floating[Any]]) -> float | None:
    """Area under the receiver operating characteristic in percent; None unless both classes are there."""
    return 100.0 * float(roc_auc_score(labels, scores)) if _both_classes(labels) else None


def aupr(labels: NDArray[np.integer[Any]], scores: NDArray[np.floating[Any]]) -> float | None:
    """Average precision (area under precision and recall) in percent; None unless both classes are there."""
    return 100.0 * float(average_precision_score(labels, scores)) if _both_classes(labels) else None


def auroc_lead_error(
    labels: NDArray[np.integer[Any]],
    first: NDArray[np.floating[Any]],
    second: NDArray[np.floating[Any]],
    seed: int,
) -> float:
    """Standard error in percent of how much the AUROC of `first` leads that of `second`.

    A paired bootstrap: the same rows, drawn anew with replacement, judge both. Draws without both classes do
    not count.
    """
    random = np.random.default_rng(seed)
    ranks = [np.unique(scores, return_inverse=True)[1] for scores in (first, second)]
    leads = []
    for _ in range(DRAWS):
        times = np.bincount(random.integers(0, len(labels), len(labels)), minlength=len(labels))
        if _both_classes(np.repeat(labels, times)):
            one, other = (_weighted_auroc(labels, rank, times) for rank in ranks)
            leads.append(one - other)
    return 100.0 * float(np.std(leads, ddof=1))


def _weighted_auroc(
    labels: NDArray[np.integer[Any]], rank: NDArray[np.integer[Any]], times: NDArray[np.integer[Any]]
) -> float:
    """The share of pairs of an anomalous and a normal row in which the former is higher; ties count half."""
    odd, normal = np.bincount(rank, times * labels), np.bincount(rank, times * (1 - labels))
    return float(odd @ (np.cumsum(normal) - normal / 2) / (odd.sum() * normal.sum()))


def _both_classes(labels: NDArray[np.integer[Any]]) -> bool:
    return bool(np.any(labels == 0) and np.any(labels == 1))
