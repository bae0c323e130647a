"""Errors that people make, in good tables: `python -m benchmarks.everyday_errors --data DIR --json OUT`.

DIR holds .csv files, or is one. The bundled adults are a table too. If DIR holds melb.csv (Melbourne
housing), only adults and it run, unless `--sets a,b` names others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import cycle, islice, permutations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import common, detection, dirty
from benchmarks.dirty import Answer, Problem
from diabolo import datasets

KINDS = ("decimal", "sign", "sentinel", "typo", "unit", "swapped", "impossible", "case")
TIMES = {"swapped": 3, "impossible": 1}  # that an error of the plan is made; others 5 times
BUNDLED, WITH_PLAN = "adults", "melb"
BUNDLED_ROWS, OTHER_ROWS, SAMPLE_SEED = 2_000, 400, 7
MIN_LENGTH = 4  # of a text that gets a typo, or another case
ROWS_USED = 0.5  # at most this share of the rows gets an error
DEPENDENT = 0.9  # share of the rows with the usual value of a column beside that of another
FACTORS = (10.0, 0.1, 1000.0, 10.0, 0.1)
CODES = ("999", "-1", "0", "99999", "N/A")
UNITS = (" cm", " kg")

CLAIM = (
    "With its defaults, fitted on the spoilt table itself and without labels, diabolo finds and corrects "
    "errors of eight kinds that people make."
)
PROTOCOL = (
    "2,000 rows of adults, 400 random rows of other tables, every cell as text; about 150 wrong cells, at "
    "most one error in a row: a decimal point shifted, a sign, a code for no answer, a typo, a unit glued "
    "on, two cells swapped, an impossible combination, another letter case; fitted and evaluated on the "
    "spoilt table. aupr: average precision over all cells; precision, recall, f1: of the cells called wrong, "
    "for diabolo P(wrong) > .5, for peers their own rule; found_KIND: recall of one kind; log_loss: of "
    "P(wrong), in nats. repairs: corrected cells, filled ones not counted; repair_precision: the share that "
    "has the old text again; broken: good cells changed. cpu_seconds: fit and explain."
)


class Error(NamedTuple):
    """An error to make several times, in rows chosen at random.

    Attributes:
        kind: one of `KINDS`.
        column: where the wrong text goes.
        how: the factor of "decimal", the text of "sentinel" and "impossible", the unit, the other column of
            "swapped".
        beside: of "impossible", another column and the value it has in the row.
    """

    kind: str
    column: str
    how: Any = None
    beside: tuple[str, str] | None = None


PLANS: dict[str, tuple[Error, ...]] = {
    BUNDLED: (
        Error("decimal", "age", 10),
        Error("decimal", "hours-per-week", 10),
        Error("decimal", "fnlwgt", 1000),
        Error("decimal", "hours-per-week", 0.1),
        Error("sign", "age"),
        Error("sign", "hours-per-week"),
        Error("sentinel", "age", "999"),
        Error("sentinel", "hours-per-week", "99999"),
        Error("sentinel", "education", "N/A"),
        Error("sentinel", "age", "-1"),
        Error("sentinel", "fnlwgt", "0"),
        Error("sentinel", "age", "0"),
        Error("typo", "education"),
        Error("typo", "occupation"),
        Error("typo", "native-country"),
        Error("typo", "marital-status"),
        Error("typo", "workclass"),
        Error("unit", "hours-per-week", "h"),
        Error("unit", "age", " years"),
        Error("swapped", "age", "hours-per-week"),
        Error("swapped", "education-num", "age"),
        Error("swapped", "workclass", "occupation"),
        Error("swapped", "race", "sex"),
        Error("impossible", "age", "17", ("education", "Doctorate")),
        Error("impossible", "relationship", "Husband", ("sex", "Female")),
        Error("impossible", "education-num", "14", ("education", "Doctorate")),
        Error("impossible", "relationship", "Wife", ("sex", "Male")),
        Error("impossible", "education-num", "3", ("education", "Bachelors")),
        Error("impossible", "marital-status", "Never-married", ("relationship", "Husband")),
        Error("impossible", "education-num", "2", ("education", "HS-grad")),
        Error("impossible", "education-num", "16", ("education", "7th-8th")),
        Error("impossible", "education", "1st-4th", ("education-num", "13")),
        Error("impossible", "education", "Masters", ("education-num", "9")),
        Error("impossible", "age", "18", ("education", "Masters")),
        Error("impossible", "relationship", "Husband", ("marital-status", "Never-married")),
        Error("impossible", "marital-status", "Married-civ-spouse", ("relationship", "Unmarried")),
        Error("impossible", "age", "88", ("relationship", "Own-child")),
        Error("impossible", "workclass", "Without-pay", ("income", ">50K")),
        Error("case", "education"),
        Error("case", "workclass"),
        Error("case", "race"),
    ),
    WITH_PLAN: (
        Error("decimal", "Price", 10),
        Error("decimal", "Price", 0.1),
        Error("decimal", "Landsize", 1000),
        Error("decimal", "Distance", 10),
        Error("decimal", "Lattitude", 10),
        Error("sign", "Lattitude"),
        Error("sign", "Landsize"),
        Error("sign", "Longtitude"),
        Error("sentinel", "YearBuilt", "0"),
        Error("sentinel", "YearBuilt", "9999"),
        Error("sentinel", "Bathroom", "99"),
        Error("sentinel", "Price", "-1"),
        Error("sentinel", "Postcode", "9999"),
        Error("typo", "Suburb"),
        Error("typo", "CouncilArea"),
        Error("typo", "Regionname"),
        Error("typo", "SellerG"),
        Error("unit", "Landsize", " m2"),
        Error("unit", "Distance", " km"),
        Error("swapped", "Lattitude", "Longtitude"),
        Error("swapped", "Rooms", "Landsize"),
        Error("swapped", "Suburb", "CouncilArea"),
        Error("impossible", "Bedroom2", "20", ("Rooms", "3")),
        Error("impossible", "YearBuilt", "1196", ("Rooms", "3")),
        Error("impossible", "YearBuilt", "1790", ("Rooms", "2")),
        Error("impossible", "YearBuilt", "2106", ("Rooms", "3")),
        Error("impossible", "Postcode", "3999", ("Rooms", "4")),
        Error("impossible", "Bathroom", "12", ("Rooms", "2")),
        Error("impossible", "Rooms", "1", ("Bedroom2", "4")),
        Error("impossible", "Car", "26", ("Rooms", "2")),
        Error("impossible", "Regionname", "Western Victoria", ("Postcode", "3000")),
        Error("impossible", "CouncilArea", "Hume", ("Regionname", "Eastern Metropolitan")),
        Error("impossible", "Price", "9000000", ("Rooms", "2")),
        Error("impossible", "Landsize", "433014", ("Rooms", "3")),
        Error("impossible", "BuildingArea", "44515", ("Rooms", "3")),
        Error("impossible", "Distance", "48", ("Postcode", "3067")),
        Error("case", "Suburb"),
        Error("case", "Regionname"),
        Error("case", "CouncilArea"),
    ),
}
"""The errors of two tables; those of others are derived from their columns by `derive_plan`."""


def find(folder: Path, only: Sequence[str] = ()) -> dict[str, Callable[[int], Problem]]:
    """Return the tables by name: those of the folder, and the bundled one."""
    files: dict[str, Path | None] = {BUNDLED: None}
    files = files | common.find_sets(folder, ".csv") | files
    only = only or ((BUNDLED, WITH_PLAN) if WITH_PLAN in files else tuple(files))
    missing = [name for name in only if name not in files]
    if missing:
        raise SystemExit(f"no table named {', '.join(missing)} in {folder}; there are {', '.join(files)}")
    return {name: partial(load, name, path) for name, path in files.items() if name in only}


def load(name: str, path: Path | None, seed: int) -> Problem:
    """Read a table and make its errors; the seed determines where."""
    if path is None:
        frame = datasets.adults().to_pandas().astype(object).fillna("").astype(str).head(BUNDLED_ROWS)
    else:
        frame = dirty.read(path)
        frame = frame.sample(min(OTHER_ROWS, len(frame)), random_state=SAMPLE_SEED).reset_index(drop=True)
    plan = PLANS.get(name, ())
    columns = {error.column for error in plan} | {error.beside[0] for error in plan if error.beside}
    if not plan or not columns <= set(frame):
        plan = derive_plan(frame)
    spoilt, kinds = plant(frame, plan, seed)
    return Problem(spoilt, frame, partial(measure, kinds))


def measure(kinds: NDArray[np.object_], problem: Problem, answer: Answer) -> dict[str, Any]:
    """Return the share of the errors of each kind that is flagged; None for a kind that was not planted."""
    planted = {kind: kinds == kind for kind in KINDS}
    found = {
        f"found_{kind}": float(answer.flagged[cells].mean()) if cells.any() else None
        for kind, cells in planted.items()
    }
    return {**found, "details": {"planted": {kind: int(cells.sum()) for kind, cells in planted.items()}}}


def plant(frame: pd.DataFrame, plan: Iterable[Error], seed: int) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Make the errors of a plan; return the spoilt table, and the kind of each wrong cell ('' if right).

    Each error gets a row of its own, chosen at random from those where it can be made. Where none is left, or
    the wrong text is the right one, no error is made.
    """
    random = np.random.default_rng(seed)
    clean, kinds = frame.to_numpy(dtype=object), np.full(frame.shape, "", dtype=object)
    spoilt, free = clean.copy(), np.ones(len(frame), dtype=bool)
    for error in plan:
        possible = _possible(frame, error)
        for _ in range(TIMES.get(error.kind, 5)):
            rows = np.flatnonzero(possible & free)
            if not len(rows) or free.mean() < 1 - ROWS_USED:
                break
            row = int(random.choice(rows))
            free[row] = False
            for name, text in _misspell(error, frame.iloc[row], random).items():
                column = frame.columns.get_loc(name)
                if text != clean[row, column]:
                    spoilt[row, column], kinds[row, column] = text, error.kind
    return pd.DataFrame(spoilt, frame.index, frame.columns).astype(str), kinds


