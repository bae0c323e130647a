"""Save training runs, so that interrupted ones can be resumed exactly."""

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
    """Files from which an interrupted fit is resumed, with the same result as without the interruption.

    Args:
        path: the file; each network has one of its own, whose name starts with this one.
        every: seconds between two savings.
        key: digest of the data and the options; a file with another key is refused.
    """

    def __init__(self, path: str | Path, every: float, key: str) -> None:
        self.path, self.every, self.key = Path(path), every, key
        self.saved = time.perf_counter()
        self.files: list[Path] = []

    def save(self, run: Trainer, *, now: bool = False) -> None:
        """Save the run if the last saving is long enough ago.

        Args:
            run: to save.
            now: save in any case.
        """
        if not now and time.perf_counter() - self.saved < self.every:
            return
        values, tensors = run.state()
        values = {**values, "best_loss": None if math.isinf(run.best_loss) else run.best_loss}
        card = json.dumps({"key": self.key, "values": values})
        write_atomic(self._file(run), pack(tensors, card))
        self.saved = time.perf_counter()

    def restore(self, run: Trainer) -> None:
        """Restore the state of the run from its file, if there is one.

        Raises:
            OptionError: the file was written for other data or other options, or is damaged.
        """
        file = self._file(run)
        if not file.exists():
            return
        hint = f"delete {file} to start again"
        try:
            with open_tensor_file(file) as stored:
                card, tensors = json.loads(stored.card), stored.tensors()
            key, values = card["key"], card["values"]
        except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
            raise OptionError(f"checkpoint={str(self.path)!r} cannot be read: {error}", hint=hint) from error
        if key != self.key:
            raise OptionError(
                f"checkpoint={str(self.path)!r} belongs to other data or other options", hint=hint
            )
        best_loss = math.inf if values["best_loss"] is None else values["best_loss"]
        run.restore({**values, "best_loss": best_loss}, tensors)

    def remove(self) -> None:
        """Delete the files: the fit has ended."""
        for file in self.files:
            file.unlink(missing_ok=True)

    def _file(self, run: Trainer) -> Path:
        """Return the file of a run, and remember that it belongs to this fit."""
        file = self.path.with_name(f"{self.path.name}.{run.name}")
        if file not in self.files:
            self.files.append(file)
        return file
