"""Write images back as they were: of the same mode, format and name."""

from __future__ import annotations

import io
import os
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
    "WEBP": {"lossless": True, "exact": True},  # exact: colours that are transparent are kept too
    "TIFF": {"compression": "tiff_deflate"},
}
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "NPY")  # others are written as png
SUFFIXES = {"PNG": ".png", "NPY": ".npy"}
N_COLOURS = 256  # that a palette can hold


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
    options = {**SAVE_OPTIONS.get(name, {}), **like.info}
    if name == "TIFF" and image.mode == "YCbCr":
        del options["compression"]  # libtiff would read it back as RGB
    file = io.BytesIO()
    image.save(file, format=name, **options)
    return file.getvalue()


def _encode_array(pixels: np.ndarray, like: DecodedImage) -> bytes:
    """Return pixels as bytes of a numpy array of the type of another."""
    parts = [pixels] if like.opacity is None else [pixels, like.opacity]
    values = to_stored(np.dstack(parts), like)
    file = io.BytesIO()
    np.save(file, values[:, :, 0] if values.shape[2] == 1 else values)
    return file.getvalue()


def to_stored(pixels: np.ndarray, like: DecodedImage) -> np.ndarray:
    """Return pixels in the units and the type of another image; whole numbers are rounded.

    Args:
        pixels: from 0 to 1, of any shape.
        like: the other image.
    """
    # In double precision: single precision cannot tell all values of 32 bits apart.
    values = like.black + pixels.astype(float) * (like.white - like.black)
    kind = np.dtype(like.type)
    return (np.round(values) if kind.kind in "iub" else values).astype(kind)


def _to_pillow(pixels: np.ndarray, like: DecodedImage) -> PillowImage.Image:
    """Return pixels as an image of Pillow in the mode of another."""
    from PIL import Image

    if like.mode in (*DEEP_MODES, "F"):
        return Image.fromarray(to_stored(pixels[:, :, 0], like))
    parts = [pixels] if like.opacity is None else [pixels, like.opacity]
    values = to_stored(np.dstack(parts), like)
    image = Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)
    if like.mode in ("P", "PA"):
        return _with_palette(image, like)
    if like.opacity is not None and not like.mode.upper().endswith("A"):
        return image  # one colour was transparent: opacity takes its place
    mode = {"La": "LA", "RGBa": "RGBA"}.get(like.mode, like.mode)
    # Without dithering: what is nearer to black becomes black.
    return image if image.mode == mode else image.convert(mode, dither=Image.Dither.NONE)


def _with_palette(image: PillowImage.Image, like: DecodedImage) -> PillowImage.Image:
    """Return an image with a palette of its own: that of the old one lacks the colours between its own."""
    from PIL import Image

    if like.mode == "PA":
        found = image.convert("RGB").quantize(N_COLOURS, Image.Quantize.MEDIANCUT).convert("PA")
        found.putalpha(image.getchannel("A"))
        return found
    values = np.array(image.convert("RGB" if like.opacity is None else "RGBA"))
    if like.format == "GIF" and like.opacity is not None:
        values[values[:, :, 3] < 128] = 0  # a gif has one transparent colour, and nothing in between
        values[:, :, 3] = np.where(values[:, :, 3] < 128, 0, 255)
    colours, places = np.unique(values.reshape(-1, values.shape[2]), axis=0, return_inverse=True)
    if len(colours) > N_COLOURS:
        if like.format == "GIF" and like.opacity is not None:
            return image  # Pillow chooses its colours
        return image.quantize(N_COLOURS, Image.Quantize.FASTOCTREE)
    found = Image.fromarray(places.reshape(values.shape[:2]).astype(np.uint8)).convert("P")
    found.putpalette(colours[:, :3].tobytes())
    if like.format == "GIF" and like.opacity is not None and not colours[0].any():
        found.info["transparency"] = 0  # the first colour in order is the transparent one
    elif like.opacity is not None:
        found.info["transparency"] = colours[:, 3].tobytes()
    return found


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
    absolute = [None if path is None else Path(os.path.abspath(path)) for path in paths]
    shared = _common_folder([path for path in absolute if path is not None])
    digits = len(str(max(len(paths) - 1, 1)))
    names: list[str] = []
    taken: dict[str, Path | None] = {}
    for number, (path, kind) in enumerate(zip(absolute, formats, strict=True)):
        if path is None:
            name = f"{number:0{digits}}{SUFFIXES.get(kind, '.png')}"
        else:
            own = path.relative_to(shared)
            name = str(own if kind in FORMATS else own.with_suffix(".png"))
        while taken.setdefault(name, path) != path:  # two formats of one name, both written as png
            name += ".png"
        names.append(name)
    return names


def _common_folder(paths: Sequence[Path]) -> Path:
    """Return the deepest folder that all paths lie in."""
    if not paths:
        return Path()
    return Path(os.path.commonpath([path.parent for path in paths]))
