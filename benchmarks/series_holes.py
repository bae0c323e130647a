"""Missing values in series of several channels: `python -m benchmarks.series_holes --data DIR --json OUT`.

DIR holds .csv files with a time and at least three columns of numbers (`channels.py`). Of the first 12,000
rows 10 % or 50 % of each channel are hidden, channel by channel, in blocks of 4 to 48 points at random
places, until the share is reached; blocks may touch. Values that were missing before are not
measured. Methods get the rows with all their missing values and nothing else.
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
SHORT, LONG = 4, 48


class Filled(NamedTuple):
    """The filled table, and, where the method predicts it, the range that should hold nine values in ten."""

    table: pd.DataFrame
    low: pd.DataFrame | None = None
    high: pd.DataFrame | None = None


def remove_values(series: pd.DataFrame, share: float, random: np.random.Generator) -> pd.DataFrame:
    """The series with more missing values."""
    incomplete = series.copy()
    for name in [n for n in series if n != TIME]:
        hidden = np.zeros(len(series), dtype=bool)
        while hidden.mean() < share:
            length = int(random.integers(SHORT, LONG + 1))
            start = int(random.integers(0, len(series) - length + 1))
            hidden[start : start + length] = True
        incomplete[name] = series[name].mask(hidden)
    return incomplete


def ours(incomplete: pd.DataFrame, seed: int) -> Filled:
    """Our default, fitted on what it then fills."""
    from diabolo import Autoencoder

    repaired = Autoencoder(time=TIME, seed=seed).fit(incomplete).repair(incomplete)
    ends = {
        end: pd.DataFrame(np.nan, incomplete.index, incomplete.columns.drop(TIME)) for end in ("low", "high")
    }
    for name, lines in repaired.changes.groupby("column"):
        for end, table in ends.items():
            table.loc[lines["row"], name] = lines[end].astype(float).to_numpy()
    return Filled(repaired.to_frame(), **ends)


def linear(incomplete: pd.DataFrame, seed: int) -> Filled:
    """Straight lines."""
    return Filled(_by_channel(incomplete, lambda time, values: values.interpolate(limit_direction="both")))


def seasonal(incomplete: pd.DataFrame, seed: int) -> Filled:
    """Straight lines through what is left when each moment of the period has lost its mean."""

    def fill(time: pd.Series, values: pd.Series) -> pd.Series:
        straight = values.interpolate(limit_direction="both")
        phase = np.arange(len(values)) % channels.rhythm(time, straight.to_numpy())
        usual = values.groupby(phase).transform("mean").fillna(values.mean())
        return (values - usual).interpolate(limit_direction="both") + usual

    return Filled(_by_channel(incomplete, fill))


def last(incomplete: pd.DataFrame, seed: int) -> Filled:
    """The last value before the missing values."""
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
CLAIM = "Missing values of series are filled better by the windows around them than by interpolation."
PROTOCOL = (
    "the first 12,000 rows; 10 and 50 % of each channel hidden, in blocks of 4 to 48 points; rmse_SHARE and "
    "mae_SHARE: error in deviations of the channel, mean over channels; coverage_SHARE: the share of hidden "
    "values within the range that should hold 90 %; mean over series of the mean over seeds; cpu_seconds: "
    "fit and fill, both shares."
)


def measure(series: pd.DataFrame, method: Callable[..., Filled], seed: int) -> dict[str, Any]:
    """Fills the missing values of both shares; errors by channel are in the details."""
    measures: dict[str, Any] = {"train": 2 * len(series), "test": 2 * len(series), "details": {}}
    seconds = 0.0
    for share in SHARES:
        incomplete = remove_values(series, share, np.random.default_rng(seed))
        filled, spent = common.timed(method, incomplete, seed)
        seconds += spent
        found: dict[str, list[float]] = {}
        for name in [n for n in series if n != TIME]:
            asked = incomplete[name].isna() & series[name].notna()
            truth = series[name][asked]
            error = (filled.table[name][asked] - truth) / series[name].std()
            figures = {"rmse": np.sqrt((error**2).mean()), "mae": error.abs().mean()}
            if filled.low is not None and filled.high is not None:
                inside = (filled.low[name][asked] <= truth) & (truth <= filled.high[name][asked])
                figures["coverage"] = inside.mean()
            for measure, value in figures.items():
                found.setdefault(measure, []).append(float(value))
                measures["details"][f"{measure}_{share:.0%}"[:-1] + f" {name}"] = float(value)
        measures |= {f"{m}_{share:.0%}"[:-1]: float(np.mean(values)) for m, values in found.items()}
    return measures | {"cpu_seconds": seconds}


def print_channels(rows: Sequence[dict[str, Any]]) -> None:
    """The details, mean over seeds: a line for each channel and measure."""
    done = [row for row in rows if "error" not in row]
    methods = list(dict.fromkeys(row["detector"] for row in done))
    lines = []
    for name in dict.fromkeys(row["set"] for row in done):
        here = [row for row in done if row["set"] == name]
        for detail in here[0]["details"]:
            by_method = ([r["details"].get(detail) for r in here if r["detector"] == m] for m in methods)
            lines.append([f"{name} {detail}", *map(common.mean, by_method)])
    common.print_table(["channel", *methods], lines)
    print()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
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
