"""Where fits are recorded as runs, and read from again: one kind of tracker per file."""

from diabolo.tracking.base import RunName, RunRecord, Tracker, best_line
from diabolo.tracking.folder import Folder
from diabolo.tracking.follow import TRACKING_OPTIONS, RunRecorder, record_run
from diabolo.tracking.mlflow import MLflow
from diabolo.tracking.registry import TRACKERS, make_tracker, runs
from diabolo.tracking.tensorboard import TensorBoard

__all__ = [
    "TRACKERS",
    "TRACKING_OPTIONS",
    "Folder",
    "MLflow",
    "RunName",
    "RunRecord",
    "RunRecorder",
    "TensorBoard",
    "Tracker",
    "best_line",
    "make_tracker",
    "record_run",
    "runs",
]
