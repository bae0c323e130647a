"""What a tracker is, and what it knows of a run."""

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

CURVE_NAMES = ("total", "reconstruction", "kl", "held_out", "lr")
"""What is drawn of a line of history, against its step."""

STATUSES = ("running", "finished", "interrupted", "failed")


@dataclass(frozen=True)
class RunName:
    """What a run is called: several versions of a run belong to one name, several names to a project.

    Attributes:
        project: names a folder, an experiment.
        run: the name.
        version: from 1; None for the next that is free.
    """

    project: str
    run: str
    version: int | None = None

    def __post_init__(self) -> None:
        for what, name in (("project", self.project), ("run", self.run)):
            # They become names of folders, on any system.
            if not re.fullmatch(r'(?!\.)[^/\\:*?"<>|\x00-\x1f]{1,200}', name):
                raise OptionError(
                    f"{what}={name!r}: expected a name of up to 200 signs that can name a folder",
                    hint=f'{what}="baseline"',
                )
        if self.version is not None:
            check_int("version", self.version)

    def version_exists(self, free: int) -> OptionError:
        """The error that this version exists."""
        return OptionError(
            f"version={self.version} of run {self.run!r} in project {self.project!r} exists already",
            hint=f"version={free} is free; without a version the next free one is taken",
        )


@dataclass(frozen=True)
class RunRecord:
    """What was written down of a run.

    Attributes:
        project, run, version: what it is called.
        status: one of `STATUSES`; a run that was killed still says "running".
        began: when, with its time zone.
        seconds: how long it took, or what its last line says while it runs.
        parameters: the arguments of the fit that were given.
        summary: what was known in the end: rows, versions, notes, the error that ended it.
        history: one line for each look at the held-out rows: member, step, losses.
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
        """Member -> its lines of history, in the order of its steps."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self.history:
            found.setdefault(str(line.get("member")), []).append(line)
        return found


def best_line(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The line whose weights are kept: with the lowest loss on held-out rows, or on those of the fit."""

    def loss(line: Mapping[str, Any]) -> float:
        judged = line.get("held_out")
        judged = line.get("total") if judged is None else judged
        return math.inf if judged is None else float(judged)

    return min(lines, key=loss)


class Tracker(ABC):
    """Writes down one run at a place, or reads those that are there.

    Args:
        where: the place, without its scheme.
    """

    scheme: ClassVar[str]
    """What stands before the colon of a place."""

    def __init__(self, where: str) -> None:
        self.where = where

    @abstractmethod
    def begin(self, name: RunName, parameters: Mapping[str, Any]) -> int:
        """Begin a run, and tell its version; nothing that is there is ever overwritten.

        Raises:
            OptionError: its version exists, or the place cannot be used.
        """

    @abstractmethod
    def log(self, line: Mapping[str, Any]) -> None:
        """Write down a line of history, so that it outlasts a crash."""

    @abstractmethod
    def end(self, status: str, summary: Mapping[str, Any]) -> None:
        """Write down how the run ended."""

    @abstractmethod
    def runs(self) -> list[RunRecord]:
        """All runs at the place.

        Raises:
            OptionError: there is no such place.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.where!r})"


def to_json_values(value: Any) -> Any:
    """A value as JSON can hold it: infinity is no number there, and what is not plain is its text."""
    if isinstance(value, Mapping):
        return {str(k): to_json_values(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [to_json_values(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    # A path as it was typed, everything else as it would be written in code.
    return str(value) if isinstance(value, PurePath) else repr(value)


def curve_points(line: Mapping[str, Any]) -> dict[str, float]:
    """The points that a line of history adds: member/loss -> value."""
    found = {name: line.get(name) for name in CURVE_NAMES}
    return {
        f"{line['member']}/{name}": float(value)
        for name, value in found.items()
        if value is not None and math.isfinite(value)
    }
