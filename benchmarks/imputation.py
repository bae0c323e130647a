"""Missing values in mixed tables: `python -m benchmarks.imputation --data DIR --json OUT [--tables a,b]`.

DIR holds .csv files; NAME_train.csv and NAME_test.csv are one table, of which only the first is used. What is
a number and what a label is for diabolo to say.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from benchmarks import common, detection, tables
from benchmarks.detection import Floats
from benchmarks.tables import Mask, Table

ALPHA = 0.1  # the range is to leave out this share
DRAWS = 5  # tables, of which the ranked probability score is estimated
SCENARIOS = {"": 0.3, "_10": 0.1, "_50": 0.5, "_depends": 0.3}

CLAIM = "With its defaults, fitted on the incomplete table itself, diabolo imputes mixed tables well."
PROTOCOL = (
    "at most 10,000 random rows; 30 % of all cells emptied at random (and 10 %, 50 %: *_10, *_50); "
    "*_depends: 30 % in half of the columns, 4 times as often where another column, not emptied, "
    "is in its upper half; judged in the emptied cells, which had a value: nrmse of numbers, and mae (of the "
    "median, if a method tells one), in deviations of the column, mean over columns; accuracy of labels, "
    "mean over columns; coverage of the range that should hold 90 %, and its interval score (Gneiting and "
    "Raftery 2007) in deviations, lower is better; crps: the continuous ranked probability score E|X - x| - "
    "E|X - X'| / 2 (likewise), in deviations, lower is better, estimated without bias from m = 5 tables: "
    "mean |X_i - x| - sum |X_i - X_j| / (2 m (m - 1)) (Ferro 2014); for a method that does not draw, its "
    "absolute error, which is the score of a certain forecast. cpu_seconds: fit and fill at 30 %."
)


class Forecast(NamedTuple):
    """What a method says of numbers beyond one value: the range for nine in ten, the median, and draws."""

    low: pd.DataFrame
    high: pd.DataFrame
    median: pd.DataFrame
    draws: Sequence[pd.DataFrame]


class Filled(NamedTuple):
    """A table without missing values, and what else is said of its numbers, if asked."""

    table: pd.DataFrame
    forecast: Callable[[], Forecast] | None = None


Method = Callable[[pd.DataFrame, frozenset[str], int], Filled]
"""(table with missing values, its columns of numbers, seed) -> the table filled."""


def ours(incomplete: pd.DataFrame, numbers: frozenset[str], seed: int) -> Filled:
    """Our default."""
    from diabolo import Autoencoder

    model = Autoencoder(seed=seed).fit(incomplete)

    def forecast() -> Forecast:
        answer = model.explain(incomplete, neighbours=0)
        low, high = (
            pd.DataFrame({n: v.to_pandas() for n, v in part.items() if n in numbers and v is not None})
            for part in (answer.low, answer.high)
        )
        drawn = [model.repair(incomplete, value="draw", seed=number).to_frame() for number in range(DRAWS)]
        return Forecast(low, high, model.repair(incomplete, value="median").to_frame(), drawn)

    return Filled(model.repair(incomplete).to_frame(), forecast)


def constant(incomplete: pd.DataFrame, numbers: frozenset[str], seed: int) -> Filled:
    """The mean, or the most frequent label; range, median and draws are those of the column."""
    filled = incomplete.copy()
    for name in incomplete:
        filled[name] = incomplete[name].astype(float) if name in numbers else incomplete[name]
        filled[name] = filled[name].fillna(
            filled[name].mean() if name in numbers else incomplete[name].mode()[0]
        )

    def forecast() -> Forecast:
        known, random = incomplete[sorted(numbers)], np.random.default_rng(seed)
        some = known.quantile([ALPHA / 2, 1 - ALPHA / 2, 0.5])
        low, high, median = (pd.DataFrame([edge] * len(incomplete)) for _, edge in some.iterrows())
        drawn = [
            pd.DataFrame({n: random.choice(known[n].dropna(), len(incomplete)) for n in known})
            for _ in range(DRAWS)
        ]
        return Forecast(low, high, median, drawn)

    return Filled(filled, forecast)


def one_hot(
    imputer: Callable[[int], Any], incomplete: pd.DataFrame, numbers: frozenset[str], seed: int
) -> Filled:
    """An imputer of scikit-learn on standardised numbers and indicators of labels; the highest one wins."""
    parts, sizes = {}, {}
    for name in incomplete:
        if name in numbers:
            sizes[name] = (incomplete[name].mean(), incomplete[name].std() or 1.0)
            parts[name] = ((incomplete[name] - sizes[name][0]) / sizes[name][1]).to_frame()
        else:
            parts[name] = pd.get_dummies(incomplete[name], dtype=float).where(incomplete[name].notna())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three rounds do not converge
        made = imputer(seed).fit_transform(np.concatenate([part.to_numpy() for part in parts.values()], 1))
    filled, start = incomplete.copy(), 0
    for name, part in parts.items():
        block = made[:, start : start + part.shape[1]]
        start += part.shape[1]
        if name in numbers:
            new = pd.Series(block[:, 0] * sizes[name][1] + sizes[name][0])
        else:
            new = pd.Series(part.columns.to_numpy()[block.argmax(1)])
        filled[name] = incomplete[name].where(incomplete[name].notna(), new)
    return Filled(filled)


def boosting(incomplete: pd.DataFrame, numbers: frozenset[str], seed: int) -> Filled:
    """Boosted trees for each column, given the others with their missing values; one pass."""
    read, filled = incomplete.copy(), incomplete.copy()
    for name in set(incomplete) - numbers:
        # The trees take no more than 255 labels; rarer ones are read as missing values.
        common_ones = incomplete[name].value_counts().index[:255]
        read[name] = pd.Categorical(incomplete[name], categories=common_ones)
    for name in incomplete:
        gone = incomplete[name].isna()
        if not gone.any():
            continue
        kind = HistGradientBoostingRegressor if name in numbers else HistGradientBoostingClassifier
        trees = kind(max_iter=40, max_leaf_nodes=15, categorical_features="from_dtype", random_state=seed)
        others, known = read.drop(columns=name), incomplete[name][~gone]
        trees.fit(others[~gone], known if name in numbers else known.astype(str).to_numpy())
        filled[name] = incomplete[name].astype(float if name in numbers else object)
        filled.loc[gone, name] = trees.predict(others[gone])
    return Filled(filled)


def measure(table: Table, method: Method, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """All measures of a method on a table; the filled tables are kept."""
    found: dict[str, Any] = {}
    answers = {}
    for number, (scenario, share) in enumerate(SCENARIOS.items()):
        random = np.random.default_rng([seed, number])
        if scenario == "_depends":
            chosen = tables.hanging(table.train, share, random)
        else:
            chosen = tables.spread(table.train.shape, share, random)
        incomplete = table.train.mask(chosen)
        filled, seconds = common.timed(method, incomplete, table.numbers, seed)
        found.setdefault("cpu_seconds", seconds)
        measures = errors(table, filled, chosen & table.train.notna().to_numpy())
        found |= {f"{name}{scenario}": value for name, value in measures.items()}
        answers[scenario.strip("_") or "30"] = filled.table
    return found, answers


def errors(table: Table, filled: Filled, judged: Mask) -> dict[str, float | None]:
    """The measures over the judged cells: means over the columns of each kind."""
    measures = ("nrmse", "mae", "accuracy", "coverage", "interval_score", "crps")
    each: dict[str, list[float]] = {measure: [] for measure in measures}
    forecast = filled.forecast() if filled.forecast else None
    for place, name in enumerate(table.train):
        rows = np.flatnonzero(judged[:, place])
        truth, said = (part[name].iloc[rows] for part in (table.train, filled.table))
        if said.isna().any():
            raise ValueError(f"{said.isna().sum()} missing values left in {name}")
        if len(rows) == 0:
            continue
        if name not in table.numbers:
            each["accuracy"].append(
                float((said.astype(str).to_numpy() == truth.astype(str).to_numpy()).mean())
            )
            continue
        deviation = table.train[name].std()
        x = truth.to_numpy(float)
        each["nrmse"].append(float(np.sqrt(((said.to_numpy(float) - x) ** 2).mean()) / deviation))
        if forecast is None or name not in forecast.low:
            error = float(np.abs(said.to_numpy(float) - x).mean() / deviation)
            each["mae"].append(error)
            each["crps"].append(error)
            continue
        a, b, median, *drawn = (
            part[name].to_numpy(float)[rows]
            for part in (forecast.low, forecast.high, forecast.median, *forecast.draws)
        )
        each["mae"].append(float(np.abs(median - x).mean() / deviation))
        each["coverage"].append(float(((a <= x) & (x <= b)).mean()))
        outside = np.maximum(a - x, 0) + np.maximum(x - b, 0)
        each["interval_score"].append(float((b - a + 2 / ALPHA * outside).mean() / deviation))
        each["crps"].append(float(crps(np.stack(drawn), x).mean() / deviation))
    return {name: common.mean(values) for name, values in each.items()}


def crps(draws: Floats, truth: Floats) -> Floats:
    """(cells,) the ranked probability score of (draws, cells) values, by the unbiased estimate of Ferro."""
    count = len(draws)
    apart = np.abs(draws[:, None] - draws[None]).sum((0, 1)) / (2 * count * (count - 1))
    score: Floats = np.abs(draws - truth).mean(0) - apart
    return score


METHODS: dict[str, Method] = {
    common.OURS: ours,
    "constant": constant,
    "iterative": partial(
        one_hot, lambda seed: IterativeImputer(max_iter=3, n_nearest_features=30, random_state=seed)
    ),
    "knn10": partial(one_hot, lambda seed: KNNImputer(n_neighbors=10)),
    "boosting": boosting,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
    options = common.parse(
        arguments,
        description=f"{CLAIM} Protocol: {PROTOCOL}",
        known_peers=[name for name in METHODS if name != common.OURS],
        default_peers=("constant", "iterative", "boosting"),
    )
    rows = tables.run(options, METHODS, measure)
    return detection.report(options, rows, CLAIM, PROTOCOL, "nrmse")


if __name__ == "__main__":
    sys.exit(main())
