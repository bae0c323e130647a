"""Odd rows in tables of numbers: `python -m benchmarks.anomaly_tables --data DIR --json OUT`.

DIR holds .npz files with X (rows, columns) and y (1 = odd), as ADBench has them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import common, detection
from benchmarks.detection import Detector, Floats, Measures, Problem
from benchmarks.metrics import aupr, auroc

MOST_TRAIN_ROWS = 10_000
MOST_TEST_ROWS = 20_000


def load_clean(path: Path, seed: int) -> Problem:
    """Splits a table: half of the shuffled normal rows to fit, the other half and all odd rows to score."""
    arrays = common.read_npz(path)
    values, labels = arrays["X"].astype(np.float64), arrays["y"].astype(np.int64).ravel()
    random = np.random.default_rng(seed)
    normal, odd = random.permutation(np.flatnonzero(labels == 0)), np.flatnonzero(labels == 1)
    half = round(0.5 * len(normal))
    train, test = normal[:half][:MOST_TRAIN_ROWS], np.concatenate([normal[half:], odd])
    if len(test) > MOST_TEST_ROWS:
        test = random.choice(test, MOST_TEST_ROWS, replace=False)
    return Problem(values[train], values[test], labels[test])


def measure(problem: Problem, scores: Floats) -> Measures:
    """AUROC and AUPR in percent over all test rows, and over those that do not repeat a training row."""
    if len(np.unique(problem.labels)) < 2:
        raise ValueError("the test rows must hold normal and odd ones")
    fresh = ~repeats(problem.train, problem.test)
    return {
        "auroc": auroc(problem.labels, scores),
        "aupr": aupr(problem.labels, scores),
        "auroc_unique": auroc(problem.labels[fresh], scores[fresh]),
        "aupr_unique": aupr(problem.labels[fresh], scores[fresh]),
    }


def repeats(train: Floats, test: Floats) -> NDArray[np.bool_]:
    """For each test row whether the very same values stand in a training row."""
    # Adding 0.0 turns -0.0 into 0.0: equal numbers must have equal bytes.
    seen = {row.tobytes() for row in train + 0.0}
    return np.array([row.tobytes() in seen for row in test + 0.0], dtype=bool)


def ours(x_train: Floats, x_test: Floats, seed: int) -> Floats:
    """Our default on the values as they are."""
    from diabolo import Autoencoder

    model = Autoencoder(seed=seed).fit(x_train)
    return np.asarray(model.anomaly_score(x_test), dtype=np.float64)


def standardised(x_train: Floats, x_test: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both tables by the training columns' mean and deviation; constant columns are centred only."""
    mean, deviation = x_train.mean(0), x_train.std(0)
    deviation[deviation == 0] = 1
    return ((x_train - mean) / deviation).astype(np.float32), ((x_test - mean) / deviation).astype(np.float32)


def nearest(neighbours: int) -> Detector:
    """The mean distance to the nearest training rows, on standardised values."""

    def detect(x_train: Floats, x_test: Floats, seed: int) -> Floats:
        from sklearn.neighbors import NearestNeighbors

        train, test = standardised(x_train, x_test)
        index = NearestNeighbors(n_neighbors=min(neighbours, len(train))).fit(train)
        distances, _ = index.kneighbors(test)
        return np.asarray(distances.mean(1), dtype=np.float64)

    return detect


def pyod(module: str, kind: str, *, seeded: bool = False) -> Detector:
    """A detector of PyOD with its defaults, on standardised values."""

    def detect(x_train: Floats, x_test: Floats, seed: int) -> Floats:
        from importlib import import_module

        build = getattr(import_module(f"pyod.models.{module}"), kind)
        train, test = standardised(x_train, x_test)
        detector = build(random_state=seed) if seeded else build()
        return np.asarray(detector.fit(train).decision_function(test), dtype=np.float64)

    return detect


def made_problem() -> Problem:
    """A small table, half of its test rows odd."""
    random = np.random.default_rng(0)
    test = np.concatenate([random.normal(size=(20, 3)), random.normal(4, 1, size=(20, 3))])
    return Problem(random.normal(size=(100, 3)), test, np.repeat(np.arange(2), 20))


DETECTORS: dict[str, Detector] = {
    common.OURS: ours,
    "knn1": nearest(1),
    "knn3": nearest(3),
    "knn5": nearest(5),
    "pyod_knn": pyod("knn", "KNN"),
    "pyod_lof": pyod("lof", "LOF"),
    "pyod_iforest": pyod("iforest", "IForest", seeded=True),
    "pyod_ecod": pyod("ecod", "ECOD"),
}

BENCHMARK = detection.Benchmark(
    claim="With its defaults, diabolo ranks odd rows of tables better (AUROC) than nearest neighbours do.",
    protocol=(
        "clean: fit on a shuffled half of the normal rows (at most 10,000); score the other half and all odd "
        "rows (at most 20,000); peers get standardised values, diabolo the raw ones; AUROC and AUPR in "
        "percent, mean over sets of the mean over seeds; *_unique leaves out test rows that repeat a "
        "training row; cpu_seconds is fit and score, summed over sets."
    ),
    detectors=DETECTORS,
    default_peers=("knn1", "knn5", "pyod_knn"),
    default_seeds=3,
    headline="auroc",
    load=load_clean,
    measure=measure,
    warm_up=made_problem(),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
    return detection.main(BENCHMARK, arguments)


if __name__ == "__main__":
    sys.exit(main())
