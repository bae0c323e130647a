"""What generated rows are to be like, beyond what was learnt."""

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

from diabolo.data.fields import Batch, Real, Symbol
from diabolo.data.schema import Slot
from diabolo.engine import Engine
from diabolo.errors import ColumnError, OptionError

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": pc.less_equal,
    ">=": pc.greater_equal,
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    ">": pc.greater,
}
RULE = re.compile(r"\s*(?P<left>\S.*?)\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<right>\S.*?)\s*")
LEAST = 1e-9  # a smaller probability is none


@dataclass(frozen=True)
class AllowedValues:
    """A column of which some values are wanted: one of these, or one within a range.

    Attributes:
        slot: the field that is drawn.
        points: the codes that may be drawn; None for a range.
        low, high: the range, ends included, in codes.
    """

    slot: Slot
    points: Tensor | None = None
    low: float = -np.inf
    high: float = np.inf

    def draw(self, said: Any, share: Tensor) -> tuple[Tensor, Tensor]:
        """(rows,) values by inverse transform sampling, and how probable such a value was at all.

        Args:
            said: the distribution of the field, (rows, 1).
            share: (rows, 1) numbers between 0 and 1.
        """
        if self.points is not None:
            points = self.points.to(share.device)
            mass = torch.cat([said.log_prob(p.expand_as(share)).exp() for p in points], 1)
            upto = mass.cumsum(1)
            index = (upto < share * upto[:, -1:]).sum(1).clamp_max(len(points) - 1)
            return points[index], upto[:, -1]
        # The lower end belongs to the range: a value that has a mass of its own may lie there.
        low, high = (said.cdf(torch.full_like(share, edge)) for edge in (self.low - 1e-6, self.high + 1e-6))
        value = said.icdf(low + share * (high - low)).clamp(self.low, self.high)
        return value[:, 0], (high - low)[:, 0]


@dataclass(frozen=True)
class Conditions:
    """What all rows are to be like.

    Attributes:
        fixed: column -> its one value.
        choices: column -> the values of which one is drawn.
        rules: "column sign column or value" -> a function of the table: (rows,) which rows obey.
    """

    fixed: Mapping[str, pa.Array] = field(default_factory=dict)
    choices: Mapping[str, AllowedValues] = field(default_factory=dict)
    rules: Mapping[str, Callable[[Mapping[str, Any]], np.ndarray]] = field(default_factory=dict)

    def obeyed(self, table: Mapping[str, Any]) -> np.ndarray:
        """(rows,) which rows are as the rules have it."""
        rows = len(next(iter(table.values())))
        good = np.ones(rows, bool)
        for rule in self.rules.values():
            good &= rule(table)
        return good


def read_conditions(
    engine: Engine, given: Mapping[str, Any], where: Iterable[str], observed: Iterable[Sequence[str]]
) -> Conditions:
    """The options of `generate`, checked.

    Raises:
        OptionError: a column or a value is not known, or a rule cannot be read.
    """
    fixed, choices = {}, {}
    for name, value in given.items():
        _check_name(engine, "given", name)
        if isinstance(value, list | set | frozenset | tuple | np.ndarray):
            choices[name] = _choice(engine, name, value)
        else:
            fixed[name] = _one(engine, name, value)
    rules = {text: _rule(engine, text) for text in _listed(where)}
    groups: list[Any] = list(observed)
    for names in [groups] if groups and all(isinstance(g, str) for g in groups) else groups:
        rules[f"observed {', '.join(names)}"] = _observed(engine, list(names))
    return Conditions(fixed, choices, rules)


def _listed(where: Iterable[str]) -> list[str]:
    return [where] if isinstance(where, str) else list(where)


def _check_name(engine: Engine, option: str, name: str) -> None:
    names = [e.name for e in engine.schema.used]
    if name not in names:
        raise OptionError(
            f"{option} names the column {name!r}, which the model does not read",
            hint=f"the columns are: {', '.join(names[:20])}",
        )


