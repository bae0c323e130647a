"""Score rows: how anomalous each one is, and which ones are alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from diabolo.data.sources import Frame, UserTable
from diabolo.detection.calibration import severity
from diabolo.detection.false_discovery import discovery_threshold
from diabolo.detection.following import AlarmLevel
from diabolo.detection.shifts import Shift, describe_shift, find_shifts, shift_level
from diabolo.engine import Engine
from diabolo.errors import OptionError
from diabolo.tasks.base import Answer, Model
from diabolo.utils.text import shorten


class Episode(NamedTuple):
    """Alarms that belong together: one row of a table, or a segment of a series.

    Attributes:
        start, end: the first and the last row in the order of time, counted from 0.
        peak: the most anomalous row.
        bits, severity: those of the peak.
    """

    start: int
    end: int
    peak: int
    bits: float
    severity: float


@dataclass
class Scores(Answer):
    """The anomaly score of each row.

    Attributes:
        bits: (rows,) the anomaly score: -log2 of the share of normal rows that score at least as high.
        severity: (rows,) the same on a scale from 0 to 100; 50 is one row in a thousand.
        alarm: (rows,) whether the row is an alarm.
        threshold: the bits above which a row like those of the fit is an alarm.
        levels: (rows,) the bits that each row was compared with: `threshold`, or more where the level
            followed the share of alarms.
        alarm_rate: the share of normal rows that are alarms.
        follows: whether the alarm level followed the share of alarms.
        episodes: alarms that belong together, in the order of time.
        shifts: parts of a series that are so unlike the fit that it may have changed for good.
        time, by: names of the columns that say when a row was, and of which series.
    """

    user_table: UserTable
    bits: np.ndarray
    severity: np.ndarray
    alarm: np.ndarray
    threshold: float
    levels: np.ndarray
    alarm_rate: float
    follows: bool
    episodes: list[Episode]
    shifts: list[Shift]
    time: str | None = None
    by: str | None = None

    @property
    def notes(self) -> list[str]:
        """What the user should know about the alarms: where the series has left what the fit calls normal."""
        columns, notes = self.user_table.columns(), []
        for shift in self.shifts:
            begin, end = (
                f"row {row:,}" if self.time is None else str(columns[self.time][row].as_py())
                for row in (shift.start, shift.end)
            )
            name = "" if self.by is None else f"{shorten(str(columns[self.by][shift.start].as_py()))}: "
            notes.append(name + describe_shift(begin, None if shift.lasts else end, shift.share))
        return notes

    def columns(self) -> dict[str, Any]:
        """Return the bits, the severity and the alarm of each row, and the alarm level if it follows."""
        columns = {"bits": self.bits, "severity": self.severity, "alarm": self.alarm}
        return {**columns, "level": self.levels} if self.follows else columns


def score(
    model: Model,
    data: Any,
    *,
    alarm_rate: float | None = None,
    follow: bool | None = None,
    false_discovery_rate: float | None = None,
) -> Scores:
    """Return the anomaly score of each row, and which rows are alarms.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        alarm_rate: the share of normal rows that may be alarms; None for that of the model.
        follow: whether the alarm level of a series follows the share of alarms; None for the model's choice.
        false_discovery_rate: the share of the alarms that may be false, in place of `alarm_rate`: the level
            depends on the scores of all rows, and stays the same for all.

    Returns:
        Bits, severity and alarm of each row, and the episodes of alarms.

    Raises:
        OptionError: the calibration rows of the model are too few for the rate, it is not between 0 and 1,
            or both rates are given.
        DataError: the data cannot be read, or columns are missing.
    """
    if false_discovery_rate is not None and (alarm_rate is not None or follow):
        raise OptionError(
            "false_discovery_rate chooses the alarm level: it excludes alarm_rate and follow",
            hint=f"false_discovery_rate={false_discovery_rate}, without the others",
        )
    engine = model.engine_
    frame = engine.read(data)
    rate = alarm_rate if alarm_rate is not None else model.alarm_rate
    rate, threshold = engine.calibration.alarm(rate)
    followed = follows(model, follow)
    shifts: list[Shift] = []
    if engine.source.overlaps:
        bits, alarm, levels, shifts = _follow_scores(engine, frame, rate, threshold, follow=followed)
    else:
        bits = engine.bits(frame)
        alarm, levels = bits > threshold, np.full(len(bits), threshold)
    if false_discovery_rate is not None:
        threshold = discovery_threshold(bits, false_discovery_rate)
        rate, followed, levels = float(np.exp2(-threshold)), False, np.full(len(bits), threshold)
        alarm = bits > threshold
    severe = severity(bits)
    episodes = []
    for rows in engine.source.group_alarms(frame, alarm):
        peak = int(rows[np.argmax(bits[rows])])
        episodes.append(Episode(int(rows[0]), int(rows[-1]), peak, float(bits[peak]), float(severe[peak])))
    time, by = _names(engine)
    return Scores(
        frame.user_table, bits, severe, alarm, threshold, levels, rate, followed, episodes, shifts, time, by
    )


def _follow_scores(
    engine: Engine, frame: Frame, rate: float, threshold: float, *, follow: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Shift]]:
    """Return the bits of each point of a series, its alarms and its levels, all (user rows,), and its shifts.

    Args:
        engine: of a series.
        frame: points that it has read.
        rate: the share of normal points that may be alarms.
        threshold: the bits that a point of the fit exceeds at this rate.
        follow: whether the level follows the share of alarms.
    """
    calibration, shifts = engine.calibration, []
    total, _ = engine.rows.totals(frame)
    alarm, levels = np.zeros(len(total), bool), np.full(len(total), np.nan)
    usual = shift_level(calibration)
    for rows in engine.source.in_time(frame):
        scores = total[rows].tolist()
        level = AlarmLevel.of(calibration, rate, threshold, follow=follow)
        alarm[rows], levels[rows] = level.add_all(scores)
        shifts += find_shifts(rows.tolist(), scores, usual, engine.source.length)
    return calibration.bits(total), alarm, calibration.bits(levels), shifts


def _names(engine: Engine) -> tuple[str | None, str | None]:
    """Return the names of the time column and of the column that tells series apart."""
    source = engine.source
    return source.calendar, next((n for n in source.reserved_columns if n != source.calendar), None)


def follows(model: Model, follow: bool | None = None) -> bool:
    """Return whether the alarm level of a model follows the share of alarms.

    Args:
        model: a fitted model.
        follow: as requested; None for the option of the model, and without one for what suits its data.

    Raises:
        OptionError: it is requested of the model of a table.
    """
    source, wanted = model.engine_.source, model.follow if follow is None else follow
    if wanted and not source.overlaps:
        raise OptionError(
            "follow=True: rows of a table have no order that an alarm level could follow",
            hint="follow=None, or time=... to read the rows as a series",
        )
    return source.can_drift if wanted is None else bool(wanted)
