"""The Numenta Anomaly Benchmark: `python -m benchmarks.nab --data DIR --json OUT`.

DIR is a copy of it: data/**/NAME.csv with timestamp and value, and labels/combined_windows.json. Series
without a labelled window are left out. `--pictures DIR` draws NAME.svg: the series, and what some detectors
make of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks import anomaly_series, common, detection
from benchmarks.detection import Detector, Floats, Measures, Problem
from benchmarks.lanes import Lane, draw
from benchmarks.metrics import nab_best, nab_score, period, vus
from benchmarks.metrics.nab import probation

SELDOM = 0.001  # the share of fitted points that are alarms of a detector without a level of its own
ABOVE = float(np.nextafter(0, 1))  # the lowest score that is an alarm
DRAWN = (common.OURS, "knn3_centred", "sliding_pca", "matrix_profile")


class Found(NamedTuple):
    """A series of the benchmark: its file, and the windows that are labelled, first and last moment."""

    path: Path
    windows: list[tuple[str, str]]


def find(folder: Path, only: Sequence[str] = ()) -> dict[str, Found]:
    """The labelled series of a copy of NAB by name; ends the program if there is none."""
    labels = folder / "labels" / "combined_windows.json"
    windows = json.loads(labels.read_text(encoding="utf-8")) if labels.is_file() else {}
    found = {
        path.stem: Found(path, windows[key])
        for path in sorted(folder.glob("data/**/*.csv"))
        if windows.get(key := f"{path.parent.name}/{path.name}") and (not only or path.stem in only)
    }
    missing = [name for name in only if name not in found]
    if missing or not found:
        common.skip(
            f"no data/**/{' or '.join(missing) or 'NAME'}.csv with windows in {labels.name} in {folder}"
        )
    return found


def read(found: Found) -> tuple[pd.DataFrame, np.ndarray]:
    """The series, timestamp and value, and per point whether it lies in a labelled window."""
    series = pd.read_csv(found.path, parse_dates=["timestamp"])
    labels = np.zeros(len(series), dtype=np.int64)
    for start, end in found.windows:
        labels |= series["timestamp"].between(pd.Timestamp(start), pd.Timestamp(end)).to_numpy()
    return series, labels


def picture(
    name: str, series: pd.DataFrame, labels: np.ndarray, fitted: int, lanes: Mapping[str, Lane]
) -> str:
    """The series as SVG, and what each detector makes of it."""
    x = series["timestamp"].to_numpy("datetime64[s]").astype(float)
    return draw(name.replace("_", " "), x, series["value"].to_numpy(float), labels, fitted, lanes)


def load_prefix(found: Found, seed: int) -> Problem:
    """NAB's own way: the first 15 %, at most 750 points, are there to fit."""
    series, labels = read(found)
    return Problem(
        series[: probation(len(series))], series, labels, window=period(series["value"].to_numpy())
    )


def load_whole(found: Found, seed: int) -> Problem:
    """All points are fitted, anomalous ones too, without their labels."""
    problem = load_prefix(found, seed)
    return replace(problem, train=problem.test)


def measure(problem: Problem, scores: Floats) -> Measures:
    """The measures of `PROTOCOL`."""
    labels, alarms = problem.labels, scores > 0
    steps = np.flatnonzero(np.diff(labels, prepend=0, append=0)).reshape(-1, 2)
    return {
        "nab_score": nab_best(labels, scores).score,
        "nab_score_alarm": nab_score(labels, alarms),
        "vus_pr": vus(labels, scores, problem.window).pr,
        "windows_found": float(np.mean([alarms[first:past].any() for first, past in steps])),
        "false_alarms": float(alarms[labels == 0].mean()),
    }


def ours(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Floats:
    """Bits beyond those of an alarm: our default, at its own level."""
    from diabolo import Autoencoder, tasks

    model = Autoencoder(time="timestamp", seed=seed).fit(train)
    answer = tasks.score(model, test)
    return np.asarray(answer.bits - answer.threshold)


def seldom(detector: Detector) -> Detector:
    """A detector of series, less what one in a thousand of the fitted points exceeds."""

    def score(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Floats:
        asked = test["value"].to_numpy(float)
        fitted = asked if train is test else train["value"].to_numpy(float)
        scores = detector(fitted, asked, seed)
        return np.asarray(scores - np.quantile(scores[: len(train)], 1 - SELDOM))

    return score


def draw_problem(name: str, problem: Problem, answers: Mapping[str, Floats]) -> str:
    """The series and some of the detectors, with the alarms at their own levels."""
    lanes = {}
    for detector in [one for one in DRAWN if one in answers]:
        figures = measure(problem, answers[detector])
        words = f"VUS-PR {figures['vus_pr']:.2f}, NAB {figures['nab_score']:.0f}"
        lanes[detector] = Lane(answers[detector], ABOVE, words)
    return picture(name, problem.test, problem.labels, len(problem.train), lanes)


def made_problem() -> Problem:
    """A quiet value that drops for a while; five minutes apart."""
    labels = np.zeros(1200, dtype=np.int64)
    labels[1000:1060] = 1
    at = pd.Timestamp("2024-01-01") + pd.to_timedelta(5 * np.arange(1200), unit="min")
    noise = np.random.default_rng(0).normal(0, 0.3, 1200)
    value = 80 + np.sin(np.arange(1200) / 20) + noise - 30 * labels
    series = pd.DataFrame({"timestamp": at, "value": value})
    return Problem(series[:600], series, labels, window=period(value))


PROTOCOL = (
    "all points are scored. nab_score: NAB's, profile standard, each file alone, at its best threshold; "
    "nab_score_alarm: at the detector's own alarm level, for peers the 99.9th percentile of the scores of "
    "what was fitted; windows_found, false_alarms: the share of windows with an alarm, and of points outside "
    "that are one; mean over series of the mean over seeds; cpu_seconds: fit and score, summed."
)
PREFIX = detection.Benchmark(
    claim="Fitted on NAB's first 15 %, diabolo finds its labelled windows better than nearest windows do.",
    protocol=f"prefix: fit on the first 15 %, at most 750 points, as NAB has it; {PROTOCOL}",
    detectors={common.OURS: ours}
    | {name: seldom(d) for name, d in anomaly_series.DETECTORS.items() if name != common.OURS},
    default_peers=anomaly_series.BENCHMARK.default_peers,
    default_seeds=1,
    headline="nab_score",
    load=load_prefix,
    measure=measure,
    warm_up=made_problem(),
    find=find,
    draw=draw_problem,
)
VARIANTS = {
    "prefix": PREFIX,
    "whole": replace(PREFIX, protocol=f"whole: fit on all points, unlabelled; {PROTOCOL}", load=load_whole),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
    return detection.main(PREFIX, arguments, VARIANTS)


if __name__ == "__main__":
    sys.exit(main())
