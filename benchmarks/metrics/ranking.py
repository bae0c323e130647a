"""Measures of how well scores rank anomalous rows before normal ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

N_RESAMPLES = 200  # of the bootstrap: the relative error of the standard error is about 5 %


def auroc(labels: NDArray[np.integer[Any]], scores: NDArray[np.floating[Any]]) -> float | None:
    """Return the area under the ROC curve in percent; None unless both classes are present."""
    return 100.0 * float(roc_auc_score(labels, scores)) if _both_classes(labels) else None


def aupr(labels: NDArray[np.integer[Any]], scores: NDArray[np.floating[Any]]) -> float | None:
    """Return average precision in percent; None unless both classes are present."""
    return 100.0 * float(average_precision_score(labels, scores)) if _both_classes(labels) else None


def auroc_lead_error(
    labels: NDArray[np.integer[Any]],
    first: NDArray[np.floating[Any]],
    second: NDArray[np.floating[Any]],
    seed: int,
) -> float:
    """Return the standard error, in percent, of the AUROC of `first` minus that of `second`.

    A paired bootstrap: both are evaluated on the same resampled rows. Resamples without both classes are
    skipped.
    """
    random = np.random.default_rng(seed)
    ranks = [np.unique(scores, return_inverse=True)[1] for scores in (first, second)]
    leads = []
    for _ in range(N_RESAMPLES):
        counts = np.bincount(random.integers(0, len(labels), len(labels)), minlength=len(labels))
        if _both_classes(np.repeat(labels, counts)):
            areas = [_weighted_auroc(labels, rank, counts) for rank in ranks]
            leads.append(areas[0] - areas[1])
    return 100.0 * float(np.std(leads, ddof=1))


def _weighted_auroc(
    labels: NDArray[np.integer[Any]], rank: NDArray[np.integer[Any]], counts: NDArray[np.integer[Any]]
) -> float:
    """Return the share of (anomalous, normal) pairs where the former ranks higher; ties count half."""
    anomalous, normal = np.bincount(rank, counts * labels), np.bincount(rank, counts * (1 - labels))
    return float(anomalous @ (np.cumsum(normal) - normal / 2) / (anomalous.sum() * normal.sum()))


def _both_classes(labels: NDArray[np.integer[Any]]) -> bool:
    return bool(np.any(labels == 0) and np.any(labels == 1))
