"""The images of a column, as a page shows them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Image
from diabolo.data.columns.convert import to_array
from diabolo.data.columns.image import channels_first, is_image
from diabolo.data.images import ImageSequence, is_image_path
from diabolo.data.sources import Frame
from diabolo.engine import Engine
from diabolo.report.drawing.thumbnails import fit_into
from diabolo.utils.text import shorten

MAX_SIDE = 128  # pixels of the longer side of an image in a page: a choice
MAX_NAME = 80  # characters of the name of a file: a choice


class ShownImages:
    """The images of one column, from 0 to 1, decoded when they are asked for.

    Args:
        engine: the fitted model.
        frame: the data as it was read.
        column: the one with the images.
    """

    def __init__(self, engine: Engine, frame: Frame, column: str) -> None:
        self.engine, self.column = engine, column
        self.values = to_array(frame.user_table.columns()[column])
        self.names = image_names(self.values)
        self._present = frame.present(column)
        self._small: dict[int, np.ndarray] = {}
        self._range = engine.source.pixel_range(column)

    def at(self, row: int) -> np.ndarray:
        """Return an image that is present, at its own size: (height, width, 1 or 3 channels).

        Args:
            row: its number.
        """
        return self.of_answer(self.values, row)

    def small(self, row: int) -> np.ndarray:
        """Return an image that is present, with at most 128 pixels on its longer side; kept for later.

        Args:
            row: its number.
        """
        if row not in self._small:
            self._small[row] = fit_into(self.at(row), MAX_SIDE)
        return self._small[row]

    def are_present(self, rows: Sequence[int]) -> list[int]:
        """Return those of some rows whose images are present.

        Args:
            rows: their numbers.
        """
        return [row for row in rows if self._present[row]]

    def of_answer(self, values: Any, row: int) -> np.ndarray:
        """Return an image of an answer, in the form of `at`.

        Args:
            values: (rows,) images of an answer: arrays, or bytes of files.
            row: the number of the image.
        """
        one = to_array(values)[row : row + 1]
        if self._range is not None:
            pixels: np.ndarray = ImageSequence(one, self._range, self.column).decoded(0).pixels
            return pixels
        pixels = np.moveaxis(channels_first(one, self.column)[0][0], 0, 2)
        return self.to_unit(pixels)

    @property
    def files(self) -> list[str]:
        """The paths of the images that are present and lie in files of their own."""
        if is_image(self.values.type):
            return []
        present = self.are_present(range(len(self.values)))
        return [
            path
            for path in self.values.take(pa.array(present, pa.int64())).to_pylist()
            if is_image_path(path)
        ]

    def to_unit(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels of a small array from 0 to 1 in grey or in colour, without opacity.

        They are shown from the lowest to the highest pixel of the fit; one that is missing becomes black.

        Args:
            pixels: (height, width, channels).
        """
        own = self.engine.schema[self.column]
        assert isinstance(own, Image)
        channels = 3 if pixels.shape[2] >= 3 else 1
        values = np.nan_to_num(pixels[..., :channels].astype(float), nan=own.low)
        share = (values - own.low) / max(own.high - own.low, 1e-12)
        return np.asarray(np.clip(share, 0, 1), dtype=np.float32)

    @property
    def are_exact(self) -> bool:
        """Whether images are small arrays, of which networks read every pixel."""
        return self._range is None


def image_names(values: pa.Array) -> list[str]:
    """Return the name of each image: that of its file below the common folder, or its number.

    Args:
        values: (rows,) paths, bytes or arrays.

    Example:
        >>> image_names(pa.array(["photos/a.png", "photos/new/b.png"]))
        ['a.png', 'new/b.png']
    """
    stored: list[Any] = [None] * len(values) if is_image(values.type) else values.to_pylist()
    paths = {row: Path(value) for row, value in enumerate(stored) if is_image_path(value)}
    folders = {path.parent for path in paths.values()}
    shared = os.path.commonpath(folders) if len({f.is_absolute() for f in folders}) == 1 else "."
    names = {row: shorten(os.path.relpath(path, shared), MAX_NAME) for row, path in paths.items()}
    return [names.get(row, f"image {row:,}") for row in range(len(values))]
