"""Anomalous rows in mixed tables: `python -m benchmarks.anomaly_mixed --data DIR --json OUT [--tables a,b]`.

DIR holds .csv files; NAME_train.csv and NAME_test.csv are one table. diabolo determines which
columns are numbers. Anomalous rows are composed of real values, or are real rows, by rules that do not depend
on the table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import anomaly_tables, cell_peers, common, detection, tables
from benchmarks.detection import Detector, Floats, Measures, Problem
from benchmarks.metrics import aupr, auroc
from benchmarks.tables import Random, Table

MAX_TRAIN_ROWS, MAX_TEST_ROWS = 10_000, 10_000
ANOMALY_SHARE = 0.05  # of the scored rows
WRONG_CELLS = 2  # in a row of `few_cells`
MAX_LEVELS, RARE_SHARE = 10, (0.01, 0.25)  # of a column that `rare` may choose, and of the rare value
MAX_CATEGORIES = 256  # one-hot codes of a column: dates or names would give thousands


@dataclass(frozen=True)
class Rows:
    """Rows as diabolo gets them, and which columns are numbers, for peers that need to know."""

    frame: pd.DataFrame
    numbers: frozenset[str]

    def __len__(self) -> int:
        return len(self.frame)


Parts = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Rows to fit, other normal rows, and anomalous rows."""


def load(source: tuple[Sequence[Path], str], seed: int) -> Problem:
    """Read a table and construct the problem that a rule defines."""
    paths, rule = source
    random = np.random.default_rng(seed)
    frame = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    frame = frame.iloc[random.permutation(len(frame))].reset_index(drop=True)
    fit, normal, anomalous = RULES[rule](frame, random)
    scored, numbers = tables.kinds(fit)
    test = pd.concat([normal, anomalous], ignore_index=True)
    labels = np.repeat(np.arange(2), [len(normal), len(anomalous)])
    return Problem(Rows(fit[scored], numbers), Rows(test[scored], numbers), labels)


def parts(frame: pd.DataFrame, needed: int) -> Parts:
    """Return a half to fit, normal rows to score, and `needed` rows for each anomalous row to construct."""
    half = len(frame) // 2
    fit, held = frame.iloc[:half].iloc[:MAX_TRAIN_ROWS], frame.iloc[half:]
    scored = min(MAX_TEST_ROWS, len(held) / (1 + ANOMALY_SHARE * (needed - 1)))
    n_anomalous = int(ANOMALY_SHARE * scored)
    n_normal = round(n_anomalous / ANOMALY_SHARE) - n_anomalous
    material = held.iloc[n_normal : n_normal + needed * n_anomalous]
    return fit.reset_index(drop=True), held.iloc[:n_normal], material.reset_index(drop=True)


def crossed(frame: pd.DataFrame, random: Random) -> Parts:
    """Stitch each anomalous row from two rows: a random half of the columns comes from each."""
    fit, normal, material = parts(frame, 2)
    count = len(material) // 2
    first, second = material.iloc[:count], material.iloc[count:].reset_index(drop=True)
    replaced = tables.few(np.ones(first.shape, dtype=bool), first.shape[1] // 2, random)
    return fit, normal, first.mask(replaced, second)


def few_cells(frame: pd.DataFrame, random: Random) -> Parts:
    """Corrupt 2 cells of each anomalous row: values of another row in half of them, noise in the others."""
    fit, normal, rows = parts(frame, 1)
    scored, numbers = tables.kinds(fit)
    fit, normal, rows = fit[scored], normal[scored], rows[scored]
    table = Table("", fit, rows, numbers)
    corrupted = []
    for start, kind in enumerate(("swap", "noise")):
        chosen = rows.iloc[start::2].reset_index(drop=True)
        cells = tables.few(chosen.notna().to_numpy(), WRONG_CELLS, random)
        corrupted.append(tables.corrupt_cells(chosen, table, cells, kind, random)[0])
    return fit, normal, pd.concat(corrupted, ignore_index=True)


def rare(frame: pd.DataFrame, random: Random) -> Parts:
    """Take as anomalous the rows with a rare value of a column, and remove that column.

    The column is the last one with at most 10 values of which one is in 1 % to 25 % of the rows; the value is
    the rarest such. If the last column is the class, the anomalous rows are those of a small class.
    """
    for name in reversed(list(frame)):
        shares = frame[name].value_counts(normalize=True)
        rare_values = shares[shares.between(*RARE_SHARE)]
        if len(shares) <= MAX_LEVELS and len(rare_values):
            break
    else:
        raise ValueError("no column with at most 10 values of which one is in 1 % to 25 % of the rows")
    is_rare = frame[name] == rare_values.index[-1]
    others = frame.drop(columns=name)
    fit, normal, _ = parts(others[~is_rare & frame[name].notna()], 1)
    count = round(len(normal) * ANOMALY_SHARE / (1 - ANOMALY_SHARE))
    return fit, normal, others[is_rare].iloc[:count]


RULES: dict[str, Callable[[pd.DataFrame, Random], Parts]] = {
    "crossed": crossed,
    "few_cells": few_cells,
    "rare": rare,
}


def find(folder: Path, only: Sequence[str]) -> Mapping[str, tuple[Sequence[Path], str]]:
    """Return the sets by name, TABLE.RULE: the files and the rule."""
    found = tables.find(folder, only).items()
    return {f"{name}.{rule}": (paths, rule) for name, paths in found for rule in RULES}


def ours(train: Rows, test: Rows, seed: int) -> Floats:
    """Score with the defaults of diabolo on the raw rows, including their missing values."""
    return anomaly_tables.ours(train.frame, test.frame, seed)


def coded(detector: Detector) -> Detector:
    """Apply a detector to standardised numbers and one-hot codes; mean or mode replace missing values."""

    def detect(train: Rows, test: Rows, seed: int) -> Floats:
        from sklearn.compose import make_column_transformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        numbers = [name for name in train.frame if name in train.numbers]
        labels = [name for name in train.frame if name not in train.numbers]
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MAX_CATEGORIES, sparse_output=False
        )
        encoder = make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot), labels),
        )
        frames = [
            rows.frame.astype({name: object for name in labels}).where(rows.frame.notna(), np.nan)
            for rows in (train, test)
        ]
        codes = encoder.fit_transform(frames[0]), encoder.transform(frames[1])
        return np.asarray(detector(*codes, seed), dtype=np.float64)

    return detect


