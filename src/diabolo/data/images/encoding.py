"""Write images back as they were: of the same mode, format and name."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diabolo.data.images.decoding import DEEP_MODES, DecodedImage
from diabolo.errors import DataError
from diabolo.utils.files import write_atomic

if TYPE_CHECKING:
    from PIL import Image as PillowImage

SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},  # losses below what an eye or an error of pixels notices
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_deflate"},
}
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "NPY")  # others are written as png
SUFFIXES = {"PNG": ".png", "NPY": ".npy"}


def encode(pixels: np.ndarray, like: DecodedImage) -> bytes:
    """Return the bytes of a file with new pixels: its format, mode, depth and opacity are those of another.

    Args:
        pixels: (height, width, channels) from 0 to 1, of the size of the other image.
        like: the other image.
    """
    pixels = np.clip(pixels, 0, 1)
    if like.format == "NPY":
        return _encode_array(pixels, like)
    image = _to_pillow(pixels, like)
    name = like.format if like.format in FORMATS else "PNG"
    file = io.BytesIO()
    image.save(file, format=name, **SAVE_OPTIONS.get(name, {}), **like.info)
    return file.getvalue()


def _encode_array(pixels: np.ndarray, like: DecodedImage) -> bytes:
    """Return pixels as bytes of a numpy array of the type of another."""
    values = to_type(
        (pixels if like.opacity is None else np.dstack([pixels, like.opacity])) * like.white, like.type
    )
    file = io.BytesIO()
    np.save(file, values[:, :, 0] if values.shape[2] == 1 else values)
    return file.getvalue()


def to_type(values: np.ndarray, kind: str) -> np.ndarray:
    """Return numbers in a numpy type; whole numbers are rounded.

    Args:
        values: any shape.
        kind: the name of the type.
    """
    return (np.round(values) if np.dtype(kind).kind in "iub" else values).astype(kind)


def _to_pillow(pixels: np.ndarray, like: DecodedImage) -> PillowImage.Image:
    """Return pixels as an image of Pillow in the mode of another."""
    from PIL import Image

    if like.mode in DEEP_MODES:
        return Image.fromarray(to_type(pixels[:, :, 0] * like.white, "uint16"))
    if like.mode == "F":
        return Image.fromarray((pixels[:, :, 0] * like.white).astype(np.float32))
    parts = [pixels] if like.opacity is None else [pixels, like.opacity]
    values = to_type(np.dstack(parts) * 255, "uint8")
    image = Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)
    if like.mode in ("P", "PA"):
        # A palette of its own: the old one lacks the colours between its own.
        return image.quantize(256, method=Image.Quantize.FASTOCTREE) if like.opacity is None else image
    return image if image.mode == like.mode else image.convert(like.mode)


def save_images(folder: str | Path, names: Sequence[str], files: Sequence[bytes | None]) -> list[Path]:
    """Write images into a folder, each completely or not at all; missing ones are left out.

    Args:
        folder: made if it does not exist.
        names: paths below it; folders on the way are made.
        files: the bytes of each image.

    Returns:
        the paths that were written.

    Raises:
        DataError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    written = []
    for name, raw in zip(names, files, strict=True):
        if raw is None:
            continue
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"{path.parent} cannot be made: {error.strerror}", hint="-o NEW_FOLDER"
            ) from error
        write_atomic(path, raw)
        written.append(path)
    return written


def file_names(paths: Sequence[str | None], formats: Sequence[str]) -> list[str]:
    """Return the name of each image of an answer below its folder: its own below the common folder.

    Args:
        paths: of the files that images were read from; None for images in memory, which are numbered.
        formats: of the images, as Pillow names them; a format that is not written becomes png.
    """
    known = [Path(p) for p in paths if p is not None]
    shared = _common_folder(known)
    digits = len(str(max(len(paths) - 1, 1)))
    names = []
    for number, (path, kind) in enumerate(zip(paths, formats, strict=True)):
        if path is None:
            names.append(f"{number:0{digits}}{SUFFIXES.get(kind, '.png')}")
        else:
            name = Path(path).relative_to(shared)
            names.append(str(name if kind in FORMATS else name.with_suffix(".png")))
    return names


def _common_folder(paths: Sequence[Path]) -> Path:
    """Return the deepest folder that all paths lie in."""
    if not paths:
        return Path()
    parts = [p.parent.parts for p in paths]
    shared: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return Path(*shared)
