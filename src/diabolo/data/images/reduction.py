"""Images of any size, reduced to the one size that networks read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F

from diabolo.data.columns.image import channels_first, is_image, to_images
from diabolo.data.images.decoding import decode, image_size
from diabolo.data.images.folder import MAX_NAMED, is_image_path
from diabolo.data.images.sequence import ImageSequence, PixelRange, with_channels
from diabolo.errors import DataError, DiaboloWarning
from diabolo.utils.sampling import evenly_spaced

# Choices:
MAX_SIDE = 64  # pixels of the longer side that networks read
MAX_BYTES = 256_000_000  # of all images of a fit together, at the size that networks read
MIN_SIDE = 8
N_SIZED = 1_000  # images whose sizes are looked at
MAGICS = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"RIFF",
    b"II*\x00",
    b"MM\x00*",
    b"BM",
    b"GIF8",
    b"P5",
    b"P6",
    b"\x93NUMPY",
)


def find_encoded_images(columns: dict[str, pa.Array]) -> list[str]:
    """Return the columns that hold images as paths or as bytes: their first value tells.

    Args:
        columns: name -> values.
    """
    return [name for name, values in columns.items() if _holds_encoded(values)]


def _holds_encoded(values: pa.Array) -> bool:
    """Return whether the first value of a column is an image file, or the bytes of one."""
    kind = values.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not is_text and not pa.types.is_binary(kind) and not pa.types.is_large_binary(kind):
        return False
    known = values.drop_null()
    first = known[0].as_py() if len(known) else None
    if isinstance(first, str):
        return is_image_path(first)
    return first is not None and first.startswith(MAGICS)


def working_shape(values: pa.Array) -> list[int] | None:
    """Return the height, width and channels that networks read images at; None to read them as they are.

    The shape is that of the median image, reduced so that its longer side has `MAX_SIDE` pixels and all
    images together `MAX_BYTES` bytes.

    Args:
        values: (rows,) images, as paths, bytes or arrays of one size.

    Raises:
        DataError: none can be read.
    """
    if is_image(values.type):
        pixels = channels_first(values[:1], "")[0].shape[1:]
        if max(pixels[1:]) <= MAX_SIDE:
            return None
        sizes = np.array([[pixels[1], pixels[2], 1 if pixels[0] < 3 else 3]])
    else:
        known = values.drop_null()
        sample = known.take(pa.array(evenly_spaced(len(known), N_SIZED))).to_pylist()
        sizes = np.array([image_size(source) for source in sample])
    channels = int(sizes[:, 2].max())
    height, width = np.median(sizes[:, :2], axis=0)
    scale = min(1.0, MAX_SIDE / max(height, width))
    scale = min(scale, float(np.sqrt(MAX_BYTES / (len(values) * channels * height * width))))
    return [max(round(height * scale), MIN_SIDE), max(round(width * scale), MIN_SIDE), channels]


def read_at_size(values: pa.Array, shape: Sequence[int], name: str) -> pa.Array:
    """Return images as arrays of one size, of 8 bits; one that cannot be decoded is missing, with a warning.

    Args:
        values: (rows,) paths, bytes or arrays.
        shape: height, width, channels.
        name: of the column.
    """
    height, width, channels = shape
    found = np.zeros((len(values), height, width, channels), np.uint8)
    missing, bad = ~values.is_valid().to_numpy(zero_copy_only=False), []
    for row in np.flatnonzero(~missing):
        try:
            pixels = _pixels_of(values, int(row))
        except DataError as error:
            missing[row] = True
            bad.append(str(error).splitlines()[0])
            continue
        found[row] = np.round(resize(with_channels(pixels, channels), height, width) * 255)
    if bad:
        more = f" and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
        warnings.warn(
            f"column {name}: read as missing: {'; '.join(bad[:MAX_NAMED])}{more}",
            DiaboloWarning,
            stacklevel=4,
        )
    images = to_images(found[..., 0] if channels == 1 else found, name, "HW" if channels == 1 else "HWC")
    return images.take(pa.array(np.arange(len(found)), mask=missing)) if missing.any() else images


def _pixels_of(values: pa.Array, row: int) -> np.ndarray:
    """Return one image of a column, (height, width, channels) from 0 to 1."""
    if not is_image(values.type):
        return decode(values[row].as_py()).pixels
    one = values[row : row + 1]
    return ImageSequence(one, PixelRange.of(one)).decoded(0).pixels


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return an image at another size: the mean over each new pixel's area, or between old pixels.

    Args:
        pixels: (height, width, channels).
        height: of the result.
        width: of the result.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, 2, 0)))[None]
    if height <= pixels.shape[0] and width <= pixels.shape[1]:
        found = F.adaptive_avg_pool2d(planes, (height, width))
    else:
        found = F.interpolate(planes, (height, width), mode="bilinear", align_corners=False)
    return np.ascontiguousarray(np.moveaxis(found[0].numpy(), 0, 2))
