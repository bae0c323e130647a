"""Split images into folds so that images of the same thing do not judge each other."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MAX_SHARE = 0.5  # of a fold that one group may fill; a larger one is no group of alike images (a choice)


def separated_folds(features: np.ndarray, count: int) -> np.ndarray:
    """Return (images,) the fold of each image: an image and the most similar one are in the same fold.

    Series of exposures of one thing are usual. Were one exposure judged by a model that has seen the others,
    it would look more normal than a new thing does, and alarms would come too often.

    Args:
        features: (images, values) by whose correlation images are compared.
        count: of folds; no more than images.
    """
    number = len(features)
    similar = _correlations(features)
    np.fill_diagonal(similar, -np.inf)
    edges = coo_array((np.ones(number), (np.arange(number), similar.argmax(1))), (number, number))
    _, groups = connected_components(edges, directed=False)
    sizes = np.bincount(groups)
    folds, filled = np.zeros(number, np.int64), np.zeros(count)
    limit = MAX_SHARE * number / count
    # The largest first, each into the fold that is emptiest so far.
    for group in np.argsort(-sizes, kind="stable"):
        rows = np.flatnonzero(groups == group)
        parts = [rows] if len(rows) <= max(limit, 1) else [rows[i : i + 1] for i in range(len(rows))]
        for part in parts:
            emptiest = int(filled.argmin())
            folds[part] = emptiest
            filled[emptiest] += len(part)
    return folds


def _correlations(features: np.ndarray) -> np.ndarray:
    """Return (images, images) correlations of what differs from the mean image."""
    away = features - features.mean(0)
    away = away - away.mean(1, keepdims=True)
    away = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)
    return np.asarray(away @ away.T)
