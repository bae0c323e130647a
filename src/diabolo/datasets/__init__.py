"""Small data sets that are shipped with the package, so that a first example needs no download.

Origin, licences and checksums are listed in `SOURCE.md`, in the same folder.
"""

from __future__ import annotations

from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow

__all__ = ["adults", "machine_temperature", "machine_temperature_windows"]

# From NAB's combined_windows.json: each window is centred on one of the four labelled points.
_MACHINE_TEMPERATURE_WINDOWS = (
    ("2013-12-10 06:25:00", "2013-12-12 05:35:00"),
    ("2013-12-15 17:50:00", "2013-12-17 17:00:00"),
    ("2014-01-27 14:20:00", "2014-01-29 13:30:00"),
    ("2014-02-07 14:55:00", "2014-02-09 14:05:00"),
)


def machine_temperature() -> pyarrow.Table:
    """Read the temperature of an industrial machine that failed, every five minutes for eleven weeks.

    A series of the Numenta Anomaly Benchmark, in the order of its file: the clock goes back once, so
    twelve timestamps occur twice.

    Returns:
        22,695 rows of `timestamp` (microseconds, no time zone) and `value` (float64).

    Examples:
        >>> machine_temperature().shape
        (22695, 2)
    """
    return _read("machine_temperature.parquet")


def machine_temperature_windows() -> list[tuple[datetime, datetime]]:
    """List the four periods of `machine_temperature` that its publishers labelled anomalous.

    Returns:
        The first and the last timestamp of each period, in order; both belong to it.

    Examples:
        >>> start, end = machine_temperature_windows()[0]
        >>> print(start, "to", end)
        2013-12-10 06:25:00 to 2013-12-12 05:35:00
    """
    return [
        (datetime.fromisoformat(start), datetime.fromisoformat(end))
        for start, end in _MACHINE_TEMPERATURE_WINDOWS
    ]


def adults() -> pyarrow.Table:
    """Read 2,000 people of the United States census of 1994: six numbers, nine categories, missing values.

    A random sample of the training part of UCI Adult (Becker and Kohavi, 1996).

    Returns:
        2,000 rows of 15 columns; unknown values are null.

    Examples:
        >>> adults().column_names[:3]
        ['age', 'workclass', 'fnlwgt']
    """
    return _read("adults.parquet")


def _read(name: str) -> pyarrow.Table:
    import pyarrow
    import pyarrow.parquet

    # Read as bytes, not by path: the package may be imported from a zip file.
    content = (resources.files(__name__) / name).read_bytes()
    return pyarrow.parquet.read_table(pyarrow.BufferReader(content))
