"""How odd is this row?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from diabolo.data.sources import UserTable
from diabolo.detection.calibration import severity
from diabolo.tasks.base import Answer, Model


class Episode(NamedTuple):
    """Alarms that belong together: one row of a table, or a stretch of a series.

    Attributes:
        start, end, peak: rows, counted from 0, in the order of time; `peak` is the oddest one.
        bits, severity: of the peak.
    """

    start: int
    end: int
    peak: int
    bits: float
    severity: float


@dataclass
class Scores(Answer):
    """How odd each row is.

    Attributes:
        bits: (rows,) -log2 of the share of normal rows that are at least as odd.
        severity: (rows,) the same from 0 to 100; 50 is one row in a thousand.
        alarm: (rows,) whether the row is an alarm.
        threshold: bits above which a row is an alarm.
        alarm_rate: the share of normal rows that are alarms.
        episodes: alarms that belong together, in the order of time.
    """

    user_table: UserTable
    bits: np.ndarray
    severity: np.ndarray
    alarm: np.ndarray
    threshold: float
    alarm_rate: float
    episodes: list[Episode]

    def columns(self) -> dict[str, Any]:
        """bits, severity and alarm of each row."""
        return {"bits": self.bits, "severity": self.severity, "alarm": self.alarm}


def score(model: Model, data: Any, *, alarm_rate: float | None = None) -> Scores:
    """How odd is each row?

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        alarm_rate: the share of normal rows that may be alarms; the model's own if not given.

    Returns:
        bits, severity and alarm of each row.

    Raises:
        OptionError: the rate is lower than the model's calibration rows can support.
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    frame = engine.read(data)
    rate = alarm_rate if alarm_rate is not None else model.alarm_rate
    rate, threshold = engine.calibration.alarm(rate)
    bits = engine.bits(frame)
    alarm, severe = bits > threshold, severity(bits)
    episodes = []
    for stretch in engine.source.group_alarms(frame, alarm):
        peak = int(stretch[np.argmax(bits[stretch])])
        episodes.append(
            Episode(int(stretch[0]), int(stretch[-1]), peak, float(bits[peak]), float(severe[peak]))
        )
    return Scores(frame.user_table, bits, severe, alarm, threshold, rate, episodes)
