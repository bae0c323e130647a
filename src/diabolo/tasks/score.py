"""How odd is this row?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.calibration import severity
from diabolo.sources import Native
from diabolo.tasks.base import Answer, Model


@dataclass
class Scores(Answer):
    """How odd each row is.

    Attributes:
        bits: (rows,) -log2 of the share of normal rows that are at least as odd.
        severity: (rows,) the same from 0 to 100; 50 is one row in a thousand.
        alarm: (rows,) whether the row is an alarm.
        threshold: bits from which a row is an alarm.
        alarm_rate: the share of normal rows that are alarms.
    """

    native: Native
    bits: np.ndarray
    severity: np.ndarray
    alarm: np.ndarray
    threshold: float
    alarm_rate: float

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
    asked = rate is not None
    rate = engine.calibration.default_rate() if rate is None else rate
    threshold = engine.calibration.threshold(rate, asked=asked)
    bits = engine.bits(frame)
    return Scores(frame.native, bits, severity(bits), bits >= threshold, threshold, rate)
