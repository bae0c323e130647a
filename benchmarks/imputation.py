"""Missing values in mixed tables: `python -m benchmarks.imputation --data DIR --json OUT [--tables a,b]`.

DIR holds .csv files; NAME_train.csv and NAME_test.csv are one table, of which only the first is used.
diabolo determines which columns are numbers.
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

ALPHA = 0.1  # the range should exclude this share
N_DRAWS = 5  # sampled tables, from which the continuous ranked probability score is estimated
SCENARIOS = {"": 0.3, "_10": 0.1, "_50": 0.5, "_depends": 0.3}

CLAIM = "With its defaults, fitted on the incomplete table itself, diabolo imputes mixed tables well."
PROTOCOL = (
    "at most 10,000 random rows; 30 % of all cells emptied at random (and 10 %, 50 %: *_10, *_50); "
    "*_depends: 30 % in half of the columns, 4 times as often where another column, not emptied, "
    "is in its upper half; evaluated in the emptied cells, which had a value: nrmse of numbers, and mae (of "
    "the median, if a method gives one), in deviations of the column, mean over columns; accuracy of labels, "
    "mean over columns; coverage of the range that should hold 90 %, and its interval score (Gneiting and "
    "Raftery 2007) in deviations, lower is better; crps: the continuous ranked probability score E|X - x| - "
    "E|X - X'| / 2 (likewise), in deviations, lower is better, estimated without bias from m = 5 tables: "
    "mean |X_i - x| - sum |X_i - X_j| / (2 m (m - 1)) (Ferro 2014); for a method that does not sample, its "
    "absolute error, which is the score of a point forecast. cpu_seconds: fit and impute at 30 %."
)


class Forecast(NamedTuple):
    """Forecast of numbers beyond one value: the range that should contain 90 %, the median, and samples."""

    low: pd.DataFrame
    high: pd.DataFrame
    median: pd.DataFrame
    draws: Sequence[pd.DataFrame]


class Filled(NamedTuple):
    """A table without missing values, and a function that returns forecasts of its numbers."""

    table: pd.DataFrame
    forecast: Callable[[], Forecast] | None = None


Method = Callable[[pd.DataFrame, frozenset[str], int], Filled]
"""(table with missing values, its columns of numbers, seed) -> the imputed table."""


def ours(incomplete: pd.DataFrame, numbers: frozenset[str], seed: int) -> Filled:
    """Impute with the defaults of diabolo."""
    from diabolo import Autoencoder

    model = Autoencoder(seed=seed).fit(incomplete)

    def forecast() -> Forecast:
        explanation = model.explain(incomplete, neighbours=0)
        low, high = (
            pd.DataFrame({n: v.to_pandas() for n, v in part.items() if n in numbers and v is not None})
            for part in (explanation.low, explanation.high)
        )
        draws = [model.repair(incomplete, value="draw", seed=number).to_frame() for number in range(N_DRAWS)]
        return Forecast(low, high, model.repair(incomplete, value="median").to_frame(), draws)

    return Filled(model.repair(incomplete).to_frame(), forecast)


def constant(incomplete: pd.DataFrame, numbers: frozenset[str], seed: int) -> Filled:
    """Impute mean or most frequent label; range, median and samples are those of the column."""
    filled = incomplete.copy()
    for name in incomplete:
        filled[name] = incomplete[name].astype(float) if name in numbers else incomplete[name]
        filled[name] = filled[name].fillna(
            filled[name].mean() if name in numbers else incomplete[name].mode()[0]
        )

    def forecast() -> Forecast:
        known, random = incomplete[sorted(numbers)], np.random.default_rng(seed)
        quantiles = known.quantile([ALPHA / 2, 1 - ALPHA / 2, 0.5])
        low, high, median = (pd.DataFrame([row] * len(incomplete)) for _, row in quantiles.iterrows())
        draws = [
            pd.DataFrame({n: random.choice(known[n].dropna(), len(incomplete)) for n in known})
            for _ in range(N_DRAWS)
        ]
        return Forecast(low, high, median, draws)

    return Filled(filled, forecast)


def one_hot(
    imputer: Callable[[int], Any], incomplete: pd.DataFrame, numbers: frozenset[str], seed: int
) -> Filled:
    """Apply an imputer of scikit-learn to standardised numbers and one-hot labels; the highest wins."""
    parts, scales = {}, {}
    for name in incomplete:
        if name in numbers:
            scales[name] = (incomplete[name].mean(), incomplete[name].std() or 1.0)
            parts[name] = ((incomplete[name] - scales[name][0]) / scales[name][1]).to_frame()
        else:
            parts[name] = pd.get_dummies(incomplete[name], dtype=float).where(incomplete[name].notna())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three iterations do not converge
        imputed = imputer(seed).fit_transform(np.concatenate([part.to_numpy() for part in parts.values()], 1))
    filled, start = incomplete.copy(), 0
    for name, part in parts.items():
        block = imputed[:, start : start + part.shape[1]]
        start += part.shape[1]
        if name in numbers:
            new = pd.Series(block[:, 0] * scales[name][1] + scales[name][0])
        else:
            new = pd.Series(part.columns.to_numpy()[block.argmax(1)])
        filled[name] = incomplete[name].where(incomplete[name].notna(), new)
    return Filled(filled)


def boosting(incomplete: pd.DataFrame, numbers: frozenset[str], seed: int) -> Filled:
    """Impute each column by boosted trees, given the others with their missing values; one pass."""
    features, filled = incomplete.copy(), incomplete.copy()
    for name in set(incomplete) - numbers:
        # The trees accept at most 255 labels; rarer ones are read as missing values.
        frequent = incomplete[name].value_counts().index[:255]
        features[name] = pd.Categorical(incomplete[name], categories=frequent)
    for name in incomplete:
        missing = incomplete[name].isna()
        if not missing.any():
            continue
        kind = HistGradientBoostingRegressor if name in numbers else HistGradientBoostingClassifier
        trees = kind(max_iter=40, max_leaf_nodes=15, categorical_features="from_dtype", random_state=seed)
        others, known = features.drop(columns=name), incomplete[name][~missing]
        trees.fit(others[~missing], known if name in numbers else known.astype(str).to_numpy())
        filled[name] = incomplete[name].astype(float if name in numbers else object)
        filled.loc[missing, name] = trees.predict(others[missing])
    return Filled(filled)


def measure(table: Table, method: Method, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return all measures of a method on a table, and the imputed tables by scenario."""
    results: dict[str, Any] = {}
    imputed = {}
    for number, (scenario, share) in enumerate(SCENARIOS.items()):
        random = np.random.default_rng([seed, number])
        if scenario == "_depends":
            chosen = tables.missing_at_random(table.train, share, random)
        else:
            chosen = tables.spread(table.train.shape, share, random)
        incomplete = table.train.mask(chosen)
        filled, seconds = common.timed(method, incomplete, table.numbers, seed)
        results.setdefault("cpu_seconds", seconds)
        measures = errors(table, filled, chosen & table.train.notna().to_numpy())
        results |= {f"{name}{scenario}": value for name, value in measures.items()}
        imputed[scenario.strip("_") or "30"] = filled.table
    return results, imputed


