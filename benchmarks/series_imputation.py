"""Missing values in series of several channels: python -m benchmarks.series_imputation --data DIR --json OUT.

DIR holds .csv files with a time and at least three columns of numbers (`channels.py`). Of the first 12,000
rows 10 % or 50 % of each channel are hidden, channel by channel, in blocks of 4 to 48 points at random
positions, until the share is reached; blocks may touch. Values that were missing before are not evaluated.
Methods get the rows with all their missing values and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks import channels, common, detection
from benchmarks.channels import TIME

ROWS = 12_000
SHARES = (0.1, 0.5)
MIN_BLOCK, MAX_BLOCK = 4, 48


class Filled(NamedTuple):
    """The imputed table, and, if the method predicts it, the range that should contain 90 % of the values."""

    table: pd.DataFrame
    low: pd.DataFrame | None = None
    high: pd.DataFrame | None = None


def remove_values(series: pd.DataFrame, share: float, random: np.random.Generator) -> pd.DataFrame:
    """Return the series with more missing values."""
    incomplete = series.copy()
    for name in [n for n in series if n != TIME]:
        hidden = np.zeros(len(series), dtype=bool)
        while hidden.mean() < share:
            length = int(random.integers(MIN_BLOCK, MAX_BLOCK + 1))
            start = int(random.integers(0, len(series) - length + 1))
            hidden[start : start + length] = True
        incomplete[name] = series[name].mask(hidden)
    return incomplete


def ours(incomplete: pd.DataFrame, seed: int) -> Filled:
    """Impute with the defaults of diabolo, fitted on the same incomplete series."""
    from diabolo import Autoencoder

    repaired = Autoencoder(time=TIME, seed=seed).fit(incomplete).repair(incomplete)
    bounds = {
        bound: pd.DataFrame(np.nan, incomplete.index, incomplete.columns.drop(TIME))
        for bound in ("low", "high")
    }
    for name, cells in repaired.changes.groupby("column"):
        for bound, table in bounds.items():
            table.loc[cells["row"], name] = cells[bound].astype(float).to_numpy()
    return Filled(repaired.to_frame(), **bounds)


def linear(incomplete: pd.DataFrame, seed: int) -> Filled:
    """Impute by linear interpolation."""
    return Filled(_by_channel(incomplete, lambda time, values: values.interpolate(limit_direction="both")))


def seasonal(incomplete: pd.DataFrame, seed: int) -> Filled:
    """Impute by linear interpolation of the residuals from the mean of each phase of the period."""

    def fill(time: pd.Series, values: pd.Series) -> pd.Series:
        interpolated = values.interpolate(limit_direction="both")
        phase = np.arange(len(values)) % channels.find_period(time, interpolated.to_numpy())
        phase_mean = values.groupby(phase).transform("mean").fillna(values.mean())
        return (values - phase_mean).interpolate(limit_direction="both") + phase_mean

    return Filled(_by_channel(incomplete, fill))


def last(incomplete: pd.DataFrame, seed: int) -> Filled:
    """Impute the last observed value."""
    return Filled(_by_channel(incomplete, lambda time, values: values.ffill().bfill()))


def _by_channel(incomplete: pd.DataFrame, fill: Callable[[pd.Series, pd.Series], pd.Series]) -> pd.DataFrame:
    return incomplete.assign(
        **{name: fill(incomplete[TIME], incomplete[name]) for name in incomplete if name != TIME}
    )


METHODS: dict[str, Callable[[pd.DataFrame, int], Filled]] = {
    common.OURS: ours,
    "linear": linear,
    "seasonal": seasonal,
    "last": last,
}
PEERS = tuple(name for name in METHODS if name != common.OURS)
CLAIM = "Missing values of series are imputed better from the windows around them than by interpolation."
PROTOCOL = (
    "the first 12,000 rows; 10 and 50 % of each channel hidden, in blocks of 4 to 48 points; rmse_SHARE and "
    "mae_SHARE: error in deviations of the channel, mean over channels; coverage_SHARE: the share of hidden "
    "values within the range that should contain 90 %; mean over series of the mean over seeds; cpu_seconds: "
    "fit and impute, both shares."
)


def measure(series: pd.DataFrame, method: Callable[..., Filled], seed: int) -> dict[str, Any]:
    """Impute the missing values of both shares; errors by channel are in `details`."""
    measures: dict[str, Any] = {"train": 2 * len(series), "test": 2 * len(series), "details": {}}
    seconds = 0.0
    for share in SHARES:
        incomplete = remove_values(series, share, np.random.default_rng(seed))
        filled, share_seconds = common.timed(method, incomplete, seed)
        seconds += share_seconds
        by_measure: dict[str, list[float]] = {}
        for name in [n for n in series if n != TIME]:
            hidden = incomplete[name].isna() & series[name].notna()
            truth = series[name][hidden]
            error = (filled.table[name][hidden] - truth) / series[name].std()
            figures = {"rmse": np.sqrt((error**2).mean()), "mae": error.abs().mean()}
            if filled.low is not None and filled.high is not None:
                inside = (filled.low[name][hidden] <= truth) & (truth <= filled.high[name][hidden])
                figures["coverage"] = inside.mean()
            for measure, value in figures.items():
                by_measure.setdefault(measure, []).append(float(value))
                measures["details"][f"{measure}_{share:.0%}"[:-1] + f" {name}"] = float(value)
        measures |= {f"{m}_{share:.0%}"[:-1]: float(np.mean(values)) for m, values in by_measure.items()}
    return measures | {"cpu_seconds": seconds}


def print_channels(rows: Sequence[dict[str, Any]]) -> None:
    """Print the details, mean over seeds: a line for each channel and measure."""
    completed = [row for row in rows if "error" not in row]
    methods = list(dict.fromkeys(row["detector"] for row in completed))
    lines = []
    for name in dict.fromkeys(row["set"] for row in completed):
        set_rows = [row for row in completed if row["set"] == name]
        for detail in set_rows[0]["details"]:
            by_method = ([r["details"].get(detail) for r in set_rows if r["detector"] == m] for m in methods)
            lines.append([f"{name} {detail}", *map(common.mean, by_method)])
    common.print_table(["channel", *methods], lines)
    print()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = common.parse(
        arguments,
        description=f"{CLAIM} Protocol: {PROTOCOL}",
        known_peers=PEERS,
        default_peers=PEERS,
        default_seeds=3,
    )
    rows = channels.run(
        options,
        lambda series, seed: series[:ROWS],
        lambda series, name, seed: measure(series, METHODS[name], seed),
    )
    print_channels(rows)
    return detection.report(options, rows, CLAIM, PROTOCOL, "rmse_10")


if __name__ == "__main__":
    sys.exit(main())
