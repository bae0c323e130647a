"""Runs that were cut off go on as if they had not been."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

from diabolo.errors import OptionError
from diabolo.training.trainer import Trainer
from diabolo.utils.files import write_atomic
from diabolo.utils.tensor_file import open_tensor_file, pack


class Checkpoint:
    """A file from which a run that was cut off goes on as if it had not been.

    Args:
        path: the file; each network's run has its own beside it.
        every: seconds between two savings.
        key: stands for the data and the options: a file with another key is not gone on from.
    """

    def __init__(self, path: str | Path, every: float, key: str) -> None:
        self.path, self.every, self.key = Path(path), every, key
        self.saved = time.perf_counter()
        self.files: list[Path] = []

    def keep(self, run: Trainer, *, now: bool = False) -> None:
        """Save the run, if it is time to."""
        if not now and time.perf_counter() - self.saved < self.every:
            return
        values, tensors = run.state()
        values = {**values, "best": None if math.isinf(run.best) else run.best}
        card = json.dumps({"key": self.key, "values": values})
        write_atomic(self._file(run), pack(tensors, card))
        self.saved = time.perf_counter()

    def restore(self, run: Trainer) -> None:
        """Go on from the file, if there is one.

        Raises:
            OptionError: it was written for other data or other options, or is damaged.
        """
        file = self._file(run)
        if not file.exists():
            return
        hint = f"remove {file} to start afresh"
        try:
            with open_tensor_file(file) as stored:
                card, tensors = json.loads(stored.card), stored.tensors()
            key, values = card["key"], card["values"]
        except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
            raise OptionError(f"checkpoint={str(self.path)!r} cannot be read: {error}", hint=hint) from error
        if key != self.key:
            raise OptionError(f"checkpoint={str(self.path)!r} is of other data or other options", hint=hint)
        run.restore({**values, "best": math.inf if values["best"] is None else values["best"]}, tensors)

    def remove(self) -> None:
        """The fit has ended: there is nothing left to go on from."""
        for file in self.files:
            file.unlink(missing_ok=True)

    def _file(self, run: Trainer) -> Path:
        file = self.path.with_name(f"{self.path.name}.{run.name}")
        if file not in self.files:
            self.files.append(file)
        return file
