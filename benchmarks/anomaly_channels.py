"""Anomalous segments of several channels: `python -m benchmarks.anomaly_channels --data DIR --json OUT`.

DIR holds .csv files with a time and at least three columns of numbers (`channels.py`). Missing values are
bridged by straight lines. The first 60 % of the rows are fitted. The rest is cut into 21 parts of equal
length, three for each of the kinds below, in random order. Each part gets one segment, of one channel, at a
random place at least a fifth of the part away from its ends: 24 to 96 points, at most a third of the part.
With x the channel, s its deviation in the fitted rows, a segment of n points from 0, and a random sign:

- spike: one point moves by 3 to 6 s;
- level: all points move by 1.5 to 3 s;
- shape: the segment is run through twice, twice as fast: x'[i] = x[2 i mod n];
- season: its rhythm is missing: x' is the mean over one period around, a day or what `period` finds;
- stuck: x'[i] = x[0];
- broken: x' is what the channel was at another time of the fitted rows, at the same phase of the period,
  moved to the mean of the segment: usual by itself, but it does not go with the other channels;
- noise: a normal draw of deviation .75 s is added to each point.

Everything is drawn from the seed.
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
from benchmarks.nab import SELDOM

FITTED = 0.6
EACH = 3  # segments of a kind
SHORT, LONG = 24, 96


class Segment(NamedTuple):
    """An injected anomaly: the points from `start` to before `end` of a channel."""

    kind: str
    channel: str
    start: int
    end: int


@dataclass(frozen=True)
class Injected:
    """A series to fit, one to score, and what was done to that."""

    train: pd.DataFrame
    test: pd.DataFrame
    segments: tuple[Segment, ...]
    window: int

    @property
    def labels(self) -> np.ndarray:
        """Per point of `test` 1 within a segment, else 0."""
        labels = np.zeros(len(self.test), dtype=np.int64)
        for one in self.segments:
            labels[one.start : one.end] = 1
        return labels


class Place(NamedTuple):
    """What an injector gets: a whole channel, where the segment lies in it, and where chance comes from."""

    whole: Floats
    fitted: int
    start: int
    length: int
    period: int
    random: np.random.Generator

    @property
    def values(self) -> Floats:
        return self.whole[self.start : self.start + self.length]

    def away(self, low: float, high: float) -> float:
        """A distance in deviations of the fitted rows, up or down."""
        deviation = self.whole[: self.fitted].std()
        return float(self.random.choice([-1, 1]) * self.random.uniform(low, high) * deviation)

    def elsewhere(self) -> Floats:
        """What was fitted of another time, of the same phase, moved to the mean of the segment."""
        starts = np.arange(self.start % self.period, self.fitted - self.length, self.period)
        start = int(self.random.choice(starts))
        other = self.whole[start : start + self.length]
        return np.asarray(other - other.mean() + self.values.mean())

    def around(self) -> Floats:
        """The mean over one period around each point."""
        mean = pd.Series(self.whole).rolling(self.period, center=True, min_periods=1).mean().to_numpy()
        return np.asarray(mean[self.start : self.start + self.length])


KINDS: dict[str, Callable[[Place], Floats]] = {
    "spike": lambda at: at.values + at.away(3, 6),
    "level": lambda at: at.values + at.away(1.5, 3),
    "shape": lambda at: at.values[2 * np.arange(at.length) % at.length],
    "season": Place.around,
    "stuck": lambda at: np.full(at.length, at.values[0]),
    "broken": Place.elsewhere,
    "noise": lambda at: at.values + at.random.normal(0, 0.75, at.length) * at.whole[: at.fitted].std(),
}


def inject(series: pd.DataFrame, seed: int) -> Injected:
    """Does what the head of this file says."""
    random = np.random.default_rng(seed)
    names = [name for name in series if name != TIME]
    clean = series.assign(**{n: series[n].interpolate(limit_direction="both") for n in names})
    fitted, rhythms = (
        int(FITTED * len(clean)),
        {n: channels.rhythm(clean[TIME], clean[n].to_numpy()) for n in names},
    )
    spoilt = clean.copy()
    kinds = random.permutation(np.repeat(list(KINDS), EACH))
    borders = np.linspace(fitted, len(clean), len(kinds) + 1).astype(int)
    segments = []
    for kind, low, high in zip(kinds.tolist(), borders[:-1], borders[1:], strict=True):
        part, channel = int(high - low), str(random.choice(names))
        longest = min(LONG, part // 3)
        length = 1 if kind == "spike" else int(random.integers(min(SHORT, longest), longest + 1))
        start = int(random.integers(low + part // 5, high - part // 5 - length + 1))
        at = Place(clean[channel].to_numpy(), fitted, start, length, rhythms[channel], random)
        spoilt.loc[start : start + length - 1, channel] = KINDS[kind](at)
        segments.append(Segment(kind, channel, start - fitted, start - fitted + length))
    train, test = clean[:fitted], spoilt[fitted:].reset_index(drop=True)
    return Injected(train, test, tuple(segments), max(rhythms.values()))


class Answer(NamedTuple):
    """Scores, above 0 for alarms, and, if the detector can tell, which channel is to blame at some points."""

    scores: Floats
    blame: Callable[[Sequence[int]], list[str]] | None = None


def ours(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Answer:
    """Our default at its own alarm level; the channel with the largest share of the score is to blame."""
    from diabolo import Autoencoder, tasks

    model = Autoencoder(time=TIME, seed=seed).fit(train)
    answer = tasks.score(model, test)

    def blame(points: Sequence[int]) -> list[str]:
        said = model.explain(test, rows=points)
        return [said.names[at] for at in said.share.argmax(1)]

    return Answer(answer.bits - answer.threshold, blame)


def peer(detector: Detector) -> Callable[[pd.DataFrame, pd.DataFrame, int], Answer]:
    """A detector of windows of all channels, less what one in a thousand of the fitted points exceeds."""

    def answer(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Answer:
        fitted, asked = (part.drop(columns=TIME).to_numpy(float) for part in (train, test))
        scores = detector(fitted, np.concatenate([fitted, asked]), seed)
        return Answer(scores[len(fitted) :] - np.quantile(scores[: len(fitted)], 1 - SELDOM))

    return answer


PEERS = ("knn3_centred", "sliding_pca", "isolation_forest", "pyod_knn", "pyod_ecod")
METHODS = {common.OURS: ours} | {name: peer(anomaly_series.DETECTORS[name]) for name in PEERS}

CLAIM = "diabolo finds anomalous segments in series of several channels better than detectors of windows do."
PROTOCOL = (
    "fit on the first 60 % of at most 20,000 rows, 21 anomalies of seven kinds injected into the rest, which "
    "is scored; vus_pr; recall and recall_KIND: the share of segments with an alarm in them, at the "
    "detector's own alarm level, for peers the 99.9th percentile of the scores of what was fitted; "
    "false_alarms: the share of points at least 128 away from every segment that are one; channel_right: of "
    "the segments found, the share where the most anomalous point is blamed on the channel that was changed; "
    "means over series of the mean over seeds."
)
FAR = 128


def measure(problem: Injected, method: Callable[..., Answer], seed: int) -> dict[str, Any]:
    """Runs a detector; its measures, and what they cost."""
    answer, seconds = common.timed(method, problem.train, problem.test, seed)
    scores, labels = answer.scores, problem.labels
    alarms = scores > 0
    found = [one for one in problem.segments if alarms[one.start : one.end].any()]
    measures: dict[str, Any] = {
        "train": len(problem.train),
        "test": len(problem.test),
        "vus_pr": vus(labels, scores, problem.window).pr,
        "recall": len(found) / len(problem.segments),
    }
    for kind in KINDS:
        measures[f"recall_{kind}"] = sum(one.kind == kind for one in found) / EACH
    near = np.convolve(labels, np.ones(2 * FAR + 1), mode="same") > 0
    measures["false_alarms"] = float(alarms[~near].mean()) if not near.all() else None
    if answer.blame is not None:
        peaks = [one.start + int(scores[one.start : one.end].argmax()) for one in found]
        blamed = answer.blame(peaks)
        right = [name == one.channel for name, one in zip(blamed, found, strict=True)]
        measures["channel_right"] = float(np.mean(right)) if right else None
    return measures | {"cpu_seconds": seconds}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
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
