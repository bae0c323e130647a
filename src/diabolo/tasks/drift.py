"""Has the data moved away from the fit?"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.special import chdtrc
from scipy.stats import betabinom

from diabolo.data.columns import Number, Window
from diabolo.data.fields import Batch, Symbol
from diabolo.data.inference import missing_share
from diabolo.data.sources import UserTable
from diabolo.engine import Engine
from diabolo.tasks.base import Answer, Model
from diabolo.utils.sampling import evenly_spaced

Pair = tuple[float | None, float | None]

PARTS = 10  # of the values of a number, alike in the past; the usual number for the index
HALF = 0.5  # a row more in each part, so that none is empty
MUCH = 0.25  # the index from which on a column is usually said to have moved (Siddiqi, 2006)
CHANCE = 0.01  # p-values below are no chance, of all that are looked at together


@dataclass(frozen=True)
class Moved:
    """How one scored column was among the remembered rows, and is.

    Attributes:
        mean_then, mean_now, deviation_then, deviation_now: of numbers; None of others.
        holes_then, holes_now: the share of rows without a value.
        index: population stability index, `sum (p - q) ln (p / q)` over the parts of its values: a tenth of
            those remembered each, or one for each label; p now, q then. 0 for alike; from 0.25 on a lot
            (Siddiqi, "Credit risk scorecards", 2006).
        p_value: how often as much is seen by chance: without a change the index is chi-squared, times
            `1 / n + 1 / m` for n and m rows (Yurdakul and Naranjo, "Statistical properties of the population
            stability index", 2020).
    """

    mean_then: float | None
    mean_now: float | None
    deviation_then: float | None
    deviation_now: float | None
    holes_then: float
    holes_now: float
    index: float
    p_value: float


@dataclass
class Drift(Answer):
    """How far the data has moved away from what a model was fitted on.

    Attributes:
        of: scored column -> how it was and is.
        alarms, alarm_rate: the share of alarms, and the one that was promised.
        p_value: how often there are so many alarms by chance. Points whose windows overlap count once.
        bits: their mean; that of normal rows is 1.44.
        moved: the columns that have, first those that have most.
    """

    user_table: UserTable
    of: dict[str, Moved]
    alarms: float
    alarm_rate: float
    p_value: float
    bits: float
    moved: list[str]

    @property
    def odder(self) -> bool:
        """Whether there are more alarms than chance makes."""
        return self.p_value < CHANCE

    @property
    def verdict(self) -> str:
        """What to make of it, in a sentence."""
        shown = ", ".join(self.moved[:5]) + (" and others" if len(self.moved) > 5 else "")
        where = f"{shown} moved" if shown else "no column moved"
        alarms = f"{100 * self.alarms:.3g} % of the rows are alarms, {100 * self.alarm_rate:.2g} % is usual"
        return (
            f"{where}; {'more is odd than before' if self.odder else 'no more is odd than before'}: {alarms}"
        )

    def columns(self) -> dict[str, Any]:
        """A line for each scored column."""
        told = {f.name: [getattr(m, f.name) for m in self.of.values()] for f in fields(Moved)}
        return {"column": list(self.of), **told, "moved": [name in self.moved for name in self.of]}


def drift(model: Model, data: Any) -> Drift:
    """Has the data moved away from what the model was fitted on?

    Args:
        model: a fitted model.
        data: rows with the columns of the fit, newer ones say.

    Returns:
        how each scored column was and is, whether more rows are odd than promised, and a verdict.

    Raises:
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    frame = engine.read(data)
    rate, threshold = engine.calibration.alarm(model.alarm_rate)
    bits = engine.bits(frame)
    now = evenly_spaced(frame.rows, len(engine.memory))
    batch = engine.schema.encode(frame[now])
    # Rows that each say something of their own: windows that overlap do not.
    independent = engine.source.independent
    sizes = (
        min(max(independent(len(bits)), 1.0), len(now)),
        min(max(independent(engine.facts["rows_trained_on"]), 1.0), len(engine.memory)),
    )
    noise = sum(1 / size for size in sizes)
    missing = {e.name: (e.missing, missing_share(frame.columns[e.name])) for e in engine.schema.used}
    of = {name: _moved(engine, name, batch, missing[name], noise) for name in engine.schema.scored}
    sure = [n for n, m in of.items() if m.index >= MUCH and m.p_value < CHANCE / len(of)]
    # A point is judged by all windows that cover it: the next one of its own is nearly two windows away.
    alarms, seen = float((bits > threshold).mean()), 2 * engine.source.length - 1
    return Drift(
        frame.user_table,
        of,
        alarms,
        rate,
        _by_chance(alarms, len(bits) / seen, rate, len(engine.calibration.scores) / seen),
        float(bits.mean()),
        sorted(sure, key=lambda n: -of[n].index),
    )


def _by_chance(share: float, rows: float, rate: float, ranked: float) -> float:
    """The chance of so large a share of alarms or a larger one, if the level was set on so many rows.

    The share beyond a quantile of n rows is a beta distribution; so the number of alarms is beta-binomial.
    """
    n = max(round(rows), 1)
    return float(betabinom.sf(round(share * n) - 1, n, rate * (ranked + 1), (1 - rate) * (ranked + 1)))


def _moved(engine: Engine, name: str, batch: Batch, holes: tuple[float, float], noise: float) -> Moved:
    """How one column was, and is; of its parts, the one that has moved most counts."""
    column, index, p_value = engine.schema[name], 0.0, 1.0
    mean: Pair = (None, None)
    deviation: Pair = (None, None)
    for slot in engine.schema.slots_of(name):
        then, now = (
            c.values[slot.kind][:, slot.index][c.visible[slot.kind][:, slot.index]].double().numpy()
            for c in (engine.memory.rows, batch)
        )
        if len(then) == 0 or len(now) == 0:
            continue
        found, parts = _index(then, now, slot.kind == Symbol.kind)
        if found >= index:
            index, p_value = found, float(chdtrc(parts - 1, found / noise)) if parts > 1 else 1.0
        if isinstance(column, Number | Window):
            middle, size = column.mean, column.scale
            mean = float(then.mean() * size + middle), float(now.mean() * size + middle)
            deviation = float(then.std() * size), float(now.std() * size)
    return Moved(*mean, *deviation, *holes, index, p_value)


def _index(then: np.ndarray, now: np.ndarray, labels: bool) -> tuple[float, int]:
    """The population stability index of two samples, and over how many parts."""
    if labels:
        parts = np.unique(np.concatenate([then, now]))
        places = [np.searchsorted(parts, values) for values in (then, now)]
        size = len(parts)
    else:
        edges = np.unique(np.quantile(then, np.linspace(0, 1, PARTS + 1)[1:-1]))
        places = [np.searchsorted(edges, values) for values in (then, now)]
        size = len(edges) + 1
    q, p = ((np.bincount(place, minlength=size) + HALF) / (len(place) + HALF * size) for place in places)
    return float(((p - q) * np.log(p / q)).sum()), size
