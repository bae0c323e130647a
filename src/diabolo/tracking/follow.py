"""Recording a fit as a run while it is going on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from diabolo.tracking.base import RunName, Tracker
from diabolo.tracking.registry import make_tracker

# The arguments of `Autoencoder` that name a run or where it is recorded.
TRACKING_OPTIONS = ("run", "version", "project", "track")
# Arguments that do not change the fitted model; they are not recorded as parameters.
OPTIONS_WITHOUT_EFFECT = (*TRACKING_OPTIONS, "verbose", "checkpoint", "checkpoint_every")


class RunRecorder:
    """Records one fit with a tracker; without a tracker it does nothing.

    Args:
        tracker: the tracker, on which `begin` was called; None to record nothing.
        name: project/run/version.

    Attributes:
        name: project/run/version; empty without a tracker.
        summary: the facts that are recorded at the end.
        notes: messages about the recording, for the user.
    """

    def __init__(self, tracker: Tracker | None = None, name: str = "") -> None:
        self._tracker, self.name = tracker, name
        self.summary: dict[str, Any] = {}
        self.notes: list[str] = []

    def log(self, line: Mapping[str, Any]) -> None:
        """Record a history line."""
        self._call("log", line)

    def finish(self, facts: dict[str, Any], notes: list[str]) -> None:
        """Add the facts and notes of the fit to the summary, and the name of the run to the facts.

        Args:
            facts: facts of the fit; "run" is set in it.
            notes: messages of the fit.
        """
        if self.name:
            facts["run"] = self.name
        self.summary |= {**facts, "notes": notes}

    def end(self, status: str) -> None:
        """Record the end of the run with a status of `STATUSES`."""
        self._call("end", status, self.summary)

    def _call(self, method: str, *arguments: Any) -> None:
        if self._tracker is None:
            return
        try:
            getattr(self._tracker, method)(*arguments)
        except Exception as error:
            # A fit of hours is worth more than its curves: after one failure nothing more is recorded.
            self.notes.append(f"run {self.name} is no longer recorded: {error}")
            self._tracker = None


@contextmanager
def record_run(options: Mapping[str, Any]) -> Iterator[RunRecorder]:
    """Record the fit inside the block, if the options name a run or a location.

    The status becomes "failed" or "interrupted" if the block raises an error, else "finished".

    Args:
        options: the arguments of `Autoencoder`.

    Raises:
        OptionError: the run cannot be recorded there under this name.
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
    recorder = RunRecorder(tracker, f"{name.project}/{name.run}/{version}")
    try:
        yield recorder
    except BaseException as error:
        recorder.summary["error"] = f"{type(error).__name__}: {error}"
        recorder.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    recorder.end("interrupted" if recorder.summary.get("interrupted") else "finished")