def _possible(frame: pd.DataFrame, error: Error) -> NDArray[np.bool_]:
    """Return the rows in which an error can be made."""
    column = frame[error.column]
    if error.kind in ("decimal", "sign"):
        possible = pd.to_numeric(column, errors="coerce").abs() > 0
    elif error.kind in ("typo", "case"):
        possible = column.str.len() >= MIN_LENGTH
    elif error.kind == "swapped":
        possible = (column != frame[error.how]) & (column != "") & (frame[error.how] != "")
    elif error.beside is not None:
        possible = frame[error.beside[0]] == error.beside[1]
    else:
        possible = column != ""
    return np.asarray(possible, dtype=bool)


def _misspell(error: Error, row: pd.Series, random: np.random.Generator) -> dict[str, str]:
    """Return the wrong texts of a row by column."""
    right = row[error.column]
    match error.kind:
        case "decimal":
            wrong = _write(float(right) * error.how)
        case "sign":
            wrong = _write(-float(right))
        case "typo":
            wrong = _mistype(right, random)
        case "case":
            wrong = right.upper() if right.upper() != right else right.lower()
        case "unit":
            wrong = right + error.how
        case "swapped":
            return {error.column: row[error.how], error.how: right}
        case _:
            wrong = error.how
    return {error.column: wrong}


