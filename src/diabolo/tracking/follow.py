"""A fit that is written down while it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from diabolo.tracking.base import RunName, Tracker
from diabolo.tracking.registry import make_tracker

TRACKING_OPTIONS = ("run", "version", "project", "track")
# What does not change what is learnt.
OPTIONS_WITHOUT_EFFECT = (*TRACKING_OPTIONS, "verbose", "checkpoint", "checkpoint_every")


class RunRecorder:
    """A run of a fit; without a tracker it is written down nowhere.

    Attributes:
        name: project/run/version, if there is a tracker.
        summary: what is written down in the end.
        notes: what the user should know of the tracking.
    """

    def __init__(self, tracker: Tracker | None = None, name: str = "") -> None:
        self._tracker, self.name = tracker, name
        self.summary: dict[str, Any] = {}
        self.notes: list[str] = []

    def log(self, line: Mapping[str, Any]) -> None:
        """Write down a line of history."""
        self._call("log", line)

    def finish(self, facts: dict[str, Any], notes: list[str]) -> None:
        """Take over what is known of the fit, and leave the run's name there."""
        if self.name:
            facts["run"] = self.name
        self.summary |= {**facts, "notes": notes}

    def end(self, status: str) -> None:
        """Write down how it ended."""
        self._call("end", status, self.summary)

    def _call(self, method: str, *arguments: Any) -> None:
        if self._tracker is None:
            return
        try:
            getattr(self._tracker, method)(*arguments)
        except Exception as error:
            # A fit of hours is worth more than its curves; one failure is enough to wait for.
            self.notes.append(f"run {self.name} is not written down any further: {error}")
            self._tracker = None


@contextmanager
def record_run(options: Mapping[str, Any]) -> Iterator[RunRecorder]:
    """Write down what happens inside the block, if the options name a run or a place for it.

    Args:
        options: the arguments of `Autoencoder`.

    Raises:
        OptionError: the run cannot be written down as it is asked for.
    """
    if all(options[name] is None for name in TRACKING_OPTIONS):
        yield RunRecorder()
        return
    tracker = make_tracker("runs" if options["track"] is None else options["track"])
    name = RunName(
        "diabolo" if options["project"] is None else str(options["project"]),
        str(options["recipe"] if options["run"] is None else options["run"]),
        options["version"],
    )
    given = {k: v for k, v in options.items() if v is not None and k not in OPTIONS_WITHOUT_EFFECT}
    version = tracker.begin(name, given)
    followed = RunRecorder(tracker, f"{name.project}/{name.run}/{version}")
    try:
        yield followed
    except BaseException as error:
        followed.summary["error"] = f"{type(error).__name__}: {error}"
        followed.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    followed.end("interrupted" if followed.summary.get("interrupted") else "finished")
