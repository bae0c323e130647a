"""Images of a table, decoded one by one when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pyarrow as pa

from diabolo.data.columns.image import channels_first, is_image
from diabolo.data.images.decoding import (
    FULL_SCALE,
    DecodedImage,
    decode,
    decode_array,
    image_size,
    limits_of,
    stored_range,
)
from diabolo.errors import ColumnError, DataError
from diabolo.utils.checks import is_finite_number, require
from diabolo.utils.sampling import evenly_spaced

N_SAMPLE = 1_000  # images that are looked at to tell grey from colour, and black and white: a choice
GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue (ITU-R BT.601)


@dataclass(frozen=True)
class PixelRange:
    """The stored values that stand for black and white.

    Attributes:
        black, white: of floats, and of whole numbers of more than 8 bits.
        channels: 1 for grey, 3 for colour: what images are read as.
        by_type: whether all images were files of 8 bits, which tell black and white by their type: those of
            others are then told by each image alone.
    """

    black: float = 0.0
    white: float = 255.0
    channels: int = 1
    by_type: bool = True

    @classmethod
    def of(cls, values: pa.Array) -> PixelRange:
        """Return the range that images have, told by their type, else by their values.

        Args:
            values: (rows,) images, as arrays of one size, paths or bytes.

        Raises:
            DataError: none of those that were looked at can be read.
        """
        if not is_image(values.type):
            return _range_of_encoded(values)
        pixels, present = channels_first(values, "")
        channels = 1 if pixels.shape[1] in (1, 2) else 3
        if (white := FULL_SCALE.get(pixels.dtype.name)) is not None:
            return cls(0.0, white, channels, by_type=False)
        known = pixels[present]
        known = known[np.isfinite(known)]
        ends = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        return cls(*limits_of(*ends), channels, by_type=False)

    @property
    def limits(self) -> tuple[float, float] | None:
        """Black and white; None where the types of images tell them."""
        return None if self.by_type else (self.black, self.white)

    def check(self) -> None:
        """Raise `ValueError` if the values from a model file are impossible."""
        require(is_finite_number(self.black) and is_finite_number(self.white), "range of pixels")
        require(isinstance(self.by_type, bool), "range of pixels")
        require(self.black < self.white and self.channels in (1, 3), "range of pixels")


class ImageSequence(Sequence[np.ndarray]):
    """The images of one column as numbers from 0 to 1, decoded when they are asked for.

    Args:
        values: (rows,) paths, bytes or arrays; none is missing.
        pixel_range: of arrays, and the channels that images are read as.
        name: of the column, for messages.
    """

    def __init__(self, values: pa.Array, pixel_range: PixelRange, name: str = "image") -> None:
        self.values, self.pixel_range, self.name = values, pixel_range, name

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> ImageSequence: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return (height, width, channels) float32 from 0 to 1; or for a slice, a sequence."""
        if isinstance(index, slice):
            return ImageSequence(self.values[index], self.pixel_range, self.name)
        if index >= len(self) or index < -len(self):
            raise IndexError(index)
        return with_channels(self.decoded(index % len(self)).pixels, self.pixel_range.channels)

    def decoded(self, row: int) -> DecodedImage:
        """Return an image, with what it takes to write it as it was.

        Args:
            row: its number.

        Raises:
            ColumnError: it cannot be read.
        """
        try:
            if is_image(self.values.type):
                pixels, _ = channels_first(self.values[row : row + 1], self.name)
                return decode_array(np.moveaxis(pixels[0], 0, 2), self.pixel_range.limits)
            return decode(self.values[row].as_py(), self.pixel_range.limits)
        except DataError as error:
            raise ColumnError(error.message, column=self.name, row=row, hint=error.hint) from error


def _range_of_encoded(values: pa.Array) -> PixelRange:
    """Return black, white and the number of channels of images in files, told by a sample."""
    known = values.drop_null()
    low, high, channels, deep, failure = 0.0, 0.0, 0, False, None
    for source in known.take(pa.array(evenly_spaced(len(known), N_SAMPLE))).to_pylist():
        try:
            channels = max(channels, image_size(source)[2])
            ends = stored_range(source)
        except DataError as error:
            failure = error
            continue
        if ends is not None:
            low, high, deep = min(low, ends[0]), max(high, ends[1]), True
    if not channels and failure is not None:
        raise failure
    limits = limits_of(low, high) if deep else (0.0, 255.0)
    return PixelRange(*limits, max(channels, 1), by_type=not deep)


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return an image in grey or in colour.

    Args:
        pixels: (height, width, channels), 1 or 3 of them.
        channels: that are wanted: 1 or 3.
    """
    if pixels.shape[2] == channels:
        return pixels
    return pixels @ GREY_WEIGHTS[:, None] if channels == 1 else np.repeat(pixels, 3, 2)
