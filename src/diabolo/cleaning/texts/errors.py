"""Wrong texts and labels: a noisy channel, learnt without labels of what is wrong.

A cell was meant to hold a value that its row makes likely, and holds that value or a damaged one:
P(wrong) = e q / (e q + (1 - e) p), with p(value | row) of counts and characters, and q(value | row) of the
ways people and programs go wrong (Kernighan, Church and Gale, "A spelling correction program based on a
noisy channel model", 1990). The rate e and the shares of the ways are learnt for each column by expectation
maximisation; counts are weighted by the probability that a cell is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from diabolo.cleaning.texts.channel import (
    MIN_PRIOR_ROWS,
    PRIOR_ROW_SHARE,
    TINY,
    USUAL_SHARES,
    Channel,
    Evidence,
    Rates,
    Rows,
    fit_rates,
)
from diabolo.cleaning.texts.cooccurrence import STRIDE
from diabolo.cleaning.texts.suggestions import verdicts
from diabolo.cleaning.texts.text_table import TextTable
from diabolo.cleaning.texts.typos import Replacements, find_typos
from diabolo.cleaning.texts.values import Formats, are_missing_words, find_formats, read_strings
from diabolo.cleaning.verdicts import Verdicts
from diabolo.utils.checks import is_finite_number, require

ROUNDS = 4  # of judging, each with counts weighted by the verdicts of the one before
INITIAL_RATE = 0.02  # of wrong cells
MIN_PRIOR, MAX_PRIOR = 0.01, 0.1  # of the usual rate in a table, the median of its columns
PULL = 0.7  # of the usual shares: how much the columns of the table count against the usual ones
OWN_LEARNT = 0.9  # of what a column taught of typing errors, that it does not use itself
SURE_TYPO = 0.2  # P(wrong) from which a typing error teaches
SURELY = 0.9  # P(wrong) from which a cell does not count for others at all
P_STUCK = 0.97  # of the cells of a value that comes with anything
MIN_STUCK, MAX_STUCK_SHARE = 5, 0.2  # cells of such a value, and the share of the rows that it may have
MIN_PAIRS, MIN_REPEATED_VALUES = 200, 30  # equal pairs and repeated values from which this is asked
AGREES, DISAGREES, MOST_AGREE = 0.9, 0.3, 0.95  # agreement of a value with another column; of how many values


@dataclass
class Judged:
    """A column of the fit, judged.

    Attributes:
        channel: of the column.
        rates: of its errors.
        found: what is known of its cells.
        p_wrong: (judged rows,).
        never: (values,) probability that a value is never right.
        stuck: (values,) whether a value comes with anything.
        formats: of its numbers.
    """

    channel: Channel
    rates: Rates
    found: Evidence
    p_wrong: np.ndarray
    never: np.ndarray
    stuck: np.ndarray
    formats: Formats | None


@dataclass(frozen=True)
class TextErrors:
    """Evidence that texts of a table are wrong.

    Attributes:
        table: the rows of the fit.
        right: column -> (rows,) the probability that each cell is right.
        learnt: what typing errors do, by the column that taught it.
        usual: the rate and the shares of the ways that are usual in the table.
    """

    table: TextTable
    right: Mapping[str, np.ndarray]
    learnt: Mapping[str, Replacements]
    usual: Rates

    @classmethod
    def fit(cls, table: TextTable) -> TextErrors:
        """Learn from a table which of its texts are wrong.

        Args:
            table: rows of the fit.
        """
        ones = {name: np.ones(table.rows) for name in {**table.groups, **table.codes}}
        fitted = cls(table, ones, {}, Rates(INITIAL_RATE, USUAL_SHARES))
        for number in range(1, ROUNDS):
            fitted = fitted._next(is_last=number == ROUNDS - 1)
        return fitted

    def _next(self, *, is_last: bool) -> TextErrors:
        """Return a model whose counts are weighted by the verdicts of this one."""
        if not self.table.values:
            return self
        right, learnt, rates = dict(self.right), {}, []
        for name in self.table.values:
            judged = self.judged(name)
            right[name] = right[name].copy()
            weights = np.round((1 - judged.p_wrong) * 255) / 255
            if is_last:
                # What is surely wrong vouches for no new row: a little weight would do so. While verdicts
                # change, it keeps some, so that rare values that vouch for each other can recover.
                weights[judged.p_wrong >= SURELY] = 0.0
            right[name][self.table.rows_of[name]] = weights
            learnt[name] = _taught(self.table.values[name], judged)
            rates.append(judged.rates)
        rate = float(np.clip(np.median([r.rate for r in rates]), MIN_PRIOR, MAX_PRIOR))
        shares = PULL * np.mean([r.shares for r in rates], axis=0) + (1 - PULL) * USUAL_SHARES
        return TextErrors(self.table, right, learnt, Rates(rate, shares))

    def state(self) -> dict[str, Any]:
        """Return what was learnt, but for the rows of the fit, as plain values."""
        learnt = {n: [part.characters, part.same, part.other] for n, part in self.learnt.items()}
        return {"learnt": learnt, "rate": self.usual.rate, "shares": self.usual.shares.tolist()}

    @classmethod
    def restore(
        cls, table: TextTable, right: Mapping[str, np.ndarray], state: Mapping[str, Any]
    ) -> TextErrors:
        """Return the inverse of `state`.

        Args:
            table: rows of the fit.
            right: judged column -> (rows,) the probability that each cell is right.
            state: plain values.

        Raises:
            ValueError: no fit can have left this.
        """
        learnt, shares = {}, state["shares"]
        require(is_finite_number(state["rate"]) and 0 < state["rate"] < 1, "rate of errors")
        require(len(shares) == len(USUAL_SHARES) and all(map(is_finite_number, shares)), "types of errors")
        require(min(shares) > 0, "types of errors")
        for name, (characters, same, other) in state["learnt"].items():
            counts = [same, other, *characters.values()]
            require(name in table.values and all(map(is_finite_number, counts)), "typing errors")
            require(min(counts) >= 0, "typing errors")
            learnt[name] = Replacements(dict(characters), same, other)
        rest = {n: np.ones(table.rows) for n in table.groups if n not in right}
        return cls(table, {**right, **rest}, learnt, Rates(state["rate"], np.array(shares)))

    def judged(self, name: str) -> Judged:
        """Return a column of the fit, judged."""
        if name not in self._judged:
            self._judged[name] = self._judge(name)
        return self._judged[name]

    @cached_property
    def _judged(self) -> dict[str, Judged]:
        return {}

    def _channel(self, name: str, values: Sequence[str]) -> Channel:
        """Return the channel of a column; `values` may end with values that the fit does not have."""
        table, rows, known = self.table, self.table.rows_of[name], len(self.table.values[name])
        groups = {d: table.groups[d][rows] for d in table.pairs[name]}
        reference = Rows(table.codes[name][rows], groups, np.arange(len(rows)))
        right = self.right[name][rows]
        counts = np.bincount(reference.codes, minlength=len(values))
        weighted = np.bincount(reference.codes, right, len(values))
        learnt = Replacements()
        for part in self.learnt.values():
            learnt.add(part)
        if name in self.learnt:
            learnt = learnt.without(self.learnt[name], OWN_LEARNT)
        typos = table.typos[name]
        if len(values) > known:
            typos = typos.joined(find_typos(values, counts, table.rows, table.words(name), new_from=known))
        return Channel(
            values,
            reference,
            right,
            {d: self.right[d][rows] for d in groups},
            table.pairs[name],
            read_strings(values, np.log1p(weighted) * np.minimum(weighted, 1), counts.astype(float)),
            typos,
            learnt,
            are_missing_words(values),
            table.elsewhere(name, values),
        )

    def _judge(self, name: str) -> Judged:
        """Judge the cells of a column of the fit."""
        values = self.table.values[name]
        channel = self._channel(name, values)
        found = channel.evidence(channel.reference)
        rates = fit_rates(found, self.usual)
        codes = channel.reference.codes
        counts = np.bincount(codes, minlength=len(values))
        never = _never_right(channel, found, rates, counts)
        judged = Judged(
            channel,
            rates,
            found,
            _p_wrong(found, rates),
            never,
            self._stuck(name, counts),
            find_formats(values, counts),
        )
        judged.p_wrong = _with_values(judged, codes, judged.p_wrong)
        prior_rows = max(MIN_PRIOR_ROWS, PRIOR_ROW_SHARE * len(codes))
        rate = (judged.p_wrong.sum() + self.usual.rate * prior_rows) / (len(codes) + prior_rows)
        judged.rates = Rates(float(rate), rates.shares)
        return judged

    def _stuck(self, name: str, counts: np.ndarray) -> np.ndarray:
        """Return (values,) which repeated values come with anything, where the others come with one value.

        A device or a form that is stuck writes the same value into rows that have nothing in common, in a
        column whose other repeated values each go with one value of another column.
        """
        stuck, rows = np.zeros(len(counts), bool), self.table.rows_of[name]
        codes = self.table.codes[name][rows]
        pairs, repeated = counts * (counts - 1) / 2, (counts >= 2) & (counts < MAX_STUCK_SHARE * len(rows))
        if pairs[repeated].sum() < MIN_PAIRS or repeated.sum() < MIN_REPEATED_VALUES:
            return stuck
        for other, (keys, where) in self.table.pairs[name].items():
            group = self.table.groups[other][rows]
            if group.max(initial=-1) < MIN_REPEATED_VALUES:
                continue
            known = group >= 0
            number = np.bincount(where, known, len(keys))
            there = np.bincount(codes, known, len(counts))
            pairs, asked = there * (there - 1) / 2, repeated & (there >= 2)
            same = np.bincount(keys % STRIDE, number * (number - 1) / 2, len(counts))
            by_chance = float(((np.bincount(group + 1) / len(rows)) ** 2).sum())
            if by_chance > 0.5:
                continue
            agreement = (same / np.maximum(pairs, 1) - by_chance) / (1 - by_chance)
            if asked.any() and (agreement[asked] > AGREES).mean() > MOST_AGREE:
                stuck |= (there >= MIN_STUCK) & (agreement < DISAGREES)
        return stuck

    def judge(
        self, texts: Mapping[str, Sequence[str | None]], groups: Mapping[str, np.ndarray], own: np.ndarray
    ) -> dict[str, Verdicts]:
        """Judge the cells of rows.

        Args:
            texts: judged column -> (rows,) texts; None without a value.
            groups: column -> (rows,) number of its value; -1 without one, or for one that the fit did not
                have.
            own: (rows,) the row of the fit that each row is; -1 for a new one.
        """
        return {name: self._verdicts(name, texts[name], groups, own) for name in self.table.values}

    def _verdicts(
        self, name: str, texts: Sequence[str | None], groups: Mapping[str, np.ndarray], own: np.ndarray
    ) -> Verdicts:
        judged, known = self.judged(name), list(self.table.values[name])
        number = {v: i for i, v in enumerate(known)}
        new = [v for v in dict.fromkeys(texts) if v is not None and v not in number]
        number |= {v: len(known) + i for i, v in enumerate(new)}
        values = known + new
        rows = np.array([i for i, v in enumerate(texts) if v is not None], dtype=np.int64)
        if not len(rows):
            return Verdicts.empty(len(texts))
        channel = self._channel(name, values) if new else judged.channel
        codes = np.array([number[texts[i]] for i in rows], dtype=np.int64)
        # Of the rows of the fit, those that have a value in this column.
        place = np.full(self.table.rows + 1, -1)
        place[self.table.rows_of[name]] = np.arange(len(self.table.rows_of[name]))
        asked = Rows(codes, {d: groups[d][rows] for d in self.table.pairs[name]}, place[own[rows]])
        found = channel.evidence(asked)
        if new:
            pad = np.zeros(len(new))
            counts = np.bincount(channel.reference.codes, minlength=len(values))
            judged = Judged(
                channel,
                judged.rates,
                judged.found,
                judged.p_wrong,
                np.r_[judged.never, pad],
                np.r_[judged.stuck, pad > 0],
                find_formats(values, counts),
            )
        p_wrong = _with_values(judged, codes, _p_wrong(found, judged.rates))
        return verdicts(judged, asked, found, p_wrong, rows, len(texts))


def _p_wrong(found: Evidence, rates: Rates) -> np.ndarray:
    """Return (rows,) P(wrong) of cells by themselves."""
    q = (found.ways * rates.shares).sum(1)
    return np.asarray(rates.rate * q / (rates.rate * q + (1 - rates.rate) * found.p))


def _with_values(judged: Judged, codes: np.ndarray, p_wrong: np.ndarray) -> np.ndarray:
    """Return P(wrong) of cells, with what is known of their values as such."""
    never = judged.never[codes]
    p_wrong = never + (1 - never) * p_wrong
    p_wrong = np.maximum(p_wrong, np.where(judged.stuck[codes], P_STUCK, 0.0))
    if judged.formats is not None:
        p_wrong = np.maximum(p_wrong, judged.formats.p_wrong[codes])
    return p_wrong


def _never_right(channel: Channel, found: Evidence, rates: Rates, counts: np.ndarray) -> np.ndarray:
    """Return (values,) the probability that all cells with a value are errors.

    Either the value is one that the column has, new once and then as often as seen; or every cell that holds
    it is an error of another value. The same typing error, five times, makes itself look like a value.
    """
    codes, n = channel.reference.codes, len(counts)
    by_way = found.ways * rates.shares
    either = np.log((1 - rates.rate) * found.p + rates.rate * by_way.sum(1))
    as_error = np.log(rates.rate) + np.log(by_way[:, 0] + by_way[:, 1] + by_way[:, 4] + TINY)
    many = np.maximum(counts, 1)
    typo = np.bincount(codes, found.ways[:, 0], n) / many
    new = np.logaddexp(channel.strings.base, np.log(channel.resemblance) + np.log(typo + TINY))
    # A value that its column does not have yet is new where it stands: less likely in a row from which the
    # value follows.
    weights = channel.weights(channel.reference)
    first = np.bincount(codes, channel.new_share(channel.reference, weights), n) / many
    as_value = np.log(first + TINY) + new
    as_value = as_value + np.maximum(counts - 1, 0) * np.bincount(codes, either, n) / many
    log_odds = np.bincount(codes, as_error, n) - as_value
    never = 1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))
    return np.where(counts < 2, 0.0, never)


def _taught(values: Sequence[str], judged: Judged) -> Replacements:
    """Return what the typing errors of a column teach."""
    by_way = judged.found.ways * judged.rates.shares
    p = judged.p_wrong * by_way[:, 0] / by_way.sum(1)
    codes = judged.channel.reference.codes
    seen: dict[tuple[int, int], float] = {}
    for row in np.flatnonzero((p > SURE_TYPO) & (judged.found.intended >= 0)):
        pair = int(codes[row]), int(judged.found.intended[row])
        seen[pair] = max(seen.get(pair, 0.0), float(p[row]))
    taught = Replacements()
    for (wrong, right), weight in seen.items():
        v, u = values[wrong], values[right]
        if len(u) == len(v):
            characters = {b: weight for a, b in zip(u, v, strict=True) if a != b}
            taught.add(Replacements(characters, same=weight))
        else:
            taught.add(Replacements(other=weight))
    return taught
