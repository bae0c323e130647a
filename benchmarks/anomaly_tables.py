"""Anomalous rows in tables: `python -m benchmarks.anomaly_tables --data DIR --json OUT [--protocol NAME]`.

DIR holds .npz files with X (rows, columns) and y (1 = anomalous), in the form of ADBench, or .arff files
whose last attribute is the class (1 = anomalous) and whose nominal attributes are labels.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import common, detection
from benchmarks.detection import Data, Detector, Floats, Measures, Problem
from benchmarks.metrics import aupr, auroc
from benchmarks.splits import PROTOCOLS, is_npz, load_clean


def measure(problem: Problem, scores: Floats) -> Measures:
    """Return AUROC and AUPR in percent over all test rows, and over those that repeat no training row."""
    if len(np.unique(problem.labels)) < 2:
        raise ValueError("the test rows must hold normal and anomalous ones")
    unique = ~repeats(problem.train, problem.test)
    return {
        "auroc": auroc(problem.labels, scores),
        "aupr": aupr(problem.labels, scores),
        "auroc_unique": auroc(problem.labels[unique], scores[unique]),
        "aupr_unique": aupr(problem.labels[unique], scores[unique]),
    }


def repeats(train: Data, test: Data) -> NDArray[np.bool_]:
    """Return for each test row whether a training row has exactly the same values."""

    def keys(table: Data) -> list[Any]:
        if isinstance(table, np.ndarray):
            # Adding 0.0 turns -0.0 into 0.0: equal numbers must have equal bytes.
            return [row.tobytes() for row in table + 0.0]
        return list(table.itertuples(index=False, name=None))

    known = set(keys(train))
    return np.array([key in known for key in keys(test)], dtype=bool)


def ours(train: Data, test: Data, seed: int) -> Floats:
    """Score with the defaults of diabolo on the raw values."""
    from diabolo import Autoencoder

    model = Autoencoder(seed=seed).fit(train)
    return np.asarray(model.anomaly_score(test), dtype=np.float64)


def standardised(x_train: Floats, x_test: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both tables standardised by the training rows; constant columns are only centred."""
    mean, deviation = x_train.mean(0), x_train.std(0)
    deviation[deviation == 0] = 1
    return ((x_train - mean) / deviation).astype(np.float32), ((x_test - mean) / deviation).astype(np.float32)


def nearest(neighbours: int) -> Detector:
    """Return the mean distance to the nearest training rows, on standardised values."""

    def detect(x_train: Floats, x_test: Floats, seed: int) -> Floats:
        from sklearn.neighbors import NearestNeighbors

        train, test = standardised(x_train, x_test)
        index = NearestNeighbors(n_neighbors=max(min(neighbours, len(train) - 1), 1)).fit(train)
        # Without an argument, the index excludes each of its own rows from its own neighbours.
        distances, _ = index.kneighbors(None if x_test is x_train else test)
        return np.asarray(distances.mean(1), dtype=np.float64)

    return detect


def pyod(module: str, kind: str) -> Detector:
    """Apply a detector of PyOD with its defaults to standardised values."""

    def detect(x_train: Floats, x_test: Floats, seed: int) -> Floats:
        from importlib import import_module
        from inspect import signature

        build = getattr(import_module(f"pyod.models.{module}"), kind)
        train, test = standardised(x_train, x_test)
        options = {"random_state": seed, "n_features": train.shape[1], "verbose": 0}
        detector = build(**{k: v for k, v in options.items() if k in signature(build).parameters}).fit(train)
        scores = detector.decision_scores_ if x_test is x_train else detector.decision_function(test)
        return np.asarray(scores, dtype=np.float64)

    return detect


def isolation_forest(x_train: Floats, x_test: Floats, seed: int) -> Floats:
    """Score with the isolation forest of scikit-learn and its defaults."""
    from sklearn.ensemble import IsolationForest

    return np.asarray(-IsolationForest(random_state=seed).fit(x_train).score_samples(x_test))


