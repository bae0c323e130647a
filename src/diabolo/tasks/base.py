"""What a task and its answer are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from diabolo.data.columns import Number
from diabolo.data.columns.convert import to_float
from diabolo.data.columns.image import is_image, to_pixels
from diabolo.data.fields import FIELDS, Batch
from diabolo.data.sources import Frame, UserTable
from diabolo.engine import Engine
from diabolo.errors import UnsupportedError
from diabolo.networks.network import Network
from diabolo.utils.torch_state import torch_threads


class Model(Protocol):
    """What a task needs of a model."""

    alarm_rate: float | None

    @property
    def library_(self) -> str:
        """The dataframe library of the fit."""

    @property
    def engine_(self) -> Engine:
        """What was fitted; raises `NotFittedError` before the fit."""


class Answer(ABC):
    """What a task answers. It remembers the dataframe library of the question.

    Attributes:
        native: the user's data.
    """

    user_table: UserTable

    @abstractmethod
    def columns(self) -> dict[str, Any]:
        """Name -> values, one for each row of the answer's frame."""

    def to_frame(self) -> Any:
        """The answer as a dataframe of the caller's own library; arrow, if the data was a file or array."""
        columns = self.columns()
        aligned = len(next(iter(columns.values()))) == self.user_table.rows
        return self.user_table.to_native(columns, aligned=aligned)

    def to_arrow(self) -> pa.Table:
        """The answer as an arrow table."""
        return UserTable(self.user_table.table).to_native(self.columns())

    def to_array(self) -> np.ndarray:
        """Its pictures, in the layout and type of the fit; or (rows, columns) numbers, NaN for holes.

        Raises:
            UnsupportedError: it has a column that is neither, or pictures in several columns.
        """
        columns = {n: pa.array(v) for n, v in self.columns().items()}
        pictures = [v for v in columns.values() if is_image(v.type)]
        if len(pictures) == 1:
            return to_pixels(pictures[0])
        for name, values in columns.items():
            if not Number.claims(values) and not pa.types.is_boolean(values.type):
                raise UnsupportedError(
                    f"the column {name!r} of the answer holds no numbers", hint="answer.to_frame()"
                )
        return np.stack([to_float(values, name) for name, values in columns.items()], axis=1)


def nothing_asked(library: str) -> UserTable:
    """What an answer remembers that is not about rows of the user: only the library to answer in."""
    return UserTable(pa.table({"_": [0]}), library)


def decode_column(
    engine: Engine,
    frame: Frame,
    name: str,
    codes: Mapping[str, np.ndarray],
    rows: np.ndarray,
    weights: Mapping[str, np.ndarray] | None = None,
) -> pa.Array:
    """Return one column's own values from encoded ones, on some of the user's rows.

    Args:
        engine: the fitted model.
        frame: what was read.
        name: the column.
        codes: kind -> (frame rows, fields, *cell) encoded values.
        rows: the user's rows.
        weights: kind -> (frame rows, fields, *cell) weights of each window's answer about a point.
    """
    parts = []
    for slot in engine.schema.slots_of(name):
        weight = (weights or {}).get(slot.kind)
        own = None if weight is None else weight[:, slot.index]
        values = engine.to_user_rows(frame, slot.kind, codes[slot.kind][:, slot.index], own)
        parts.append(values[rows].astype(float))
    column = engine.schema[name].decode(parts, exact=True)
    return column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)


def precision_weights(low: Mapping[str, np.ndarray], high: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return kind -> weights of each window's answer about a point: one over its variance.

    A window that has the point at its edge, or a missing value next to it, knows less of it.

    Args:
        low: kind -> (windows, fields, length) lower quantile of the prediction.
        high: likewise, the upper one.
    """
    kinds = [f.kind for f in FIELDS if f.follows_time and f.kind in low]
    return {kind: np.asarray(1 / np.maximum(high[kind] - low[kind], 1e-6) ** 2) for kind in kinds}


def mean_of(network: Network) -> Callable[[Batch], Mapping[str, Tensor]]:
    """What a network makes of rows: the mean of each cell, or the likeliest label."""
    return lambda batch: {kind: said.mean for kind, said in network(batch).likelihoods.items()}


def decode_rows(
    engine: Engine, frame: Frame, read: Callable[[Batch], Mapping[str, Tensor]]
) -> dict[str, pa.Array]:
    """Scored column -> what is made of each of the user's rows, as `read` has it of rows without holes."""
    found: dict[str, list[np.ndarray]] = {}
    for _, batch in engine.chunks(frame):
        with torch.no_grad(), torch_threads(engine.threads):
            said = read(engine.fill_missing(batch).padded().to(engine.device))
        for kind, mean in said.items():
            found.setdefault(kind, []).append(mean.cpu().numpy()[: len(batch)])
    whole = {k: np.concatenate(v) for k, v in found.items()}
    every = np.arange(frame.user_table.rows)
    return {name: decode_column(engine, frame, name, whole, every) for name in engine.schema.scored}
