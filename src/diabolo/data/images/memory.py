"""Images in memory: arrays and images of Pillow, given one by one, and arrays in files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.data.columns.image import to_images
from diabolo.errors import ColumnError, DataError

ARRAY_SUFFIXES = (".npy", ".npz")


def is_image_value(value: Any) -> bool:
    """Return whether a value is an image in memory: an array of two or three dimensions, or one of Pillow."""
    if isinstance(value, np.ndarray):
        return value.ndim in (2, 3) and value.dtype != object
    return hasattr(value, "getbands") and hasattr(value, "tobytes")


def stack_images(values: Sequence[Any], name: str) -> pa.Array:
    """Return images that are given one by one: as arrays of one size, or as bytes where sizes differ.

    Args:
        values: arrays, or images of Pillow.
        name: of the column.

    Raises:
        ColumnError: an array does not hold an image.
    """
    arrays = [value if isinstance(value, np.ndarray) else _to_array(value) for value in values]
    for row, array in enumerate(arrays):
        if array.dtype.kind not in "biuf" or 0 in array.shape:
            raise ColumnError(
                f"expected the pixels of an image, got {array.dtype} of shape {array.shape}",
                column=name,
                row=row,
            )
    if len({(array.shape, array.dtype) for array in arrays}) == 1:
        return to_images(np.stack(arrays), name)
    return pa.array([to_bytes(array) for array in arrays], pa.large_binary())


def _to_array(image: Any) -> np.ndarray:
    """Return an image of Pillow as an array; a palette as its colours."""
    plain = image.convert("RGBA" if "transparency" in image.info else "RGB") if image.mode == "P" else image
    array = np.asarray(plain)
    return array.astype(np.uint16) if array.dtype == np.int32 else array


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
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded as file:
            arrays = {name: file[name] for name in file.files}
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
