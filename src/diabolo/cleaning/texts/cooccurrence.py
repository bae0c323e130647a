"""What stands in a column, given the other columns of the row: counts of pairs of values, mixed per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from diabolo.data.characters import lookup

STRIDE = np.int64(1) << 31  # more than the values of any column
# How many rows of a group the column as a whole stands for; the most likely of these is taken.
CONCENTRATIONS = (0.0003, 0.003, 0.03, 0.3, 3.0, 30.0)
MIN_ROWS = 10  # whose group has other rows, for a column to say something of another
MIN_GAIN = 0.002  # nats for each row that a column must bring
MAX_CONTEXTS = 8  # columns that say something of another; a choice
MAX_GAIN = 8.0  # nats that one row counts
# Groups, of so many rows, of which each has a value of its own that this share of its rows agrees on, but for
# few groups; choices.
MIN_ENTITIES, MIN_ENTITY_ROWS, OWN_VALUES, MOST_AGREE, FEW = 20, 4.0, 0.5, 0.6, 0.1
MAX_EXCEPTIONS = 0.03  # rows of such a group that the column as a whole stands for at most; a choice
MIN_GROUP = 5  # rows of a group whose mean gain is known
ALLOWANCE = 1.0  # nats that a group of another column may be below; a choice
TRUSTED = 2.0  # gain of a context, in nats, from which the whole column counts a fifth
MIXTURE_STEPS = 30  # of expectation maximisation


@dataclass
class Context:
    """One other column as a context of the judged one.

    Attributes:
        name: of the other column.
        concentration: rows of a group that the column as a whole stands for.
        keys: (pairs,) group * STRIDE + value, ascending.
        sums: (pairs,) weight of the rows with this pair.
        groups: (groups,) weight of the rows of each group.
        own: (rows,) weight of each row of the fit.
        gain: (rows,) log p(value | group) - log p(value) of each row of the fit.
    """

    name: str
    concentration: float
    keys: np.ndarray
    sums: np.ndarray
    groups: np.ndarray
    own: np.ndarray
    gain: np.ndarray

    @cached_property
    def is_entity(self) -> bool:
        """Whether each group has a value of its own, which most of its rows agree on, as facts of an entity.

        There another value that no second row of the group has is an exception, not one of several.
        """
        group = self.keys // STRIDE
        start = np.flatnonzero(np.r_[True, np.diff(group) > 0])
        total, most = np.add.reduceat(self.sums, start), np.maximum.reduceat(self.sums, start)
        large = total >= MIN_ENTITY_ROWS
        if large.sum() < MIN_ENTITIES:
            return False
        end = np.r_[start[1:], len(group)]
        usual = [
            self.keys[a + int(np.argmax(self.sums[a:b]))] % STRIDE
            for a, b in zip(start[large], end[large], strict=True)
        ]
        own = len(set(usual)) >= OWN_VALUES * large.sum()
        return bool(own and np.quantile(most[large] / total[large], FEW) >= MOST_AGREE)

    def counts(self, group: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of the rows with this pair, and of those of the group; 0 for a group unknown."""
        known = (group >= 0) & (group < len(self.groups))
        pair = lookup(self.keys, self.sums, np.where(known, group, 0) * STRIDE + value)
        return np.where(known, pair, 0.0), np.where(known, self.groups[np.where(known, group, 0)], 0.0)


