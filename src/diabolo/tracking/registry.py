"""A place for runs is text: a folder ("runs"), "tensorboard:FOLDER" or "mlflow:ADDRESS"."""

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
    """The tracker of a place.

    Raises:
        OptionError: no tracker has such places.

    Example:
        >>> make_tracker("tensorboard:runs")
        TensorBoard('runs')
    """
    text = str(where)
    # One letter before a colon is a drive of Windows.
    found = re.match(r"([A-Za-z]\w+):", text)
    scheme, address = (found[1], text[found.end() :]) if found else ("", text)
    for kind in TRACKERS:
        if kind.scheme == scheme and address:
            return kind(address)
    raise OptionError(
        f"track={text!r}: expected a place for runs",
        hint='track="runs" for a folder, "tensorboard:runs" or "mlflow:http://127.0.0.1:5000"',
    )


def runs(where: str | Path = "runs") -> list[RunRecord]:
    """The runs that were written down at a place, oldest first.

    Args:
        where: what `track` was in their fits.

    Raises:
        OptionError: there is no such place.
        DataError: a record there cannot be read.
    """
    return sorted(make_tracker(where).runs(), key=lambda record: record.began)
