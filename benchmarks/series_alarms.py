"""False alarms on real series: `python -m benchmarks.series_alarms --data DIR --json OUT`.

DIR holds .npz files with x (points,) and y (1 = anomalous), in the form of TSB-AD-U; `tr_N` in a file name
means that the first N points are fitted. Every point that is farther than 128 points from a label, after the
fitted ones, is normal: an alarm there is a false one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import anomaly_series, common
from benchmarks.detection import Floats
from diabolo import Autoencoder, tasks

RATES = {"01": 0.001, "1": 0.01, "5": 0.05}
"""Name in the results -> the rate of false alarms that is asked for."""
MARGIN = 128  # points on either side of a label that are neither normal nor anomalous
MIN_NORMAL = 100  # normal points of a file, below which it has no rate of false alarms
GAP = 64  # points between two alarms that belong to one episode
SYNTHETIC_POINTS, SYNTHETIC_FITTED = 6_000, 2_000  # of the clean synthetic series
CALIBRATION_SHARE = 0.25  # of the prefix, its end, from which the level of a peer is read
CLAIM = "the share of normal points of real series that are alarms is the requested rate, or near it"
PROTOCOL = (
    "fit on the first N points (tr_N in the file's name), score all; rate: share of the normal points after "
    f"them, farther than {MARGIN} from a label, that are alarms, in percent, of files with {MIN_NORMAL} such "
    "points or more; above_3x: share of files with more than three times the requested rate; "
    "episodes_found: share of the labelled segments with an alarm, mean over files; false_episodes: per "
    "1,000 normal points. Peers: the level is the quantile of the last quarter of the prefix, scored by a "
    "detector of the first three quarters."
)
Alarms = NDArray[np.bool_]
Method = Callable[[Floats, int, int], dict[float, Alarms]]
"""(series, number of fitted points, seed) -> rate -> (points,) alarms."""


def ours(values: Floats, fitted: int, seed: int, *, follow: bool) -> dict[float, Alarms]:
    """Fit diabolo with its defaults, and score all points."""
    model = Autoencoder(window="auto", seed=seed).fit({"value": values[:fitted]})
    return {
        rate: tasks.score(model, {"value": values}, alarm_rate=rate, follow=follow).alarm
        for rate in RATES.values()
    }


def split_quantile(
    detector: Callable[[Floats, Floats, int], NDArray[np.floating[Any]]],
    values: Floats,
    fitted: int,
    seed: int,
) -> dict[float, Alarms]:
    """Alarm above the quantile of the scores of the last quarter of the prefix."""
    cut = int((1 - CALIBRATION_SHARE) * fitted)
    scores = np.asarray(detector(values[:cut], values, seed))
    return {rate: scores > np.quantile(scores[cut:fitted], 1 - rate) for rate in RATES.values()}


METHODS: dict[str, Method] = {
    common.OURS: partial(ours, follow=True),
    "diabolo_hold": partial(ours, follow=False),
    "knn3_centred": partial(split_quantile, anomaly_series.nearest_centred),
    "sliding_pca": partial(split_quantile, anomaly_series.sliding_pca),
    "isolation_forest": partial(split_quantile, anomaly_series.DETECTORS["isolation_forest"]),
}
PEERS = tuple(name for name in METHODS if not name.startswith(common.OURS))


def clean_series(seed: int) -> dict[str, Floats]:
    """Return name -> a synthetic series without anomalies, of 6,000 points."""
    random, points = np.random.default_rng(seed), np.arange(SYNTHETIC_POINTS)
    noise = random.normal(size=len(points))
    day = np.sin(2 * np.pi * points / 24)
    smooth = np.zeros(len(points))
    for point in points[1:]:
        smooth[point] = 0.9 * smooth[point - 1] + noise[point]
    return {
        "white noise": noise,
        "autoregressive": smooth,
        "rhythm": day + 0.1 * noise,
        "two rhythms": day + 0.5 * np.sin(2 * np.pi * points / 168) + 0.1 * noise,
        "beat": np.sin(points / 3) + np.sin(points / 3.2) + 0.1 * noise,
        "heavy tails": day + 0.1 * random.standard_t(3, len(points)),
        "counts": random.poisson(5 + 3 * day).astype(float),
        "square wave": np.sign(day) + 0.1 * noise,
        "random walk": np.cumsum(noise),
        "slow trend": points / len(points) * 3 + day + 0.1 * noise,
        "counter": np.cumsum(np.abs(noise)),
    }


def episodes(flags: Alarms, gap: int) -> list[NDArray[np.int64]]:
    """Return the points of each episode: flagged points at most `gap` apart belong together."""
    points = np.flatnonzero(flags)
    if len(points) == 0:
        return []
    return np.split(points, np.flatnonzero(np.diff(points) > gap) + 1)


def measure(labels: NDArray[np.int64], fitted: int, alarm: Alarms) -> dict[str, float | None]:
    """Return the rate of false alarms, the episodes found, and the false episodes of one file."""
    after = np.arange(len(labels)) >= fitted
    near = np.convolve(labels, np.ones(2 * MARGIN + 1), mode="same") > 0.5
    normal = after & ~near
    found = [bool(alarm[e[0] : e[-1] + 1].any()) for e in episodes((labels > 0) & after, 1)]
    enough = normal.sum() >= MIN_NORMAL
    false = len(episodes(alarm & normal, GAP)) / max(int(normal.sum()), 1) * 1000
    return {
        "rate": float(alarm[normal].mean()) if enough else None,
        "found": float(np.mean(found)) if found else None,
        "false_episodes": false if enough else None,
    }


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Return the measures of one method over all files and seeds."""
    means: dict[str, float | None] = {}
    for name, rate in RATES.items():
        part = [row for row in rows if row["asked"] == rate]
        rates = np.array([row["rate"] for row in part if row["rate"] is not None])
        means[f"far_mean_{name}"] = 100 * float(rates.mean()) if len(rates) else None
        means[f"far_median_{name}"] = 100 * float(np.median(rates)) if len(rates) else None
        means[f"files_above_3x_{name}"] = float((rates > 3 * rate).mean()) if len(rates) else None
        means[f"episodes_found_{name}"] = common.mean(row["found"] for row in part)
        means[f"false_episodes_{name}"] = common.mean(row["false_episodes"] for row in part)
    means["cpu_seconds"] = sum(row["cpu_seconds"] for row in rows if row["asked"] == RATES["1"])
    return means


