"""Readers of tables with anomalous rows, and the protocols that split them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import common
from benchmarks.detection import Data, Problem

MAX_TRAIN_ROWS = 10_000
MAX_TEST_ROWS = 20_000

Labels = NDArray[np.int64]


def read(path: Path) -> tuple[Data, Labels]:
    """Return the values and labels of a file: an array if it is .npz, a frame if it is .arff."""
    if is_npz(path):
        arrays = common.read_npz(path)
        return arrays["X"].astype(np.float64), arrays["y"].astype(np.int64).ravel()
    from scipy.io import arff

    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    records, metadata = arff.loadarff(io.StringIO(text))
    columns = {}
    for name, kind in zip(metadata.names(), metadata.types(), strict=True):
        column = records[name].astype(str) if kind == "nominal" else records[name]
        columns[name] = pd.Series(column).replace("?", None).astype("category" if kind == "nominal" else None)
    frame = pd.DataFrame(columns)
    return frame.iloc[:, :-1], frame.iloc[:, -1].astype(np.int64).to_numpy()


def is_npz(path: Path) -> bool:
    """Return whether a file, compressed or not, is a .npz archive."""
    return path.name.removesuffix(".gz").endswith(".npz")


def take_rows(values: Data, rows: NDArray[np.integer[Any]]) -> Data:
    """Return these rows of an array or a frame."""
    return values[rows] if isinstance(values, np.ndarray) else values.iloc[rows].reset_index(drop=True)


def load_clean(path: Path, seed: int) -> Problem:
    """Split a table: half of the shuffled normal rows to fit, the other half and anomalous rows to score."""
    values, labels = read(path)
    random = np.random.default_rng(seed)
    normal, anomalous = random.permutation(np.flatnonzero(labels == 0)), np.flatnonzero(labels == 1)
    half = round(0.5 * len(normal))
    train, test = normal[:half][:MAX_TRAIN_ROWS], np.concatenate([normal[half:], anomalous])
    if len(test) > MAX_TEST_ROWS:
        test = random.choice(test, MAX_TEST_ROWS, replace=False)
    return Problem(take_rows(values, train), take_rows(values, test), labels[test])


def load_contaminated(path: Path, seed: int) -> Problem:
    """Use the same rows to fit and to score, anomalous ones included."""
    values, labels = read(path)
    rows = np.random.default_rng(seed).permutation(len(labels))[:MAX_TRAIN_ROWS]
    table = take_rows(values, rows)
    return Problem(table, table, labels[rows])


def load_dte(path: Path, seed: int) -> Problem:
    """Split as Livernoche et al., "On Diffusion Modeling for Anomaly Detection" (ICLR 2024)."""
    values, labels = read(path)
    # They use numpy's old generator, seeded again before each sample.
    random, rows = np.random.RandomState(seed), np.arange(len(labels))
    if len(labels) < 1_000:
        rows = random.choice(rows, 1_000, replace=True)
    elif len(labels) > 50_000:
        rows = random.choice(rows, 50_000, replace=False)
    normal, anomalous = rows[labels[rows] == 0], rows[labels[rows] == 1]
    half = round(0.5 * len(normal))
    test = np.concatenate([normal[half:], anomalous])
    return Problem(take_rows(values, normal[:half]), take_rows(values, test), labels[test])


PROTOCOLS: dict[str, tuple[str, Callable[[Path, int], Problem]]] = {
    "clean": (
        "fit on a shuffled half of the normal rows (at most 10,000); score the other half and all anomalous "
        "rows (at most 20,000)",
        load_clean,
    ),
    "contaminated": (
        "fit on all rows, anomalous ones too, without their labels (a random 10,000 of larger tables), and "
        "score the same rows; no row is its own neighbour",
        load_contaminated,
    ),
    "dte": (
        "as published with DTE: tables below 1,000 rows are sampled with replacement up to 1,000, those "
        "above 50,000 reduced to a random 50,000, with their generator and seed; fit on the first half of "
        "the normal rows in that order, score the second half and all anomalous rows",
        load_dte,
    ),
}
