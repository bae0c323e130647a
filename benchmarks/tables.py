"""Tables of mixed columns: read from csv, corrupted, and passed to each method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import common, detection
from diabolo import Autoencoder

MAX_TRAIN_ROWS, MAX_TEST_ROWS = 10_000, 2_000
MAX_TRIES = 20  # to find another value for a cell

Mask = NDArray[np.bool_]
Random = np.random.Generator


Measure = Callable[["Table", Any, int], tuple[Mapping[str, Any], Mapping[str, Any]]]
"""(table, method, seed) -> the measures, and scenario -> the raw result: a table, or scores and labels."""


@dataclass(frozen=True)
class Table:
    """A table as the benchmarks use it: the columns that diabolo would score.

    Attributes:
        name: of its files.
        train: at most 10,000 rows.
        test: at most 2,000 other rows.
        numbers: the columns that diabolo reads as numbers; the others hold labels.
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    numbers: frozenset[str]


def find(folder: Path, only: Sequence[str] = ()) -> dict[str, tuple[Path, ...]]:
    """Return by name (file,), or (file to fit, file to test) if there are NAME_train and NAME_test."""
    files = common.find_sets(folder, ".csv")
    found: dict[str, tuple[Path, ...]] = {}
    for stem, path in files.items():
        name, _, part = stem.rpartition("_")
        if part in ("train", "test") and {f"{name}_train", f"{name}_test"} <= files.keys():
            found[name] = (files[f"{name}_train"], files[f"{name}_test"])
        else:
            found[stem] = (path,)
    missing = [name for name in only if name not in found]
    if missing:
        raise SystemExit(f"no table named {', '.join(missing)} in {folder}; there are {', '.join(found)}")
    return {name: paths for name, paths in found.items() if not only or name in only}


