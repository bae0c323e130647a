"""From evidence to bits: how rare a row with this anomaly score is among normal rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from diabolo.detection.pareto import ParetoTail, exponential_tail, without_anomalies
from diabolo.errors import OptionError
from diabolo.utils.checks import is_finite_number, require

MAX_CALIBRATION_ROWS = 20_000_000  # that a model file may claim
WINDOW_FLOOR = 0.5  # of the median, below which the evidence of windows is all alike; a choice
MIN_EVIDENCE = 1e-3  # of its usual size: evidence below is all alike
# Evidence whose median is below this share of its mean is 0 for most rows: it is measured in its mean.
MIN_MEDIAN_SHARE = 1e-2
DEFAULT_RATE = 0.001  # of false alarms, where there are enough calibration rows


@dataclass(frozen=True)
class Calibration:
    """What the evidence looks like on rows that no network was trained on.

    The evidence of a row is joined as the sum of the logarithms of its parts, each in units of its
    median on calibration rows: their product, so that no part needs a weight. The joined score is
    ranked among the calibration rows; beyond them its tail is taken to fall exponentially, as fast as
    the highest twentieth does. The highest points of a series are ranked by a `ParetoTail`: neighbouring
    points are no independent rows.

    Attributes:
        medians: evidence -> its median.
        scores: (rows,) the joined scores of the calibration rows, ascending.
        slope: bits per unit of the score beyond the highest calibration rows.
        tail: of the points of a series; None for rows of a table, and in models of older versions.
        independent: the number of independent rows that the scores come from; None if all of them are.
        floor: the share of its median below which evidence is all alike; 0 for rows of a table.
    """

    medians: Mapping[str, float]
    scores: np.ndarray
    slope: float
    tail: ParetoTail | None = None
    independent: float | None = None
    floor: float = 0.0

    @classmethod
    def fit(cls, evidence: Mapping[str, np.ndarray], floor: float = 0.0) -> Calibration:
        """Learn from the evidence of calibration rows.

        Args:
            evidence: name -> (rows,).
            floor: the share of its median below which evidence is all alike; 0 for rows of a table.
        """
        medians = {}
        for name, part in evidence.items():
            finite = part[np.isfinite(part)]
            middle = float(np.median(finite)) if len(finite) else 1.0
            usual = float(finite.mean()) if len(finite) else 1.0
            # 0 for most rows are distances of copies of remembered rows.
            medians[name] = middle if middle > MIN_MEDIAN_SHARE * usual else max(usual, 1e-9)
        made = cls(medians, np.zeros(0), 1.0, floor=floor)
        return made.ranked(made.join(evidence))

    def ranked_points(
        self, scores: np.ndarray, positions: np.ndarray, length: int, independent: float
    ) -> Calibration:
        """Return a calibration with the same medians that ranks among the scores of points of a series.

        Args:
            scores: (points,).
            positions: (points,) in time, ascending.
            length: points of a window.
            independent: number of independent windows among them.
        """
        kept = without_anomalies(scores, positions, length)
        scores, positions = scores[kept], positions[kept]
        tail = ParetoTail.fit(scores, positions, length, independent)
        return replace(self.ranked(scores), tail=tail, independent=independent)

    def ranked(self, scores: np.ndarray) -> Calibration:
        """Return a calibration with the same medians that ranks among these scores."""
        scores = np.sort(scores)
        _, scale = exponential_tail(scores)
        return replace(self, scores=scores, slope=float(1 / np.log(2) / scale))

    def join(self, evidence: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return (rows,) the joined score: the sum of the logarithms of the parts.

        Args:
            evidence: name -> (rows,); where it is not finite, the median counts.
        """
        parts = []
        for name, part in evidence.items():
            known = np.where(np.isfinite(part), part, self.medians[name])
            share = known / self.medians[name]
            # A window that repeats a remembered one to the last digit must not outweigh all other evidence.
            parts.append(np.log(np.maximum(share, self.floor) if self.floor else share + MIN_EVIDENCE))
        return np.asarray(sum(parts), dtype=float)

    def bits(self, scores: np.ndarray) -> np.ndarray:
        """Return -log2 of the share of normal rows that score at least as high.

        A row that scores higher than all but k - 1 of n calibration rows has a share of at most k / (n + 1),
        whatever the model (conformal prediction: Vovk et al., "Algorithmic learning in a random world",
        2005). So the k-th highest calibration row stands for the share k / (n + 1), which only rows
        beyond it go below. Between two rows the share is interpolated, beyond all of them extrapolated.

        Args:
            scores: joined scores, any shape.
        """
        n = len(self.scores)
        place = np.flatnonzero(np.diff(self.scores, prepend=-np.inf))
        value = self.scores[place]
        known = -np.log2((n - place) / (n + 1))
        bits = np.interp(scores, value, known)
        beyond = known[-1] + np.maximum((scores - value[-1]) * self.slope, 0)
        bits = np.where(scores > value[-1], beyond, bits)
        # Below every calibration row: towards 0, so that ranks are kept.
        below = known[0] * np.exp(np.minimum(scores - value[0], 0))
        bits = np.where(scores < value[0], below, bits)
        if self.tail is not None:
            bits = np.where(scores > self.tail.start, self.tail.bits(scores), bits)
        return np.asarray(bits)

    def score_at(self, bits: float) -> float:
        """Return the joined score that has these bits: the inverse of `bits`."""
        if self.tail is not None and bits > self.tail.min_bits:
            return self.tail.score_at(bits)
        n = len(self.scores)
        place = np.flatnonzero(np.diff(self.scores, prepend=-np.inf))
        known = -np.log2((n - place) / (n + 1))
        if bits > known[-1]:
            return float(self.scores[-1] + (bits - known[-1]) / self.slope)
        return float(np.interp(bits, known, self.scores[place]))

    @property
    def spread(self) -> float:
        """The distance from the median to the 90 % quantile of the calibration scores."""
        middle, high = np.quantile(self.scores, [0.5, 0.9])
        return max(float(high - middle), 1e-6)

    @property
    def max_bits(self) -> float:
        """The bits that the calibration rows support, as far as a tail is read; infinite for a table."""
        return np.inf if self.tail is None else self.tail.max_bits

    def false_episodes(self, points: int, bits: float) -> float | None:
        """Return how many episodes of alarms to expect among points like those of the fit; None if unknown.

        Args:
            points: their number.
            bits: the alarm level.
        """
        return None if self.tail is None else points * 2.0**-bits / self.tail.points_per_peak

    @property
    def lowest_rate(self) -> float:
        """The lowest rate of false alarms that these rows, or their tail, can support."""
        return 1 / (len(self.scores) + 1) if self.tail is None else float(np.exp2(-self.tail.max_bits))

    def default_rate(self) -> float:
        """Return the lowest usual rate of false alarms that these rows can support."""
        return max(DEFAULT_RATE, self.lowest_rate)

    def alarm(self, rate: float | None) -> tuple[float, float]:
        """Return the rate of false alarms and its threshold in bits.

        Args:
            rate: as requested; None for `default_rate`.

        Raises:
            OptionError: the requested rate is lower than these rows can support.
        """
        if rate is None:
            usual = self.default_rate()
            return usual, self.threshold(usual, asked=False)
        return rate, self.threshold(rate)

    def threshold(self, rate: float, *, asked: bool = True) -> float:
        """Return the bits above which a row is an alarm.

        Args:
            rate: of false alarms.
            asked: whether the user requested it; then it must be one that can be kept.

        Raises:
            OptionError: it is no rate, or is lower than n calibration rows can support.
        """
        lowest = self.lowest_rate
        if not 0 < rate < 1:
            raise OptionError(
                f"alarm_rate={rate!r}: expected a share between 0 and 1", hint="alarm_rate=0.01"
            )
        if asked and rate < lowest * (1 - 1e-9):
            raise OptionError(
                f"alarm_rate={rate:g} cannot be kept with {len(self.scores)} calibration rows; "
                f"{lowest:.2g} can",
                hint="ask for a higher rate, or fit on more rows",
            )
        return -float(np.log2(rate))

    def check(self, names: Collection[str]) -> None:
        """Raise `ValueError` if this is no calibration of these kinds of evidence.

        Args:
            names: of the evidence.
        """
        sizes = [*self.medians.values(), self.slope]
        require(all(is_finite_number(v) and v > 0 for v in sizes), "calibration")
        require(set(self.medians) == set(names), "evidence")
        require(is_finite_number(self.floor) and 0 <= self.floor < 1, "floor of the evidence")
        require(self.independent is None or is_finite_number(self.independent), "calibration rows")
        if self.tail is not None:
            self.tail.check()

    def to_json(self) -> dict[str, Any]:
        """Return what is not an array, for a model file."""
        state: dict[str, Any] = {"medians": dict(self.medians), "slope": self.slope}
        if self.tail is not None:
            state["tail"] = asdict(self.tail)
        if self.floor:
            state["floor"] = self.floor
        return state if self.independent is None else {**state, "independent": self.independent}

    @classmethod
    def from_json(cls, state: Mapping[str, Any], scores: np.ndarray) -> Calibration:
        """Return the inverse of `to_json`.

        Args:
            state: what `to_json` returned; models of older versions have neither tail nor number of
                independent rows.
            scores: (rows,) ascending.
        """
        tail = ParetoTail(**state["tail"]) if "tail" in state else None
        return cls(
            dict(state["medians"]),
            scores,
            state["slope"],
            tail,
            state.get("independent"),
            state.get("floor", 0.0),
        )


def severity(bits: np.ndarray) -> np.ndarray:
    """Return 0 to 100: 0 for a common row, 50 at one in a thousand (10 bits), 75 at one in a million."""
    return 100 * (1 - np.exp2(-bits / 10))