@dataclass(frozen=True)
class Marginal:
    """How often the values of a column occur, and how often new ones do.

    p(v) = (n(v) - discount + theta base(v)) / (n + theta) (Pitman and Yor, "The two-parameter
    Poisson-Dirichlet distribution", 1997; the discount of Good and Turing's kind).

    Attributes:
        counts: (values,) weight of the rows with each value.
        theta: rows that new values stand for.
        discount: taken off every count: of a column that never repeats, one more equal value is no evidence.
        total: weight of all rows.
    """

    counts: np.ndarray
    theta: float
    discount: float
    total: float

    @classmethod
    def of(cls, codes: np.ndarray, right: np.ndarray, values: int) -> Marginal:
        """Count the values of a column.

        Args:
            codes: (rows,) numbers of values.
            right: (rows,) the probability that each is right.
            values: their number.
        """
        counts = np.bincount(codes, right, values)
        once = ((counts > 0.5) & (counts < 1.5)).sum()
        twice = ((counts >= 1.5) & (counts < 2.5)).sum()
        single = ((counts > 0.3) & (counts < 1.5)).sum()
        theta = float(np.clip(single, 0.5, max(0.98 * len(codes), 0.5)))
        return cls(counts, theta, once / (once + 2 * twice + 1), float(counts.sum()))

    def less(self, counts: np.ndarray) -> np.ndarray:
        """Return counts with the discount taken off."""
        return np.asarray(np.maximum(counts - self.discount * np.minimum(counts, 1), 0))

    def p(self, values: np.ndarray, base: np.ndarray, own: np.ndarray, left_out: np.ndarray) -> np.ndarray:
        """Return the probability of a value in each of some rows.

        Args:
            values: (rows,) the value whose probability is wanted; numbers beyond the counts are new ones.
            base: (rows,) its probability as a new value.
            own: (rows,) weight with which the row holds this value itself.
            left_out: (rows,) weight of the row, whatever it holds.
        """
        known = values < len(self.counts)
        counts = np.where(known, self.counts[np.where(known, values, 0)], 0.0) - own
        return (self.less(counts) + self.theta * base) / (self.total - left_out + self.theta)


def find_contexts(
    codes: np.ndarray,
    right: np.ndarray,
    marginal: Marginal,
    alone: np.ndarray,
    others: Mapping[str, tuple[np.ndarray, np.ndarray]],
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> list[Context]:
    """Return the columns that say most of a column, with their counts.

    Args:
        codes: (rows,) numbers of the values of the column.
        right: (rows,) the probability that each is right.
        marginal: of the column.
        alone: (rows,) p(value) with the row left out.
        others: other column -> (rows,) codes, -1 without a value, and the probability that each is right.
        pairs: other column -> (pairs,) keys, and (rows,) the number of the key of each row.
    """
    found = []
    for name, (group, right_there) in others.items():
        own = right * right_there * (group >= 0)
        keys, where = pairs[name]
        sums = np.bincount(where, own, len(keys))
        groups = np.bincount(np.maximum(group, 0), own)
        pair = marginal.less(np.maximum(sums[where] - own, 0))
        rest = np.maximum(groups[np.maximum(group, 0)] - own, 0)
        some = np.flatnonzero((rest > 0.5) & (group >= 0))
        if len(some) < MIN_ROWS:
            continue
        fits = [
            np.mean(np.log((pair[some] + a * alone[some]) / (rest[some] + a)) * right[some])
            for a in CONCENTRATIONS
        ]
        best = CONCENTRATIONS[int(np.argmax(fits))]
        context = Context(name, best, keys, sums, groups, own, np.zeros(0))
        if context.is_entity:
            # However often errors make a fact of an entity look like something else, it is no other fact.
            context.concentration = best = min(best, MAX_EXCEPTIONS)
        given = np.where(group >= 0, (pair + best * alone) / (rest + best), alone)
        context.gain = np.clip(np.log(given) - np.log(alone), -MAX_GAIN, MAX_GAIN)
        if np.mean(context.gain * right) > MIN_GAIN:
            found.append((float(np.mean(context.gain * right)), context))
    found.sort(key=lambda f: -f[0])
    return [context for _, context in found[:MAX_CONTEXTS]]


def group_means(
    group: np.ndarray, gain: np.ndarray, weight: np.ndarray, asked: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the other rows of a group, for each asked row, and the number of these rows.

    Args:
        group: (rows,) the group of each row of the fit, -1 for none.
        gain: (rows,) what is averaged.
        weight: (rows,) of each row.
        asked: (asked,) the group of each asked row.
        own: (asked,) which row of the fit the asked row is; -1 for a new one.
    """
    size = int(max(group.max(initial=0), asked.max(initial=0))) + 1
    there = np.where(group >= 0, weight, 0.0)
    sums = np.bincount(np.maximum(group, 0), gain * there, size)
    counts = np.bincount(np.maximum(group, 0), there, size)
    at, is_own = np.maximum(asked, 0), own >= 0
    own_weight = np.where(is_own & (asked >= 0), there[np.maximum(own, 0)], 0.0)
    total = sums[at] - own_weight * gain[np.maximum(own, 0)]
    number = counts[at] - own_weight
    return np.where(asked >= 0, total, 0.0), np.where(asked >= 0, number, 0.0)