def _write(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(round(number, 6))


def _mistype(text: str, random: np.random.Generator) -> str:
    """Leave out a letter, exchange two, or replace one; never the first."""
    at, way = int(random.integers(1, len(text) - 1)), int(random.integers(3))
    letter = chr(ord("a") + int(random.integers(26)))
    if way == 0:
        return text[:at] + text[at + 1 :]
    if way == 1:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + letter + text[at + 1 :]


def derive_plan(frame: pd.DataFrame) -> tuple[Error, ...]:
    """Return a plan of about 150 errors for a table; a kind that no column suits is left out."""
    numbers = [name for name in frame if dirty.as_numbers(frame[name]) is not None]
    numbers = [name for name in numbers if frame[name].nunique() > 2]
    labels = [name for name in frame if name not in numbers and _has_words(frame[name])]
    pairs = [*zip(numbers[::2], numbers[1::2], strict=False), *zip(labels[::2], labels[1::2], strict=False)]
    return (
        *(Error("decimal", name, how) for name, how in zip(_repeat(numbers, 5), FACTORS, strict=False)),
        *(Error("sign", name) for name in _repeat(numbers, 3)),
        *(Error("sentinel", name, how) for name, how in zip(_repeat(numbers, 5), CODES, strict=False)),
        *(Error("typo", name) for name in _repeat(labels, 4)),
        *(Error("unit", name, how) for name, how in zip(_repeat(numbers, 2), UNITS, strict=False)),
        *(Error("swapped", *pair) for pair in _repeat(pairs, 3)),
        *islice(_contradictions(frame), 15),
        *(Error("case", name) for name in _repeat(labels, 3)),
    )


def _repeat(items: Sequence[Any], count: int) -> Iterator[Any]:
    """Return the items in turn, from the first again after the last, until there are that many."""
    return islice(cycle(items), count)


def _has_words(column: pd.Series) -> bool:
    """Return whether values repeat, and half of them have letters enough for a typo."""
    words = column.str.contains(r"[^\W\d_]", regex=True) & (column.str.len() >= MIN_LENGTH)
    return bool(words.mean() >= 0.5 and column.nunique() <= len(column) / 2)


def _contradictions(frame: pd.DataFrame) -> Iterator[Error]:
    """Yield a value that is never beside the most frequent one of a column by which it is determined."""
    few = [name for name in frame if 1 < frame[name].nunique() <= len(frame) / 10]
    for cause, effect in permutations(few, 2):
        table = pd.crosstab(frame[cause], frame[effect])
        table = table[(table.sum(axis=1) >= 5) & (table.index != "")]
        totals, rows = table.sum(), table.to_numpy().sum()
        if table.max(axis=1).sum() < DEPENDENT * rows or totals.max() > DEPENDENT * rows:
            continue
        usual = table.sum(axis=1).idxmax()
        never = totals[(table.loc[usual] == 0) & (totals > 0) & (totals.index != "")]
        if len(never):
            yield Error("impossible", effect, never.idxmax(), (cause, usual))


METHODS: dict[str, dirty.Method] = {common.OURS: dirty.ours, **dirty.PEERS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = common.parse(
        _folder_of(sys.argv[1:] if arguments is None else arguments),
        description=f"{CLAIM} Protocol: {PROTOCOL}",
        known_peers=tuple(dirty.PEERS),
        default_peers=tuple(dirty.PEERS),
        default_seeds=3,
    )
    rows = dirty.run(options, find(options.data, options.sets), METHODS)
    return detection.report(options, rows, CLAIM, PROTOCOL, "aupr")


def _folder_of(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with a file given as --data replaced by its folder and its name."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--data", type=Path)
    try:
        path = parser.parse_known_args(arguments)[0].data
    except argparse.ArgumentError:
        return list(arguments)
    if path is None or not path.is_file():
        return list(arguments)
    stem = path.name.removesuffix(".gz").rpartition(".")[0]
    return ["--sets", f"{BUNDLED},{stem}", *arguments, "--data", str(path.parent)]


if __name__ == "__main__":
    sys.exit(main())
