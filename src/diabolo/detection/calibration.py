"""From evidence to bits: how rare a row as odd as this one is among normal rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.errors import OptionError

FLOOR = 1e-3  # evidence below this share of its usual size is all alike


@dataclass
class Calibration:
    """What the evidence looks like on rows that no network was trained on.

    The evidence of a row is joined as the sum of the logarithms of its parts, each in units of its
    median on calibration rows: their product, so that no part needs a weight. The joined oddness is
    ranked among the calibration rows; beyond them its tail is taken to fall exponentially, as fast as
    the highest twentieth does.

    Attributes:
        medians: evidence -> its median.
        oddness: (rows,) the joined oddness of the calibration rows, ascending.
        slope: bits per unit of oddness beyond the highest calibration rows.
    """

    medians: dict[str, float]
    oddness: np.ndarray
    slope: float

    @classmethod
    def fit(cls, evidence: Mapping[str, np.ndarray]) -> Calibration:
        """Learn from the evidence of calibration rows."""
        medians = {}
        for name, part in evidence.items():
            finite = part[np.isfinite(part)]
            middle = float(np.median(finite)) if len(finite) else 1.0
            usual = float(finite.mean()) if len(finite) else 1.0
            # A part that is 0 for most rows (copies of remembered rows) is measured in its mean.
            medians[name] = middle if middle > 1e-2 * usual else max(usual, 1e-9)
        made = cls(medians, np.zeros(0), 1.0)
        made.rank(made.join(evidence))
        return made

    def rank(self, oddness: np.ndarray) -> None:
        """Rank against these rows from now on."""
        self.oddness = np.sort(oddness)
        top = self.oddness[-max(len(oddness) // 20, min(10, len(oddness))) :]
        spread = float((top - top[0]).mean()) if len(top) > 1 else 0.0
        self.slope = float(1 / np.log(2) / max(spread, 1e-3 * float(oddness.std()), 1e-9))

    def join(self, evidence: Mapping[str, np.ndarray]) -> np.ndarray:
        """(rows,) oddness: the sum of the logarithms of the parts."""
        parts = []
        for name, part in evidence.items():
            known = np.where(np.isfinite(part), part, self.medians[name])
            parts.append(np.log(known / self.medians[name] + FLOOR))
        return np.asarray(sum(parts), dtype=float)

    def bits(self, odd: np.ndarray) -> np.ndarray:
        """Oddness -> -log2 of the share of normal rows that are at least as odd.

        A row that is odder than all but k - 1 of n calibration rows has a share of at most k / (n + 1),
        whatever the model (conformal prediction: Vovk et al., "Algorithmic learning in a random world",
        2005). So the k-th oddest calibration row stands for the share k / (n + 1), which only rows
        beyond it go below. Between two rows the share is interpolated, beyond all of them extrapolated.
        """
        n = len(self.oddness)
        place = np.flatnonzero(np.diff(self.oddness, prepend=-np.inf))
        value = self.oddness[place]
        known = -np.log2((n - place) / (n + 1))
        bits = np.interp(odd, value, known)
        bits = np.where(odd > value[-1], known[-1] + np.maximum((odd - value[-1]) * self.slope, 0), bits)
        # Below every calibration row: towards 0, so that ranks are kept.
        below = known[0] * np.exp(np.minimum(odd - value[0], 0))
        return np.asarray(np.where(odd < value[0], below, bits))

    def default_rate(self) -> float:
        """The lowest rate of false alarms that is usual and that these rows can support."""
        return max(0.001, 1 / (len(self.oddness) + 1))

    def alarm(self, rate: float | None) -> tuple[float, float]:
        """The rate of false alarms that holds, and its threshold: what was asked for, or the usual one."""
        if rate is None:
            usual = self.default_rate()
            return usual, self.threshold(usual, asked=False)
        return rate, self.threshold(rate)

    def threshold(self, rate: float, *, asked: bool = True) -> float:
        """Bits above which a row is an alarm, at this rate of false alarms.

        Raises:
            OptionError: the rate was asked for and is lower than n calibration rows can support.
        """
        n = len(self.oddness)
        if not 0 < rate < 1:
            raise OptionError(
                f"alarm_rate={rate!r}: expected a share between 0 and 1", hint="alarm_rate=0.01"
            )
        if asked and rate < 1 / (n + 1) * (1 - 1e-9):
            raise OptionError(
                f"alarm_rate={rate:g} cannot be kept with {n} calibration rows; {1 / (n + 1):.2g} can",
                hint="ask for a higher rate, or fit on more rows",
            )
        return -float(np.log2(rate))

    def to_json(self) -> dict[str, Any]:
        """What is not an array, for a model file."""
        return {"medians": self.medians, "slope": self.slope}

    @classmethod
    def from_json(cls, state: Mapping[str, Any], oddness: np.ndarray) -> Calibration:
        """The inverse of `to_json`."""
        return cls(dict(state["medians"]), oddness, state["slope"])


def severity(bits: np.ndarray) -> np.ndarray:
    """0 to 100: 0 for a common row, 50 at one in a thousand (10 bits), 75 at one in a million."""
    return 100 * (1 - np.exp2(-bits / 10))
