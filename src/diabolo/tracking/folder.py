"""Runs in a plain folder: FOLDER/PROJECT/RUN/VERSION/ with run.json and history.ndjson."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diabolo.errors import DataError, OptionError
from diabolo.tracking.base import STATUSES, RunName, RunRecord, Tracker, to_json_values
from diabolo.utils.files import write_atomic
from diabolo.version import __version__

RECORD_FILE, HISTORY_FILE = "run.json", "history.ndjson"


class Folder(Tracker):
    """Records a run in a folder of its own.

    run.json is replaced atomically at the start and at the end of the run; history.ndjson grows by one line
    per validation.

    Args:
        where: the folder; it is created if it does not exist.
    """

    scheme = ""

    def begin(self, name: RunName, parameters: Mapping[str, Any]) -> int:
        """Create the folder of the run, and write run.json with the status "running".

        Args:
            name: project, run and version.
            parameters: the arguments of the fit that were given.
        """
        home = Path(self.where) / name.project / name.run
        try:
            home.mkdir(parents=True, exist_ok=True)
            version = name.version or _next_version(home)
            while True:
                self.run_folder = home / str(version)
                try:
                    self.run_folder.mkdir()  # of two runs that start at once, one creates it
                    break
                except FileExistsError as error:
                    if name.version is not None:
                        raise name.version_exists(_next_version(home)) from error
                    version += 1
        except OSError as error:
            raise DataError(f"{home}: runs cannot be recorded there: {error.strerror}") from error
        self._began = datetime.now(UTC)
        self._card = {
            "diabolo": __version__,
            "project": name.project,
            "run": name.run,
            "version": version,
            "began": self._began.isoformat(),
            "parameters": to_json_values(parameters),
        }
        self._write("running", None, {})
        return version

    def log(self, line: Mapping[str, Any]) -> None:
        with open(self.run_folder / HISTORY_FILE, "a", encoding="utf-8") as file:
            file.write(json.dumps(to_json_values(line)) + "\n")

    def end(self, status: str, summary: Mapping[str, Any]) -> None:
        """Write the status and the summary to run.json.

        Args:
            status: one of `STATUSES`.
            summary: facts at the end of the fit.
        """
        self._write(status, (datetime.now(UTC) - self._began).total_seconds(), summary)

    def runs(self) -> list[RunRecord]:
        root = Path(self.where)
        if not root.is_dir():
            raise OptionError(
                f"{root}: there is no such folder of runs", hint=f"the folder here is {Path.cwd()}"
            )
        return [_read_record(card) for card in sorted(root.glob(f"*/*/*/{RECORD_FILE}"))]

    def _write(self, status: str, seconds: float | None, summary: Mapping[str, Any]) -> None:
        card = {**self._card, "status": status, "seconds": seconds, "summary": to_json_values(summary)}
        write_atomic(self.run_folder / RECORD_FILE, (json.dumps(card, indent=2) + "\n").encode())


def _next_version(home: Path) -> int:
    """Return the version after the last one."""
    return 1 + max((int(p.name) for p in home.iterdir() if p.name.isdecimal()), default=0)


def _read_record(path: Path) -> RunRecord:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        history = _read_history(path.with_name(HISTORY_FILE))
        began, status = datetime.fromisoformat(card["began"]), card["status"]
        if began.tzinfo is None or status not in STATUSES:
            raise ValueError(f"status {status!r}, began {began}")
        seconds = (
            card["seconds"] if status != "running" else _elapsed_seconds(path.with_name(HISTORY_FILE), began)
        )
        return RunRecord(
            project=str(card["project"]),
            run=str(card["run"]),
            version=int(card["version"]),
            status=status,
            began=began,
            seconds=None if seconds is None else float(seconds),
            parameters=dict(card["parameters"]),
            summary=dict(card["summary"]),
            history=history,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not a valid record of a run: {error}", hint=f"move {path.parent} elsewhere"
        ) from error


def _read_history(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    # A last line without a line end was cut off by a crash, or is being written at this moment.
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _elapsed_seconds(path: Path, began: datetime) -> float | None:
    return max(path.stat().st_mtime - began.timestamp(), 0.0) if path.exists() else None
