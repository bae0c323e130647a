"""Images in memory: arrays and images of Pillow, given one by one, and arrays in files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.data.columns.convert import at_rows
from diabolo.data.columns.image import to_images
from diabolo.data.images.decoding import MAGICS
from diabolo.errors import ColumnError, DataError

PLAIN_MODES = (
    "1",
    "L",
    "RGB",
    "RGBA",
    "I",
    "F",
    "I;16",
    "I;16B",
    "I;16L",
)  # of Pillow, whose arrays are pixels
ARRAY_SUFFIXES = (".npy", ".npz")


def is_image_value(value: Any) -> bool:
    """Return whether a value is an image in memory: an array of two or three dimensions, or one of Pillow."""
    if isinstance(value, np.ndarray):
        return value.ndim in (2, 3) and value.dtype != object
    return is_pillow_image(value)


def is_pillow_image(value: Any) -> bool:
    """Return whether a value is an image of Pillow, without importing it."""
    return hasattr(value, "getbands") and hasattr(value, "tobytes")


def are_images(values: Sequence[Any]) -> bool:
    """Return whether values are images in memory, or the bytes of image files; some may be missing (None)."""
    known = [value for value in values if value is not None]
    if known and isinstance(known[0], bytes):
        return all(isinstance(value, bytes) for value in known) and known[0].startswith(MAGICS)
    return bool(known) and all(is_image_value(value) for value in known)


def stack_images(values: Sequence[Any], name: str) -> pa.Array:
    """Return images that are given one by one: as arrays of one size, or as bytes where sizes differ.

    Args:
        values: arrays, images of Pillow, or bytes of image files; None for a missing one.
        name: of the column.

    Raises:
        ColumnError: an array does not hold an image.
    """
    if any(isinstance(value, bytes) for value in values):
        return pa.array(values, pa.large_binary())
    arrays = [_to_array(value) if is_pillow_image(value) else value for value in values]
    for row, array in enumerate(arrays):
        if array is not None and (array.dtype.kind not in "biuf" or 0 in array.shape):
            raise ColumnError(
                f"expected the pixels of an image, got {array.dtype} of shape {array.shape}",
                column=name,
                row=row,
                hint="an array of numbers, (height, width) or (height, width, channels)",
            )
    known = [array for array in arrays if array is not None]
    if len({(array.shape, array.dtype) for array in known}) > 1:
        return pa.array([None if array is None else to_bytes(array) for array in arrays], pa.large_binary())
    stacked = to_images(np.stack(known), name)
    if len(known) == len(arrays):
        return stacked
    return at_rows(stacked, np.flatnonzero([array is not None for array in arrays]), len(arrays))


def _to_array(image: Any) -> np.ndarray:
    """Return an image of Pillow as an array of grey or colours; turned as its camera was held."""
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(image)
    if turned.mode in PLAIN_MODES and "transparency" not in turned.info:
        return np.asarray(turned)
    transparent = turned.mode in ("LA", "La", "PA", "RGBa", "RGBA") or "transparency" in turned.info
    return np.asarray(turned.convert("RGBA" if transparent else "RGB"))


def to_bytes(array: np.ndarray) -> bytes:
    """Return an array as bytes, which `decode` reads.

    Args:
        array: (height, width) or (height, width, channels).
    """
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def is_array_file(path: str | Path) -> bool:
    """Return whether a path is that of a numpy file."""
    return Path(path).suffix.lower() in ARRAY_SUFFIXES


def read_array_file(path: str | Path) -> Any:
    """Return the array of an npy file, or of an npz file that holds one; or several of one length as columns.

    Raises:
        DataError: there is no such file, it is damaged, holds Python objects, or arrays of several lengths.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file", hint=f"the current folder is {Path.cwd()}")
    try:
        # Opened here: numpy leaves a damaged archive open.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            arrays = {name: loaded[name] for name in loaded.files}
    except (ValueError, OSError, EOFError, KeyError, MemoryError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path} cannot be read: {reason}", hint="write it again with numpy, without Python objects"
        ) from error
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or not arrays:
        shown = ", ".join(f"{name}: {arrays[name].shape}" for name in list(arrays)[:6])
        raise DataError(
            f"{path} holds arrays of several lengths ({shown})",
            hint=f'give one of them: numpy.load("{path}")["{next(iter(arrays), "name")}"]',
        )
    return arrays