def frequency(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Floats:
    """Return the sum of -log(frequency) of the labels; an additional label stands for unknown ones."""
    surprise = np.zeros(len(test))
    for name in train:
        counts = train[name].value_counts()
        share = test[name].astype(object).map(counts.to_dict()).fillna(0).to_numpy(float) + 1
        surprise -= np.log(share / (len(train) + len(counts) + 1))
    return surprise


def hamming5(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Floats:
    """Return the mean share of labels that differ from those of the 5 nearest training rows."""
    from sklearn.neighbors import NearestNeighbors

    codes = [np.stack([t[n].cat.codes.to_numpy(float) for n in t], axis=1) for t in (train, test)]
    index = NearestNeighbors(n_neighbors=5, metric="hamming", algorithm="brute").fit(codes[0])
    distances, _ = index.kneighbors(None if test is train else codes[1])
    return np.asarray(distances.mean(1))


def suits(name: str, path: Path) -> bool:
    """Return whether a detector can read a set: peers read either numbers or labels."""
    return name == common.OURS or (name in ("frequency", "hamming5")) != is_npz(path)


def made_problem() -> Problem:
    """Return a small table; half of its test rows are anomalous."""
    random = np.random.default_rng(0)
    test = np.concatenate([random.normal(size=(20, 3)), random.normal(4, 1, size=(20, 3))])
    return Problem(random.normal(size=(100, 3)), test, np.repeat(np.arange(2), 20))


DETECTORS: dict[str, Detector] = {
    common.OURS: ours,
    "knn1": nearest(1),
    "knn3": nearest(3),
    "knn5": nearest(5),
    "isolation_forest": isolation_forest,
    "pyod_knn": pyod("knn", "KNN"),
    "pyod_lof": pyod("lof", "LOF"),
    "pyod_iforest": pyod("iforest", "IForest"),
    "pyod_ecod": pyod("ecod", "ECOD"),
    "pyod_autoencoder": pyod("auto_encoder", "AutoEncoder"),
    "pyod_vae": pyod("vae", "VAE"),
    "pyod_deepsvdd": pyod("deep_svdd", "DeepSVDD"),
    "pyod_lunar": pyod("lunar", "LUNAR"),
    "frequency": frequency,
    "hamming5": hamming5,
}


def benchmark(name: str) -> detection.Benchmark:
    """Return the benchmark under a protocol."""
    description, load = PROTOCOLS[name]
    return replace(BENCHMARK, protocol=f"{name}: {description}; {BENCHMARK.protocol}", load=load)


BENCHMARK = detection.Benchmark(
    claim="With its defaults, diabolo ranks anomalous rows of tables better (AUROC) than nearest neighbours.",
    protocol=(
        "peers get standardised numbers, diabolo the raw ones; AUROC and AUPR in percent, mean over sets of "
        "the mean over seeds; *_unique excludes test rows that repeat a training row; lead: AUROC of diabolo "
        "minus that of the better of kNN and isolation forest (of labels: frequency and Hamming distance); "
        "cpu_seconds is fit and score, summed over sets."
    ),
    detectors=DETECTORS,
    # Those that train no network; the others take minutes and run only when named.
    default_peers=(
        "knn1",
        "knn3",
        "isolation_forest",
        "pyod_knn",
        "pyod_lof",
        "pyod_iforest",
        "pyod_ecod",
        "frequency",
        "hamming5",
    ),
    default_seeds=3,
    headline="auroc",
    load=load_clean,
    measure=measure,
    warm_up=made_problem(),
    suits=suits,
    find=lambda folder, only: common.find_sets(folder, (".npz", ".arff"), only),
    rivals=("knn1", "knn3", "knn5", "pyod_knn", "isolation_forest", "pyod_iforest", "frequency", "hamming5"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    return detection.main(BENCHMARK, arguments, {name: benchmark(name) for name in PROTOCOLS})


if __name__ == "__main__":
    sys.exit(main())
