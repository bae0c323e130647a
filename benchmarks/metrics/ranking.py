"""How well scores put the odd rows before the normal ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score


def auroc(labels: NDArray[np.integer[Any]], scores: NDArray[np.floating[Any]]) -> float | None:
    """Area under the receiver operating characteristic in percent; None unless both classes are there."""
    return 100.0 * float(roc_auc_score(labels, scores)) if _both_classes(labels) else None


def aupr(labels: NDArray[np.integer[Any]], scores: NDArray[np.floating[Any]]) -> float | None:
    """Average precision (area under precision and recall) in percent; None unless both classes are there."""
    return 100.0 * float(average_precision_score(labels, scores)) if _both_classes(labels) else None


def _both_classes(labels: NDArray[np.integer[Any]]) -> bool:
    return bool(np.any(labels == 0) and np.any(labels == 1))
