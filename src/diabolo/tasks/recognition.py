"""What the tasks about who or what an image shows have in common: the vectors of the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.data.sources import UserTable
from diabolo.engine import Engine
from diabolo.errors import DataError, UnsupportedError
from diabolo.images.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class ImageVectors:
    """The vectors of the images of the user's rows.

    Attributes:
        user_table: the rows.
        vectors: (rows, size) unit vectors; zeros where there is no image.
        present: (rows,) whether there is an image that can be read.
    """

    user_table: UserTable
    vectors: np.ndarray
    present: np.ndarray


def image_vectors(engine: Engine, data: Any) -> ImageVectors | None:
    """Return the vectors of the images of rows; None if the model does not compare images.

    Args:
        engine: the fitted engine.
        data: rows with the columns of the fit.

    Raises:
        DataError: the data cannot be read, or columns are missing.
    """
    recognizer, models = engine.recognizer, engine.images
    if recognizer is None or models is None:
        return None
    frame = engine.read(data)
    images, rows = models.images(frame)
    found = recognizer.describe(images)
    vectors = np.zeros((frame.user_table.rows, found.shape[1]), np.float32)
    present = np.zeros(len(vectors), bool)
    vectors[rows], present[rows] = found, True
    return ImageVectors(frame.user_table, vectors, present)


def needed_recognizer(engine: Engine, task: str, *, instead: str) -> Recognizer:
    """Return the part of a model that compares images.

    Args:
        engine: the fitted engine.
        task: name of the task that needs it, for the message.
        instead: what serves a model without, for the hint.

    Raises:
        UnsupportedError: the model has none: without labels, it is not known how similar rows of the same
            person are, and so from which similarity on two are the same.
    """
    if engine.recognizer is None:
        raise UnsupportedError(
            f"{task} needs a model that was fitted to images with labels: who or what each one shows",
            hint=f'Autoencoder(labels="label").fit(folder with a sub-folder for each person); or {instead}',
        )
    return engine.recognizer


def needed_vectors(engine: Engine, data: Any) -> ImageVectors:
    """Return the vectors of the images of rows, of a model that compares images.

    Args:
        engine: the fitted engine.
        data: rows with the columns of the fit.

    Raises:
        UnsupportedError: the model does not compare images.
        DataError: the data cannot be read, or columns are missing.
    """
    read = image_vectors(engine, data)
    if read is None:
        raise UnsupportedError("the model does not compare images", hint='Autoencoder(labels="label")')
    return read


def check_present(read: ImageVectors, what: str) -> None:
    """Raise `DataError` if no image can be read.

    Args:
        read: the images.
        what: they are, for the message.
    """
    if not read.present.any():
        raise DataError(f"{what}: none of its {len(read.present)} rows has an image that can be read")


def or_missing(values: Sequence[Any] | np.ndarray, present: np.ndarray) -> pa.Array:
    """Return values as a column, missing where there is no image.

    Args:
        values: (rows,).
        present: (rows,) whether there is an image.
    """
    return pa.array(np.asarray(values), mask=~present)