def errors(table: Table, filled: Filled, evaluated: Mask) -> dict[str, float | None]:
    """Return the measures over the evaluated cells: means over the columns of each kind."""
    measures = ("nrmse", "mae", "accuracy", "coverage", "interval_score", "crps")
    by_column: dict[str, list[float]] = {measure: [] for measure in measures}
    forecast = filled.forecast() if filled.forecast else None
    for index, name in enumerate(table.train):
        rows = np.flatnonzero(evaluated[:, index])
        truth, imputed = (part[name].iloc[rows] for part in (table.train, filled.table))
        if imputed.isna().any():
            raise ValueError(f"{imputed.isna().sum()} missing values left in {name}")
        if len(rows) == 0:
            continue
        if name not in table.numbers:
            by_column["accuracy"].append(
                float((imputed.astype(str).to_numpy() == truth.astype(str).to_numpy()).mean())
            )
            continue
        deviation = table.train[name].std()
        x = truth.to_numpy(float)
        by_column["nrmse"].append(float(np.sqrt(((imputed.to_numpy(float) - x) ** 2).mean()) / deviation))
        if forecast is None or name not in forecast.low:
            error = float(np.abs(imputed.to_numpy(float) - x).mean() / deviation)
            by_column["mae"].append(error)
            by_column["crps"].append(error)
            continue
        low, high, median, *draws = (
            part[name].to_numpy(float)[rows]
            for part in (forecast.low, forecast.high, forecast.median, *forecast.draws)
        )
        by_column["mae"].append(float(np.abs(median - x).mean() / deviation))
        by_column["coverage"].append(float(((low <= x) & (x <= high)).mean()))
        outside = np.maximum(low - x, 0) + np.maximum(x - high, 0)
        by_column["interval_score"].append(float((high - low + 2 / ALPHA * outside).mean() / deviation))
        by_column["crps"].append(float(crps(np.stack(draws), x).mean() / deviation))
    return {name: common.mean(values) for name, values in by_column.items()}


def crps(draws: Floats, truth: Floats) -> Floats:
    """Estimate the continuous ranked probability score from samples, without bias (Ferro 2014).

    Args:
        draws: Sampled values, shape (draws, cells).
        truth: True values, shape (cells,).
    """
    count = len(draws)
    spread = np.abs(draws[:, None] - draws[None]).sum((0, 1)) / (2 * count * (count - 1))
    score: Floats = np.abs(draws - truth).mean(0) - spread
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
    """Run the benchmark; return the exit code."""
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
