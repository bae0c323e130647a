"""Anomalous segments of several channels: `python -m benchmarks.anomaly_channels --data DIR --json OUT`.

DIR holds .csv files with a time and at least three columns of numbers (`channels.py`). Missing values are
filled by linear interpolation. The first 60 % of the rows are fitted. The rest is cut into 21 parts of equal
length, three for each of the kinds below, in random order. Each part gets one segment, of one channel, at a
random place at least a fifth of the part away from its ends: 24 to 96 points, at most a third of the part.
x is the channel, s its deviation in the fitted rows; a segment has n points, from 0; signs are random:

- spike: one point moves by 3 to 6 s;
- level: all points move by 1.5 to 3 s;
- shape: the segment is repeated twice at twice its speed: x'[i] = x[2 i mod n];
- season: the periodicity is removed: x' is the mean over one period around the point; the period is a day,
  or what `period` finds;
- stuck: x'[i] = x[0];
- broken: x' is a segment of the channel in the fitted rows, at the same phase of the period, shifted to the
  mean of the segment: normal by itself, but the dependence on the other channels is broken;
- noise: normal noise of standard deviation .75 s is added to each point.

All random numbers come from the seed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks import anomaly_series, channels, common, detection
from benchmarks.channels import TIME
from benchmarks.detection import Detector, Floats
from benchmarks.metrics import vus
from benchmarks.nab import ALARM_SHARE

TRAIN_SHARE = 0.6
EACH = 3  # segments of a kind
MIN_LENGTH, MAX_LENGTH = 24, 96


class Segment(NamedTuple):
    """An injected anomaly: the points `start` to `end` - 1 of a channel."""

    kind: str
    channel: str
    start: int
    end: int


@dataclass(frozen=True)
class Injected:
    """A series to fit, one to score, and the segments injected into the latter."""

    train: pd.DataFrame
    test: pd.DataFrame
    segments: tuple[Segment, ...]
    window: int

    @property
    def labels(self) -> np.ndarray:
        """For each point of `test` 1 within a segment, else 0."""
        labels = np.zeros(len(self.test), dtype=np.int64)
        for segment in self.segments:
            labels[segment.start : segment.end] = 1
        return labels


class Place(NamedTuple):
    """Input of an injector: all values of a channel, the position of the segment, and a generator."""

    channel: Floats
    fitted: int
    start: int
    length: int
    period: int
    random: np.random.Generator

    @property
    def values(self) -> Floats:
        return self.channel[self.start : self.start + self.length]

    def shift(self, low: float, high: float) -> float:
        """Return a random shift, up or down, of `low` to `high` deviations of the fitted rows."""
        deviation = self.channel[: self.fitted].std()
        return float(self.random.choice([-1, 1]) * self.random.uniform(low, high) * deviation)

    def another_segment(self) -> Floats:
        """Return a fitted segment of another time and the same phase, shifted to the mean of this one."""
        starts = np.arange(self.start % self.period, self.fitted - self.length, self.period)
        start = int(self.random.choice(starts))
        other = self.channel[start : start + self.length]
        return np.asarray(other - other.mean() + self.values.mean())

    def moving_average(self) -> Floats:
        """Return the mean over one period around each point."""
        mean = pd.Series(self.channel).rolling(self.period, center=True, min_periods=1).mean().to_numpy()
        return np.asarray(mean[self.start : self.start + self.length])


KINDS: dict[str, Callable[[Place], Floats]] = {
    "spike": lambda at: at.values + at.shift(3, 6),
    "level": lambda at: at.values + at.shift(1.5, 3),
    "shape": lambda at: at.values[2 * np.arange(at.length) % at.length],
    "season": Place.moving_average,
    "stuck": lambda at: np.full(at.length, at.values[0]),
    "broken": Place.another_segment,
    "noise": lambda at: at.values + at.random.normal(0, 0.75, at.length) * at.channel[: at.fitted].std(),
}


def inject(series: pd.DataFrame, seed: int) -> Injected:
    """Inject anomalies as described at the head of this file."""
    random = np.random.default_rng(seed)
    names = [name for name in series if name != TIME]
    clean = series.assign(**{n: series[n].interpolate(limit_direction="both") for n in names})
    fitted = int(TRAIN_SHARE * len(clean))
    periods = {n: channels.find_period(clean[TIME], clean[n].to_numpy()) for n in names}
    corrupted = clean.copy()
    kinds = random.permutation(np.repeat(list(KINDS), EACH))
    borders = np.linspace(fitted, len(clean), len(kinds) + 1).astype(int)
    segments = []
    for kind, low, high in zip(kinds.tolist(), borders[:-1], borders[1:], strict=True):
        part, channel = int(high - low), str(random.choice(names))
        longest = min(MAX_LENGTH, part // 3)
        length = 1 if kind == "spike" else int(random.integers(min(MIN_LENGTH, longest), longest + 1))
        start = int(random.integers(low + part // 5, high - part // 5 - length + 1))
        at = Place(clean[channel].to_numpy(), fitted, start, length, periods[channel], random)
        corrupted.loc[start : start + length - 1, channel] = KINDS[kind](at)
        segments.append(Segment(kind, channel, start - fitted, start - fitted + length))
    train, test = clean[:fitted], corrupted[fitted:].reset_index(drop=True)
    return Injected(train, test, tuple(segments), max(periods.values()))


class Answer(NamedTuple):
    """Scores, above 0 for alarms, and, if the detector provides it, the most anomalous channel at points."""

    scores: Floats
    blame: Callable[[Sequence[int]], list[str]] | None = None


def ours(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Answer:
    """diabolo at its own alarm level; the blamed channel is the one with the largest share of the score."""
    from diabolo import Autoencoder, tasks

    model = Autoencoder(time=TIME, seed=seed).fit(train)
    result = tasks.score(model, test)

    def blame(points: Sequence[int]) -> list[str]:
        explanation = model.explain(test, rows=points)
        return [explanation.names[index] for index in explanation.share.argmax(1)]

    return Answer(result.bits - result.threshold, blame)


def peer(detector: Detector) -> Callable[[pd.DataFrame, pd.DataFrame, int], Answer]:
    """Apply a detector to windows of all channels; alarms exceed the 99.9th percentile of fitted scores."""

    def answer(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Answer:
        fitted, new = (part.drop(columns=TIME).to_numpy(float) for part in (train, test))
        scores = detector(fitted, np.concatenate([fitted, new]), seed)
        return Answer(scores[len(fitted) :] - np.quantile(scores[: len(fitted)], 1 - ALARM_SHARE))

    return answer


PEERS = ("knn3_centred", "sliding_pca", "isolation_forest", "pyod_knn", "pyod_ecod")
METHODS = {common.OURS: ours} | {name: peer(anomaly_series.DETECTORS[name]) for name in PEERS}

CLAIM = "diabolo finds anomalous segments in series of several channels better than detectors of windows do."
PROTOCOL = (
    "fit on the first 60 % of at most 20,000 rows, 21 anomalies of seven kinds injected into the rest, which "
    "is scored; vus_pr; recall and recall_KIND: the share of segments with an alarm in them, at the "
    "detector's own alarm level, for peers the 99.9th percentile of the scores of the fitted rows; "
    "false_alarms: the share of points at least 128 away from every segment that are alarms; channel_right: "
    "of the segments found, the share where the most anomalous point is attributed to the changed channel; "
    "means over series of the mean over seeds."
)
FAR = 128  # points from every segment


def measure(problem: Injected, method: Callable[..., Answer], seed: int) -> dict[str, Any]:
    """Run a detector; return its measures and CPU seconds."""
    result, seconds = common.timed(method, problem.train, problem.test, seed)
    scores, labels = result.scores, problem.labels
    alarms = scores > 0
    found = [segment for segment in problem.segments if alarms[segment.start : segment.end].any()]
    measures: dict[str, Any] = {
        "train": len(problem.train),
        "test": len(problem.test),
        "vus_pr": vus(labels, scores, problem.window).pr,
        "recall": len(found) / len(problem.segments),
    }
    for kind in KINDS:
        measures[f"recall_{kind}"] = sum(segment.kind == kind for segment in found) / EACH
    near = np.convolve(labels, np.ones(2 * FAR + 1), mode="same") > 0
    measures["false_alarms"] = float(alarms[~near].mean()) if not near.all() else None
    if result.blame is not None:
        peaks = [s.start + int(scores[s.start : s.end].argmax()) for s in found]
        blamed = result.blame(peaks)
        right = [name == segment.channel for name, segment in zip(blamed, found, strict=True)]
        measures["channel_right"] = float(np.mean(right)) if right else None
    return measures | {"cpu_seconds": seconds}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = common.parse(
        arguments,
        description=f"{CLAIM} Protocol: {PROTOCOL}",
        known_peers=PEERS,
        default_peers=PEERS,
        default_seeds=3,
    )
    rows = channels.run(options, inject, lambda problem, name, seed: measure(problem, METHODS[name], seed))
    return detection.report(options, rows, CLAIM, PROTOCOL, "vus_pr")


if __name__ == "__main__":
    sys.exit(main())
