"""The list of trackers, and the choice of one by a location: FOLDER, tensorboard:FOLDER or mlflow:ADDRESS."""

from __future__ import annotations

import re
from pathlib import Path

from diabolo.errors import OptionError
from diabolo.tracking.base import RunRecord, Tracker
from diabolo.tracking.folder import Folder
from diabolo.tracking.mlflow import MLflow
from diabolo.tracking.tensorboard import TensorBoard

TRACKERS: tuple[type[Tracker], ...] = (Folder, TensorBoard, MLflow)


def make_tracker(where: str | Path) -> Tracker:
    """Return the tracker of a location.

    Raises:
        OptionError: no tracker has such locations.

    Example:
        >>> make_tracker("tensorboard:runs")
        TensorBoard('runs')
    """
    text = str(where)
    # A single letter before the colon is a drive of Windows.
    found = re.match(r"([A-Za-z]\w+):", text)
    scheme, address = (found[1], text[found.end() :]) if found else ("", text)
    for kind in TRACKERS:
        if kind.scheme == scheme and address:
            return kind(address)
    raise OptionError(
        f"track={text!r}: expected a location for runs",
        hint='track="runs" for a folder, "tensorboard:runs" or "mlflow:http://127.0.0.1:5000"',
    )


def runs(where: str | Path = "runs") -> list[RunRecord]:
    """Return the runs recorded at a location, oldest first.

    Args:
        where: the location, as the `track` argument of their fits.

    Raises:
        OptionError: the location does not exist or cannot be used.
        DataError: a record cannot be read.
    """
    return sorted(make_tracker(where).runs(), key=lambda record: record.began)
