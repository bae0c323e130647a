"""The Numenta Anomaly Benchmark: `python -m benchmarks.nab --data DIR --json OUT`.

DIR is a copy of it: data/**/NAME.csv with timestamp and value, and labels/combined_windows.json. Series
without a labelled window are left out. `--pictures DIR` plots NAME.svg: the series, and the scores and alarms
of some detectors.
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
from benchmarks.detector_plot import Lane, draw
from benchmarks.metrics import nab_best, nab_score, period, vus
from benchmarks.metrics.nab import probation

ALARM_SHARE = 0.001  # of the fitted points, for detectors without an alarm level of their own
LOWEST_ALARM = float(np.nextafter(0, 1))  # scores above 0 are alarms
PLOTTED = (common.OURS, "knn3_centred", "sliding_pca", "matrix_profile")


class LabelledFile(NamedTuple):
    """A series of the benchmark: its file, and the first and last timestamp of each labelled window."""

    path: Path
    windows: list[tuple[str, str]]


def find(folder: Path, only: Sequence[str] = ()) -> dict[str, LabelledFile]:
    """Return the labelled series of a copy of NAB by name; end the program if there is none."""
    labels = folder / "labels" / "combined_windows.json"
    windows = json.loads(labels.read_text(encoding="utf-8")) if labels.is_file() else {}
    found = {
        path.stem: LabelledFile(path, windows[key])
        for path in sorted(folder.glob("data/**/*.csv"))
        if windows.get(key := f"{path.parent.name}/{path.name}") and (not only or path.stem in only)
    }
    missing = [name for name in only if name not in found]
    if missing or not found:
        common.skip(
            f"no data/**/{' or '.join(missing) or 'NAME'}.csv with windows in {labels.name} in {folder}"
        )
    return found


def read(source: LabelledFile) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the series, timestamp and value, and for each point whether it is in a labelled window."""
    series = pd.read_csv(source.path, parse_dates=["timestamp"])
    labels = np.zeros(len(series), dtype=np.int64)
    for start, end in source.windows:
        labels |= series["timestamp"].between(pd.Timestamp(start), pd.Timestamp(end)).to_numpy()
    return series, labels


def plot(name: str, series: pd.DataFrame, labels: np.ndarray, fitted: int, lanes: Mapping[str, Lane]) -> str:
    """Plot the series and the scores and alarms of each detector as SVG."""
    x = series["timestamp"].to_numpy("datetime64[s]").astype(float)
    return draw(name.replace("_", " "), x, series["value"].to_numpy(float), labels, fitted, lanes)


def load_prefix(source: LabelledFile, seed: int) -> Problem:
    """Read a problem in NAB's own form: the first 15 %, at most 750 points, are fitted."""
    series, labels = read(source)
    return Problem(
        series[: probation(len(series))], series, labels, window=period(series["value"].to_numpy())
    )


def load_whole(source: LabelledFile, seed: int) -> Problem:
    """Read a problem in which all points are fitted, anomalous ones too, without their labels."""
    problem = load_prefix(source, seed)
    return replace(problem, train=problem.test)


def measure(problem: Problem, scores: Floats) -> Measures:
    """Return the measures of `PROTOCOL`."""
    labels, alarms = problem.labels, scores > 0
    windows = np.flatnonzero(np.diff(labels, prepend=0, append=0)).reshape(-1, 2)
    return {
        "nab_score": nab_best(labels, scores).score,
        "nab_score_alarm": nab_score(labels, alarms),
        "vus_pr": vus(labels, scores, problem.window).pr,
        "windows_found": float(np.mean([alarms[first:stop].any() for first, stop in windows])),
        "false_alarms": float(alarms[labels == 0].mean()),
    }


def ours(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Floats:
    """Return the score of diabolo in bits minus its own alarm level."""
    from diabolo import Autoencoder, tasks

    model = Autoencoder(time="timestamp", seed=seed).fit(train)
    result = tasks.score(model, test)
    return np.asarray(result.bits - result.threshold)


def with_alarm_level(detector: Detector) -> Detector:
    """Subtract from the scores of a detector the 99.9th percentile of the scores of the fitted points."""

    def score(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Floats:
        values = test["value"].to_numpy(float)
        fitted = values if train is test else train["value"].to_numpy(float)
        scores = detector(fitted, values, seed)
        return np.asarray(scores - np.quantile(scores[: len(train)], 1 - ALARM_SHARE))

    return score


def plot_problem(name: str, problem: Problem, scores: Mapping[str, Floats]) -> str:
    """Plot the series and some of the detectors, with the alarms at their own levels."""
    lanes = {}
    for detector in [name for name in PLOTTED if name in scores]:
        figures = measure(problem, scores[detector])
        caption = f"VUS-PR {figures['vus_pr']:.2f}, NAB {figures['nab_score']:.0f}"
        lanes[detector] = Lane(scores[detector], LOWEST_ALARM, caption)
    return plot(name, problem.test, problem.labels, len(problem.train), lanes)


def made_problem() -> Problem:
    """Return a noisy series, one point every five minutes, whose value drops in one segment."""
    labels = np.zeros(1200, dtype=np.int64)
    labels[1000:1060] = 1
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(5 * np.arange(1200), unit="min")
    noise = np.random.default_rng(0).normal(0, 0.3, 1200)
    value = 80 + np.sin(np.arange(1200) / 20) + noise - 30 * labels
    series = pd.DataFrame({"timestamp": time, "value": value})
    return Problem(series[:600], series, labels, window=period(value))


PROTOCOL = (
    "all points are scored. nab_score: NAB's, profile standard, each file alone, at its best threshold; "
    "nab_score_alarm: at the detector's own alarm level, for peers the 99.9th percentile of the scores of "
    "the fitted points; windows_found, false_alarms: the share of windows with an alarm, and of points "
    "outside that are alarms; mean over series of the mean over seeds; cpu_seconds: fit and score, summed."
)
PREFIX = detection.Benchmark(
    claim="Fitted on NAB's first 15 %, diabolo finds its labelled windows better than nearest windows do.",
    protocol=f"prefix: fit on the first 15 %, at most 750 points, as in NAB; {PROTOCOL}",
    detectors={common.OURS: ours}
    | {name: with_alarm_level(d) for name, d in anomaly_series.DETECTORS.items() if name != common.OURS},
    default_peers=anomaly_series.BENCHMARK.default_peers,
    default_seeds=1,
    headline="nab_score",
    load=load_prefix,
    measure=measure,
    warm_up=made_problem(),
    find=find,
    plot=plot_problem,
)
VARIANTS = {
    "prefix": PREFIX,
    "whole": replace(PREFIX, protocol=f"whole: fit on all points, unlabelled; {PROTOCOL}", load=load_whole),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    return detection.main(PREFIX, arguments, VARIANTS)


if __name__ == "__main__":
    sys.exit(main())
