"""Columns one by one, and in pairs: as SDMetrics has column shapes and column pair trends."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from diabolo.evaluation.tables import Table, coded, is_number

BINS = 10  # of a number, where it is counted together with another column


def column_similarity(real: Table, other: Table) -> dict[str, float]:
    """Column -> how alike its distributions are, 0 to 1.

    1 - their distance: Kolmogorov and Smirnov's of numbers (and the difference of the shares of missing
    ones, where it is larger), total variation of labels.
    """
    found = {}
    for name, one in real.items():
        two = other[name]
        if is_number(one):
            gone = [np.isnan(part) for part in (one, two)]
            apart = abs(gone[0].mean() - gone[1].mean())
            here, there = one[~gone[0]], two[~gone[1]]
            if len(here) and len(there):
                apart = max(apart, _kolmogorov(here, there))
            elif len(here) or len(there):
                apart = 1.0
            found[name] = float(1 - apart)
        else:
            codes, size = coded(one, two)
            p, q = (np.bincount(c, minlength=size) / len(c) for c in codes)
            found[name] = float(1 - 0.5 * np.abs(p - q).sum())
    return found


def _kolmogorov(one: np.ndarray, two: np.ndarray) -> float:
    """The largest difference of the shares that lie below a value."""
    both = np.concatenate([one, two])
    below = [np.searchsorted(np.sort(part), both, side="right") / len(part) for part in (one, two)]
    return float(np.abs(below[0] - below[1]).max())


def pair_similarity(real: Table, other: Table) -> dict[tuple[str, str], float]:
    """Two columns -> how alike they go together, 0 to 1.

    1 - half the difference of the correlations of two numbers, or 1 - the total variation between the joint
    frequencies, numbers in ten bins of equal width.
    """
    cells = {name: _cells(real[name], other[name]) for name in real}
    found = {}
    for one, two in combinations(real, 2):
        if is_number(real[one]) and is_number(real[two]):
            r, s = (_correlation(table[one], table[two]) for table in (real, other))
            found[one, two] = 1 - abs(r - s) / 2
            continue
        ((a, b), _), ((c, d), size) = cells[one], cells[two]
        most = int(max(a.max(), b.max()) + 1) * size
        p, q = (
            np.bincount(first * size + second, minlength=most) / len(first)
            for first, second in ((a, c), (b, d))
        )
        found[one, two] = 1 - 0.5 * float(np.abs(p - q).sum())
    return found


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    known = np.isfinite(one) & np.isfinite(two)
    with np.errstate(all="ignore"):
        r = np.corrcoef(one[known], two[known])[0, 1] if known.sum() > 1 else 0.0
    return float(np.nan_to_num(r))  # a column of one value goes with nothing


def _cells(real: np.ndarray, other: np.ndarray) -> tuple[list[np.ndarray], int]:
    """A column of both tables as small whole numbers, and how many of them there are."""
    if not is_number(real):
        return coded(real, other)
    known = real[np.isfinite(real)]
    edges = np.histogram_bin_edges(known, bins=BINS)[1:-1] if len(known) else np.zeros(0)
    return [
        np.where(np.isnan(part), BINS, np.digitize(part, edges)).astype(np.int64) for part in (real, other)
    ], BINS + 1