def load(name: str, paths: Sequence[Path], seed: int) -> Table:
    """Read random rows of a table; a table in one file is split."""
    random = np.random.default_rng(seed)
    frames = [pd.read_csv(path) for path in paths]
    frames = [frame.iloc[random.permutation(len(frame))].reset_index(drop=True) for frame in frames]
    if len(frames) == 1:
        held = min(MAX_TEST_ROWS, len(frames[0]) // 5)
        frames = [frames[0].iloc[held:].reset_index(drop=True), frames[0].iloc[:held]]
    train, test = frames[0].iloc[:MAX_TRAIN_ROWS], frames[1].iloc[:MAX_TEST_ROWS]
    scored, numbers = kinds(train)
    return Table(name, train[scored], test[scored], numbers)


def kinds(frame: pd.DataFrame) -> tuple[list[str], frozenset[str]]:
    """Return the columns that diabolo would score, and those of them that it reads as numbers."""
    schema = Autoencoder().inspect(frame)
    numbers = [e.name for e in schema.entries if e.column is not None and e.column.kind == "number"]
    return list(schema.predicted), frozenset(numbers)


def corrupt_cells(
    frame: pd.DataFrame, table: Table, chosen: Mask, kind: str, random: Random
) -> tuple[pd.DataFrame, Mask]:
    """Corrupt the chosen cells; return the frame, and which cells have another value than before.

    "swap" gives a cell the value of another row of the table. "noise" adds normal noise of twice the column's
    standard deviation to a number, rounds it as the column is rounded and clips it to the column's range; a
    label becomes any other one, with equal probability. Missing values stay missing. A sampled value that is
    equal to the old one is sampled again.
    """
    corrupted, wrong = frame.copy(), np.zeros(frame.shape, dtype=bool)
    for index, name in enumerate(frame):
        known = table.train[name].dropna()
        pool, old = known.to_numpy(), frame[name].to_numpy()
        new, column_chosen = old.copy(), chosen[:, index] & frame[name].notna().to_numpy()
        for _ in range(MAX_TRIES):
            unchanged = np.flatnonzero(column_chosen & (new == old))
            if kind == "noise" and name in table.numbers:
                noisy = old[unchanged] + random.normal(0, 2 * known.std(), len(unchanged))
                new[unchanged] = np.round(noisy, decimals(pool)).clip(pool.min(), pool.max())
            else:
                new[unchanged] = random.choice(pd.unique(pool) if kind == "noise" else pool, len(unchanged))
        corrupted[name] = pd.Series(new, dtype=frame[name].dtype, index=frame.index)
        wrong[:, index] = column_chosen & (new != old)
    return corrupted, wrong


def decimals(values: NDArray[Any]) -> int:
    """Return the number of decimal places of the values, at most 6."""
    return next((d for d in range(6) if np.array_equal(np.round(values, d), values)), 6)


def spread(shape: tuple[int, int], share: float, random: Random) -> Mask:
    """Choose this share of all cells at random."""
    return random.random(shape) < share


def some_rows(shape: tuple[int, int], rows: float, columns: float, random: Random) -> Mask:
    """Choose this share of the rows, and in each of them this share of the columns, at least one."""
    count = max(round(columns * shape[1]), 1)
    return few(np.ones(shape, dtype=bool), count, random) & (random.random((shape[0], 1)) < rows)


def few(present: Mask, count: int, random: Random) -> Mask:
    """Choose `count` cells in each row, of those that are present."""
    order = np.where(present, random.random(present.shape), 2.0).argsort(1).argsort(1)
    return present & (order < count)


def missing_at_random(frame: pd.DataFrame, share: float, random: Random) -> Mask:
    """Choose cells to empty (missing at random) in half of the columns; the others stay complete.

    For each incomplete column, one complete column is chosen at random. The probability of a cell is 1.6
    times the share if the complete column is in the upper half of its ranks (of labels: by frequency), else
    0.4 times. Missingness therefore depends on observed values only.
    """
    columns = random.permutation(frame.shape[1])
    complete, incomplete = np.array_split(columns, 2)
    chosen = np.zeros(frame.shape, dtype=bool)
    for index in incomplete:
        observed = frame.iloc[:, random.choice(complete)]
        number = pd.api.types.is_numeric_dtype(observed)
        ranked = observed if number else observed.map(observed.value_counts())
        # Ties are broken at random, so that exactly half of the rows are in the upper half.
        order = np.lexsort((random.random(len(frame)), ranked.fillna(-np.inf).to_numpy(float)))
        upper = np.zeros(len(frame), dtype=bool)
        upper[order[len(frame) // 2 :]] = True
        chosen[:, index] = random.random(len(frame)) < share * np.where(upper, 1.6, 0.4)
    return chosen


def run(options: common.Options, methods: Mapping[str, Any], measure: Measure) -> list[dict[str, Any]]:
    """Measure diabolo and the peers on every table and seed; one row each, failures included."""
    rows = []
    with threadpool_limits(1):
        for name, paths in find(options.data, options.sets).items():
            for seed in range(options.seeds):
                table = load(name, paths, seed)
                for method in (common.OURS, *options.peers):
                    folder = options.scores and detection.raw_folder(options.scores, method)
                    work = partial(_run_method, measure, table, methods[method], seed, folder)
                    rows.append(detection.attempt(method, name, seed, work))
    return rows


def _run_method(
    measure: Measure, table: Table, method: Any, seed: int, folder: Path | None
) -> dict[str, Any]:
    measures, results = measure(table, method, seed)
    for scenario, result in results.items():
        if folder is None:
            break
        if isinstance(result, pd.DataFrame):
            folder.mkdir(parents=True, exist_ok=True)
            result.to_parquet(folder / f"{table.name}.{scenario}.{seed}.parquet")
        else:
            common.keep_scores(folder, f"{table.name}.{scenario}", seed, *result)
    # The rows that the CPU seconds refer to: the fitted rows are the scored ones.
    return {"train": len(table.train), "test": len(table.train), **measures}
