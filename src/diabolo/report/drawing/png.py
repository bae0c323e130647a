"""Images as PNG, for pages and files, written without a library."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from diabolo.data.columns import Image

PNG_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # number of channels -> colour type of the PNG standard
MAX_THUMBNAIL_PIXELS = 64  # on the longer side; smaller images are shown as they are: a choice


@dataclass(frozen=True)
class Thumbnail:
    """A small image in a page.

    Attributes:
        uri: a data URI that contains the image.
        text: what it shows.
        smooth: whether it is enlarged smoothly, rather than pixel by pixel.
    """

    uri: str
    text: str
    smooth: bool = False


def thumbnail(column: Image, image: np.ndarray) -> Thumbnail:
    """Return an image of a column, small enough for a page.

    Args:
        column: the column.
        image: its pixels, in the layout of the column.
    """
    pixels = np.moveaxis(image, 0, 2) if column.layout == "CHW" else image
    every = max(-(-max(pixels.shape[:2]) // MAX_THUMBNAIL_PIXELS), 1)
    small = to_grey(pixels[::every, ::every], column.low, column.high)
    channels = column.shape[0]
    if channels not in PNG_COLOUR_TYPES:
        small, channels = small[..., 0], 1
    return Thumbnail(to_uri(small[..., 0] if small.ndim == 3 and channels == 1 else small), column.describe())


def error_map(bits: np.ndarray) -> Thumbnail:
    """Return (height, width) bits of pixels as an image; the most anomalous pixels are white."""
    highest = max(float(bits.max()), 1.0)
    every = max(-(-max(bits.shape) // MAX_THUMBNAIL_PIXELS), 1)
    return Thumbnail(
        to_uri(to_grey(bits[::every, ::every], 0, highest)), f"anomalous pixels, up to {highest:.0f} bits"
    )


def to_grey(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return pixels as bytes; NaN becomes black.

    Args:
        pixels: numbers of any shape.
        low: the number that becomes black.
        high: the number that becomes white.
    """
    share = (np.nan_to_num(pixels.astype(float), nan=low) - low) / max(high - low, 1e-12)
    return np.asarray(np.round(255 * np.clip(share, 0, 1)), dtype=np.uint8)


def to_png(image: np.ndarray) -> bytes:
    """Return (height, width) or (height, width, channels) bytes as a PNG file (RFC 2083).

    Example:
        >>> to_png(np.zeros((2, 3), np.uint8))[1:4]
        b'PNG'
    """
    height, width = image.shape[:2]
    channels = 1 if image.ndim == 2 else image.shape[2]
    # Each line begins with its filter: 0 is none.
    lines = np.zeros((height, 1 + width * channels), np.uint8)
    lines[:, 1:] = image.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, PNG_COLOUR_TYPES[channels], 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    chunks = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def to_uri(image: np.ndarray) -> str:
    """Return bytes of pixels as a data URI, for a page that loads nothing."""
    return "data:image/png;base64," + base64.b64encode(to_png(image)).decode()


def side_by_side(images: np.ndarray, *, gap: int = 1) -> np.ndarray:
    """Join images into one, with white between them.

    Args:
        images: (rows, columns, height, width[, channels]) bytes.
        gap: pixels of white between two images.

    Example:
        >>> side_by_side(np.zeros((2, 5, 8, 8), np.uint8)).shape
        (17, 44)
    """
    rows, columns, height, width = images.shape[:4]
    tall, wide = rows * (height + gap) - gap, columns * (width + gap) - gap
    sheet = np.full((tall, wide, *images.shape[4:]), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + gap), column * (width + gap)
            sheet[top : top + height, left : left + width] = images[row, column]
    return sheet


def enlarge(image: np.ndarray, times: int) -> np.ndarray:
    """Return an image with every pixel repeated.

    Args:
        image: (height, width[, channels]) bytes.
        times: the factor of height and width.
    """
    return image.repeat(times, axis=0).repeat(times, axis=1)
