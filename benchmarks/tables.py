"""Tables of mixed columns: read from csv, damaged on purpose, and handed to methods one after the other."""

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

TRAIN_ROWS, TEST_ROWS = 10_000, 2_000
TRIES = 20  # to find another value for a cell

Mask = NDArray[np.bool_]
Random = np.random.Generator


Measure = Callable[["Table", Any, int], tuple[Mapping[str, Any], Mapping[str, Any]]]
"""(table, method, seed) -> the measures, and scenario -> the raw answer: a table, or scores and labels."""


@dataclass(frozen=True)
class Table:
    """A table as the benchmarks use it: the columns that diabolo would score.

    Attributes:
        name: of its files.
        train: at most 10,000 rows.
        test: at most 2,000 other rows.
        numbers: the columns that diabolo takes for numbers; the others hold labels.
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    numbers: frozenset[str]


def find(folder: Path, only: Sequence[str] = ()) -> dict[str, tuple[Path, ...]]:
    """Name -> (file,), or (file to fit, file to test) where there are NAME_train and NAME_test."""
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
    """Random rows of a table; a table in one file is parted."""
    random = np.random.default_rng(seed)
    frames = [pd.read_csv(path) for path in paths]
    frames = [frame.iloc[random.permutation(len(frame))].reset_index(drop=True) for frame in frames]
    if len(frames) == 1:
        held = min(TEST_ROWS, len(frames[0]) // 5)
        frames = [frames[0].iloc[held:].reset_index(drop=True), frames[0].iloc[:held]]
    train, test = frames[0].iloc[:TRAIN_ROWS], frames[1].iloc[:TEST_ROWS]
    scored, numbers = kinds(train)
    return Table(name, train[scored], test[scored], numbers)


def kinds(frame: pd.DataFrame) -> tuple[list[str], frozenset[str]]:
    """The columns that diabolo would score, and those of them that it takes for numbers."""
    schema = Autoencoder().inspect(frame)
    numbers = [e.name for e in schema.entries if e.column is not None and e.column.kind == "number"]
    return list(schema.scored), frozenset(numbers)


def spoil(
    frame: pd.DataFrame, table: Table, chosen: Mask, kind: str, random: Random
) -> tuple[pd.DataFrame, Mask]:
    """The frame with other values in the chosen cells, and which of them hold another value now.

    "swap" gives a cell the value of another row of the table. "noise" adds twice the column's deviation times
    a normal draw to a number, rounds it as the column is rounded and keeps it in the column's range; a label
    becomes any other one, each alike. Missing values stay missing. A draw that changes nothing is repeated.
    """
    spoilt, wrong = frame.copy(), np.zeros(frame.shape, dtype=bool)
    for place, name in enumerate(frame):
        known = table.train[name].dropna()
        pool, old = known.to_numpy(), frame[name].to_numpy()
        new, chosen_here = old.copy(), chosen[:, place] & frame[name].notna().to_numpy()
        for _ in range(TRIES):
            left = np.flatnonzero(chosen_here & (new == old))
            if kind == "noise" and name in table.numbers:
                moved = old[left] + random.normal(0, 2 * known.std(), len(left))
                new[left] = np.round(moved, decimals(pool)).clip(pool.min(), pool.max())
            else:
                new[left] = random.choice(pd.unique(pool) if kind == "noise" else pool, len(left))
        spoilt[name] = pd.Series(new, dtype=frame[name].dtype, index=frame.index)
        wrong[:, place] = chosen_here & (new != old)
    return spoilt, wrong


def decimals(values: NDArray[Any]) -> int:
    """How many digits behind the point the numbers have, at most 6."""
    return next((d for d in range(6) if np.array_equal(np.round(values, d), values)), 6)


def spread(shape: tuple[int, int], share: float, random: Random) -> Mask:
    """This share of all cells."""
    return random.random(shape) < share


def some_rows(shape: tuple[int, int], rows: float, columns: float, random: Random) -> Mask:
    """This share of the rows, and in each of them this share of the columns: at least one."""
    count = max(round(columns * shape[1]), 1)
    return few(np.ones(shape, dtype=bool), count, random) & (random.random((shape[0], 1)) < rows)


def few(there: Mask, count: int, random: Random) -> Mask:
    """So many cells in each row, of those that are there."""
    order = np.where(there, random.random(there.shape), 2.0).argsort(1).argsort(1)
    return there & (order < count)


def hanging(frame: pd.DataFrame, share: float, random: Random) -> Mask:
    """Cells to empty, in a random half of the columns; the others stay whole, and one of them decides.

    A cell's chance is 1.6 times the share where the deciding column is in the upper half of its ranks (of
    labels: by how frequent they are), else 0.4 times. What is missing so depends on values that are there.
    """
    columns = random.permutation(frame.shape[1])
    whole, incomplete = np.array_split(columns, 2)
    chosen = np.zeros(frame.shape, dtype=bool)
    for place in incomplete:
        decides = frame.iloc[:, random.choice(whole)]
        number = pd.api.types.is_numeric_dtype(decides)
        ranked = decides if number else decides.map(decides.value_counts())
        # Ties are broken at random, so that half of the rows are above even where one value is most frequent.
        order = np.lexsort((random.random(len(frame)), ranked.fillna(-np.inf).to_numpy(float)))
        upper = np.zeros(len(frame), dtype=bool)
        upper[order[len(frame) // 2 :]] = True
        chosen[:, place] = random.random(len(frame)) < share * np.where(upper, 1.6, 0.4)
    return chosen


def run(options: common.Options, methods: Mapping[str, Any], measure: Measure) -> list[dict[str, Any]]:
    """Measure our default and the peers on every table and seed; one row each, failures included."""
    rows = []
    with threadpool_limits(1):
        for name, paths in find(options.data, options.sets).items():
            for seed in range(options.seeds):
                table = load(name, paths, seed)
                for method in (common.OURS, *options.peers):
                    folder = options.scores and detection.folder_of(options.scores, method)
                    work = partial(_measured, measure, table, methods[method], seed, folder)
                    rows.append(detection.attempt(method, name, seed, work))
    return rows


def _measured(measure: Measure, table: Table, method: Any, seed: int, folder: Path | None) -> dict[str, Any]:
    measures, answers = measure(table, method, seed)
    for scenario, answer in answers.items():
        if folder is None:
            break
        if isinstance(answer, pd.DataFrame):
            folder.mkdir(parents=True, exist_ok=True)
            answer.to_parquet(folder / f"{table.name}.{scenario}.{seed}.parquet")
        else:
            common.keep_scores(folder, f"{table.name}.{scenario}", seed, *answer)
    # What the CPU seconds stand for: the rows that are fitted are those that are asked about.
    return {"train": len(table.train), "test": len(table.train), **measures}