def _encoded(engine: Engine, name: str, value: Any) -> list[np.ndarray]:
    """The codes of one value that was seen in fitting."""
    column = engine.schema[name]
    wrong = OptionError(
        f"given: {name!r} never was {value!r} in the data of the fit", hint=column.describe() or None
    )
    try:
        parts = column.encode(pa.array([value]), name)
    except (ColumnError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise wrong from error
    for slot, (code, visible) in zip(engine.schema.slots_of(name), parts, strict=True):
        if not visible.all() or (slot.kind == Symbol.kind and (code == 0).any()):
            raise wrong
    return [code for code, _ in parts]


def _one(engine: Engine, name: str, value: Any) -> pa.Array:
    """A value in the type of the fit."""
    decoded = engine.schema[name].decode(_encoded(engine, name, value))
    assert isinstance(decoded, pa.Array)
    return decoded


def _choice(engine: Engine, name: str, value: Any) -> AllowedValues:
    slot, *more = engine.schema.slots_of(name)
    if isinstance(value, tuple) and len(value) == 2 and slot.kind == Real.kind:
        low, high = (
            default if end is None else float(_encoded(engine, name, end)[0][0])
            for end, default in zip(value, (-np.inf, np.inf), strict=True)
        )
        known = engine.schema.fields[slot.kind][slot.index]
        edges: Any = known.edges  # type: ignore[attr-defined]
        low, high = max(low, float(edges[0])), min(high, float(edges[-1]))
        if not low <= high:
            raise OptionError(
                f"given: {name!r} never was between {value[0]!r} and {value[1]!r} in the data of the fit",
                hint=engine.schema[name].describe(),
            )
        return AllowedValues(slot, None, low, high)
    if more:
        raise OptionError(
            f"given: {name!r} takes one date or a range of dates",
            hint=f'given={{"{name}": (datetime(2025, 1, 1), datetime(2025, 12, 31))}}',
        )
    batch = [_encoded(engine, name, one)[0] for one in value]
    if not batch:
        raise OptionError(f"given: there is no value for {name!r}", hint=engine.schema[name].describe())
    return AllowedValues(slot, torch.from_numpy(np.concatenate(batch)))


def _rule(engine: Engine, text: str) -> Callable[[Mapping[str, Any]], np.ndarray]:
    found = RULE.fullmatch(text)
    if found is None:
        raise OptionError(f"where={text!r} cannot be read", hint='where=["start <= end", "age >= 18"]')
    left, sign, right = found["left"], found["sign"], found["right"]
    _check_name(engine, "where", left)
    names = {e.name for e in engine.schema.used}
    literal = right.strip("'\"")

    def obeys(table: Mapping[str, Any]) -> np.ndarray:
        one = table[left]
        try:
            other = table[right] if right in names else pa.scalar(literal).cast(one.type)
            said = COMPARE[sign](one, other)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise OptionError(
                f"where={text!r}: {left!r} holds {one.type} values, which do not compare with {right!r}",
                hint=f"{left!r}: {engine.schema[left].describe()}",
            ) from error
        # Where a value is missing, there is nothing to obey.
        return np.asarray(pc.fill_null(said, True).to_numpy(zero_copy_only=False))

    return obeys


def _observed(engine: Engine, names: list[str]) -> Callable[[Mapping[str, Any]], np.ndarray]:
    for name in names:
        _check_name(engine, "observed", name)
    known = set(_tuples(decoded_rows(engine, engine.memory.rows, names), names))

    def occurred(table: Mapping[str, Any]) -> np.ndarray:
        return np.array([values in known for values in _tuples(table, names)], dtype=bool)

    return occurred


def _tuples(table: Mapping[str, Any], names: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def decoded_rows(engine: Engine, batch: Batch, names: Iterable[str]) -> dict[str, pa.Array]:
    """Columns of rows, with holes where the rows show nothing."""
    values = {k: v.numpy() for k, v in batch.values.items()}
    table = {}
    for name in names:
        slot = engine.schema.slots_of(name)[0]
        column, seen = engine.schema.decode(name, values), batch.visible[slot.kind][:, slot.index].numpy()
        assert isinstance(column, pa.Array)
        table[name] = column if seen.all() else column.take(pa.array(np.arange(len(batch)), mask=~seen))
    return table
