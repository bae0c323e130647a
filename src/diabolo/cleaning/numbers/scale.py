"""The scale on which the numbers of a column are compared: logarithmic in the tails, in rounding units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from diabolo.utils.checks import is_finite_number, require

LEVELS = np.arange(3, -7, -1)  # powers of 10, of the size of the deviation, that numbers may be rounded to
GRID_SHARE = 0.98  # of the values are multiples of the unit
GRID_TOLERANCE = 1e-6  # of a rounding step
TELLABLE = 1e9  # steps from which on a number cannot be told from a multiple
ONE_LEVEL = 10 / 9  # the rounding steps between multiples of 10^k that are none of 10^(k+1)
UNSEEN = 0.1  # values that each level of rounding counts for before any is seen
POSITIVE_SHARE = 0.97  # of the values are above 0 in a column that may be compared by ratios
# A value that more rows than this have tells nothing about the spread of the others: it stands apart.
APART_SHARE = 0.5
APART_END_SHARE = 0.2  # the same for the smallest or largest value, such as 0 where nothing was earned
NORMAL_QUARTILES, NORMAL_TENTHS = 1.349, 2.563  # distance of normal quartiles, and of tenths, in deviations
KNEE = 4.0  # deviations from where on the scale is logarithmic
RATIO_KNEE = 0.05  # the same on a scale of ratios, where it is near 0
FAR = 4.0  # deviations from the median: a forest learns farther values as if they were so far out ...
CLIP = 0.02  # ... unless more than this share of the values are
SMALLEST = 1e-12  # deviation, as a share of the largest value: what is less is rounding
# The tails of a column as a whole are those of t distributions around its median, a narrow and a wide one.
TAIL_DEGREES = 3
FAR_SHARE = 0.3  # of the wide one
WIDE = 3.0  # deviations, of the wide one
EDGE = 0.005  # share of the values at either end that are beyond the bulk
EDGE_VALUES = 3  # at least so many are there
MAX_BINS, BIN_VALUES = 32, 20  # of the histogram of the bulk, and values in each
MAX_DIGITS = 7  # of numbers in which one changed digit is looked for
LIMIT = 1e150  # larger numbers are compared as if they were this large


@dataclass(frozen=True)
class Scale:
    """The scale y(v) = (asinh((v - centre) / width) - middle) / size, of median 0 and deviation 1.

    Attributes:
        step: the power of 10 that goes with the deviation; levels of rounding are counted from it.
        levels: how many values are rounded to each level, and not more.
        unit: the coarsest level that nearly all values are multiples of.
        off_sign: how many values have the other sign.
        sign: of nearly all values; 0 where both are usual.
        centre: where the scale is linear.
        width: how far from there.
        middle: the median, before it is taken away.
        size: the standard deviation by quantiles, before it is divided by.
        low: end of the bulk.
        high: the other end.
    """

    step: float
    levels: tuple[int, ...]
    unit: float
    off_sign: int
    sign: int
    centre: float
    width: float
    middle: float
    size: float
    low: float
    high: float

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """Choose between differences and ratios by the likelihood of the values.

        Args:
            values: (values,) at least one; finite.
        """
        values = np.clip(values, -LIMIT, LIMIT)
        deviation = max(_deviation(values), SMALLEST * float(np.abs(values).max()), SMALLEST)
        step = float(10.0 ** np.floor(np.log10(deviation)))
        counts = np.bincount(_level(values, step), minlength=len(LEVELS))
        finest = int(np.searchsorted(np.cumsum(counts), GRID_SHARE * len(values)))
        unit = step * 10.0 ** float(LEVELS[finest])
        signs = [int(np.sum(values < 0)), int(np.sum(values > 0))]
        sign = 0 if min(signs) > (1 - POSITIVE_SHARE) * len(values) else int(np.sign(signs[1] - signs[0]))
        median = float(np.median(values))
        choices = [(median, KNEE * max(deviation, unit / 2))]
        if sign > 0 and np.mean(values > 0) > POSITIVE_SHARE:
            choices.append((0.0, max(unit, RATIO_KNEE * deviation)))
        fitted = []
        for centre, width in choices:
            y = np.arcsinh((values - centre) / width)
            middle = float(np.median(y))
            rounding = np.arcsinh((abs(median - centre) + unit / 2) / width)
            least = float(rounding - np.arcsinh(abs(median - centre) / width))
            size = max(_deviation(y), least, SMALLEST)
            low, high = np.quantile((y - middle) / size, [CLIP, 1 - CLIP])
            low, high = min(float(low), -FAR), max(float(high), FAR)
            levels = tuple(counts.tolist())
            scale = cls(step, levels, unit, min(signs), sign, centre, width, middle, size, low, high)
            fitted.append(
                (float(np.mean(log_student(scale(values), 5) + np.log(scale.slope(values)))), scale)
            )
        return max(fitted, key=lambda pair: pair[0])[1]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return values on the scale."""
        bounded = np.clip(values, -LIMIT, LIMIT)
        return np.asarray((np.arcsinh((bounded - self.centre) / self.width) - self.middle) / self.size)

    def slope(self, values: np.ndarray) -> np.ndarray:
        """Return the derivative of the scale at values."""
        bounded = np.clip(values, -LIMIT, LIMIT)
        return np.asarray(1 / (np.hypot(bounded - self.centre, self.width) * self.size))

    def targets(self, values: np.ndarray) -> np.ndarray:
        """Return values on the scale, the far ones brought back to where the bulk ends, for a forest."""
        return np.asarray(np.clip(self(values), self.low, self.high))

    @property
    def is_rounded(self) -> bool:
        """Whether nearly all values are multiples of a unit: not of measurements with all their digits."""
        return bool(self.unit > 2 * self.step * 10.0 ** float(LEVELS[-1]))

    def on_grid(self, values: np.ndarray) -> np.ndarray:
        """Whether values are multiples of the unit."""
        return _multiples(values, self.unit)

    def cell(self, values: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Return the size of the interval that is rounded to a value, times the share of so round values.

        A value with more decimals than others, or with another sign, is so much the rarer; a round one is
        more frequent than its neighbours.

        Args:
            values: numbers of any shape.
            seen: whether a value itself is one of those that were counted; of a shape that fits.
        """
        level = _level(values, self.step)
        most = int(np.argmax(self.levels))
        level = np.where(values == 0, most, level)
        counts, total = np.array(self.levels, float), float(sum(self.levels))
        own = 1.0 * np.asarray(seen)
        share = (np.maximum(counts[level] - own, 0) + UNSEEN) / (total + UNSEEN * len(LEVELS))
        opposite = np.minimum(np.maximum(self.off_sign - own, 0.5) / max(total, 1), 1)
        share = share * np.where(values * self.sign < 0, opposite, 1)
        return np.asarray(share * self.step * 10.0 ** LEVELS[level] * ONE_LEVEL)

    def any_cell(self, values: np.ndarray) -> np.ndarray:
        """Return the size of the interval that is rounded to a value, if each level is as usual as any other.

        Args:
            values: numbers of any shape.
        """
        step = self.step * 10.0 ** LEVELS[_level(values, self.step)]
        digits = 1 + np.maximum(np.log10(np.maximum(np.abs(values) / self.unit, 1)), 0)
        return np.asarray(np.where(self.on_grid(values) & (values != 0), step / digits, 0))

    def density(self, values: np.ndarray, mean: np.ndarray, spread: np.ndarray, degrees: float) -> np.ndarray:
        """Return the density of values under a Student-t distribution on the scale.

        Args:
            values: numbers of any shape.
            mean: on the scale; of a shape that fits.
            spread: its standard deviation, up to the factor of Student's t.
            degrees: of freedom.
        """
        density = np.exp(log_student((self(values) - mean) / spread, degrees)) / spread
        return np.asarray(density * self.slope(values))

    def tails(self, values: np.ndarray) -> np.ndarray:
        """Return a density of values with heavy tails, whatever the rest of the row is.

        Args:
            values: numbers of any shape.
        """
        zero = np.zeros(())
        near = self.density(values, zero, zero + 1, TAIL_DEGREES)
        far = self.density(values, zero, zero + WIDE, TAIL_DEGREES)
        return np.asarray((1 - FAR_SHARE) * near + FAR_SHARE * far)

    def state(self) -> dict[str, Any]:
        """Return what is needed to make it again."""
        return {**asdict(self), "levels": list(self.levels)}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Make the scale again.

        Args:
            state: what `state` gave.

        Raises:
            ValueError: it is not one of a scale.
        """
        names = set(cls.__dataclass_fields__)
        require(set(state) == names, "scale of numbers")
        levels = state["levels"]
        require(isinstance(levels, list | tuple) and len(levels) == len(LEVELS), "levels of numbers")
        numbers = [*levels, *(value for name, value in state.items() if name != "levels")]
        require(all(is_finite_number(value) for value in numbers), "scale of numbers")
        positive = min(state[name] for name in ("step", "unit", "width", "size"))
        require(positive > 0 and min(levels) >= 0 and state["low"] <= state["high"], "scale of numbers")
        return cls(**{**state, "levels": tuple(levels)})


def log_student(z: np.ndarray, degrees: float) -> np.ndarray:
    """Return the log density of Student's t distribution.

    Args:
        z: standardised values.
        degrees: of freedom.
    """
    half = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(degrees * math.pi) / 2
    return np.asarray(half - (degrees + 1) / 2 * np.log1p(z**2 / degrees))


def stand_apart(values: np.ndarray) -> np.ndarray:
    """Return (values,) which ones repeat a value that is no part of the spread of the others.

    Args:
        values: (values,) finite.
    """
    found, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    apart = counts > APART_SHARE * len(values)
    if len(found):
        apart[[0, -1]] |= counts[[0, -1]] > APART_END_SHARE * len(values)
    return np.asarray(apart[at])


def _deviation(values: np.ndarray) -> float:
    """Return the standard deviation of normal values with these quantiles, the larger of two estimates."""
    q = np.quantile(values, [0.1, 0.25, 0.75, 0.9])
    return float(max((q[2] - q[1]) / NORMAL_QUARTILES, (q[3] - q[0]) / NORMAL_TENTHS))


def _level(values: np.ndarray, step: float) -> np.ndarray:
    """Return the number of the coarsest level that values are rounded to."""
    level = np.full(values.shape, len(LEVELS) - 1)
    for number in range(len(LEVELS) - 2, -1, -1):
        level = np.where(_multiples(values, step * 10.0 ** float(LEVELS[number])), number, level)
    return level


def _multiples(values: np.ndarray, unit: float) -> np.ndarray:
    """Whether values are multiples of a unit; numbers too large to tell are."""
    steps = np.clip(values, -LIMIT, LIMIT) / unit
    whole = np.round(steps)
    near = (np.abs(steps - whole) < GRID_TOLERANCE) & ((whole != 0) | (values == 0))
    return np.asarray(near | (np.abs(steps) > TELLABLE))


def histogram(scale: Scale, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of bins on the scale, and how many values are in each; the ends are left out.

    Args:
        scale: of the column.
        values: (values,) finite.
    """
    y = np.sort(scale(values))
    bins = int(np.clip(len(y) // BIN_VALUES, 1, MAX_BINS))
    end = min(max(EDGE, EDGE_VALUES / len(y)), 0.25)
    edges = np.unique(np.quantile(y, np.linspace(end, 1 - end, bins + 1)))
    return edges, np.histogram(y, edges)[0] if len(edges) > 1 else np.zeros(0, int)


def other_digits(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, alternatives) numbers of as many digits, 0 in place of none, and (rows,) how many digits.

    Args:
        steps: (rows,) whole numbers of at most `MAX_DIGITS` digits; 0 has no alternatives.
    """
    places = 10 ** np.arange(MAX_DIGITS, dtype=np.int64)
    length = (steps[:, None] >= places).sum(1)
    digit = steps[:, None] // places % 10
    changed = steps[:, None, None] + (np.arange(10) - digit[:, :, None]) * places[None, :, None]
    inside = np.arange(MAX_DIGITS) < length[:, None]
    changed = np.where(inside[:, :, None], changed, 0).reshape(len(steps), -1)
    exchanged = steps[:, None] + (digit[:, 1:] - digit[:, :-1]) * (places[:-1] - places[1:])
    others = np.concatenate([changed, np.where(inside[:, 1:], exchanged, 0)], 1)
    as_long = others >= 10 ** np.maximum(length - 1, 0)[:, None]
    return np.where(as_long & (others != steps[:, None]), others, 0), length
