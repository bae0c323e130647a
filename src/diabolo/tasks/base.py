"""The base class of answers, the model that tasks read, and the decoding of values that tasks share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from diabolo.cleaning.joining import UNEXPECTED, JudgedCells
from diabolo.data.columns import Number
from diabolo.data.columns.convert import at_rows, plain_type, plain_values, to_float
from diabolo.data.columns.image import is_image, stored_layout, to_images, to_pixels
from diabolo.data.fields import FIELDS, Batch
from diabolo.data.images import ImageSequence, PixelRange, find_encoded_images
from diabolo.data.images.answers import arrays_of, as_stored, only_images, write_images
from diabolo.data.sources import Frame, UserTable
from diabolo.engine import Engine
from diabolo.errors import UnsupportedError
from diabolo.networks.network import Network
from diabolo.utils.torch_state import torch_threads


class Model(Protocol):
    """The part of a fitted model that tasks use.

    Attributes:
        alarm_rate: the share of normal rows that may be alarms; None for the default.
        follow: whether the alarm level of a series follows the share of alarms; None for what suits the data.
        labels: the column that says who or what an image shows; None without.
    """

    alarm_rate: float | None
    follow: bool | None
    labels: str | None

    @property
    def library_(self) -> str:
        """The name of the dataframe library of the fit."""

    @property
    def engine_(self) -> Engine:
        """The fitted engine.

        Raises:
            NotFittedError: the model is not fitted.
        """


class Answer(ABC):
    """The answer of a task, which can be returned in the dataframe library of the caller.

    Attributes:
        user_table: the data that the caller passed.
    """

    user_table: UserTable

    @abstractmethod
    def columns(self) -> dict[str, Any]:
        """Return name -> values, one for each row of the answer."""

    def to_frame(self) -> Any:
        """Return a dataframe of the caller's library; an Arrow table if the data was a file or an array."""
        columns = self.columns()
        aligned = len(next(iter(columns.values()))) == self.user_table.rows
        return self.user_table.to_native(columns, aligned=aligned)

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table."""
        return UserTable(self.user_table.table).to_native(self.columns())

    @property
    def images(self) -> list[np.ndarray]:
        """The images of the answer, each (height, width) or (height, width, channels), in its own type.

        Raises:
            UnsupportedError: no column holds images, or several do.
        """
        return arrays_of(self._image_column())

    def save_images(self, folder: str | Path) -> list[Path]:
        """Write the images of the answer into a folder, under the names of the user's images.

        Args:
            folder: made if it does not exist.

        Returns:
            the paths that were written.

        Raises:
            UnsupportedError: no column holds images, or several do.
            DataError: the folder cannot be written to.
        """
        originals = next((v for v in self.user_table.columns().values() if _holds_images(v)), None)
        return write_images(folder, self._image_column(), originals)

    def _image_column(self) -> pa.Array:
        return only_images({n: pa.array(v) for n, v in self.columns().items()})

    def to_array(self) -> np.ndarray:
        """Return the images, in the layout and type of the fit; or (rows, columns) numbers, NaN if missing.

        Raises:
            UnsupportedError: a column holds neither numbers nor images, or several columns hold images.
        """
        columns = {n: pa.array(v) for n, v in self.columns().items()}
        images = [v for v in columns.values() if is_image(v.type)]
        if len(images) == 1:
            return to_pixels(images[0])
        if any(pa.types.is_large_binary(v.type) for v in columns.values()):
            return _stacked(arrays_of(only_images(columns)))
        for name, values in columns.items():
            if not Number.claims(values) and not pa.types.is_boolean(values.type):
                raise UnsupportedError(
                    f"the column {name!r} of the answer holds no numbers", hint="answer.to_frame()"
                )
        return np.stack([to_float(values, name) for name, values in columns.items()], axis=1)


def _stacked(images: list[np.ndarray]) -> np.ndarray:
    """Return images of one size as one array.

    Raises:
        UnsupportedError: their sizes differ.
    """
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise UnsupportedError(
            f"the images have {len(shapes)} sizes, one array has one", hint="answer.images"
        )
    return np.stack(images)


def _holds_images(values: pa.Array) -> bool:
    """Return whether a column of the user holds images: arrays, paths or bytes."""
    return is_image(values.type) or bool(find_encoded_images({"": values}))


def placeholder_table(library: str) -> UserTable:
    """Return the `user_table` of answers that are not about rows of the caller: only its library counts."""
    return UserTable(pa.table({"_": [0]}), library)


def decode_column(
    engine: Engine,
    frame: Frame,
    name: str,
    codes: Mapping[str, np.ndarray],
    rows: np.ndarray,
    weights: Mapping[str, np.ndarray] | None = None,
) -> pa.Array:
    """Return a column in its own type from encoded values, for some of the user's rows.

    Args:
        engine: the fitted engine.
        frame: the rows that were read.
        name: the column.
        codes: kind -> (frame rows, fields, *cell) encoded values.
        rows: the user's rows, counted from 0.
        weights: kind -> (frame rows, fields, *cell) weights of the predictions of overlapping windows for one
            point; None for equal ones.
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
    """Return kind -> weights of the predictions of overlapping windows for one point: inverse variances.

    A window that has the point at its edge, or a missing value next to it, predicts it less precisely.

    Args:
        low: kind -> (windows, fields, length) lower quantile of the prediction.
        high: kind -> (windows, fields, length) upper quantile.
    """
    kinds = [f.kind for f in FIELDS if f.follows_time and f.kind in low]
    return {kind: np.asarray(1 / np.maximum(high[kind] - low[kind], 1e-6) ** 2) for kind in kinds}


