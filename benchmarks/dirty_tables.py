"""Wrong cells of real tables: `python -m benchmarks.dirty_tables --data DIR --json OUT [--tables a,b]`.

DIR holds a folder for each table with dirty.csv and clean.csv, row by row the same; a cell is wrong where
the two texts differ.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import common, detection, dirty
from benchmarks.dirty import Answer, Problem
from benchmarks.tables import Mask

MISSING_WORDS = ("", "-", "?", "n/a", "na", "nan", "none", "null")
ALL_WRONG = 0.95  # of a column: no right cell is left to learn from

CLAIM = (
    "With its defaults, fitted on the dirty table itself and without labels, diabolo finds the wrong cells "
    "of real tables and corrects them."
)
PROTOCOL = (
    "all rows, every cell as text; a cell is wrong where it differs from the clean table; fitted and "
    "evaluated on the dirty table. aupr: average precision over all cells; precision, recall, f1: of the "
    "cells called wrong, for diabolo P(wrong) > .5, for peers their own rule; log_loss: of P(wrong), in "
    "nats. *_known: the same with those errors counted as right cells with P = 0 that nothing in the dirty "
    "table tells from right ones: the same number otherwise written, columns with more than 95 % wrong "
    "cells, words for a missing value that the clean table leaves empty. repairs: corrected cells, filled "
    "ones not counted; repair_precision: the share that now has the clean text; broken: good cells changed. "
    "cpu_seconds: fit and explain."
)


def find(folder: Path, only: Sequence[str] = ()) -> dict[str, Callable[[int], Problem]]:
    """Return the tables of a folder by name, sorted."""
    found: dict[str, Callable[[int], Problem]] = {}
    for path in sorted(folder.iterdir()):
        dirty_file, clean_file = _file(path, "dirty"), _file(path, "clean")
        if dirty_file.is_file() and clean_file.is_file():
            found[path.name] = partial(load, dirty_file, clean_file)
    if not found:
        common.skip(f"no folder with dirty.csv and clean.csv in {folder}, compressed (.gz) or not")
    missing = [name for name in only if name not in found]
    if missing:
        raise SystemExit(f"no table named {', '.join(missing)} in {folder}; there are {', '.join(found)}")
    return {name: source for name, source in found.items() if not only or name in only}


def _file(folder: Path, part: str) -> Path:
    plain = folder / f"{part}.csv"
    return plain if plain.is_file() else folder / f"{part}.csv.gz"


def load(dirty_file: Path, clean_file: Path, seed: int) -> Problem:
    """Read a table; the seed changes nothing."""
    found, right = dirty.read(dirty_file), dirty.read(clean_file)
    if found.shape != right.shape:
        raise ValueError(f"the dirty table has shape {found.shape}, the clean one {right.shape}")
    return Problem(found, right.set_axis(found.columns, axis=1), measure)


def measure(problem: Problem, answer: Answer) -> dict[str, Any]:
    """Return the measures over the errors that can be known, and the counts of each column."""
    wrong, hidden = problem.wrong, unknowable(problem.dirty, problem.clean)
    known, judged = wrong & ~hidden, answer.without(hidden)
    measures = dirty.judge(known, judged) | dirty.correct(problem, judged, ignored=hidden)
    measures.pop("broken", None)  # of good cells, which are none of those hidden
    counts = {"wrong": wrong, "known": known, "flagged": answer.flagged, "hits": wrong & answer.flagged}
    by_column = {
        name: {word: int(cells[:, index].sum()) for word, cells in counts.items()}
        for index, name in enumerate(problem.dirty)
    }
    details = {"columns": {name: found for name, found in by_column.items() if any(found.values())}}
    return {**{f"{name}_known": value for name, value in measures.items()}, "details": details}


def unknowable(found: pd.DataFrame, right: pd.DataFrame) -> Mask:
    """Return the wrong cells that nothing in the dirty table tells from right ones."""
    pairs = zip(found.to_numpy().ravel(), right.to_numpy().ravel(), strict=True)
    told = [x != y and (_same_number(x, y) or _only_missing(x, y)) for x, y in pairs]
    wrong = found.to_numpy() != right.to_numpy()
    return np.asarray(np.reshape(told, found.shape) | (wrong & (wrong.mean(0) > ALL_WRONG)))


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _only_missing(found: str, right: str) -> bool:
    return right == "" and found.strip().lower() in MISSING_WORDS


METHODS: dict[str, dirty.Method] = {common.OURS: dirty.ours, **dirty.PEERS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = common.parse(
        arguments,
        description=f"{CLAIM} Protocol: {PROTOCOL}",
        known_peers=tuple(dirty.PEERS),
        default_peers=tuple(dirty.PEERS),
    )
    rows = dirty.run(options, find(options.data, options.sets), METHODS)
    return detection.report(options, rows, CLAIM, PROTOCOL, "aupr_known")


if __name__ == "__main__":
    sys.exit(main())
