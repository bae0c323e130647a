"""The interface of a tracker, and the records of runs."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any, ClassVar

from diabolo.errors import OptionError
from diabolo.utils.checks import check_int
from diabolo.utils.json import to_json_value

CURVE_NAMES = ("total", "reconstruction", "kl", "held_out", "lr")
"""The values of a history line that trackers draw as curves against the step."""

STATUSES = ("running", "finished", "interrupted", "failed")


@dataclass(frozen=True)
class RunName:
    """The full name of a run: a project has several runs, and a run has several versions.

    Attributes:
        project: name of the project (a folder, or an experiment of MLflow).
        run: name of the run.
        version: version of the run, from 1; None for the next free number.

    Raises:
        OptionError: a name cannot be that of a folder, or the version is not a positive integer.
    """

    project: str
    run: str
    version: int | None = None

    def __post_init__(self) -> None:
        for what, name in (("project", self.project), ("run", self.run)):
            # They become names of folders, on any operating system.
            if not re.fullmatch(r'(?!\.)[^/\\:*?"<>|\x00-\x1f]{1,200}', name):
                raise OptionError(
                    f"{what}={name!r}: expected a name of up to 200 characters that can name a folder",
                    hint=f'{what}="baseline"',
                )
        if self.version is not None:
            check_int("version", self.version)

    def version_exists(self, free: int) -> OptionError:
        """Return the error that this version exists already; `free` is the next free version."""
        return OptionError(
            f"version={self.version} of run {self.run!r} in project {self.project!r} exists already",
            hint=f"version={free} is free; without a version the next free one is used",
        )


@dataclass(frozen=True)
class RunRecord:
    """A recorded run.

    Attributes:
        project: name of the project.
        run: name of the run.
        version: version of the run, from 1.
        status: one of `STATUSES`; a run that was killed stays "running".
        began: start of the fit, with its time zone.
        seconds: duration of the fit; while it is running, until its last history line.
        parameters: the arguments of the fit that were given.
        summary: facts at the end of the fit: rows, versions, notes, the error that ended it.
        history: one line per validation: member, step, losses.
    """

    project: str
    run: str
    version: int
    status: str
    began: datetime
    seconds: float | None
    parameters: Mapping[str, Any]
    summary: Mapping[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """project/run/version."""
        return f"{self.project}/{self.run}/{self.version}"

    def lines(self) -> dict[str, list[dict[str, Any]]]:
        """Return member -> its history lines, in the order of steps."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self.history:
            found.setdefault(str(line.get("member")), []).append(line)
        return found


def best_line(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the history line of the kept weights: the one with the lowest loss on held-out rows.

    Without held-out rows it is the one with the lowest loss on the training rows.
    """

    def loss(line: Mapping[str, Any]) -> float:
        value = line.get("held_out")
        value = line.get("total") if value is None else value
        return math.inf if value is None else float(value)

    return min(lines, key=loss)


class Tracker(ABC):
    """Records one run at a location, or reads the runs recorded there.

    Args:
        where: the location, without its scheme.
    """

    scheme: ClassVar[str]
    """The text before the colon of a location; empty for a folder."""

    def __init__(self, where: str) -> None:
        self.where = where

    @abstractmethod
    def begin(self, name: RunName, parameters: Mapping[str, Any]) -> int:
        """Start to record a run, and return its version; an existing run is never overwritten.

        Args:
            name: project, run and version.
            parameters: the arguments of the fit that were given.

        Raises:
            OptionError: the version exists already, or the location cannot be used.
            DataError: nothing can be written there.
        """

    @abstractmethod
    def log(self, line: Mapping[str, Any]) -> None:
        """Record a history line durably, so that it is kept if the process crashes."""

    @abstractmethod
    def end(self, status: str, summary: Mapping[str, Any]) -> None:
        """Record the end of the run.

        Args:
            status: one of `STATUSES`.
            summary: facts at the end of the fit, see `RunRecord`.
        """

    @abstractmethod
    def runs(self) -> list[RunRecord]:
        """Return all runs recorded at the location.

        Raises:
            OptionError: the location does not exist or cannot be used.
            DataError: a record cannot be read.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.where!r})"


def to_json_values(value: Any) -> Any:
    """Return a value as JSON can hold it: None for NaN and infinity, text for objects."""
    # A path as it was typed, everything else as in code.
    return to_json_value(value, lambda v: str(v) if isinstance(v, PurePath) else repr(v))


def curve_points(line: Mapping[str, Any]) -> dict[str, float]:
    """Return the curve points of a history line: member/loss -> value."""
    found = {name: line.get(name) for name in CURVE_NAMES}
    return {
        f"{line['member']}/{name}": float(value)
        for name, value in found.items()
        if value is not None and math.isfinite(value)
    }
