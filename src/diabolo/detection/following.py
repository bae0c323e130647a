"""Alarm levels that stay where the fit puts them, or follow the share of alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from diabolo.detection.calibration import Calibration

# Of the spread of the calibration scores, by which an alarm raises the level. Measured on 51 series: at .002
# more false alarms remain, .01 forgets long faults sooner (docs/how-it-detects.md).
GAIN = 0.005


@dataclass
class AlarmLevel:
    """The level above which a point is an alarm.

    A level that follows rises by `gain (1 - rate)` after an alarm and falls by `gain rate` after any other
    point, but never below the level of the fit: in the long run the share of alarms is at most the rate,
    whatever the series does, plus the level's rise over gain and number of points (quantile tracking, the
    proportional part of conformal PID control: Angelopoulos, Candes and Tibshirani, 2023). The scores are not
    changed by it. A level that holds stays where the fit puts it.

    Args:
        level: the score above which a point of the fit is an alarm.
        rate: the share of points that may be alarms.
        gain: of the level; 0 for a level that holds.

    Attributes:
        offset: by how much the level is above that of the fit.
    """

    level: float
    rate: float
    gain: float
    offset: float = 0.0

    @classmethod
    def of(cls, calibration: Calibration, rate: float, bits: float, *, follow: bool) -> Self:
        """Return the level of a calibration, as the fit puts it.

        Args:
            calibration: of the model.
            rate: the share of points that may be alarms.
            bits: of the level.
            follow: whether it follows the share of alarms.
        """
        return cls(calibration.score_at(bits), rate, GAIN * calibration.spread if follow else 0.0)

    def add(self, score: float) -> bool:
        """Return whether the next point is an alarm, and move the level.

        Args:
            score: joined score of the point; a point without one is no alarm, and moves nothing.
        """
        alarm = score > self.level + self.offset
        if alarm:
            self.offset += self.gain * (1 - self.rate)
        elif np.isfinite(score):
            self.offset = max(self.offset - self.gain * self.rate, 0.0)
        return bool(alarm)

    def add_all(self, scores: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Return (points,) which points are alarms, and (points,) the level that each was compared with.

        Args:
            scores: joined score of each point, in the order of time.
        """
        if not self.gain:
            levels = np.full(len(scores), self.level)
            return np.asarray(scores) > levels, levels
        alarms, levels = np.empty(len(scores), bool), np.empty(len(scores))
        for number, score in enumerate(scores):
            levels[number] = self.level + self.offset
            alarms[number] = self.add(score)
        return alarms, levels
