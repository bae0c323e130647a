"""When values of a series are missing: a Markov chain over patterns of the channels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

MAX_PATTERNS = 64  # patterns of missing values that are kept, the most frequent ones; a choice
_RETURN_WEIGHT = 1e-6  # one more transition to the most frequent pattern, so that no pattern lasts for ever


def fit_missing_patterns(present: np.ndarray) -> dict[str, np.ndarray]:
    """Learn which channels are missing together, and how patterns follow each other.

    Args:
        present: (points, channels) which values are present, in the order of time.

    Returns:
        `presence_patterns` (patterns, channels): which channels are present, the most frequent pattern
        first; `transitions` (patterns, patterns): the share of the points of each pattern that are followed
        by each. Empty if no value is missing.
    """
    if present.all():
        return {}
    patterns, state, counts = np.unique(present, axis=0, return_inverse=True, return_counts=True)
    state = state.ravel()
    kept = np.argsort(-counts, kind="stable")[:MAX_PATTERNS]
    rank = np.full(len(patterns), -1)
    rank[kept] = np.arange(len(kept))
    before, after = rank[state[:-1]], rank[state[1:]]
    both_kept = (before >= 0) & (after >= 0)
    transitions = np.zeros((len(kept), len(kept)))
    np.add.at(transitions, (before[both_kept], after[both_kept]), 1.0)
    transitions[:, 0] += _RETURN_WEIGHT
    transitions /= transitions.sum(1, keepdims=True)
    return {"presence_patterns": patterns[kept], "transitions": transitions}


def sample_missing_patterns(
    arrays: Mapping[str, np.ndarray], rows: int, points: int, random: np.random.Generator
) -> np.ndarray:
    """Sample which values are missing; every segment starts in the most frequent pattern.

    Args:
        arrays: as returned by `fit_missing_patterns`, not empty.
        rows: segments.
        points: of each segment.
        random: generator of the transitions.

    Returns:
        (rows, points, channels) True where a value is missing.
    """
    cumulative = arrays["transitions"].cumsum(1)
    state = np.zeros((rows, points), np.int64)
    for point in range(1, points):
        below = cumulative[state[:, point - 1]] < random.random((rows, 1))
        state[:, point] = below.sum(1).clip(max=len(cumulative) - 1)
    return ~np.asarray(arrays["presence_patterns"])[state]
