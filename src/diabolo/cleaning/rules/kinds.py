"""Dependencies between the columns of a table: what determines what, what adds up, what is never above what.

A rule of the user counts as exact. A rule that was found holds in nearly all rows: see
`diabolo.cleaning.rules.search`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np

from diabolo.cleaning.rules.base import Columns, Rule, quoted
from diabolo.cleaning.rules.values import (
    FORMATS,
    MAX_DECIMALS,
    decimals,
    find_date_format,
    known_texts,
    to_seconds,
)
from diabolo.utils.checks import is_finite_number, is_text_list, require

MAX_VALUES = 20_000  # of a column whose determined values are remembered: the most frequent ones
MIN_GAIN = 0.02  # more rows in which a sum holds that a tolerance for rounding must bring
MAX_ROUNDING = 0.02  # of the spread of the totals that is put down to rounding
EXACT = 0.01  # tolerance of a sum of numbers that are not rounded, in units of their last digit
RELATIVE = 1e-9  # tolerance of sums, relative to the total: numbers have ten digits or more ...
ROUND_OFF = 1e-14  # ... and relative to the largest number: it may cancel, and has some 16 digits


class Usual(NamedTuple):
    """What a value comes with.

    Attributes:
        value: that it comes with most often; None if two are equally frequent.
        rows: in which it comes with this one.
        of: rows that have the value.
    """

    value: str | None
    rows: int
    of: int


@dataclass(frozen=True)
class Determines(Rule):
    """A functional dependency: a value of one column always comes with the same value of another.

    Attributes:
        left: column that determines the other one.
        right: column that is determined.
        usual: value on the left, if it occurs twice or more -> what it comes with.
        counts: value on the right -> rows that have it, and those of them that violate the rule.

    Example:
        >>> from diabolo.cleaning.reading import CheckedColumn
        >>> rule = Determines("provider", "city")
        >>> provider = CheckedColumn(["1", "1", "1", "2"], np.array([1.0, 1.0, 1.0, 2.0]))
        >>> city = CheckedColumn(["Oslo", "Oslo", "Rome", "Lima"], np.full(4, np.nan))
        >>> rule = rule.fit({"provider": provider, "city": city})
        >>> rule.text, rule.holds_in, rule.usual["1"].value
        ('provider -> city', '3 of 4 rows', 'Oslo')
    """

    kind = "determines"
    left: str
    right: str
    usual: Mapping[str, Usual] = field(default_factory=dict, repr=False)
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The two columns."""
        return self.left, self.right

    @property
    def text(self) -> str:
        """For example "provider -> address"."""
        return f"{quoted(self.left)} -> {quoted(self.right)}"

    def fit(self, columns: Columns) -> Self:
        """Count what each value on the left comes with.

        Args:
            columns: name -> values.
        """
        left, right = known_texts(columns[self.left]), known_texts(columns[self.right])
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for one, other in zip(left, right, strict=True):
            if one is not None and other is not None:
                found[one][other] += 1
        repeated = [(one, counts) for one, counts in found.items() if counts.total() > 1]
        repeated.sort(key=lambda pair: -pair[1].total())
        fitted = replace(self, usual={one: _usual(counts) for one, counts in repeated[:MAX_VALUES]})
        applies = np.array([a is not None and b is not None for a, b in zip(left, right, strict=True)])
        violated = fitted.violations(columns)
        rows = Counter(right[row] for row in np.flatnonzero(applies))
        wrong = Counter(right[row] for row in np.flatnonzero(violated))
        counts = {v: (n, wrong[v]) for v, n in rows.most_common(MAX_VALUES) if v is not None}
        return replace(fitted, counts=counts).counted(columns, applies)

    def violations(self, columns: Columns) -> np.ndarray:
        """Return (rows,) which rows hold another value on the right than the fit has for the one on the left.

        If the fit has two values equally often, all rows with them violate the rule.

        Args:
            columns: name -> values.
        """
        left, right = known_texts(columns[self.left]), known_texts(columns[self.right])
        return np.array(
            [
                one is not None and other is not None and one in self.usual and self.usual[one].value != other
                for one, other in zip(left, right, strict=True)
            ],
            dtype=bool,
        )

    def options(self) -> dict[str, Any]:
        """Return the columns, and the values as lists beside each other."""
        usual = self.usual.values()
        values = [list(self.usual), [u.value for u in usual], [u.rows for u in usual], [u.of for u in usual]]
        counts = [list(self.counts), *map(list, zip(*self.counts.values(), strict=True))]
        return {"left": self.left, "right": self.right, "values": values, "counts": counts}

    @classmethod
    def from_options(cls, state: Mapping[str, Any]) -> Self:
        """Return the inverse of `options`."""
        ones, others, rows, of = state["values"]
        require(is_text_list([state["left"], state["right"], *ones]), "values of a rule")
        require(all(v is None or isinstance(v, str) for v in others), "values of a rule")
        require(len(ones) == len(set(ones)) == len(others) == len(rows) == len(of), "values of a rule")
        known = zip(rows, of, strict=True)
        require(all(_is_count(a) and _is_count(b) and 0 < a <= b for a, b in known), "counts of a rule")
        rights, seen, violating = state["counts"] if len(state["counts"]) > 1 else ([], [], [])
        pairs = list(zip(seen, violating, strict=True))
        require(is_text_list(rights) and len(rights) == len(set(rights)) == len(pairs), "counts of a rule")
        require(all(_is_count(a) and _is_count(b) and b <= a for a, b in pairs), "counts of a rule")
        usual = {one: Usual(*rest) for one, *rest in zip(ones, others, rows, of, strict=True)}
        return cls(state["left"], state["right"], usual, dict(zip(rights, pairs, strict=True)))


