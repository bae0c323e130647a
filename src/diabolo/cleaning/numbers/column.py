"""What the numbers of one column are like, in which ways they go wrong, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.special import betaln

from diabolo.cleaning.numbers.scale import EDGE, MAX_DIGITS, Scale, histogram, log_student, other_digits
from diabolo.utils.checks import is_finite_number, require

WAYS = ("swap", "slip", "sign", "gross", "code", "digit")
SHARES = (0.3, 0.2, 0.1, 0.2, 0.15, 0.05)  # of the ways, before any value is seen
SHARES_WEIGHT = 6.0  # wrong values that the shares before count as
RATE, RATE_WEIGHT = 0.01, 100.0  # of wrong values, and how many values this counts as
ROUNDS = 20  # of expectation and maximisation
TINY = 1e-300

# Values that people and programs write where there is none.
CODES = np.sort([-1, 0, 1111, 1900, 12345, *(s * (10.0**k - 1) for k in range(1, 7) for s in (-1, 1))])
# A repeated value is such a code, or the same error again, if it is rare, isolated and without context.
RARE_CODE = 0.05  # of the values: what more rows have is no error, or nobody can tell
ISOLATED_CODE = 0.5  # widths of its half of the bulk from there
ISOLATED = 2.0  # the same for values that are no known code
CONTEXT_ODDS = 3.0  # for a value that comes with others rather than with any: more is taken as such
CONTEXT_ROWS = 2.0  # that the shares of another column in all rows count for

POWERS = np.array([-3, -2, -1, 1, 2, 3])  # of 10 by which a decimal point slips
LOG_RANGE = 28.0  # natural log of the range of gross errors, 1e-6 to 1e6, of either sign
MOST_GROSS = 0.02  # probability of one number as a gross error
DIGIT_SHARE = 0.1  # of the values, the least plausible, are looked at so

DEGREES = (2, 3, 5, 10, 30)  # of Student's t
FIRST_DEGREES = 5.0  # to begin with: heavier tails hold errors from the first round on
STRETCHES = (0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2)  # of the forest's usual error
# Of the values that are not repeated, those from anywhere in the column, and how many values this counts
# as; a large share to begin with lets columns that the forest knows nothing of be found so.
STRAY, STRAY_WEIGHT = 0.001, 100.0
FIRST_STRAY = 0.1
TAILS = 0.2  # of the density of a column that belongs to its tails, the rest to a histogram
MIN_REPEATS = 3  # rows of a value that may stand for itself
MAX_ATOMS = 1_000
ATOM_COST = 0.5  # rows that a value loses, so that only those stand for themselves that need to
# A value that stands for itself still counts so much for the tail: else only strange ones would be left.
LEAST_WEIGHT = 0.3
ROUNDING = 1e-12  # relative, by which equal numbers differ after a division by a power of ten

_ARRAYS = ("atoms", "counts", "weights", "edges", "heights", "codes", "shares")
_NUMBERS = ("rows", "degrees", "stretch", "stray", "rate", "digit_limit", "one_sided")

BOTH_SIGNS = (
    0.01  # of the probability of a wrong sign, in a column of as many numbers of either sign; a choice
)


@dataclass(frozen=True)
class ColumnModel:
    """A distribution of right values, one of wrong values in each way, and how often they occur.

    A right value is one that is often repeated whatever the rest of the row is (such as 0 or a largest
    value), or one that the forest expects, with a Student-t distribution around its mean, or one from
    anywhere in the column.

    Attributes:
        scale: of the column.
        rows: values that it was learnt from.
        degrees: of freedom of Student's t.
        stretch: of the forest's usual error.
        stray: share of values from anywhere in the column among those that are not repeated.
        atoms: (atoms,) values that are repeated, ascending.
        counts: (atoms,) their rows.
        weights: (atoms,) the probability of a right value to be this one whatever the rest of the row is.
        edges: (bins + 1,) on the scale, between bins of about equally many values; the ends are left out.
        heights: (bins,) values in each bin.
        codes: (codes,) the probability of a missing value to be written as this code.
        rate: the probability that a value is wrong.
        shares: (ways,) of the wrong values.
        digit_limit: log probability below which changed digits are looked for.
        one_sided: 1 if all values have one sign, down to `BOTH_SIGNS` if as many have the other.
    """

    scale: Scale
    rows: int
    degrees: float
    stretch: float
    stray: float
    atoms: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    edges: np.ndarray
    heights: np.ndarray
    codes: np.ndarray
    rate: float
    shares: np.ndarray
    digit_limit: float
    one_sided: float

    @classmethod
    def fit(
        cls,
        scale: Scale,
        values: np.ndarray,
        mean: np.ndarray,
        spread: np.ndarray,
        flags: np.ndarray,
    ) -> Self:
        """Learn the distributions from values and what a forest expects there that has not seen them.

        Args:
            scale: of the column.
            values: (values,) finite.
            mean: (values,) expected on the scale.
            spread: (values,) usual distance from there.
            flags: (values, flags) what holds in the other columns.
        """
        found, counts = np.unique(values, return_counts=True)
        keep = np.argsort(-counts, kind="stable")[:MAX_ATOMS]
        keep = np.sort(keep[counts[keep] >= MIN_REPEATS])
        edges, heights = histogram(scale, values)
        model = cls(
            scale=scale,
            rows=len(values),
            degrees=FIRST_DEGREES,
            stretch=1.0,
            stray=FIRST_STRAY,
            atoms=found[keep],
            counts=counts[keep],
            weights=0.3 * counts[keep] / max(len(values), 1),
            edges=edges,
            heights=heights,
            codes=np.full(len(CODES), 1 / len(CODES)),
            rate=RATE,
            shares=np.array(SHARES),
            digit_limit=-np.inf,
            one_sided=max(1 - 2 * float(min((values < 0).mean(), (values > 0).mean())), BOTH_SIGNS),
        )
        doubtful = model._doubtful(values, flags)
        model = replace(model, weights=np.where(doubtful, 0, model.weights))
        model = model._with_distribution(values, mean, spread)
        seen = np.ones(len(values), bool)
        p = model.plausible(values, mean, spread, seen)
        model = replace(model, digit_limit=float(np.log(np.quantile(p, DIGIT_SHARE))))
        return model._with_rates(values, mean, spread, seen)

    def _doubtful(self, values: np.ndarray, flags: np.ndarray) -> np.ndarray:
        """Return (atoms,) which repeated values are rather codes for missing values, or the same error again.

        They are rare, far beyond the other values, and come with any values of the other columns: a top code
        is near the others, or comes with some values more than with others.
        """
        is_code = np.isin(self.atoms, CODES)
        rare = self.counts < RARE_CODE * self.rows
        others = values[~np.isin(values, self.atoms[is_code & rare])]
        if not rare.any() or not len(others):
            return np.zeros(len(self.atoms), bool)
        y, (low, high) = self.scale(self.atoms), self.scale(np.quantile(others, [EDGE, 1 - EDGE]))
        beyond = np.maximum((y - high) / max(high, 0.5), (y - low) / min(low, -0.5))
        doubtful = rare & (beyond > np.where(is_code, ISOLATED_CODE, ISOLATED))
        for at in np.flatnonzero(doubtful):
            doubtful[at] = not has_context(flags, values == self.atoms[at])
        return np.asarray(doubtful)

    def _with_distribution(self, values: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> Self:
        """Return the model with the likeliest tail and the repeated values that are not expected.

        By expectation and maximisation; values that are rather gross errors count less.
        """
        model, z = self, (self.scale(values) - mean) / spread
        everywhere, at = np.ones(len(values), bool), self._find(values)
        cell, anywhere = self.scale.cell(values, everywhere), self.anywhere(values, everywhere)
        logs = {(nu, k): log_student(z / k, nu) - np.log(k) for nu in DEGREES for k in STRETCHES}
        wrong = RATE * self._gross(values, cell)
        for _ in range(ROUNDS):
            expected = (1 - model.stray) * model._expected(values, mean, spread)
            stray = model.stray * anywhere + TINY
            atom = model._atom(values, everywhere)
            smooth = (1 - model.weights.sum()) * cell * (expected + stray)
            owed = atom / (atom + smooth + wrong)
            smooth = smooth / (smooth + wrong)
            by_row = expected / (expected + stray)
            weigh = np.maximum(1 - owed, LEAST_WEIGHT) * smooth * by_row
            nu, k = max(logs, key=lambda pair: float(weigh @ logs[pair]))
            model = replace(model, degrees=float(nu), stretch=k)
            rows = np.bincount(at[at >= 0], owed[at >= 0], len(self.atoms))
            weights = np.where(self.weights > 0, np.maximum(rows - ATOM_COST, 0), 0) / (len(values) + 1)
            strays = ((1 - owed) * smooth * (1 - by_row)).sum() + STRAY * STRAY_WEIGHT
            model = replace(model, weights=weights, stray=float(strays / ((1 - owed).sum() + STRAY_WEIGHT)))
        return model

    def _with_rates(self, values: np.ndarray, mean: np.ndarray, spread: np.ndarray, seen: np.ndarray) -> Self:
        """Return the model with the rate of wrong values, the shares of the ways and the codes in use."""
        model, code = self, WAYS.index("code")
        p = self.plausible(values, mean, spread, seen)
        ways = self.ways(values, mean, spread, seen)
        at = np.searchsorted(CODES, values).clip(0, len(CODES) - 1)
        is_code = CODES[at] == values
        for _ in range(ROUNDS):
            parts = ways * model.shares
            total = parts.sum(1)
            wrong = model.rate * total / (model.rate * total + (1 - model.rate) * p)
            rate = (wrong.sum() + RATE * RATE_WEIGHT) / (len(values) + RATE_WEIGHT)
            by_way = parts / total[:, None] * wrong[:, None]
            shares = (by_way.sum(0) + SHARES_WEIGHT * np.array(SHARES)) / (wrong.sum() + SHARES_WEIGHT)
            coded = np.bincount(at[is_code], by_way[is_code, code], len(CODES))
            codes = (coded + 1 / len(CODES)) / (coded.sum() + 1)
            model = replace(model, rate=float(rate), shares=shares, codes=codes)
            ways[:, code] = model._code(values) + TINY
        return model

    def plausible(
        self, values: np.ndarray, mean: np.ndarray, spread: np.ndarray, seen: np.ndarray
    ) -> np.ndarray:
        """Return the probability of a right value to be this one.

        Args:
            values: (rows,) or (rows, alternatives) numbers.
            mean: (rows,) expected on the scale.
            spread: (rows,) usual distance from there.
            seen: (rows,) whether the value itself is one of those that were counted.
        """
        own = _beside(seen, values)
        density = (1 - self.stray) * self._expected(values, mean, spread)
        density = density + self.stray * self.anywhere(values, own)
        smooth = (1 - self.weights.sum()) * np.minimum(density * self.scale.cell(values, own), 1)
        return np.asarray(self._atom(values, own) + smooth + TINY)

    def ways(self, values: np.ndarray, mean: np.ndarray, spread: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Return (rows, ways) the probability of a wrong value to be this one, for each way.

        Args:
            values: (rows,) numbers.
            mean: (rows,) expected on the scale.
            spread: (rows,) usual distance from there.
            seen: (rows,) whether the value itself is one of those that were counted.
        """
        new = np.zeros(len(values), bool)
        cell = self.scale.cell(values, seen)
        shares = np.maximum(self.counts - 1, 0) / max(self.rows, 1)
        swap = (self._lookup(values, shares) + np.minimum(self.anywhere(values, seen) * cell, 1)) / 2
        # Where both signs are usual, a value of the other sign is hardly an error.
        sign = np.where(values != 0, self.plausible(-values, mean, spread, new), 0) * self.one_sided
        gross = self._gross(values, cell)
        slip = self.slips(values, mean, spread).mean(1)
        digit = np.zeros(len(values))
        p = self.plausible(values, mean, spread, seen)
        look = np.flatnonzero(np.log(p) <= self.digit_limit)
        if len(look):
            digit[look] = self.digits(values[look], mean[look], spread[look], seen[look])[1].sum(1)
        return np.stack([swap, slip, sign, gross, self._code(values), digit], 1) + TINY

    def anywhere(self, values: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the density of values in the column, whatever the rest of the row is.

        Args:
            values: numbers of any shape.
            own: whether a value itself is one of those that were counted; of a shape that fits.
        """
        tails = self.scale.tails(values)
        if len(self.edges) < 2 or self.heights.sum() < 2:
            return tails
        y = self.scale(values)
        at = (np.searchsorted(self.edges, y, "right") - 1).clip(0, len(self.heights) - 1)
        inside = (y >= self.edges[0]) & (y <= self.edges[-1])
        height = np.maximum(self.heights[at] - 1.0 * own, 0) / (self.heights.sum() - 1)
        bulk = height / np.diff(self.edges)[at] * self.scale.slope(values)
        return np.asarray(TAILS * tails + (1 - TAILS) * np.where(inside, bulk, 0))

    def slips(self, values: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Return (rows, powers) how probable the value is without each slip of the decimal point.

        Args:
            values: (rows,) numbers.
            mean: (rows,) expected on the scale.
            spread: (rows,) usual distance from there.
        """
        right = values[:, None] / 10.0**POWERS
        p = self.plausible(right, mean, spread, np.zeros(len(values), bool))
        # Without rounding, an interval around the value is one of another width around the right value.
        p = np.where(self.scale.on_grid(right), p, 0) if self.scale.is_rounded else p / 10.0**POWERS
        return np.where((values != 0)[:, None], p, 0)

    def digits(
        self, values: np.ndarray, mean: np.ndarray, spread: np.ndarray, seen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (rows, alternatives) numbers that differ in a digit or two exchanged, and how probable.

        All are taken to be as round as the value: else each value is a typo of the nearest round one.

        Args:
            values: (rows,) numbers.
            mean: (rows,) expected on the scale.
            spread: (rows,) usual distance from there.
            seen: (rows,) whether the value itself is one of those that were counted.
        """
        steps = np.round(np.minimum(np.abs(values) / self.scale.unit, 10.0**MAX_DIGITS))
        usable = (steps >= 10) & (steps < 10**MAX_DIGITS) & self.scale.on_grid(values)
        others, length = other_digits(np.where(usable, steps, 0).astype(np.int64))
        right = np.where(values < 0, -1, 1)[:, None] * others * self.scale.unit
        p = self._expected(right, mean, spread) * self.scale.cell(values, seen)[:, None]
        p = (1 - self.weights.sum()) * np.minimum(p, 1)
        return right, np.where(others > 0, p, 0) / (9 * np.maximum(length, 1))[:, None]

    def _expected(self, values: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Return the density of values around what the forest expects."""
        mean, spread = _beside(mean, values), _beside(spread, values) * self.stretch
        return self.scale.density(values, mean, spread, self.degrees)

    def _gross(self, values: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Return the probability of values as numbers of any size, as round as usual here or as anywhere."""
        cell = (cell + self.scale.any_cell(values)) / 2
        return np.asarray(np.minimum(cell / ((np.abs(values) + self.scale.unit) * LOG_RANGE), MOST_GROSS))

    def _find(self, values: np.ndarray) -> np.ndarray:
        """Return the number of the repeated value that a value is, up to rounding, or -1."""
        if not len(self.atoms):
            return np.full(values.shape, -1)
        at = np.searchsorted(self.atoms, values - ROUNDING * np.abs(values)).clip(0, len(self.atoms) - 1)
        return np.where(np.abs(self.atoms[at] - values) <= ROUNDING * np.abs(values), at, -1)

    def _lookup(self, values: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Return the entry of a table that belongs to a repeated value, 0 for other values."""
        return np.asarray(np.append(table, 0.0)[self._find(values)])

    def _atom(self, values: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the probability of repeated values whatever the row, the own value left out."""
        at = self._find(values)
        others = self.weights * (self.counts - 1) / np.maximum(self.counts, 1)
        return np.asarray(np.where(own, np.append(others, 0.0)[at], np.append(self.weights, 0.0)[at]))

    def _code(self, values: np.ndarray) -> np.ndarray:
        """Return the probability of a missing value to be written as this number."""
        at = np.searchsorted(CODES, values).clip(0, len(CODES) - 1)
        return np.where(CODES[at] == values, self.codes[at], 0)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return name -> array, for a model file."""
        return {name: getattr(self, name) for name in _ARRAYS}

    def state(self) -> dict[str, Any]:
        """Return the numbers that are not in arrays."""
        return {"scale": self.scale.state(), **{name: getattr(self, name) for name in _NUMBERS}}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> Self:
        """Make the model again.

        Args:
            arrays: what `arrays` gave.
            state: what `state` gave.

        Raises:
            ValueError: they are not those of such a model.
        """
        require(set(state) == {*_NUMBERS, "scale"}, "column of numbers")
        require(all(is_finite_number(state[name]) for name in _NUMBERS), "column of numbers")
        require(0 < state["rate"] < 1 and 0 <= state["stray"] < 1, "column of numbers")
        require(0 < state["one_sided"] <= 1, "column of numbers")
        require(state["degrees"] > 0 and state["stretch"] > 0, "column of numbers")
        known = {name: np.asarray(arrays.get(name)) for name in _ARRAYS}
        bins = known["heights"].size
        sizes = {"codes": (len(CODES),), "shares": (len(WAYS),), "heights": (bins,), "edges": (bins + 1,)}
        for name, array in known.items():
            fits = array.dtype.kind in "if" and array.shape == sizes.get(name, known["atoms"].shape)
            require(fits and array.ndim == 1 and bool(np.isfinite(array).all()), f"{name} of numbers")
            require(name in ("atoms", "edges") or bool((array >= 0).all()), f"{name} of numbers")
        for name in ("atoms", "edges"):
            require(bool((np.diff(known[name]) > 0).all()), f"{name} of numbers")
        require(float(known["weights"].sum()) <= 1, "weights of numbers")
        parts: dict[str, Any] = {**known, **{name: state[name] for name in _NUMBERS}}
        return cls(scale=Scale.restore(state["scale"]), **parts)


def _beside(array: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (rows,) as a column beside (rows, alternatives) values."""
    return array.reshape((len(array),) + (1,) * (values.ndim - 1))


def has_context(flags: np.ndarray, rows: np.ndarray) -> bool:
    """Whether something holds in some rows more or less often than in all, by its largest Bayes factor.

    The factor compares a share of their own, with a Beta prior around that of all rows, to the share of all
    rows; it is divided by the number of flags (Bonferroni).

    Args:
        flags: (all rows, flags) what holds where.
        rows: (all rows,) which are meant.
    """
    if not flags.shape[1]:
        return False
    share = (flags.sum(0) + 0.5) / (len(flags) + 1)
    a, b = CONTEXT_ROWS * share, CONTEXT_ROWS * (1 - share)
    yes = flags[rows].sum(0)
    no = rows.sum() - yes
    own = betaln(a + yes, b + no) - betaln(a, b)
    gain = own - yes * np.log(share) - no * np.log(1 - share)
    return bool(gain.max() - np.log(flags.shape[1]) > np.log(CONTEXT_ODDS))