def run_file(path: Path, methods: Sequence[str], seed: int) -> list[dict[str, Any]]:
    """Return one row of results for each method and rate."""
    prefix = re.search(r"(?:^|_)tr_(\d+)", path.name)
    if prefix is None:
        raise SystemExit(f"no tr_N in the name {path.name}: the number of points to fit is unknown")
    arrays = common.read_npz(path)
    values, labels = arrays["x"].astype(np.float64).ravel(), arrays["y"].astype(np.int64).ravel()
    return run_series(path.name.partition(".")[0], values, labels, int(prefix[1]), methods, seed)


def run_series(
    name: str, values: Floats, labels: NDArray[np.int64], fitted: int, methods: Sequence[str], seed: int
) -> list[dict[str, Any]]:
    """Return one row of results for each method and rate.

    Args:
        name: of the series.
        values: (points,).
        labels: (points,) 1 for anomalous.
        fitted: the number of points to fit.
        methods: names in `METHODS`.
        seed: of the methods.
    """
    rows = []
    for method in methods:
        alarms, seconds = common.timed(METHODS[method], values, fitted, seed)
        for rate, alarm in alarms.items():
            row = {"set": name, "seed": seed, "method": method, "asked": rate}
            rows.append({**row, "cpu_seconds": seconds, **measure(labels, fitted, alarm)})
    return rows


def _clean_rate(rows: Sequence[dict[str, Any]], name: str | None, rate: float) -> float:
    """Return the rate of alarms in percent, mean over the rows of one synthetic series or of all."""
    return 100 * float(np.mean([r["rate"] for r in rows if r["asked"] == rate and name in (None, r["set"])]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = common.parse(arguments, description=CLAIM, known_peers=PEERS, default_peers=PEERS)
    methods = (common.OURS, "diabolo_hold", *options.peers)
    rows: list[dict[str, Any]] = []
    for name, path in common.find_sets(options.data, ".npz", options.sets).items():
        for seed in range(options.seeds):
            rows += run_file(path, methods, seed)
            print(name, seed, file=sys.stderr, flush=True)
    clean: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
    for seed in range(options.seeds if not options.sets else 0):
        for name, values in clean_series(seed).items():
            labels = np.zeros(len(values), np.int64)
            part = run_series(name, values, labels, SYNTHETIC_FITTED, methods, seed)
            for row in part:
                clean[row["method"]].append(row)
            print(name, seed, file=sys.stderr, flush=True)
    found = {method: summarise([row for row in rows if row["method"] == method]) for method in methods}
    header = ["asked", "method", "rate mean %", "median %", "above 3x", "episodes found", "false episodes"]
    lines = [
        [f"{rate:.1%}", method, *(found[method][f"{key}_{name}"] for key in MEASURES)]
        for name, rate in RATES.items()
        for method in methods
    ]
    common.print_table(header, lines)
    lines = [
        [name, *(_clean_rate(clean[method], name, RATES["1"]) for method in methods)]
        for name in (clean_series(0) if not options.sets else ())
    ]
    if lines:
        print("\nalarms of clean synthetic series at 1 %, in percent")
        common.print_table(["series", *methods], lines)
        for method, part in clean.items():
            found[method]["synthetic_far_mean_1"] = _clean_rate(part, None, RATES["1"])
    held = {f"hold_{key}": value for key, value in found["diabolo_hold"].items()}
    common.write_result(
        options.json,
        claim=CLAIM,
        protocol=PROTOCOL,
        seeds=options.seeds,
        rows=[*rows, *(row for part in clean.values() for row in part)],
        mean={**found[common.OURS], **held},
        peers={name: found[name] for name in options.peers},
    )
    return 0


MEASURES = ("far_mean", "far_median", "files_above_3x", "episodes_found", "false_episodes")


if __name__ == "__main__":
    sys.exit(main())