@dataclass(frozen=True)
class Sum(Rule):
    """Numbers that add up to another one.

    Attributes:
        plus: columns that are added.
        minus: columns that are subtracted.
        total: column that holds the result.
        tolerance: how far off the total may be, for numbers that are rounded.
        digits: how many digits nearly all numbers of the fit have after the decimal point, in the order of
            `columns`; empty before a fit.

    Example:
        >>> from diabolo.cleaning.reading import CheckedColumn
        >>> net, tax, gross = (
        ...     CheckedColumn([str(v) for v in values], np.array(values))
        ...     for values in ([10.0, 20.0], [1.0, 2.0], [11.0, 32.0])
        ... )
        >>> rule = Sum(("net", "tax"), (), "gross").fit({"net": net, "tax": tax, "gross": gross})
        >>> rule.text, rule.violations({"net": net, "tax": tax, "gross": gross}).tolist()
        ('net + tax = gross', [False, True])
    """

    kind = "sum"
    plus: tuple[str, ...]
    minus: tuple[str, ...]
    total: str
    tolerance: float = 0.0
    digits: tuple[int, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, the total last."""
        return *self.plus, *self.minus, self.total

    @property
    def text(self) -> str:
        """For example "net + tax = gross"."""
        less = "".join(f" - {quoted(name)}" for name in self.minus)
        return f"{' + '.join(map(quoted, self.plus))}{less} = {quoted(self.total)}"

    def excess(self, columns: Columns) -> np.ndarray:
        """Return (rows,) the total less what it should be; NaN where a number is missing.

        Args:
            columns: name -> values.
        """
        numbers = {name: columns[name].numbers for name in self.columns}
        result = numbers[self.total] - sum(numbers[n] for n in self.plus)
        return np.asarray(result + sum(numbers[n] for n in self.minus))

    def inexact(self, columns: Columns) -> np.ndarray:
        """Return (rows,) how far off the total may be as numbers have so many digits only.

        Args:
            columns: name -> values.
        """
        sizes = [np.abs(columns[name].numbers) for name in self.columns]
        return np.asarray(RELATIVE * sizes[-1] + ROUND_OFF * np.max(sizes, axis=0))

    def fit(self, columns: Columns) -> Self:
        """Choose the tolerance: for rounding, if that makes the sum right in more rows.

        Args:
            columns: name -> values.
        """
        excess = self.excess(columns)
        known = np.isfinite(excess)
        digits = tuple(decimals(columns[name]) for name in self.columns)
        units = [10.0**-count for count in digits]
        exact, rounded = EXACT * min(units), (0.5 + EXACT) * sum(units)
        totals = columns[self.total].numbers[known]
        far = np.abs(excess[known]) - self.inexact(columns)[known]
        gain = spread = 0.0
        if known.any():
            gain = float((far <= rounded).mean() - (far <= exact).mean())
            spread = float(np.subtract(*np.quantile(totals, [0.9, 0.1])))
        by_rounding = gain > MIN_GAIN and rounded <= MAX_ROUNDING * spread
        fitted = replace(self, tolerance=rounded if by_rounding else exact, digits=digits)
        return fitted.counted(columns, known)

    def violations(self, columns: Columns) -> np.ndarray:
        """Return (rows,) in which rows the total is off by more than the tolerance.

        Args:
            columns: name -> values.
        """
        excess = self.excess(columns)
        allowed = self.tolerance + self.inexact(columns)
        return np.asarray(np.isfinite(excess) & (np.abs(excess) > allowed))

    def options(self) -> dict[str, Any]:
        """Return the columns, the tolerance and the digits."""
        names = {"plus": list(self.plus), "minus": list(self.minus), "total": self.total}
        return {**names, "tolerance": self.tolerance, "digits": list(self.digits)}

    @classmethod
    def from_options(cls, state: Mapping[str, Any]) -> Self:
        """Return the inverse of `options`."""
        names = [*state["plus"], *state["minus"], state["total"]]
        require(
            is_text_list(names) and len(state["plus"]) > 0 and len(set(names)) == len(names),
            "columns of a rule",
        )
        require(is_finite_number(state["tolerance"]) and state["tolerance"] >= 0, "tolerance")
        digits = state["digits"]
        require(isinstance(digits, list) and len(digits) == len(names), "digits of numbers")
        require(all(_is_count(count) and count <= MAX_DECIMALS for count in digits), "digits of numbers")
        plus, minus = tuple(state["plus"]), tuple(state["minus"])
        return cls(plus, minus, state["total"], float(state["tolerance"]), tuple(digits))


@dataclass(frozen=True)
class Order(Rule):
    """Numbers or dates that are never above others of the same row.

    Attributes:
        low: column of the lower ones.
        high: column of the higher ones.
        strict: whether they are never equal either.
        forms: formats of dates, of the lower and of the higher ones; None for numbers.

    Example:
        >>> from diabolo.cleaning.reading import CheckedColumn
        >>> start = CheckedColumn(["2024-01-01", "2024-05-01"], np.full(2, np.nan))
        >>> end = CheckedColumn(["2024-02-01", "2024-04-01"], np.full(2, np.nan))
        >>> rule = Order("start", "end").fit({"start": start, "end": end})
        >>> rule.text, rule.violations({"start": start, "end": end}).tolist()
        ('start <= end', [False, True])
    """

    kind = "order"
    low: str
    high: str
    strict: bool = False
    forms: tuple[str, str] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The two columns."""
        return self.low, self.high

    @property
    def text(self) -> str:
        """For example "start <= end"."""
        return f"{quoted(self.low)} {'<' if self.strict else '<='} {quoted(self.high)}"

    def values(self, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and the higher values as numbers, (rows,) each: NaN without one.

        Args:
            columns: name -> values.
        """
        if self.forms is None:
            return columns[self.low].numbers, columns[self.high].numbers
        low, high = (to_seconds(columns[n].texts, f) for n, f in zip(self.columns, self.forms, strict=True))
        return low, high

    def fit(self, columns: Columns) -> Self:
        """Find how dates are written.

        Args:
            columns: name -> values.
        """
        low = high = find_date_format(columns[self.low], columns[self.high])
        if low is None:
            low, high = (find_date_format(columns[name]) for name in self.columns)
        fitted = replace(self, forms=(low, high) if low is not None and high is not None else None)
        return fitted.counted(columns, np.isfinite(np.subtract(*fitted.values(columns))))

    def violations(self, columns: Columns) -> np.ndarray:
        """Return (rows,) which rows have a lower value above the higher one.

        Args:
            columns: name -> values.
        """
        low, high = self.values(columns)
        with np.errstate(invalid="ignore"):
            return np.asarray(low >= high if self.strict else low > high)

    def options(self) -> dict[str, Any]:
        """Return the columns and the formats."""
        forms = None if self.forms is None else list(self.forms)
        return {"low": self.low, "high": self.high, "strict": self.strict, "forms": forms}

    @classmethod
    def from_options(cls, state: Mapping[str, Any]) -> Self:
        """Return the inverse of `options`."""
        forms = state["forms"]
        require(is_text_list([state["low"], state["high"]]) and isinstance(state["strict"], bool), "order")
        require(forms is None or (len(forms) == 2 and all(f in FORMATS for f in forms)), "formats of dates")
        return cls(
            state["low"], state["high"], state["strict"], None if forms is None else (forms[0], forms[1])
        )


KINDS: tuple[type[Rule], ...] = (Determines, Sum, Order)


def rule_from_json(state: Mapping[str, Any]) -> Rule:
    """Return the inverse of `Rule.to_json`.

    Raises:
        ValueError: no fit can have left this.

    Example:
        >>> rule_from_json(Order("start", "end").to_json()).text
        'start <= end'
    """
    kinds = {kind.kind: kind for kind in KINDS}
    require(state["kind"] in kinds and isinstance(state["stated"], bool), "rule")
    require(_is_count(state["holds"]) and _is_count(state["applies"]), "counts of a rule")
    require(state["holds"] <= state["applies"] and is_finite_number(state["exceptions"]), "counts of a rule")
    require(state["exceptions"] >= 0, "counts of a rule")
    rule = kinds[state["kind"]].from_options(state)
    require(len(set(rule.columns)) == len(rule.columns), "columns of a rule")
    counts = {name: state[name] for name in ("holds", "applies", "exceptions", "stated")}
    return replace(rule, **counts)


def describe_rules(rules: Sequence[Rule]) -> list[str]:
    """Return a line for each rule, and one for two columns that determine each other.

    Args:
        rules: of a table.

    Example:
        >>> describe_rules(
        ...     [Determines("a", "b", holds=9, applies=9), Determines("b", "a", holds=8, applies=9)]
        ... )
        ['a <-> b (8 of 9 rows)']
    """
    listed = {rule.columns: rule for rule in rules if isinstance(rule, Determines)}
    lines = []
    for rule in rules:
        if not isinstance(rule, Determines) or rule.columns[::-1] not in listed:
            lines.append(f"{rule.text} ({rule.holds_in})")
        elif rule.columns in listed:
            other = listed.pop(rule.columns[::-1])
            least = min(rule, other, key=lambda r: r.holds / max(r.applies, 1))
            lines.append(f"{quoted(rule.left)} <-> {quoted(rule.right)} ({least.holds_in})")
    return lines


def _usual(counts: Counter[str]) -> Usual:
    """Return the most frequent value."""
    (value, rows), *rest = counts.most_common(2)
    return Usual(None if rest and rest[0][1] == rows else value, rows, counts.total())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < math.inf
