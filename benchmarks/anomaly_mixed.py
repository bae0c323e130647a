"""Anomalous rows in mixed tables: `python -m benchmarks.anomaly_mixed --data DIR --json OUT [--tables a,b]`.

DIR holds .csv files; NAME_train.csv and NAME_test.csv are one table. What is a number and what a label is
for diabolo to say. Anomalous rows are made of real values, or are real rows, by rules that name no table.
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

MOST_FIT, MOST_TEST = 10_000, 10_000
SHARE_ODD = 0.05  # of the rows that are scored
CELLS = 2  # wrong in a row of `few_cells`
MOST_LEVELS, RARE = 10, (0.01, 0.25)  # of a column that `rare` may choose, and the share of the level
MOST_CODES = 256  # for each column of labels: dates or names would give thousands


@dataclass(frozen=True)
class Rows:
    """Rows as our model gets them, and which columns are numbers, for peers that must be told."""

    frame: pd.DataFrame
    numbers: frozenset[str]

    def __len__(self) -> int:
        return len(self.frame)


Parts = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Rows to fit, other normal rows, and anomalous ones."""


def load(found: tuple[Sequence[Path], str], seed: int) -> Problem:
    """The problem that a rule makes of a table."""
    paths, rule = found
    random = np.random.default_rng(seed)
    frame = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    frame = frame.iloc[random.permutation(len(frame))].reset_index(drop=True)
    fit, normal, odd = RULES[rule](frame, random)
    scored, numbers = tables.kinds(fit)
    test = pd.concat([normal, odd], ignore_index=True)
    labels = np.repeat(np.arange(2), [len(normal), len(odd)])
    return Problem(Rows(fit[scored], numbers), Rows(test[scored], numbers), labels)


def parts(frame: pd.DataFrame, needed: int) -> Parts:
    """A half to fit, other rows, and raw material: so many rows for each anomalous one."""
    half = len(frame) // 2
    fit, held = frame.iloc[:half].iloc[:MOST_FIT], frame.iloc[half:]
    odd = int(SHARE_ODD * min(MOST_TEST, len(held) / (1 + SHARE_ODD * (needed - 1))))
    normal = round(odd / SHARE_ODD) - odd
    material = held.iloc[normal : normal + needed * odd]
    return fit.reset_index(drop=True), held.iloc[:normal], material.reset_index(drop=True)


def crossed(frame: pd.DataFrame, random: Random) -> Parts:
    """An anomalous row is two rows: a random half of the columns from one, the others from the other."""
    fit, normal, material = parts(frame, 2)
    count = len(material) // 2
    one, other = material.iloc[:count], material.iloc[count:].reset_index(drop=True)
    taken = tables.few(np.ones(one.shape, dtype=bool), one.shape[1] // 2, random)
    return fit, normal, one.mask(taken, other)


def few_cells(frame: pd.DataFrame, random: Random) -> Parts:
    """An anomalous row has 2 wrong cells: swapped with another row's, or, in every other row, noisy."""
    fit, normal, rows = parts(frame, 1)
    scored, numbers = tables.kinds(fit)
    fit, normal, rows = fit[scored], normal[scored], rows[scored]
    table = Table("", fit, rows, numbers)
    spoilt = []
    for start, kind in enumerate(("swap", "noise")):
        chosen = rows.iloc[start::2].reset_index(drop=True)
        cells = tables.few(chosen.notna().to_numpy(), CELLS, random)
        spoilt.append(tables.spoil(chosen, table, cells, kind, random)[0])
    return fit, normal, pd.concat(spoilt, ignore_index=True)


def rare(frame: pd.DataFrame, random: Random) -> Parts:
    """Anomalous rows are those with a rare value of a column that is then removed.

    It is the last column with at most 10 values of which one is in 1 % to 25 % of the rows; the rarest such.
    Where the last column is the class, the anomalous rows are those of a small class.
    """
    for name in reversed(list(frame)):
        shares = frame[name].value_counts(normalize=True)
        fitting = shares[shares.between(*RARE)]
        if len(shares) <= MOST_LEVELS and len(fitting):
            break
    else:
        raise ValueError("no column with at most 10 values of which one is in 1 % to 25 % of the rows")
    is_odd = frame[name] == fitting.index[-1]
    others = frame.drop(columns=name)
    fit, normal, _ = parts(others[~is_odd & frame[name].notna()], 1)
    most = round(len(normal) * SHARE_ODD / (1 - SHARE_ODD))
    return fit, normal, others[is_odd].iloc[:most]


RULES: dict[str, Callable[[pd.DataFrame, Random], Parts]] = {
    "crossed": crossed,
    "few_cells": few_cells,
    "rare": rare,
}


def find(folder: Path, only: Sequence[str]) -> Mapping[str, tuple[Sequence[Path], str]]:
    """TABLE.RULE -> the files and the rule."""
    found = tables.find(folder, only).items()
    return {f"{name}.{rule}": (paths, rule) for name, paths in found for rule in RULES}


def ours(train: Rows, test: Rows, seed: int) -> Floats:
    """Our default on the values as they are, missing values among them."""
    return anomaly_tables.ours(train.frame, test.frame, seed)


def coded(detector: Detector) -> Detector:
    """A detector of numbers: gets standardised numbers and one-hot codes, the mean or mode where missing."""

    def detect(train: Rows, test: Rows, seed: int) -> Floats:
        from sklearn.compose import make_column_transformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        numbers = [name for name in train.frame if name in train.numbers]
        labels = [name for name in train.frame if name not in train.numbers]
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MOST_CODES, sparse_output=False
        )
        coder = make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot), labels),
        )
        frames = [
            rows.frame.astype({name: object for name in labels}).where(rows.frame.notna(), np.nan)
            for rows in (train, test)
        ]
        codes = coder.fit_transform(frames[0]), coder.transform(frames[1])
        return np.asarray(detector(*codes, seed), dtype=np.float64)

    return detect


def nearest(x_train: Floats, x_test: Floats, seed: int) -> Floats:
    """The distance to the nearest training row."""
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=1).fit(x_train).kneighbors(x_test)
    return np.asarray(distances[:, 0])


def frequency(train: Rows, test: Rows, seed: int) -> Floats:
    """The sum of -log of how frequent each value is, numbers in bins of equal mass; "missing" is a value."""
    judged = cell_peers.marginal(train.frame, train.numbers, seed)(test.frame)
    return np.asarray(judged.evidence.sum(1))


def measure(problem: Problem, scores: Floats) -> Measures:
    """AUROC and AUPR in percent."""
    return {"auroc": auroc(problem.labels, scores), "aupr": aupr(problem.labels, scores)}


def made_problem() -> Problem:
    """A number that a label decides; anomalous are rows of which the label is another."""
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
        "tables and rules of the mean over seeds; lead: our AUROC less that of the best of isolation forest, "
        "1-NN and frequency; cpu_seconds is fit and score, summed."
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
    """Runs the benchmark; returns the exit code."""
    return detection.main(BENCHMARK, arguments)


if __name__ == "__main__":
    sys.exit(main())
