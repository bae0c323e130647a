"""Detect drift: compare new rows with those of the fit, column by column and by their alarms."""

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

N_QUANTILE_BINS = 10  # of a number, with equal shares of the remembered values; usual for the index
PSEUDO_COUNT = 0.5  # rows added to each bin, so that none is empty
MIN_DRIFT_INDEX = 0.25  # from which on a column is usually considered to have drifted (Siddiqi, 2006)
SIGNIFICANCE_LEVEL = 0.01  # of p-values, for all columns together


@dataclass(frozen=True)
class ColumnDrift:
    """The distribution of one scored column in the fit, and in the new data.

    Attributes:
        mean_fit, mean_new: the means, in the column's own units; None unless it holds numbers.
        std_fit, std_new: the standard deviations; likewise.
        missing_fit, missing_new: the share of rows without a value.
        index: population stability index, `sum (p - q) ln (p / q)` over bins of its values, each with a tenth
            of the remembered ones, or over labels; p is the share of the new values in a bin, q that of the
            remembered ones. 0 for equal distributions; 0.25 or more for a large change (Siddiqi, "Credit risk
            scorecards", 2006).
        p_value: the probability of an index at least as large without a change: the index is then
            chi-squared, times `1 / n + 1 / m` for n and m rows (Yurdakul and Naranjo, "Statistical properties
            of the population stability index", 2020).
    """

    mean_fit: float | None
    mean_new: float | None
    std_fit: float | None
    std_new: float | None
    missing_fit: float
    missing_new: float
    index: float
    p_value: float


@dataclass
class Drift(Answer):
    """How far new data has drifted from the data of the fit.

    Attributes:
        per_column: scored column -> its distributions in the fit and in the new data.
        alarms: the share of the new rows that are alarms.
        alarm_rate: the expected share.
        p_value: the probability of at least that share of alarms without a change. Points whose windows
            overlap are not independent, and count accordingly.
        bits: the mean anomaly score; that of normal rows is 1.44.
        moved: the columns that have drifted, by falling index.
    """

    user_table: UserTable
    per_column: dict[str, ColumnDrift]
    alarms: float
    alarm_rate: float
    p_value: float
    bits: float
    moved: list[str]

    @property
    def more_alarms(self) -> bool:
        """Whether there are significantly more alarms than expected."""
        return self.p_value < SIGNIFICANCE_LEVEL

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        shown = ", ".join(self.moved[:5]) + (" and others" if len(self.moved) > 5 else "")
        columns = f"{shown} moved" if shown else "no column moved"
        alarms = "more alarms than expected" if self.more_alarms else "no more alarms than expected"
        shares = f"alarm rate {100 * self.alarms:.2g} %, expected {100 * self.alarm_rate:.2g} %"
        return f"{columns}; {alarms}: {shares}"

    def columns(self) -> dict[str, Any]:
        """Return a row for each scored column: its name, the fields of `ColumnDrift`, and `moved`."""
        found = {f.name: [getattr(c, f.name) for c in self.per_column.values()] for f in fields(ColumnDrift)}
        moved = [name in self.moved for name in self.per_column]
        return {"column": list(self.per_column), **found, "moved": moved}


def drift(model: Model, data: Any) -> Drift:
    """Measure how far new data has drifted from the data of the fit.

    Args:
        model: a fitted model.
        data: new rows with the columns of the fit.

    Returns:
        The distributions of each scored column, whether there are more alarms than expected, and a verdict.

    Raises:
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    frame = engine.read(data)
    rate, threshold = engine.calibration.alarm(model.alarm_rate)
    bits = engine.bits(frame)
    sampled = evenly_spaced(frame.rows, len(engine.memory))
    batch = engine.schema.encode(frame[sampled])
    # Windows that overlap are not independent: of n windows, fewer than n count.
    independent = engine.source.independent
    sizes = (
        min(max(independent(len(bits)), 1.0), len(sampled)),
        min(max(independent(engine.facts["rows_trained_on"]), 1.0), len(engine.memory)),
    )
    noise = sum(1 / size for size in sizes)
    known = [e for e in engine.schema.used if e.role == "scored" and e.name in frame.columns]
    missing = {e.name: (e.missing, missing_share(frame.columns[e.name])) for e in known}
    found = {name: _column_drift(engine, name, batch, missing[name], noise) for name in missing}
    # Each column is tested at its part of the level (Bonferroni).
    level = SIGNIFICANCE_LEVEL / len(found)
    moved = [n for n, c in found.items() if c.index >= MIN_DRIFT_INDEX and c.p_value < level]
    # A point is scored from all windows that cover it; points that share none are nearly two windows apart.
    alarms, apart = float((bits > threshold).mean()), 2 * engine.source.length - 1
    return Drift(
        frame.user_table,
        found,
        alarms,
        rate,
        _alarms_p_value(alarms, len(bits) / apart, rate, len(engine.calibration.scores) / apart),
        float(bits.mean()),
        sorted(moved, key=lambda n: -found[n].index),
    )


def _alarms_p_value(share: float, rows: float, rate: float, calibration_rows: float) -> float:
    """Return the probability of at least this share of alarms without a change.

    The share of rows beyond a quantile of n calibration rows follows a beta distribution; so the number of
    alarms is beta-binomial.
    """
    n, ranks = max(round(rows), 1), calibration_rows + 1
    return float(betabinom.sf(round(share * n) - 1, n, rate * ranks, (1 - rate) * ranks))


def _column_drift(
    engine: Engine, name: str, batch: Batch, missing: tuple[float, float], noise: float
) -> ColumnDrift:
    """Compare a column in the memory and in a batch; of its fields, that with the largest index counts."""
    column, index, p_value = engine.schema[name], 0.0, 1.0
    mean: Pair = (None, None)
    std: Pair = (None, None)
    for slot in engine.schema.slots_of(name):
        fit, new = (
            rows.values[slot.kind][:, slot.index][rows.visible[slot.kind][:, slot.index]].double().numpy()
            for rows in (engine.memory.rows, batch)
        )
        if len(fit) == 0 or len(new) == 0:
            continue
        found, bins = _stability_index(fit, new, labels=slot.kind == Symbol.kind)
        if found >= index:
            index, p_value = found, float(chdtrc(bins - 1, found / noise)) if bins > 1 else 1.0
        if isinstance(column, Number | Window):
            centre, scale = column.mean, column.scale
            mean = float(fit.mean() * scale + centre), float(new.mean() * scale + centre)
            std = float(fit.std() * scale), float(new.std() * scale)
    return ColumnDrift(*mean, *std, *missing, index, p_value)


def _stability_index(fit: np.ndarray, new: np.ndarray, *, labels: bool) -> tuple[float, int]:
    """Return the population stability index of two samples, and the number of bins."""
    if labels:
        edges = np.unique(np.concatenate([fit, new]))
        size = len(edges)
    else:
        edges = np.unique(np.quantile(fit, np.linspace(0, 1, N_QUANTILE_BINS + 1)[1:-1]))
        size = len(edges) + 1
    q, p = (
        (np.bincount(np.searchsorted(edges, values), minlength=size) + PSEUDO_COUNT)
        / (len(values) + PSEUDO_COUNT * size)
        for values in (fit, new)
    )
    return float(((p - q) * np.log(p / q)).sum()), size
