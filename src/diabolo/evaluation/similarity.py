"""The similarity of columns and of pairs of columns: SDMetrics' "column shapes" and "column pair trends"."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from diabolo.evaluation.tables import Table, encode_together, is_number

N_BINS = 10  # of a number, where it is counted together with another column, as in SDMetrics


def column_similarity(real: Table, other: Table) -> dict[str, float]:
    """Return column -> the similarity of its two distributions, 0 to 1.

    1 minus a distance of the distributions: of numbers the Kolmogorov-Smirnov statistic (or the difference of
    the shares of missing values, where it is larger), of labels the total variation distance.

    Args:
        real: a table.
        other: a table with the same columns.
    """
    found = {}
    for name, one in real.items():
        two = other[name]
        if is_number(one):
            missing = [np.isnan(part) for part in (one, two)]
            distance = abs(missing[0].mean() - missing[1].mean())
            known_one, known_two = one[~missing[0]], two[~missing[1]]
            if len(known_one) and len(known_two):
                distance = max(distance, _kolmogorov_smirnov(known_one, known_two))
            elif len(known_one) or len(known_two):
                distance = 1.0
            found[name] = float(1 - distance)
        else:
            codes, size = encode_together(one, two)
            p, q = (np.bincount(c, minlength=size) / len(c) for c in codes)
            found[name] = float(1 - 0.5 * np.abs(p - q).sum())
    return found


def _kolmogorov_smirnov(one: np.ndarray, two: np.ndarray) -> float:
    """Return the largest difference of two empirical distribution functions."""
    both = np.concatenate([one, two])
    below = [np.searchsorted(np.sort(part), both, side="right") / len(part) for part in (one, two)]
    return float(np.abs(below[0] - below[1]).max())


def pair_similarity(real: Table, other: Table) -> dict[tuple[str, str], float]:
    """Return two columns -> the similarity of their two joint distributions, 0 to 1.

    Of two numbers, 1 minus half the difference of their correlations; of other pairs, 1 minus the total
    variation distance of the joint frequencies, numbers in ten bins of equal width.

    Args:
        real: a table.
        other: a table with the same columns.
    """
    binned = {name: _binned(real[name], other[name]) for name in real}
    found = {}
    for one, two in combinations(real, 2):
        if is_number(real[one]) and is_number(real[two]):
            r, s = (_correlation(table[one], table[two]) for table in (real, other))
            found[one, two] = 1 - abs(r - s) / 2
            continue
        ((a, b), _), ((c, d), size) = binned[one], binned[two]
        n_cells = int(max(a.max(), b.max()) + 1) * size
        p, q = (
            np.bincount(first * size + second, minlength=n_cells) / len(first)
            for first, second in ((a, c), (b, d))
        )
        found[one, two] = 1 - 0.5 * float(np.abs(p - q).sum())
    return found


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    """Return Pearson's correlation of the rows in which both are finite; 0 if one of them is constant."""
    known = np.isfinite(one) & np.isfinite(two)
    with np.errstate(all="ignore"):
        r = np.corrcoef(one[known], two[known])[0, 1] if known.sum() > 1 else 0.0
    return float(np.nan_to_num(r))


def _binned(real: np.ndarray, other: np.ndarray) -> tuple[list[np.ndarray], int]:
    """Return a column of both tables as small whole numbers, and the number of their values."""
    if not is_number(real):
        return encode_together(real, other)
    known = real[np.isfinite(real)]
    edges = np.histogram_bin_edges(known, bins=N_BINS)[1:-1] if len(known) else np.zeros(0)
    return [
        np.where(np.isnan(part), N_BINS, np.digitize(part, edges)).astype(np.int64) for part in (real, other)
    ], N_BINS + 1
