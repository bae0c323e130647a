"""What a task and its answer are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from diabolo.engine import Engine
from diabolo.sources import Frame, Native


class Model(Protocol):
    """What a task needs of a model."""

    alarm_rate: float | None

    @property
    def engine_(self) -> Engine:
        """What was fitted; raises `NotFittedError` before the fit."""


class Answer(ABC):
    """What a task answers. It remembers the dataframe library of the question.

    Attributes:
        native: the user's data.
    """

    native: Native

    @abstractmethod
    def columns(self) -> dict[str, Any]:
        """Name -> values, one for each row of the answer's frame."""

    def to_frame(self) -> Any:
        """The answer as a dataframe of the caller's own library; arrow, if the data was a file or array."""
        columns = self.columns()
        aligned = len(next(iter(columns.values()))) == self.native.rows
        return self.native.give(columns, aligned=aligned)

    def to_arrow(self) -> pa.Table:
        """The answer as an arrow table."""
        return Native(self.native.table).give(self.columns())


def decoded(
    engine: Engine, frame: Frame, name: str, codes: dict[str, np.ndarray], rows: np.ndarray
) -> pa.Array:
    """One column's own values from codes: put onto the user's rows, then those of `rows`.

    Args:
        engine: the fitted model.
        frame: what was read.
        name: the column.
        codes: kind -> (frame rows, fields, *cell).
        rows: user rows wanted.
    """
    parts = [
        engine.place(frame, s.kind, codes[s.kind][:, s.index])[rows].astype(float)
        for s in engine.schema.slots_of(name)
    ]
    values = engine.schema[name].decode(parts, exact=True)
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
