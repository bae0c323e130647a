"""The remembered rows that satisfy a condition: new rows are decoded from codes like theirs."""

from __future__ import annotations

import torch
from torch import Tensor

from diabolo.data.fields import Batch, Real
from diabolo.errors import OptionError
from diabolo.generation.base import Fitted
from diabolo.generation.conditions import Conditions
from diabolo.generation.sampling import with_values

NEAREST = 100  # rows that stand for one number, whose exact value few rows have; a choice
MIN_ROWS = 2  # from which a distribution of codes can be fitted


def matching_rows(fitted: Fitted, conditions: Conditions) -> Tensor:
    """Return the indices of the remembered rows that have the given values, ascending.

    Of a number with one given value it is the `NEAREST` rows by that value among those that match so far.

    Args:
        fitted: a model.
        conditions: values and choices of columns.

    Raises:
        OptionError: fewer than `MIN_ROWS` rows have these values together.
    """
    rows = fitted.memory.rows
    found = torch.arange(len(rows))
    for name, allowed in conditions.choices.items():
        values = rows.values[allowed.slot.kind][found, allowed.slot.index]
        if allowed.points is None:
            matches = (values >= allowed.low) & (values <= allowed.high)
        else:
            matches = torch.isin(values, allowed.points.to(values.dtype))
        found = found[matches & rows.visible[allowed.slot.kind][found, allowed.slot.index]]
        _check(found, name)
    for name in sorted(conditions.fixed, key=lambda one: fitted.schema.slots_of(one)[0].kind == Real.kind):
        found = _with_one_value(fitted, rows, found, conditions, name)
        _check(found, name)
    return found


def _with_one_value(fitted: Fitted, rows: Batch, found: Tensor, conditions: Conditions, name: str) -> Tensor:
    """Return those of the rows `found` that have, or are nearest to, the fixed value of a column."""
    wanted = with_values(fitted, rows[:1], name, conditions.fixed[name])
    gap = torch.zeros(len(found))
    exact = False
    for slot in fitted.schema.slots_of(name):
        values = rows.values[slot.kind][found, slot.index]
        target = wanted.values[slot.kind][0, slot.index]
        visible = rows.visible[slot.kind][found, slot.index]
        if slot.kind == Real.kind:
            gap += torch.where(visible, (values - target).abs().float(), torch.inf)
        else:
            exact, gap = True, torch.where(visible & (values == target), gap, torch.inf)
    known = int(torch.isfinite(gap).sum())
    count = known if exact else min(known, max(NEAREST, int((gap == 0).sum())))
    return found[gap.argsort(stable=True)[:count]].sort().values


def _check(found: Tensor, name: str) -> None:
    if len(found) < MIN_ROWS:
        raise OptionError(
            f"given: {len(found)} remembered rows have that value of {name!r}, with those of the others",
            hint="give fewer columns, a list of values or a wider range",
        )
