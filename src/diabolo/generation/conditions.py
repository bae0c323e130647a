"""Conditions and constraints on generated rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from diabolo.data.fields import Real, Symbol
from diabolo.data.schema import Slot
from diabolo.errors import ColumnError, OptionError
from diabolo.generation.base import Fitted, Request
from diabolo.generation.sampling import decode_batch

MIN_PROBABILITY = 1e-9  # a smaller probability counts as zero
_RANGE_TOLERANCE = 1e-6  # in encoded units: a value with a mass of its own may lie at the end of a range
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": pc.less_equal,
    ">=": pc.greater_equal,
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    ">": pc.greater,
}
_CONSTRAINT = re.compile(r"\s*(?P<left>\S.*?)\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<right>\S.*?)\s*")
_MAX_NAMES_SHOWN = 20

Constraint = Callable[[Mapping[str, Any]], np.ndarray]
"""Table -> (rows,) which rows satisfy it."""


@dataclass(frozen=True)
class AllowedValues:
    """The values that a column may take: one of a list, or any within a range.

    Attributes:
        slot: the field that is sampled.
        points: (values,) encoded values; None for a range.
        low, high: the ends of the range, included, in encoded units.
    """

    slot: Slot
    points: Tensor | None = None
    low: float = -np.inf
    high: float = np.inf

    def sample(self, likelihood: Any, share: Tensor) -> tuple[Tensor, Tensor]:
        """Sample allowed values by inverse transform sampling.

        Args:
            likelihood: the distribution of the field, (rows, 1).
            share: (rows, 1) uniform samples between 0 and 1.

        Returns:
            (rows,) encoded values, and (rows,) the probability of the allowed values together.
        """
        if self.points is not None:
            points = self.points.to(share.device)
            mass = torch.cat([likelihood.log_prob(p.expand_as(share)).exp() for p in points], 1)
            cumulative = mass.cumsum(1)
            index = (cumulative < share * cumulative[:, -1:]).sum(1).clamp_max(len(points) - 1)
            return points[index], cumulative[:, -1]
        low, high = (
            likelihood.cdf(torch.full_like(share, end))
            for end in (self.low - _RANGE_TOLERANCE, self.high + _RANGE_TOLERANCE)
        )
        value = likelihood.icdf(low + share * (high - low)).clamp(self.low, self.high)
        return value[:, 0], (high - low)[:, 0]


@dataclass(frozen=True)
class Conditions:
    """What all rows must have in common.

    Attributes:
        fixed: column -> its one value.
        choices: column -> the values of which one is sampled.
        constraints: as the user wrote it -> which rows of a table satisfy it.
    """

    fixed: Mapping[str, pa.Array] = field(default_factory=dict)
    choices: Mapping[str, AllowedValues] = field(default_factory=dict)
    constraints: Mapping[str, Constraint] = field(default_factory=dict)

    def satisfied(self, table: Mapping[str, Any]) -> np.ndarray:
        """Return (rows,) which rows of a table satisfy all constraints."""
        rows = len(next(iter(table.values())))
        satisfied = np.ones(rows, bool)
        for constraint in self.constraints.values():
            satisfied &= constraint(table)
        return satisfied

    def describe(self) -> str:
        """Return the constraints in one line, for messages."""
        return " and ".join(self.constraints)


def read_conditions(fitted: Fitted, request: Request) -> Conditions:
    """Read the options `given`, `where` and `observed`.

    Args:
        fitted: a model of a table.
        request: the options.

    Raises:
        OptionError: a column or a value is not known, or a constraint cannot be read.
    """
    fixed, choices = {}, {}
    for name, value in request.given.items():
        _check_name(fitted, "given", name)
        if is_choice(value):
            choices[name] = _allowed_values(fitted, name, value)
        else:
            fixed[name] = _one_value(fitted, name, value)
    constraints = {text: _comparison(fitted, text) for text in request.where}
    for names in request.observed:
        constraints[f"observed {', '.join(names)}"] = _observed(fitted, names)
    return Conditions(fixed, choices, constraints)


def is_choice(value: Any) -> bool:
    """Return whether a value of `given` leaves a choice: a list of values, or a range."""
    return isinstance(value, list | set | frozenset | tuple | np.ndarray)


def _check_name(fitted: Fitted, option: str, name: str) -> None:
    names = [e.name for e in fitted.schema.used]
    if name not in names:
        raise OptionError(
            f"{option} names the column {name!r}, which the model does not read",
            hint=f"the columns are: {', '.join(names[:_MAX_NAMES_SHOWN])}",
        )


def _encode_value(fitted: Fitted, name: str, value: Any) -> list[np.ndarray]:
    """Return the encoded fields, (1,) each, of a value that occurs in the data of the fit."""
    column = fitted.schema[name]
    unknown = OptionError(
        f"given: {value!r} does not occur in column {name!r} of the data of the fit",
        hint=column.describe() or None,
    )
    try:
        parts = column.encode(pa.array([value]), name)
    except (ColumnError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise unknown from error
    for slot, (code, visible) in zip(fitted.schema.slots_of(name), parts, strict=True):
        if not visible.all() or (slot.kind == Symbol.kind and (code == 0).any()):
            raise unknown
    return [code for code, _ in parts]


def _one_value(fitted: Fitted, name: str, value: Any) -> pa.Array:
    """Return a value in the type of the fit."""
    column, parts = fitted.schema[name], _encode_value(fitted, name, value)
    decoded = column.decode(parts) if column.predicts_values else pa.array([value])
    assert isinstance(decoded, pa.Array)
    return decoded


def _allowed_values(fitted: Fitted, name: str, value: Any) -> AllowedValues:
    if not fitted.schema[name].predicts_values:
        raise OptionError(
            f"given: {name!r} is text, and takes one value",
            hint=f"given={{{name!r}: {next(iter(value), '')!r}}}",
        )
    slot, *more = fitted.schema.slots_of(name)
    if isinstance(value, tuple) and len(value) == 2 and slot.kind == Real.kind:
        return _allowed_range(fitted, name, value, slot)
    if more:
        raise OptionError(
            f"given: {name!r} takes one date or a range of dates",
            hint=f'given={{"{name}": (datetime(2025, 1, 1), datetime(2025, 12, 31))}}',
        )
    points = [_encode_value(fitted, name, one)[0] for one in value]
    if not points:
        raise OptionError(f"given: there is no value for {name!r}", hint=fitted.schema[name].describe())
    return AllowedValues(slot, torch.from_numpy(np.concatenate(points)))


def _allowed_range(fitted: Fitted, name: str, ends: tuple[Any, Any], slot: Slot) -> AllowedValues:
    low, high = (
        default if end is None else float(_encode_value(fitted, name, end)[0][0])
        for end, default in zip(ends, (-np.inf, np.inf), strict=True)
    )
    known: Any = fitted.schema.fields[slot.kind][slot.index]
    low, high = max(low, float(known.edges[0])), min(high, float(known.edges[-1]))
    if not low <= high:
        raise OptionError(
            f"given: column {name!r} has no value between {ends[0]!r} and {ends[1]!r} in the data of the fit",
            hint=fitted.schema[name].describe(),
        )
    return AllowedValues(slot, None, low, high)


def _comparison(fitted: Fitted, text: str) -> Constraint:
    """Return a constraint of `where`: a column compared with a column or a value."""
    found = _CONSTRAINT.fullmatch(text)
    if found is None:
        raise OptionError(f"where={text!r} cannot be read", hint='where=["start <= end", "age >= 18"]')
    left, sign, right = found["left"], found["sign"], found["right"]
    _check_name(fitted, "where", left)
    names = {e.name for e in fitted.schema.used}
    literal = right.strip("'\"")

    def satisfies(table: Mapping[str, Any]) -> np.ndarray:
        values = table[left]
        try:
            other = table[right] if right in names else pa.scalar(literal).cast(values.type)
            compared = _COMPARISONS[sign](values, other)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise OptionError(
                f"where={text!r}: {left!r} holds {values.type} values, which do not compare with {right!r}",
                hint=f"{left!r}: {fitted.schema[left].describe()}",
            ) from error
        # A missing value satisfies every comparison.
        return np.asarray(pc.fill_null(compared, True).to_numpy(zero_copy_only=False))

    return satisfies


def _observed(fitted: Fitted, names: Sequence[str]) -> Constraint:
    """Return a constraint of `observed`: the columns' values occur together in a remembered row."""
    for name in names:
        _check_name(fitted, "observed", name)
        if not fitted.schema[name].predicts_values:
            raise OptionError(
                f"observed names the column {name!r}, which is text: every value differs",
                hint="name columns of labels or numbers",
            )
    known = set(_tuples(decode_batch(fitted, fitted.memory.rows, names), names))

    def satisfies(table: Mapping[str, Any]) -> np.ndarray:
        return np.array([values in known for values in _tuples(table, names)], dtype=bool)

    return satisfies


def _tuples(table: Mapping[str, Any], names: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)