def nearest(x_train: Floats, x_test: Floats, seed: int) -> Floats:
    """Return the distance to the nearest training row."""
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=1).fit(x_train).kneighbors(x_test)
    return np.asarray(distances[:, 0])


def frequency(train: Rows, test: Rows, seed: int) -> Floats:
    """Return the sum of -log(frequency) of the values; numbers are binned, "missing" is a value."""
    prediction = cell_peers.marginal(train.frame, train.numbers, seed)(test.frame)
    return np.asarray(prediction.evidence.sum(1))


def measure(problem: Problem, scores: Floats) -> Measures:
    """Return AUROC and AUPR in percent."""
    return {"auroc": auroc(problem.labels, scores), "aupr": aupr(problem.labels, scores)}


def made_problem() -> Problem:
    """Return a number whose mean depends on a label; in anomalous rows the label is a different one."""
    random = np.random.default_rng(0)
    level = random.integers(0, 3, 260)
    names = np.where(np.arange(260) < 240, level, (level + 1) % 3)
    frame = pd.DataFrame(
        {"number": 5.0 * level + random.normal(size=260), "label": np.array(list("abc"))[names]}
    )
    numbers = frozenset({"number"})
    fit, test = frame.iloc[:200], frame.iloc[200:].reset_index(drop=True)
    return Problem(Rows(fit, numbers), Rows(test, numbers), np.repeat(np.arange(2), [40, 20]))


DETECTORS: dict[str, Detector] = {
    common.OURS: ours,
    "isolation_forest": coded(anomaly_tables.isolation_forest),
    "knn1": coded(nearest),
    "frequency": frequency,
    "pyod_ecod": coded(anomaly_tables.pyod("ecod", "ECOD")),
}

BENCHMARK = detection.Benchmark(
    claim="With its defaults, diabolo ranks anomalous rows of mixed tables better than isolation forests do.",
    protocol=(
        "fit on a shuffled half of the normal rows (at most 10,000); score other normal rows and anomalous "
        "ones (5 % of at most 10,000). crossed: a row stitched from two; few_cells: 2 cells swapped or moved "
        "by 2 deviations; rare: rows with a rare value of a column that is removed. diabolo gets raw rows, "
        "peers one-hot codes and standardised numbers, none missing; AUROC and AUPR in percent, mean over "
        "tables and rules of the mean over seeds; lead: AUROC of diabolo minus that of the best of "
        "isolation forest, 1-NN and frequency; cpu_seconds is fit and score, summed."
    ),
    detectors=DETECTORS,
    default_peers=("isolation_forest", "knn1", "frequency"),
    default_seeds=3,
    headline="auroc",
    load=load,
    measure=measure,
    warm_up=made_problem(),
    find=find,
    rivals=("isolation_forest", "knn1", "frequency"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    return detection.main(BENCHMARK, arguments)


if __name__ == "__main__":
    sys.exit(main())
