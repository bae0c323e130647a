"""Evidence that a number of a table is wrong: what its row makes likely, against the ways of going wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from diabolo.cleaning.numbers.column import POWERS, WAYS, ColumnModel
from diabolo.cleaning.numbers.scale import Scale, stand_apart
from diabolo.cleaning.numbers.trees import MIN_ROWS, Forest, Inputs, grow
from diabolo.cleaning.verdicts import UNLIKELY, Verdicts
from diabolo.utils.checks import require
from diabolo.utils.files import select_prefix
from diabolo.utils.sampling import evenly_spaced

N_FOLDS = 4  # trees judge a row of the fit without having seen it or a quarter of the others
MAX_ROWS = 10_000  # of the fit
FIT_ROUNDS = 2  # in the second, values that are probably wrong teach nothing
CHUNK = 20_000  # rows that are judged at a time

SUSPICIOUS = 0.05  # probability of being wrong from which a reason is given
SINGLE_DIGIT = (
    10.0  # times as likely as all others must a number be that differs in one digit, to be suggested
)
FAR_VALUE = 3.0  # deviations from the median on the scale of the column: an extreme value
MIN_SHARE = 1e-9  # of the ways that can be named: numerics
SPECIFIC_SHARE = 0.5  # of the ways that a way must have to be the one


@dataclass(frozen=True)
class NumberErrors:
    """Evidence that numbers of a table are wrong.

    The probability is that of Bayes, `P = rate q / (rate q + (1 - rate) p)`. p is the probability of a right
    value to be this one: a mixture of values that repeat whatever the row is and of a Student-t distribution
    around what extremely randomised trees expect, trees that have not seen the row. q is that of a wrong
    value: a slip of the decimal point, a changed sign or digit, a code for a missing value, the value of
    another row, any number at all. How often each happens is learnt for each column (a noisy channel, as
    Kernighan, Church and Gale, "A spelling correction program based on a noisy channel model", 1990).

    Args:
        inputs: how columns are given to trees.
        forest: the trees.
        columns: name -> what its numbers are like.
    """

    inputs: Inputs
    forest: Forest
    columns: dict[str, ColumnModel]

    @classmethod
    def fit(
        cls, numbers: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], folds: np.ndarray, seed: int
    ) -> Self:
        """Learn what is right and how values go wrong, from a table that has errors.

        Args:
            numbers: column -> (rows,) values to be judged, NaN where there is none.
            labels: column -> (rows,) codes of the other columns, most frequent first; -1 where there is none.
            folds: (rows,) fold of each row, from 0 to below `N_FOLDS`.
            seed: of the trees.
        """
        rows = evenly_spaced(len(folds), MAX_ROWS)
        values = {name: np.asarray(column, float)[rows] for name, column in numbers.items()}
        codes = {name: np.asarray(column)[rows] for name, column in labels.items()}
        folds = np.asarray(folds)[rows]
        right = {name: np.isfinite(column) for name, column in values.items()}
        fitted = cls._fit_once(values, codes, folds, right, seed)
        for _ in range(FIT_ROUNDS - 1):
            verdicts, before = fitted.judge(values, codes, folds), right
            right = {name: right[name] & (verdicts[name].log_odds <= 0) for name in values}
            if all(np.array_equal(right[name], before[name]) for name in right):
                break
            fitted = cls._fit_once(values, codes, folds, right, seed)
        return fitted

    @classmethod
    def _fit_once(
        cls,
        values: Mapping[str, np.ndarray],
        codes: Mapping[str, np.ndarray],
        folds: np.ndarray,
        right: Mapping[str, np.ndarray],
        seed: int,
    ) -> Self:
        """Learn from the values that are right as far as is known; judge the rates by all of them."""
        hidden = _only(values, right)
        inputs = Inputs.fit(hidden, codes)
        table = inputs.encode(hidden, codes)
        scales, targets = {}, {}
        for name, column in hidden.items():
            known = np.isfinite(column)
            spread = known.copy()
            spread[known] = ~stand_apart(column[known])
            use = spread if spread.sum() >= MIN_ROWS else known
            if use.any():
                scales[name] = Scale.fit(column[use])
                targets[name] = np.where(use, scales[name].targets(column), np.nan)
        forest = grow(table, inputs.owners, targets, folds, seed)
        columns = {}
        for number, (name, scale) in enumerate(scales.items()):
            there = np.isfinite(values[name])
            mean, spread = forest.predict(number, table[there], folds[there])
            others = np.array([owner != name for owner in inputs.owners], bool)
            flags = table[there][:, others] > np.median(table[:, others], axis=0)
            columns[name] = ColumnModel.fit(scale, values[name][there], mean, spread, flags)
        return cls(inputs, forest, columns)

    def judge(
        self, numbers: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], folds: np.ndarray
    ) -> dict[str, Verdicts]:
        """Return column -> what is said about its numbers.

        A value that is probably wrong is no evidence on the other values of its row: it is left out when
        these are judged again.

        Args:
            numbers: column -> (rows,) values, NaN where there is none.
            labels: column -> (rows,) codes, as in the fit.
            folds: (rows,) the fold of a row of the fit, -1 for a new row.
        """
        rows = len(folds)
        verdicts = {name: Verdicts.empty(rows) for name in numbers}
        for start in range(0, rows, CHUNK):
            part = slice(start, start + CHUNK)
            values = {name: np.asarray(column, float)[part] for name, column in numbers.items()}
            codes = {name: np.asarray(column)[part] for name, column in labels.items()}
            odds = self._log_odds(values, codes, folds[part], values)
            wrong = {name: log_odds > 0 for name, (log_odds, _) in odds.items()}
            again = np.flatnonzero(np.any(list(wrong.values()), axis=0)) if wrong else np.zeros(0, int)
            rest = np.setdiff1d(np.arange(len(folds[part])), again)
            for name, (log_odds, evidence) in odds.items():
                _fill(verdicts[name], start + np.arange(len(log_odds)), log_odds, evidence, rest)
            if not len(again):
                continue
            some = {name: column[again] for name, column in values.items()}
            right = {name: ~wrong[name][again] for name in wrong}
            shown = {**some, **_only({name: some[name] for name in right}, right)}
            labels_there = {name: column[again] for name, column in codes.items()}
            odds = self._log_odds(shown, labels_there, folds[part][again], some)
            for name, (log_odds, evidence) in odds.items():
                _fill(verdicts[name], start + again, log_odds, evidence, np.arange(len(again)))
        return verdicts

    def _log_odds(
        self,
        inputs: Mapping[str, np.ndarray],
        codes: Mapping[str, np.ndarray],
        folds: np.ndarray,
        values: Mapping[str, np.ndarray],
    ) -> dict[str, tuple[np.ndarray, _Evidence]]:
        """Return column -> (rows,) log odds that values are wrong, and what they are made of."""
        table = self.inputs.encode(inputs, codes)
        found = {}
        for number, (name, model) in enumerate(self.columns.items()):
            there = np.flatnonzero(np.isfinite(values[name]))
            # A new row is predicted by as many trees as a row of the fit is: all of them take longer.
            mean, spread = self.forest.predict(number, table[there], np.maximum(folds[there], 0))
            evidence = _Evidence.of(model, there, values[name][there], mean, spread, folds[there] >= 0)
            log_odds = np.full(len(folds), -np.inf)
            log_odds[there] = evidence.log_odds
            found[name] = (log_odds, evidence)
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """Return name -> array, for a model file."""
        arrays = {f"trees/{name}": array for name, array in self.forest.arrays().items()}
        small = [np.asarray(array, float) for array in self._small_arrays().values()]
        return {**arrays, "small": np.concatenate(small) if small else np.zeros(0)}

    def _small_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of inputs and columns, which a file keeps as one: there are many."""
        arrays = {f"inputs/{number}/edges": edges for number, edges in enumerate(self.inputs.edges.values())}
        for number, model in enumerate(self.columns.values()):
            arrays |= {f"columns/{number}/{name}": array for name, array in model.arrays().items()}
        return arrays

    def state(self) -> dict[str, Any]:
        """Return what is not in arrays, of kinds that JSON knows."""
        return {
            "small": {name: len(array) for name, array in self._small_arrays().items()},
            "inputs": {"medians": self.inputs.medians, "levels": self.inputs.levels},
            "columns": {name: model.state() for name, model in self.columns.items()},
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> Self:
        """Make the evidence again.

        Args:
            arrays: what `arrays` gave.
            state: what `state` gave.

        Raises:
            ValueError: they are not those of such evidence.
        """
        require(set(state) == {"inputs", "columns", "small"}, "evidence on numbers")
        sizes = list(state["small"].values())
        require(all(type(size) is int and size >= 0 for size in sizes), "arrays of numbers")
        require("small" in arrays and arrays["small"].shape == (sum(sizes),), "arrays of numbers")
        parts = np.split(np.asarray(arrays["small"], float), np.cumsum(sizes)[:-1]) if sizes else []
        arrays = {**arrays, **dict(zip(state["small"], parts, strict=True))}
        require(isinstance(state["columns"], Mapping), "columns of numbers")
        inputs = Inputs.restore(select_prefix(arrays, "inputs/"), state["inputs"])
        require(set(state["columns"]) <= set(inputs.edges), "columns of numbers")
        columns = {
            name: ColumnModel.restore(select_prefix(arrays, f"columns/{number}/"), column)
            for number, (name, column) in enumerate(state["columns"].items())
        }
        forest = Forest.restore(select_prefix(arrays, "trees/"), len(inputs.owners), len(columns), N_FOLDS)
        return cls(inputs, forest, columns)


@dataclass(frozen=True)
class _Evidence:
    """What is known about the numbers of one column that are there.

    Attributes:
        model: of the column.
        rows: (values,) where they stand.
        values: (values,).
        mean: (values,) expected on the scale.
        spread: (values,) usual distance from there.
        log_odds: (values,) that they are wrong.
        ways: (values, ways) share of each way in which they may be.
    """

    model: ColumnModel
    rows: np.ndarray
    values: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    log_odds: np.ndarray
    ways: np.ndarray

    @classmethod
    def of(
        cls,
        model: ColumnModel,
        rows: np.ndarray,
        values: np.ndarray,
        mean: np.ndarray,
        spread: np.ndarray,
        seen: np.ndarray,
    ) -> Self:
        """Weigh right and wrong against each other."""
        p = model.plausible(values, mean, spread, seen)
        ways = model.ways(values, mean, spread, seen) * model.shares
        total = ways.sum(1)
        log_odds = np.log(model.rate / (1 - model.rate)) + np.log(total) - np.log(p)
        return cls(model, rows, values, mean, spread, log_odds, ways / total[:, None])


def _fill(
    verdicts: Verdicts, rows: np.ndarray, log_odds: np.ndarray, found: _Evidence, wanted: np.ndarray
) -> None:
    """Write what is known of some rows into the verdicts on a column.

    Only the ways that can be named count: that a number is unlikely, without any of them, is what the
    networks say, and say better (columns of sums of money that may be negative: AUPR of exchanged values .44
    with it, .50 without, .52 of the network alone; on tables with everyday errors the same figures).

    Args:
        verdicts: of the column.
        rows: (judged,) the numbers of the judged rows.
        log_odds: (judged,) that their values are wrong.
        found: what these are made of.
        wanted: which of the judged rows to write.
    """
    model = found.model
    far = np.abs(model.scale(found.values)) > FAR_VALUE
    named = found.ways.copy()
    named[:, WAYS.index("swap")] = 0
    named[:, WAYS.index("gross")] *= far
    log_odds = log_odds.copy()
    log_odds[found.rows] += np.log(np.maximum(named.sum(1), MIN_SHARE))
    verdicts.log_odds[rows[wanted]] = log_odds[wanted]
    doubtful = found.log_odds > np.log(SUSPICIOUS / (1 - SUSPICIOUS))
    for at in np.flatnonzero(doubtful & np.isin(found.rows, wanted)):
        row = rows[found.rows[at]]
        way = WAYS[int(named[at].argmax())] if named[at].sum() > SPECIFIC_SHARE else "swap"
        right, confidence, reason = _explain(found, int(at), way)
        if right is not None and np.isfinite(right):
            verdicts.suggestions[row], verdicts.confidence[row] = right, confidence
        verdicts.reasons[row] = reason


def _explain(found: _Evidence, at: int, way: str) -> tuple[float | None, float, str]:
    """Return the right number, if there is one, its probability, and why a number is suspicious."""
    model, share = found.model, float(found.ways[at, WAYS.index(way)])
    one = slice(at, at + 1)
    value, mean, spread = found.values[one], found.mean[one], found.spread[one]
    if way == "slip":
        shares = model.slips(value, mean, spread)[0]
        power = int(POWERS[shares.argmax()])
        times = f"{10**power:,} times" if power > 0 else f"1/{10**-power:,} of"
        right = _tidy(value[0] / 10.0**power)
        return right, share * float(shares.max() / shares.sum()), f"{times} what is expected"
    if way == "sign":
        sign = "negative" if value[0] < 0 else "positive"
        return -float(value[0]), share, f"{sign}, though {_text(-value[0])} is expected"
    if way == "digit":
        others, shares = (part[0] for part in model.digits(value, mean, spread, np.ones(1, bool)))
        best = int(shares.argmax())
        if shares[best] < SINGLE_DIGIT * (shares.sum() - shares[best]):
            return None, 0.0, "one digit is wrong, or two are exchanged"
        right = _tidy(others[best])
        return right, share * float(shares[best] / shares.sum()), f"a wrong digit: {_text(right)} is expected"
    if way == "code":
        return None, 0.0, f"a code for a missing value, such as {_text(value[0])}"
    if way == "gross":
        return None, 0.0, "far outside the range of the column"
    return None, 0.0, UNLIKELY


def _tidy(value: float) -> float:
    """Return a number without the noise of a division by a power of ten."""
    return float(f"{value:.15g}")


def _text(value: float) -> str:
    """Return a number as it is read."""
    return f"{value:.12g}"


def _only(values: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return column -> values, without those that are not right."""
    return {name: np.where(right[name], column, np.nan) for name, column in values.items()}
