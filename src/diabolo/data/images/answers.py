"""Images of answers: given back as the user's own images are stored."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from diabolo.data.columns.image import in_layout, is_image, stored_layout, to_images, to_pixels
from diabolo.data.images.decoding import DecodedImage, decode
from diabolo.data.images.encoding import encode, file_names, save_images, to_stored
from diabolo.data.images.folder import is_image_path
from diabolo.data.images.reduction import resize
from diabolo.data.images.sequence import ImageSequence, PixelRange, with_channels
from diabolo.errors import DataError, UnsupportedError


def as_stored(pixels: Iterable[np.ndarray], images: ImageSequence) -> pa.Array:
    """Return new images as the user's are stored: arrays of their type and layout, or bytes of their format.

    Args:
        pixels: for each image one (height, width, channels) from 0 to 1, of any size, with 1 or 3 channels.
        images: the user's, whose size, mode, depth and opacity the new ones get.
    """
    if not is_image(images.values.type):
        files = [_encode_like(new, images, row) for row, new in enumerate(pixels)]
        return pa.array(files, pa.large_binary())
    layout = stored_layout(images.values.type)
    stored = [_array_like(new, images, row) for row, new in enumerate(pixels)]
    values = np.moveaxis(np.stack(stored), 3, 1)
    return to_images(in_layout(values, layout or "HWC"), images.name, layout)


def _encode_like(new: np.ndarray, images: ImageSequence, row: int) -> bytes:
    """Return a new image as a file like another; the other file itself where no pixel has changed."""
    like = images.decoded(row)
    fitted = _fit_to(new, like)
    if np.array_equal(fitted, like.pixels):
        source = images.values[row].as_py()
        return source if isinstance(source, bytes) else Path(source).read_bytes()
    return encode(fitted, like)


def _array_like(new: np.ndarray, images: ImageSequence, row: int) -> np.ndarray:
    """Return a new image as an array (height, width, channels) of the type of another."""
    like = images.decoded(row)
    fitted = _fit_to(new, like)
    if like.opacity is not None:
        fitted = np.dstack([fitted, like.opacity])
    return to_stored(fitted, like)


def _fit_to(new: np.ndarray, like: DecodedImage) -> np.ndarray:
    """Return a new image in the size and channels of another, from 0 to 1."""
    height, width, channels = like.pixels.shape
    return np.asarray(np.clip(with_channels(resize(new, height, width), channels), 0, 1))


def arrays_of(values: pa.Array) -> list[np.ndarray]:
    """Return the images of an answer as arrays: (height, width) or (height, width, channels).

    Args:
        values: (rows,) arrays of one size, or bytes; a missing one is left out.
    """
    if is_image(values.type):
        return list(to_pixels(values.drop_null()))
    return [_stored_array(decode(raw)) for raw in values.drop_null().to_pylist()]


def _stored_array(image: DecodedImage) -> np.ndarray:
    """Return an image as an array of its own type."""
    planes = [image.pixels] if image.opacity is None else [image.pixels, image.opacity]
    values = to_stored(np.dstack(planes), image)
    return values[:, :, 0] if values.shape[2] == 1 else values


def write_images(folder: str | Path, values: pa.Array, originals: pa.Array | None) -> list[Path]:
    """Write the images of an answer into a folder, under the names of the user's.

    Args:
        folder: made if it does not exist.
        values: (rows,) arrays of one size, or bytes.
        originals: (rows,) the user's images; None if the answer is about no rows of the user.
    """
    paths: list[str | None] = [None] * len(values)
    if originals is not None and len(originals) == len(values) and not is_image(originals.type):
        paths = [v if is_image_path(v) else None for v in originals.to_pylist()]
    if is_image(values.type):
        files: list[bytes | None] = [_as_png(values[row : row + 1]) for row in range(len(values))]
        formats = ["PNG"] * len(files)
    else:
        pairs = [_for_folder(raw) for raw in values.to_pylist()]
        files, formats = [file for file, _ in pairs], [kind for _, kind in pairs]
    names = file_names(paths, formats)
    check_not_input(folder, names, [path for path in paths if path is not None])
    return save_images(folder, names, files)


def check_not_input(folder: str | Path, names: Sequence[str], paths: Sequence[str]) -> None:
    """Check that no image would be written over one that was read.

    Args:
        folder: that is written to.
        names: of the files below it.
        paths: of the images that were read.

    Raises:
        DataError: one would.
    """
    read = {os.path.realpath(path) for path in paths}
    for name in names:
        if os.path.realpath(Path(folder) / name) in read:
            raise DataError(f"{Path(folder) / name} would be written over", hint="-o ANOTHER_FOLDER")


def _for_folder(raw: bytes | None) -> tuple[bytes | None, str]:
    """Return the bytes of an image file, and its format; an array becomes png."""
    if raw is None:
        return None, "PNG"
    image = decode(raw)
    return (raw, image.format) if image.format != "NPY" else (_png_of(image), "PNG")


def _png_of(image: DecodedImage) -> bytes:
    """Return an image that was an array as a png file."""
    image.format, image.mode = "PNG", _mode_of(image)
    return encode(image.pixels, image)


def _mode_of(image: DecodedImage) -> str:
    """Return the mode of Pillow that an array is written in."""
    if image.type == "uint16" and image.pixels.shape[2] == 1 and image.opacity is None:
        return "I;16"
    return ("L" if image.pixels.shape[2] == 1 else "RGB") + ("" if image.opacity is None else "A")


def _as_png(one: pa.Array) -> bytes | None:
    """Return one image that is an array as png; None if it is missing."""
    if one.null_count:
        return None
    return _png_of(ImageSequence(one, PixelRange.of(one)).decoded(0))


def only_images(columns: dict[str, pa.Array]) -> pa.Array:
    """Return the one column of an answer that holds images.

    Args:
        columns: name -> values.

    Raises:
        UnsupportedError: there is none, or more than one.
    """
    found = [v for v in columns.values() if is_image(v.type) or pa.types.is_large_binary(v.type)]
    if len(found) != 1:
        raise UnsupportedError(
            f"{len(found)} columns of the answer hold images, expected one", hint="answer.to_frame()"
        )
    return found[0]
