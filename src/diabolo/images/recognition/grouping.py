"""Grouping of images of unknown people by who is on them."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import AgglomerativeClustering

MAX_AT_ONCE = 4_000  # images that are compared pair by pair: 128 MB of distances
MIN_LENGTH = 1e-12  # of a vector whose direction is known


def group(vectors: np.ndarray, threshold: float) -> np.ndarray:
    """Return (images,) the number of the person on each image, 0, 1, ... in the order of appearance.

    Agglomerative clustering with average linkage: the two groups whose mean similarity is largest are joined,
    as long as it exceeds the threshold. Of more than `MAX_AT_ONCE` images, parts are grouped, and then the
    means of the groups.

    Args:
        vectors: (images, size) unit vectors.
        threshold: the least mean similarity; see `Recognizer.threshold`.
    """
    vectors = np.asarray(vectors, dtype=float)
    numbers = np.arange(len(vectors))
    if len(vectors) > MAX_AT_ONCE:
        numbers = _group_parts(vectors, threshold)
    elif len(vectors) > 1:
        numbers = _cluster(vectors, threshold)
    return _by_appearance(numbers)


def _group_parts(vectors: np.ndarray, threshold: float) -> np.ndarray:
    """Return the groups of many images: of parts of them first, then of the means of these groups."""
    numbers = np.empty(len(vectors), np.int64)
    found = 0
    for start in range(0, len(vectors), MAX_AT_ONCE):
        part = slice(start, start + MAX_AT_ONCE)
        numbers[part] = group(vectors[part], threshold) + found
        found = int(numbers[part].max()) + 1
    if found == len(vectors):  # nobody was found twice: means would be the images again
        return numbers
    means = np.zeros((found, vectors.shape[1]))
    np.add.at(means, numbers, vectors)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), MIN_LENGTH)
    return np.asarray(group(means, threshold)[numbers])


def _cluster(vectors: np.ndarray, threshold: float) -> np.ndarray:
    """Return the groups of images that are compared pair by pair."""
    distances = np.maximum(1 - vectors @ vectors.T, 0)
    np.fill_diagonal(distances, 0)
    clustering = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - threshold
    )
    return np.asarray(clustering.fit_predict(distances))


def _by_appearance(numbers: np.ndarray) -> np.ndarray:
    """Return numbers 0, 1, ... in the order in which they first appear."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse])
