"""Pictures as PNG, for pages and files; no library is needed to write it."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from diabolo.data.columns import Image

COLOURS = {1: 0, 3: 2, 4: 6}  # channels -> PNG's name for them


THUMBNAIL = 64  # pixels on the longer side at most; smaller pictures are shown as they are


@dataclass(frozen=True)
class Thumbnail:
    """A small picture in a page: its address, which holds it, and what it is, in words."""

    uri: str
    words: str


def thumbnail(column: Image, picture: np.ndarray) -> Thumbnail:
    """A picture of a column, in the column's own layout, small enough for a page."""
    pixels = np.moveaxis(picture, 0, 2) if column.layout == "CHW" else picture
    every = max(-(-max(pixels.shape[:2]) // THUMBNAIL), 1)
    small = to_grey(pixels[::every, ::every], column.low, column.high)
    channels = column.shape[0]
    if channels not in COLOURS:
        small, channels = small[..., 0], 1
    return Thumbnail(to_uri(small[..., 0] if small.ndim == 3 and channels == 1 else small), column.describe())


def heat(bits: np.ndarray) -> Thumbnail:
    """(height, width) bits of pixels as a picture: the oddest ones are white."""
    highest = max(float(bits.max()), 1.0)
    every = max(-(-max(bits.shape) // THUMBNAIL), 1)
    return Thumbnail(
        to_uri(to_grey(bits[::every, ::every], 0, highest)), f"odd pixels, up to {highest:.0f} bits"
    )


def to_grey(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Pixels as bytes: `low` is black, `high` white; what is no number is black."""
    share = (np.nan_to_num(pixels.astype(float), nan=low) - low) / max(high - low, 1e-12)
    return np.asarray(np.round(255 * np.clip(share, 0, 1)), dtype=np.uint8)


def to_png(picture: np.ndarray) -> bytes:
    """(height, width) or (height, width, channels) bytes as a PNG file (RFC 2083).

    Example:
        >>> to_png(np.zeros((2, 3), np.uint8))[1:4]
        b'PNG'
    """
    height, width = picture.shape[:2]
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    # Each line begins with how it was filtered: not at all.
    lines = np.zeros((height, 1 + width * channels), np.uint8)
    lines[:, 1:] = picture.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, COLOURS[channels], 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    made = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + made


def to_uri(picture: np.ndarray) -> str:
    """The picture as an address that holds it, for a page that loads nothing."""
    return "data:image/png;base64," + base64.b64encode(to_png(picture)).decode()


def side_by_side(pictures: np.ndarray, *, gap: int = 1) -> np.ndarray:
    """(rows, columns, height, width[, channels]) bytes -> one picture of them all, with white between them.

    Example:
        >>> side_by_side(np.zeros((2, 5, 8, 8), np.uint8)).shape
        (17, 44)
    """
    rows, columns, height, width = pictures.shape[:4]
    tall, wide = rows * (height + gap) - gap, columns * (width + gap) - gap
    sheet = np.full((tall, wide, *pictures.shape[4:]), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + gap), column * (width + gap)
            sheet[top : top + height, left : left + width] = pictures[row, column]
    return sheet


def enlarged(picture: np.ndarray, times: int) -> np.ndarray:
    """Every pixel as a square of pixels."""
    return picture.repeat(times, axis=0).repeat(times, axis=1)
