"""Anomalous subsequences in series: `python -m benchmarks.anomaly_series --data DIR --json OUT`.

DIR holds .npz files with x (points,) and y (1 = anomalous), in the form of TSB-AD-U; `tr_N` in a file name
means that the first N points are normal. An optional published.csv has a column `file`, and a column of
VUS-PR for each published detector.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from benchmarks import anomaly_tables, common, detection
from benchmarks.detection import Detector, Floats, Measures, Problem
from benchmarks.metrics import affiliation_best, period, vus

WINDOW = 64
N_REFERENCES = 512  # windows of the prefix that nearest neighbours are looked up in
MAX_WINDOWS = 10_000  # of the prefix, which a detector of rows is fitted on
VARIANCE_KEPT = 0.95


def load_series(path: Path, seed: int) -> Problem:
    """Read a series; its normal prefix is fitted, all points are scored."""
    prefix = re.search(r"(?:^|_)tr_(\d+)", path.name)
    if prefix is None:
        raise ValueError(f"no tr_N in the name {path.name}: the number of points to fit is unknown")
    arrays = common.read_npz(path)
    values, labels = arrays["x"].astype(np.float64).ravel(), arrays["y"].astype(np.int64).ravel()
    return Problem(values[: int(prefix[1])], values, labels, window=period(values))


def measure(problem: Problem, scores: Floats) -> Measures:
    """Return VUS-PR and VUS-ROC, labels smoothed over up to one period, and affiliation F1; 0 to 1."""
    volume = vus(problem.labels, scores, problem.window)
    f1 = affiliation_best(problem.labels, scores).f1
    return {"vus_pr": volume.pr, "vus_roc": volume.roc, "affiliation_f1": f1}


def ours(x_train: Floats, x_test: Floats, seed: int, **options: Any) -> Floats:
    """Score with the defaults of diabolo on the raw values; it chooses the window length."""
    from diabolo import Autoencoder

    model = Autoencoder(window="auto", seed=seed, **options).fit({"value": x_train})
    return np.asarray(model.anomaly_score({"value": x_test}), dtype=np.float64)


def denoising(x_train: Floats, x_test: Floats, seed: int, **training: Any) -> Floats:
    """Score with the denoising recipe of diabolo; before training, its network is a linear filter."""
    from diabolo.data.fields import Curve
    from diabolo.networks.recipes import make_members

    members = make_members("denoising", {}, {Curve.kind})
    members = {name: replace(m, training=m.training | training) for name, m in members.items()}
    return ours(x_train, x_test, seed, members=members)


def nearest_centred(x_train: Floats, x_test: Floats, seed: int) -> Floats:
    """Return the mean distance of a centred window to the 3 nearest of about 512 windows of the prefix."""
    train, test = _scaled_windows(x_train, x_test)
    # The stride is rounded down: at most 1,023 windows.
    references = _centred(train[:: max(1, len(train) // N_REFERENCES)])
    neighbours = min(3, len(references))
    scores = [_mean_distance(_centred(chunk), references, neighbours) for chunk in _chunks(test)]
    return spread(np.concatenate(scores), len(x_test))


def sliding_pca(x_train: Floats, x_test: Floats, seed: int) -> Floats:
    """Return the RMS residual of a window after the components with 95 % of the variance of the prefix."""
    windows, test = _scaled_windows(x_train, x_test)
    train = _flat(windows)
    length = train.shape[1]
    mean = train.mean(0)
    variances, directions = np.linalg.eigh((train - mean).T @ (train - mean))
    share = np.cumsum(variances[::-1]) / max(variances.sum(), 1e-12)
    kept = directions[:, ::-1][:, : min(int(np.searchsorted(share, VARIANCE_KEPT)) + 1, max(length // 2, 1))]
    scores = []
    for chunk in _chunks(test):
        residual = _flat(chunk) - mean
        residual = residual - (residual @ kept) @ kept.T
        scores.append(np.sqrt(np.mean(residual**2, axis=1)))
    return spread(np.concatenate(scores), len(x_test))


def on_windows(detector: Detector) -> Detector:
    """Apply a detector of rows to the 64-point windows, fitted on at most 10,000 of the prefix."""

    def score(x_train: Floats, x_test: Floats, seed: int) -> Floats:
        train, test = _scaled_windows(x_train, x_test)
        fitted = np.ascontiguousarray(_flat(train[:: -(-len(train) // MAX_WINDOWS)]))
        chunks = (np.ascontiguousarray(_flat(chunk)) for chunk in _chunks(test, MAX_WINDOWS * 100))
        scores = [detector(fitted, chunk, seed) for chunk in chunks]
        return spread(np.concatenate(scores), len(x_test))

    return score


def matrix_profile(x_train: Floats, x_test: Floats, seed: int) -> Floats:
    """Return the distance of the z-normalised window to the nearest fitted one (stumpy, Law 2019).

    An AB-join; a self-join if the fitted points are scored, so that no window is its own neighbour.
    """
    import stumpy

    other = () if x_train is x_test else (x_train, False)
    profile = stumpy.stump(x_test, min(WINDOW, len(x_train)), *other)
    distances = np.asarray(profile[:, 0], dtype=np.float64)
    finite = distances[np.isfinite(distances)]
    return spread(np.nan_to_num(distances, posinf=finite.max(initial=0.0)), len(x_test))


def _scaled_windows(x_train: Floats, x_test: Floats) -> tuple[Floats, Floats]:
    """Return all windows of both series, standardised by the prefix, clipped at 50 deviations.

    Shapes: (windows, length) for (points,), (windows, channels, length) for (points, channels).
    """
    mean, deviation = x_train.mean(0), x_train.std(0)
    fallback = np.where(x_test.std(0) > 0, x_test.std(0), 1.0)
    deviation = np.where(deviation <= 1e-6 * np.maximum(1.0, np.abs(mean)), fallback, deviation)
    length = min(WINDOW, len(x_train))
    train, test = (np.clip((values - mean) / deviation, -50, 50) for values in (x_train, x_test))
    return sliding_window_view(train, length, axis=0), sliding_window_view(test, length, axis=0)


def _flat(windows: Floats) -> Floats:
    return windows.reshape(len(windows), -1)


def _centred(windows: Floats) -> NDArray[np.float32]:
    centred: Floats = windows - windows.mean(-1, keepdims=True)
    return _flat(centred).astype(np.float32)


def _chunks(windows: Floats, size: int = 4096) -> list[Floats]:
    """Return views of at most `size` windows: the distances of all at once would not fit into the cache."""
    return [windows[start : start + size] for start in range(0, len(windows), size)]


def _mean_distance(
    windows: NDArray[np.float32], references: NDArray[np.float32], neighbours: int
) -> NDArray[np.float32]:
    """Return the mean Euclidean distance to the nearest references, by |a - b|^2 = |a|^2 - 2 a.b + |b|^2."""
    squares = np.sum(references**2, axis=1) - 2 * windows @ references.T
    nearest = np.partition(squares, neighbours - 1, axis=1)[:, :neighbours]
    distances = np.sqrt(np.maximum(nearest + np.sum(windows**2, axis=1, keepdims=True), 0))
    mean: NDArray[np.float32] = distances.mean(1)
    return mean


def spread(scores: NDArray[np.floating[Any]], points: int) -> Floats:
    """Return for each point the mean score of the windows that cover it, shape (points,)."""
    length = points - len(scores) + 1
    total = np.concatenate([[0.0], np.cumsum(scores, dtype=np.float64)])
    point = np.arange(points)
    first, end = np.maximum(point - length + 1, 0), np.minimum(point, len(scores) - 1) + 1
    mean: Floats = (total[end] - total[first]) / (end - first)
    return mean


def made_problem() -> Problem:
    """Return a short noisy sine whose frequency doubles in one segment."""
    points = np.arange(1000)
    labels = ((points >= 800) & (points < 860)).astype(np.int64)
    noise = np.random.default_rng(0).normal(0, 0.05, len(points))
    values = np.sin(2 * np.pi * points * (1 + labels) / 40) + noise
    return Problem(values[:600], values, labels, window=period(values))


DETECTORS: dict[str, Detector] = {
    common.OURS: ours,
    "diabolo_denoising": denoising,
    "diabolo_linear": partial(denoising, epochs=0),
    "knn3_centred": nearest_centred,
    "sliding_pca": sliding_pca,
    "matrix_profile": matrix_profile,
    "isolation_forest": on_windows(anomaly_tables.isolation_forest),
    "pyod_knn": on_windows(anomaly_tables.pyod("knn", "KNN")),
    "pyod_lof": on_windows(anomaly_tables.pyod("lof", "LOF")),
    "pyod_ecod": on_windows(anomaly_tables.pyod("ecod", "ECOD")),
}

BENCHMARK = detection.Benchmark(
    claim="With its defaults, diabolo finds anomalous subsequences of series better than nearest windows do.",
    protocol=(
        "fit on the first N points (tr_N in the file's name), score all points; VUS-PR and VUS-ROC as in "
        "TSB-AD, labels smoothed over up to the period of the series, affiliation F1 at the best of 100 "
        "thresholds; mean over series of the mean over seeds; "
        "cpu_seconds is fit and score, summed over series."
    ),
    detectors=DETECTORS,
    default_peers=(
        "knn3_centred",
        "sliding_pca",
        "matrix_profile",
        "isolation_forest",
        "pyod_knn",
        "pyod_lof",
        "pyod_ecod",
    ),
    default_seeds=1,
    headline="vus_pr",
    load=load_series,
    measure=measure,
    warm_up=made_problem(),
    initial_detectors={"diabolo_denoising": "diabolo_linear"},
    published="published.csv",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    return detection.main(BENCHMARK, arguments)


if __name__ == "__main__":
    sys.exit(main())
