"""Series of several channels: read from csv, or synthetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import common, detection
from benchmarks.metrics import period

TIME = "time"
CLOCK = ["year", "month", "day", "hour"]
MAX_ROWS = 20_000  # of a file
SYNTHETIC = "made"  # name of the synthetic series
MIN_CHANNELS = 3
MAX_MODE_SHARE = 0.5  # a column whose most frequent value has a larger share is no channel
MAX_MISSING_SHARE = 0.1  # nor is a column with a larger share of missing values


def find(folder: Path, only: Sequence[str] = ()) -> dict[str, Path | None]:
    """Return the csv files with a series of at least three channels, and the synthetic series (None)."""
    files = {name: path for name, path in common.find_sets(folder, ".csv").items() if _is_series(path)}
    if not files:
        common.skip(f"no csv with a time and {MIN_CHANNELS} channels in {folder}")
    found: dict[str, Path | None] = {SYNTHETIC: None, **files}
    missing = [name for name in only if name not in found]
    if missing:
        raise SystemExit(f"no series named {', '.join(missing)} in {folder}; there are {', '.join(found)}")
    return {name: path for name, path in found.items() if not only or name in only}


def load(path: Path | None) -> pd.DataFrame:
    """Return time and channels of at most 20,000 rows of a file; of the synthetic series if it is None."""
    return made() if path is None else _channels(pd.read_csv(path, nrows=MAX_ROWS))


Prepared = TypeVar("Prepared")


def run(
    options: common.Options,
    prepare: Callable[[pd.DataFrame, int], Prepared],
    measure: Callable[[Prepared, str, int], Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Measure diabolo and the peers on every series and seed; one row each, failures included.

    Args:
        options: The command line.
        prepare: (series, seed) -> the input of the methods.
        measure: (that input, name of a method, seed) -> its measures.
    """
    rows = []
    with threadpool_limits(1):
        for name, path in find(options.data, options.sets).items():
            series = load(path)
            for seed in range(options.seeds):
                prepared = prepare(series, seed)
                for method in (common.OURS, *options.peers):
                    rows.append(
                        detection.attempt(method, name, seed, partial(measure, prepared, method, seed))
                    )
    return rows


def _is_series(path: Path) -> bool:
    try:
        return _channels(pd.read_csv(path, nrows=MAX_ROWS)).shape[1] > MIN_CHANNELS
    except ValueError:
        return False


def _channels(frame: pd.DataFrame) -> pd.DataFrame:
    """Return time and channels: time is the first column of text, or year, month, day and hour."""
    if set(CLOCK) <= set(frame):
        time, rest = pd.to_datetime(frame[CLOCK]), frame.drop(columns=CLOCK)
    else:
        texts = [n for n in frame if not pd.api.types.is_numeric_dtype(frame[n])]
        if not texts:
            raise ValueError("no column holds the time")
        name = texts[0]
        time, rest = pd.to_datetime(frame[name], format="ISO8601"), frame.drop(columns=name)
    numbers = rest.select_dtypes("number")
    kept = [
        n
        for n in numbers
        if numbers[n].isna().mean() <= MAX_MISSING_SHARE
        and numbers[n].value_counts(normalize=True).iloc[0] <= MAX_MODE_SHARE
    ]
    return pd.concat([time.rename(TIME), numbers[kept].astype(float)], axis=1)


def find_period(time: pd.Series, values: NDArray[np.float64]) -> int:
    """Return the length of a day in points if it is 4 to 300; else the period of the values."""
    day = round(pd.Timedelta(days=1) / time.diff().median())
    return day if 4 <= day <= 300 else period(values)


def made(rows: int = MAX_ROWS, seed: int = 0) -> pd.DataFrame:
    """Return four hourly channels that share a daily cycle and a slow AR(1) process (half-life 24 hours).

    Channel c is `a_c walk + b_c sin(2 pi (hour - c) / 24) + own_c`, with `a = 1, .8, -.6, .3`, `b = 1, .7, 1,
    .2`, and own_c an AR(1) process of half-life 3 hours and standard deviation .3.
    """
    random = np.random.default_rng(seed)

    def walk(half_life: float) -> np.ndarray:
        keep = 0.5 ** (1 / half_life)
        steps = np.sqrt(1 - keep**2) * random.normal(size=rows)
        return pd.Series(steps).ewm(alpha=1 - keep, adjust=False).mean().to_numpy() / (1 - keep)

    shared, hour = walk(24.0), np.arange(rows)
    table = {TIME: pd.Timestamp("2020-01-01") + pd.to_timedelta(hour, unit="h")}
    for c, (a, b) in enumerate(zip((1, 0.8, -0.6, 0.3), (1, 0.7, 1, 0.2), strict=True)):
        table[f"c{c}"] = a * shared + b * np.sin(2 * np.pi * (hour - c) / 24) + 0.3 * walk(3.0)
    return pd.DataFrame(table)