def mean_of(network: Network) -> Callable[[Batch], Mapping[str, Tensor]]:
    """Return a function of a batch: kind -> the predicted mean of each cell, or its most likely label."""
    return lambda batch: {kind: predicted.mean for kind, predicted in network(batch).likelihoods.items()}


def decode_rows(
    engine: Engine, frame: Frame, predict: Callable[[Batch], Mapping[str, Tensor]]
) -> dict[str, pa.Array]:
    """Return scored column -> predicted values of each of the user's rows.

    Args:
        engine: the fitted engine.
        frame: the rows that were read.
        predict: returns kind -> (rows, fields, *cell) encoded values of a batch, whose missing values are
            filled.
    """
    found: dict[str, list[np.ndarray]] = {}
    for _, batch in engine.chunks(frame):
        with torch.no_grad(), torch_threads(engine.threads):
            predicted = predict(engine.fill_missing(batch).padded().to(engine.device))
        for kind, mean in predicted.items():
            found.setdefault(kind, []).append(mean.cpu().numpy()[: len(batch)])
    codes = {k: np.concatenate(v) for k, v in found.items()}
    rows = np.arange(frame.user_table.rows)
    decoded = {name: decode_column(engine, frame, name, codes, rows) for name in engine.schema.predicted}
    return {name: at_own_size(engine, frame, name, values) for name, values in decoded.items()}


def at_own_size(engine: Engine, frame: Frame, name: str, values: pa.Array) -> pa.Array:
    """Return images that networks read at a smaller size as the user's are; other values as they are.

    Args:
        engine: the fitted engine.
        frame: the rows that were read.
        name: of the column.
        values: (rows,) decoded values.
    """
    if (own_range := engine.source.pixel_range(name)) is None:
        return values
    originals, present = _originals(frame, name)
    reduced = ImageSequence(values.take(pa.array(present)), PixelRange.of(values))
    stored = as_stored(reduced, ImageSequence(originals, own_range, name))
    return at_rows(stored, present, len(values))


def _originals(frame: Frame, name: str) -> tuple[pa.Array, np.ndarray]:
    """Return the user's images that have a size and a type, and the numbers of their rows.

    Of arrays, all have: missing ones are black.
    """
    values = frame.user_table.columns()[name]
    known = frame.present(name)
    if not is_image(values.type) or known.all():
        return values.take(pa.array(np.flatnonzero(known))), np.flatnonzero(known)
    pixels = to_pixels(values)
    filled = np.where(known.reshape(-1, *[1] * (pixels.ndim - 1)), pixels, 0).astype(pixels.dtype)
    return to_images(filled, name, stored_layout(values.type)), np.arange(len(values))


def with_right_values(values: pa.Array, judged: JudgedCells, name: str) -> pa.Array:
    """Return expected values, with the right one in its place where a cell is wrong and it is known.

    Args:
        values: (rows,) expected ones.
        judged: the cells.
        name: of the column.
    """
    verdicts = judged.verdicts.get(name)
    if verdicts is None:
        return values
    wrong = judged.p_wrong[:, judged.names.index(name)] >= UNEXPECTED
    known = wrong & np.array([s is not None for s in verdicts.suggestions], dtype=bool)
    if not known.any():
        return values
    right = to_values(verdicts.suggestions, known, plain_type(values.type))
    plain = plain_values(values)
    return pc.if_else(right.is_valid(), right, plain)


def to_values(suggestions: np.ndarray, wanted: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Return suggested values in the type of a column; null where they are not wanted or do not fit.

    Args:
        suggestions: (rows,) texts or numbers.
        wanted: (rows,) flags.
        kind: type of the column.
    """
    found = [_to_value(s, kind) if w else None for s, w in zip(suggestions, wanted, strict=True)]
    return pa.array(found, kind)


def _to_value(value: Any, kind: pa.DataType) -> Any:
    """Return a suggested value in the type of a column; None if it does not fit."""
    if value is None:
        return None
    if isinstance(value, float) and not pa.types.is_floating(kind):
        value = f"{value:.12g}"
    try:
        return pa.array([value]).cast(pa.string()).cast(kind)[0].as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
