"""How many alarms there are at each alarm level: the slider of a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diabolo.report.drawing import charts
from diabolo.report.view import View

STEP = 0.5  # bits between levels: a choice
MAX_ABOVE = 30  # bits above the level in use that are shown: a choice


@dataclass(frozen=True)
class AlarmLevels:
    """The number of alarms at each level.

    Attributes:
        drawing: the same as SVG.
        level: (levels,) bits.
        rows: (levels,) rows in alarm.
        episodes: (levels,) episodes; empty for data without episodes.
        current: the place of the level in use.
        total: rows of the data.
        days: that the data covers; None without dates.
    """

    drawing: str
    level: list[float]
    rows: list[int]
    episodes: list[int]
    current: int
    total: int
    days: float | None


def alarm_levels(view: View) -> AlarmLevels:
    """Return the number of alarms at levels half a bit apart, and at the level in use."""
    current = round(view.scores.threshold, 3)
    highest = min(max(float(view.bits.max()), current) + 1, current + MAX_ABOVE)
    level = np.unique(np.append(np.arange(1, highest, STEP), current))
    # Rounding must not move rows that lie on the level in use to its other side.
    exact = np.where(level == current, view.scores.threshold, level)
    ordered = np.sort(view.bits)
    rows = len(ordered) - np.searchsorted(ordered, exact, side="right")
    episodes = view.episodes_above(exact)
    if episodes:
        unit = "Episodes a day" if view.days else "Episodes"
        found = [view.engine.calibration.false_episodes(len(ordered), bits) for bits in level.tolist()]
        chance = None if found[0] is None else np.array(found, dtype=float) / (view.days or 1)
    else:
        unit, chance = f"{view.unit.capitalize()}s in alarm", len(ordered) * np.exp2(-level)
    counts = np.array(episodes or rows, dtype=float) / (view.days or 1)
    return AlarmLevels(
        charts.alarm_counts("levels", level, counts, chance, current, unit=unit),
        [round(float(v), 3) for v in level],
        rows.tolist(),
        episodes,
        int(np.flatnonzero(level == current)[0]),
        len(ordered),
        view.days,
    )
