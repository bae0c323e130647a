"""Images of any size, reduced to the one size that networks read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F

from diabolo.data.columns.image import RANGE_FACTOR, channels_first, is_image, to_images
from diabolo.data.images.decoding import BASE64_STARTS, MAGICS, image_size
from diabolo.data.images.folder import MAX_NAMED, is_image_path
from diabolo.data.images.sequence import ImageSequence, PixelRange, with_channels
from diabolo.errors import ColumnError, DataError, DiaboloWarning
from diabolo.utils.sampling import evenly_spaced

# Choices:
MAX_SIDE = 64  # pixels of the longer side that networks read
# Bytes of all images of a fit together, at the size that networks read. Measured: at its peak a fit holds
# about 66 times as much (float32, masks, gradients, memory), so that 100,000 images fit within 2 GB.
MAX_BYTES = 20_000_000
MIN_SIDE = 8
N_SIZED = 1_000  # images whose sizes are looked at


def find_encoded_images(columns: dict[str, pa.Array]) -> list[str]:
    """Return the columns that hold images as paths or as bytes: their first value tells.

    Args:
        columns: name -> values.
    """
    return [name for name, values in columns.items() if _holds_encoded(values)]


def _holds_encoded(values: pa.Array) -> bool:
    """Return whether the first value of a column is an image file, or the bytes of one."""
    first = _first_text(values)
    if isinstance(first, str):
        return is_image_path(first)
    return first is not None and first.startswith(MAGICS)


def check_no_base64(columns: dict[str, pa.Array]) -> None:
    """Check that no column holds images as text, which would be taken for labels.

    Args:
        columns: name -> values.

    Raises:
        ColumnError: the first value of a column is an image in base64, or a data URI.
    """
    for name, values in columns.items():
        first = _first_text(values)
        if isinstance(first, str) and first.startswith(BASE64_STARTS):
            raise ColumnError(
                "it holds images as text in base64",
                column=name,
                hint=f"base64.b64decode each, or ignore=[{name!r}]",
            )


def _first_text(values: pa.Array) -> str | bytes | None:
    """Return the first value of a column of text or bytes; None of another, and without values."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not is_text and not pa.types.is_binary(kind) and not pa.types.is_large_binary(kind):
        return None
    known = values.drop_null()
    first: str | bytes | None = known[0].as_py() if len(known) else None
    return first


def working_shape(values: pa.Array) -> list[int] | None:
    """Return the height, width and channels that networks read images at; None to read them as they are.

    The shape is that of the median image, reduced so that its longer side has `MAX_SIDE` pixels and all
    images together `MAX_BYTES` bytes.

    Args:
        values: (rows,) images, as paths, bytes or arrays of one size.

    Raises:
        DataError: none of those that are looked at can be read.
    """
    if is_image(values.type):
        pixels = channels_first(values[:1], "")[0].shape[1:]
        if max(pixels[1:]) <= MAX_SIDE:
            return None
        sizes = np.array([[pixels[1], pixels[2], 1 if pixels[0] < 3 else 3]])
    else:
        known = values.drop_null()
        sample = known.take(pa.array(evenly_spaced(len(known), N_SIZED))).to_pylist()
        sizes = np.array(_sizes(sample))
    channels = int(sizes[:, 2].max())
    height, width = np.median(sizes[:, :2], axis=0)
    scale = min(1.0, MAX_SIDE / max(height, width))
    scale = min(scale, float(np.sqrt(MAX_BYTES / (len(values) * channels * height * width))))
    return [max(round(height * scale), MIN_SIDE), max(round(width * scale), MIN_SIDE), channels]


def _sizes(sources: Sequence[str | bytes]) -> list[tuple[int, int, int]]:
    """Return the sizes of the images that can be read; of none, the first error is raised."""
    sizes, failures = [], []
    for source in sources:
        try:
            sizes.append(image_size(source))
        except DataError as error:
            failures.append(error)
    if not sizes:
        raise failures[0]
    return sizes


def read_at_size(values: pa.Array, shape: Sequence[int], name: str, pixel_range: PixelRange) -> pa.Array:
    """Return images as arrays of one size, of 8 bits; one that cannot be decoded is missing, with a warning.

    Args:
        values: (rows,) paths, bytes or arrays.
        shape: height, width, channels.
        name: of the column.
        pixel_range: the stored values of black and white.

    Raises:
        ColumnError: none can be decoded, or all are so dark that their units must differ from those of the
            fit.
    """
    height, width, channels = shape
    found = np.zeros((len(values), height, width, channels), np.uint8)
    missing = ~values.is_valid().to_numpy(zero_copy_only=False)
    images, bad = ImageSequence(values, pixel_range, name), []
    brightest, floats = 0.0, True
    for row in np.flatnonzero(~missing).tolist():
        try:
            image = images.decoded(row)
        except ColumnError as error:
            missing[row] = True
            bad.append(error)
            continue
        brightest = max(brightest, float(image.pixels.max()))
        floats &= image.type.startswith("float")
        found[row] = np.round(resize(with_channels(image.pixels, channels), height, width) * 255)
    if bad and missing.all():
        raise bad[0]
    if bad:
        _warn_of_missing(bad)
    if floats and 0 < brightest < 1 / RANGE_FACTOR:
        raise ColumnError(
            f"its largest pixel is {brightest:.4g} of white, {pixel_range.white:g}: the units differ",
            column=name,
            hint=f"images * {pixel_range.white:g}",
        )
    arrays = to_images(found[..., 0] if channels == 1 else found, name, "HW" if channels == 1 else "HWC")
    return arrays.take(pa.array(np.arange(len(found)), mask=missing)) if missing.any() else arrays


def _warn_of_missing(bad: Sequence[ColumnError]) -> None:
    """Warn of images that are read as missing, since they cannot be decoded."""
    reasons = [error.message.splitlines()[0] for error in bad[:MAX_NAMED]]
    more = f" and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
    warnings.warn(f"read as missing: {'; '.join(reasons)}{more}", DiaboloWarning, stacklevel=5)


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
