"""Find out when a series has left what the fit calls normal."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diabolo.detection.calibration import Calibration

# Measured on 46 series: with half of eight windows above the level of one in a hundred, all series with more
# than a tenth of false alarms are found, and none with less than 3 %; with a quarter, 11 of 36 are.
RATE = 0.01
MIN_SHARE = 0.5
WINDOWS = 8


@dataclass
class ShiftDetector:
    """Watches how many of the latest points exceed the level of the fit.

    A series has shifted once more than half of the points of the latest eight windows exceed the score that
    one in a hundred points of the fit exceeds: a long fault, or a new normal. It has come back once it is
    half of that.

    Args:
        level: the joined score that one in a hundred points of the fit exceeds.
        size: points of eight windows.

    Attributes:
        since: the number of the point since which the series has shifted; None if it has not.
        seen: number of points so far.
    """

    level: float
    size: int
    since: int | None = None
    seen: int = 0
    _above: deque[int] = field(default_factory=deque, repr=False)

    def add(self, score: float) -> bool:
        """Add the next point; return whether the series has just been found to have shifted.

        Args:
            score: joined score of the point.
        """
        if score > self.level:
            self._above.append(self.seen)
        self.seen += 1
        while self._above and self._above[0] <= self.seen - 1 - self.size:
            self._above.popleft()
        if self.since is None and self.share > MIN_SHARE:
            self.since = self._above[0]
            return True
        if self.share < MIN_SHARE / 2:
            self.since = None
        return False

    @property
    def share(self) -> float:
        """The share of the latest points that exceed the level."""
        return len(self._above) / self.size

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {"since": self.since, "seen": self.seen, "above": list(self._above)}

    def restored(self, state: Mapping[str, Any]) -> ShiftDetector:
        """Return the detector in the state that `to_json` returned.

        Args:
            state: plain JSON values.

        Raises:
            KeyError, TypeError, ValueError: they are none.
        """
        since = None if state["since"] is None else int(state["since"])
        above = deque(int(number) for number in state["above"])
        return ShiftDetector(self.level, self.size, since, int(state["seen"]), above)


@dataclass(frozen=True)
class Shift:
    """A part of a series in which far more points than usual exceed the level of the fit.

    Attributes:
        start, end: the first and the last row, in the order of time.
        lasts: whether it goes on until the last row.
        share: the share of its points above the level that one in a hundred points of the fit exceeds.
    """

    start: int
    end: int
    lasts: bool
    share: float


def describe_shift(begin: str, end: str | None, share: float) -> str:
    """Return what to say of a shift.

    Args:
        begin: when it begins, as text.
        end: when it ends; None if it lasts.
        share: the share of points above the level that one in a hundred points of the fit exceeds.
    """
    when = f"since {begin}" if end is None else f"from {begin} to {end}"
    return (
        f"{when}, {100 * share:.0f} % of the points exceed a level that {100 * RATE:.0f} % of those of the "
        "fit exceed: a long fault, or a new normal. If it is normal, fit again, or update the model with "
        "model.partial_fit(newer)"
    )


def shift_level(calibration: Calibration) -> float:
    """Return the joined score that one in a hundred points of the fit exceeds."""
    return calibration.score_at(-float(np.log2(RATE)))


def find_shifts(rows: Sequence[int], scores: Sequence[float], level: float, length: int) -> list[Shift]:
    """Return the parts of one series in which it has left what the fit calls normal.

    Args:
        rows: the user's rows, in the order of time.
        scores: the joined score of each of them.
        level: the joined score that one in a hundred points of the fit exceeds.
        length: points of a window.
    """
    detector, found, start = ShiftDetector(level, WINDOWS * length), [], None
    for number, score in enumerate([*scores, None]):
        if score is not None:
            detector.add(score)
            if start is None:
                start = detector.since
        if start is not None and (score is None or detector.since is None):
            above = [n for n in range(start, number) if scores[n] > level]
            share = len(above) / (above[-1] - start + 1)
            found.append(Shift(int(rows[start]), int(rows[above[-1]]), score is None, share))
            start = None
    return found
