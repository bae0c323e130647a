"""Score rows: how anomalous each one is, and which ones are alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from diabolo.data.sources import UserTable
from diabolo.detection.calibration import severity
from diabolo.tasks.base import Answer, Model


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
        threshold: the bits above which a row is an alarm.
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
        """Return the bits, the severity and the alarm of each row."""
        return {"bits": self.bits, "severity": self.severity, "alarm": self.alarm}


def score(model: Model, data: Any, *, alarm_rate: float | None = None) -> Scores:
    """Return the anomaly score of each row, and which rows are alarms.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        alarm_rate: the share of normal rows that may be alarms; None for that of the model.

    Returns:
        Bits, severity and alarm of each row, and the episodes of alarms.

    Raises:
        OptionError: the calibration rows of the model are too few for the rate, or it is not between 0 and 1.
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    frame = engine.read(data)
    rate = alarm_rate if alarm_rate is not None else model.alarm_rate
    rate, threshold = engine.calibration.alarm(rate)
    bits = engine.bits(frame)
    alarm, severe = bits > threshold, severity(bits)
    episodes = []
    for rows in engine.source.group_alarms(frame, alarm):
        peak = int(rows[np.argmax(bits[rows])])
        episodes.append(Episode(int(rows[0]), int(rows[-1]), peak, float(bits[peak]), float(severe[peak])))
    return Scores(frame.user_table, bits, severe, alarm, threshold, rate, episodes)
