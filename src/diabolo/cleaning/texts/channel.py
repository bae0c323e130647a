"""The noisy channel of one column: what was meant, how it went wrong, and with what probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diabolo.cleaning.texts.cooccurrence import (
    ALLOWANCE,
    MAX_GAIN,
    MIN_GROUP,
    MIXTURE_STEPS,
    TRUSTED,
    Marginal,
    find_contexts,
    group_means,
)
from diabolo.cleaning.texts.typos import Replacements, TypoPairs
from diabolo.cleaning.texts.values import Strings

WAYS = ("typo", "damaged", "swapped", "any", "missing")
"""A typing error of a known value, a damaged unknown one, the value of another row, any value, a code."""

USUAL_SHARES = np.array([0.4, 0.1, 0.3, 0.1, 0.1])  # of the ways, before any error is found
SHARE_ROWS = 12.0  # errors that the usual shares stand for
MIN_PRIOR_ROWS, PRIOR_ROW_SHARE = 50.0, 0.1  # rows that the usual rate stands for, and as a share of the rows
P_MISSING_CODE = 0.05  # of one code among those that stand for a missing value
MIN_REPEATED = 30  # repeated values from which any of them can be right
MAX_REPEATED = 64  # repeated values up to which an error is one of them at random
BELOW = 0.9  # of p: as likely as a value of another row may be at most where nothing tells the two apart
P_OF_OTHER_COLUMN = 0.3  # weight of values that another column holds
RESEMBLANCE = 0.1  # share of new values that resemble others by nature, before it is learnt ...
RESEMBLANCE_ROWS = 10.0  # ... and the values that it stands for
NEW_IN_GROUP = 0.3  # share of new values in a group from which another one is natural
EXCEPTIONS = 0.01  # share of the rows that are exceptions where the rows of an entity agree; a choice
EM_STEPS = 20
TINY = 1e-300


@dataclass(frozen=True)
class Rows:
    """Rows whose cells in one column are judged.

    Attributes:
        codes: (rows,) number of the value.
        groups: context -> (rows,) number of its value; -1 without one.
        own: (rows,) the row of the fit that each of them is; -1 for a new one.
    """

    codes: np.ndarray
    groups: Mapping[str, np.ndarray]
    own: np.ndarray

    def own_of(self, table: np.ndarray) -> np.ndarray:
        """Return (rows,) the entry of each row of the fit, 0 for new rows."""
        return np.where(self.own >= 0, table[np.maximum(self.own, 0)], 0.0)


@dataclass
class Evidence:
    """What is known of each cell: p of the value if right, and q of each way if wrong.

    Attributes:
        p: (rows,) probability of the value as a right one.
        ways: (rows, ways) probability of the value by each way of being wrong.
        intended: (rows,) the value that is most likely meant if it is a typing error; -1 for none.
    """

    p: np.ndarray
    ways: np.ndarray
    intended: np.ndarray


class Channel:
    """The noisy channel of one column, from the rows of the fit.

    Args:
        values: different values; those after `counts` end are new ones.
        reference: the rows of the fit that have a value.
        right: (rows,) the probability that each is right.
        right_there: context -> (rows,) the probability that its value is right.
        pairs: context -> keys of its pairs with values, and (rows,) the number of the key of each row.
        strings: of all values.
        typos: pairs of values.
        learnt: what typing errors do, in the other columns.
        missing: (values,) whether each often stands for a missing value.
        elsewhere: (values,) the mean share of each in the other columns.
    """

    def __init__(
        self,
        values: Sequence[str],
        reference: Rows,
        right: np.ndarray,
        right_there: Mapping[str, np.ndarray],
        pairs: Mapping[str, tuple[np.ndarray, np.ndarray]],
        strings: Strings,
        typos: TypoPairs,
        learnt: Replacements,
        missing: np.ndarray,
        elsewhere: np.ndarray,
    ) -> None:
        self.values, self.reference, self.right, self.strings = values, reference, right, strings
        self.typos, self.missing, self.elsewhere = typos, missing, elsewhere
        self.log_typos = typos.log_prob(learnt)
        n = len(values)
        self.marginal = Marginal.of(reference.codes, right, n)
        self.base = np.exp(strings.base)
        self.alone = self._alone(reference)
        others = {name: (group, right_there[name]) for name, group in reference.groups.items()}
        self.contexts = find_contexts(reference.codes, right, self.marginal, self.alone, others, pairs)
        self.repeated = max(int((self.marginal.counts > 1.5).sum()), 2)
        self.of_new = self.marginal.theta / (self.marginal.total + self.marginal.theta)
        once = np.bincount(reference.codes, minlength=n) == 1
        self.is_single = once[reference.codes].astype(float)
        self.shares = np.ones(2 + len(self.contexts)) / (2 + len(self.contexts))
        self.reference_gate: np.ndarray | None = None
        parts, gate = self._parts(reference), self._gate(reference)
        self.reference_gate = gate
        for _ in range(MIXTURE_STEPS):
            joint = parts * gate * self.shares
            joint /= (gate * self.shares).sum(1, keepdims=True)
            joint /= joint.sum(1, keepdims=True)
            self.shares = (joint * right[:, None]).sum(0) + 0.5
            self.shares /= self.shares.sum()
        if any(context.is_entity for context in self.contexts):
            self.shares[:2] = np.minimum(self.shares[:2], EXCEPTIONS)
            self.shares /= self.shares.sum()
        self.resemblance = RESEMBLANCE
        typo = self._typo(reference)[0]
        big = np.zeros(n)
        np.maximum.at(big, typos.wrong, self.marginal.counts[typos.right])
        counts = self.marginal.counts
        natural = ((counts > 1.5) & (counts > 0.1 * big))[reference.codes]
        if natural.any():
            alike, new = typo[natural], self.base[reference.codes][natural]
            for _ in range(MIXTURE_STEPS):
                share = self.resemblance * alike
                share = share / (share + (1 - self.resemblance) * new + TINY)
                self.resemblance = (share.sum() + RESEMBLANCE * RESEMBLANCE_ROWS) / (
                    len(share) + RESEMBLANCE_ROWS
                )

    def evidence(self, rows: Rows) -> Evidence:
        """Return what is known of the cells of some rows."""
        alone, weights = self._alone(rows), self.weights(rows)
        p = (self._parts(rows, alone) * weights).sum(1)
        novelty = self._novelty(rows)
        p = np.where(novelty > 0, 0.9 * p + 0.1 * novelty * self.base[rows.codes], p)
        typo, intended = self._typo(rows, weights)
        p = p + self.resemblance * self.of_new * typo
        others = self.marginal.counts[rows.codes] - rows.own_of(self.right) > 0.5
        damaged = np.exp(self.strings.damaged[rows.codes]) * self.of_new
        damaged = damaged + np.where(others, 0, P_OF_OTHER_COLUMN * self.elsewhere[rows.codes])
        swapped = BELOW * alone
        any_value = np.where(others, (1 - self.of_new) / self.repeated, 0.0)
        if self.repeated > MAX_REPEATED:
            any_value = BELOW * alone
        if not self.contexts:
            # Without other columns, the value of another row cannot be told from a right one.
            swapped, any_value = np.minimum(swapped, BELOW * p), np.minimum(any_value, BELOW * p)
        code = np.where(self.missing[rows.codes], P_MISSING_CODE, 0.0)
        ways = np.maximum(np.stack([typo, damaged, swapped, any_value, code], 1), TINY)
        return Evidence(p, ways, intended)

    def p_of(self, rows: Rows, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return p(value | row) of values that the rows do not hold.

        Args:
            rows: some rows.
            values: (rows,) a value for each.
            weights: (rows, 2 + contexts) of the mixture: see `weights`.
        """
        own = rows.own_of(self.right)
        base = self.marginal.p(values, self.base[values], np.zeros(len(own)), own)
        result = weights[:, 0] * base
        result = result + weights[:, 1] * np.where(self.marginal.counts[values] > 0.5, 1 / self.repeated, 0)
        for number, context in enumerate(self.contexts):
            pair, group = context.counts(rows.groups[context.name], values)
            left = np.maximum(group - rows.own_of(context.own), 0)
            given = (self.marginal.less(pair) + context.concentration * base) / (left + context.concentration)
            result = result + weights[:, 2 + number] * given
        return np.asarray(result)

    def new_share(self, rows: Rows, weights: np.ndarray) -> np.ndarray:
        """Return (rows,) the probability that the value of a row is one that the column does not have.

        Args:
            rows: some rows.
            weights: of the mixture in them: see `weights`.
        """
        result = weights[:, 0] * self.of_new
        for number, context in enumerate(self.contexts):
            group = context.counts(rows.groups[context.name], rows.codes)[1]
            others = np.maximum(group - rows.own_of(context.own), 0)
            share = context.concentration / (others + context.concentration)
            result = result + weights[:, 2 + number] * share * self.of_new
        return np.asarray(result)

    def _alone(self, rows: Rows) -> np.ndarray:
        """Return (rows,) p(value) of the column as a whole, with the row itself left out."""
        own = rows.own_of(self.right)
        return self.marginal.p(rows.codes, self.base[rows.codes], own, own)

    def _parts(self, rows: Rows, alone: np.ndarray | None = None) -> np.ndarray:
        """Return (rows, 2 + contexts) the probability of each value by each part of the mixture."""
        alone = self._alone(rows) if alone is None else alone
        others = self.marginal.counts[rows.codes] - rows.own_of(self.right) > 0.5
        repeated = np.where(others, (1 - self.of_new) / self.repeated, 0.0)
        parts = [alone, repeated * (self.repeated >= MIN_REPEATED)]
        for context in self.contexts:
            own = rows.own_of(context.own)
            pair, group = context.counts(rows.groups[context.name], rows.codes)
            pair = self.marginal.less(np.maximum(pair - own, 0))
            given = pair + context.concentration * alone
            parts.append(given / (np.maximum(group - own, 0) + context.concentration))
        return np.stack(parts, 1)

    def weights(self, rows: Rows) -> np.ndarray:
        """Return (rows, 2 + contexts) the weights of the mixture of p in each row."""
        weights = self._gate(rows) * self.shares
        return np.asarray(weights / weights.sum(1, keepdims=True))

    def _gate(self, rows: Rows) -> np.ndarray:
        """Return (rows, 2 + contexts) how much each part counts in a row, by its gain in similar rows.

        A context counts as much as it brings in the other rows of its group; but no more than it brings in
        the groups of every other context: a state may follow from the measure in most states, and not in one.
        """
        if rows is self.reference and self.reference_gate is not None:
            return self.reference_gate
        gates = [np.zeros(len(rows.codes))] * 2
        for context in self.contexts:
            sums, number = group_means(
                self.reference.groups[context.name],
                context.gain,
                context.own,
                rows.groups[context.name],
                rows.own,
            )
            gate = sums / (number + 1)
            for other in self.contexts:
                ones = np.ones(len(context.gain))
                sums, number = group_means(
                    self.reference.groups[other.name], context.gain, ones, rows.groups[other.name], rows.own
                )
                mean = sums / np.maximum(number, 1)
                gate = np.where(number >= MIN_GROUP, np.minimum(gate, mean + ALLOWANCE), gate)
            gates.append(np.clip(gate, -MAX_GAIN, MAX_GAIN))
        gate = np.exp(np.stack(gates, 1))
        if self.contexts:
            trusted = gate[:, 2:].max(1) > np.exp(TRUSTED)
            gate[:, :2] *= np.where(trusted, 0.2, 1.0)[:, None]
        return gate

    def _novelty(self, rows: Rows) -> np.ndarray:
        """Return (rows,) the share of values that occur once among the rows of a group, if it is high."""
        novelty = np.zeros(len(rows.codes))
        for name, group in self.reference.groups.items():
            ones = np.ones(len(group))
            sums, number = group_means(group, self.is_single, ones, rows.groups[name], rows.own)
            share = np.where(number >= MIN_GROUP, sums / (number + 2), 0.0)
            novelty = np.maximum(novelty, share)
        return np.where(novelty > NEW_IN_GROUP, novelty, 0.0)

    def _typo(self, rows: Rows, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return (rows,) the probability of the value as a typing error, and the likeliest intended value."""
        total, intended = np.zeros(len(rows.codes)), np.full(len(rows.codes), -1)
        if not len(self.typos.right):
            return total, intended
        weights = self.weights(rows) if weights is None else weights
        line, pair = rows_with(rows.codes, self.typos.wrong)
        some = Rows(
            rows.codes[line], {c.name: rows.groups[c.name][line] for c in self.contexts}, rows.own[line]
        )
        p = self.p_of(some, self.typos.right[pair], weights[line]) * np.exp(self.log_typos[pair])
        np.add.at(total, line, p)
        order = np.argsort(p, kind="stable")
        intended[line[order]] = self.typos.right[pair[order]]
        return total, intended


def rows_with(codes: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every (row, position in `wanted`) where the row has the wanted value.

    Args:
        codes: (rows,) values.
        wanted: values, some of them more than once.
    """
    order = np.argsort(codes, kind="stable")
    start = np.searchsorted(codes[order], wanted, "left")
    number = np.searchsorted(codes[order], wanted, "right") - start
    position = np.repeat(np.arange(len(wanted)), number)
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return order[start[position] + within], position


@dataclass
class Rates:
    """The share of wrong cells of a column, and the shares of the ways.

    Attributes:
        rate: of wrong cells.
        shares: (ways,).
    """

    rate: float
    shares: np.ndarray


def fit_rates(found: Evidence, prior: Rates) -> Rates:
    """Learn the share of wrong cells and of the ways by expectation maximisation.

    Args:
        found: of the rows of the fit.
        prior: what is usual in the table.
    """
    rate, shares, rows = prior.rate, prior.shares, len(found.p)
    prior_rows = max(MIN_PRIOR_ROWS, PRIOR_ROW_SHARE * rows)
    for _ in range(EM_STEPS):
        by_way = found.ways * shares
        q = by_way.sum(1)
        wrong = rate * q / (rate * q + (1 - rate) * found.p)
        rate = float((wrong.sum() + prior.rate * prior_rows) / (rows + prior_rows))
        responsible = (by_way / q[:, None] * wrong[:, None]).sum(0)
        shares = (responsible + prior.shares * SHARE_ROWS) / (wrong.sum() + SHARE_ROWS)
    return Rates(rate, shares)
