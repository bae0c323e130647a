"""Decode images: files and bytes of any mode and depth, as numbers from 0 to 1."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diabolo.errors import DataError, need

if TYPE_CHECKING:
    from PIL import Image as PillowImage

# An image of more pixels is refused before it is decoded: a file of a few bytes can claim any size (a choice;
# 3 bytes for each pixel are 300 MB).
MAX_PIXELS = 100_000_000
NPY_MAGIC = b"\x93NUMPY"  # of an array in bytes: images in memory whose sizes differ are kept as such
FULL_SCALE = {"uint8": 255.0, "uint16": 65_535.0, "bool": 1.0}  # the value of white
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # grey of 16 bits, as Pillow names it
COLOUR_MODES = ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "RGBa")
KEPT_INFO = ("icc_profile", "dpi")  # of the file, written again


@dataclass
class DecodedImage:
    """An image as numbers, and what it takes to write it as it was.

    Attributes:
        pixels: (height, width, channels) float32 from 0 to 1; one channel for grey, three for colour.
        opacity: (height, width) likewise; None for an image without.
        mode: of Pillow; or "array" for bytes of a numpy array.
        format: of the file, as Pillow names it, "PNG" for example; "NPY" for an array.
        white: the stored value of 1.
        type: the numpy type of the stored values.
        info: what is kept of the file beside its pixels.
    """

    pixels: np.ndarray
    opacity: np.ndarray | None
    mode: str
    format: str
    white: float = 255.0
    type: str = "uint8"
    info: dict[str, Any] = field(default_factory=dict)


def decode(source: str | Path | bytes) -> DecodedImage:
    """Decode an image: the first one, if a file holds several; turned as its camera was held.

    Args:
        source: the path of a file, or its bytes; or bytes of a numpy array of (height, width) or (height,
            width, channels), in the format of `numpy.save`.

    Raises:
        DataError: there is no such file, it is no image, is damaged, or has more than `MAX_PIXELS` pixels.
    """
    if isinstance(source, bytes) and source.startswith(NPY_MAGIC):
        return _decode_array(source)
    from PIL import ImageOps

    with _opened(source) as image:
        kept = {k: image.info[k] for k in KEPT_INFO if k in image.info}
        name = image.format or "PNG"
        image.load()
        found = _from_pillow(ImageOps.exif_transpose(image))
    found.format, found.info = name, kept
    return found


def image_size(source: str | Path | bytes) -> tuple[int, int, int]:
    """Return the height, the width and the number of channels (1 or 3) of an image, without decoding it.

    Args:
        source: as for `decode`.

    Raises:
        DataError: see `decode`; damage beyond the first bytes is not noticed.
    """
    if isinstance(source, bytes) and source.startswith(NPY_MAGIC):
        height, width, channels = _decode_array(source).pixels.shape
        return height, width, channels
    with _opened(source) as image:
        width, height = image.size
        if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):  # orientation: turned by a quarter
            width, height = height, width
        return height, width, 3 if _is_colour(image) else 1


@contextmanager
def _opened(source: str | Path | bytes) -> Iterator[PillowImage.Image]:
    """Open an image with Pillow; whatever is wrong with it becomes a `DataError`."""
    pillow = need("PIL.Image", extra="images")
    name = "the image" if isinstance(source, bytes) else str(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large sizes, which are checked here, and of odd metadata
            with pillow.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                if image.size[0] * image.size[1] > MAX_PIXELS:
                    width, height = image.size
                    raise DataError(
                        f"{name} has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}",
                        hint="reduce it, or cut it into parts",
                    )
                yield image
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(
            f"{name}: there is no such file", hint=f"the current folder is {Path.cwd()}"
        ) from error
    except need("PIL", extra="images").UnidentifiedImageError as error:
        raise DataError(
            f"{name} is no image that can be read", hint="write it again as png or jpeg"
        ) from error
    except MemoryError as error:
        raise DataError(f"{name} is too large for the memory", hint="reduce it") from error
    except Exception as error:  # a damaged file can provoke any kind of exception in a decoder
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise DataError(
            f"{name} cannot be decoded: {reason}", hint="the file is damaged; copy it again"
        ) from error


def _is_colour(image: PillowImage.Image) -> bool:
    """Return whether an image has colours; a palette of greys has none."""
    if image.mode in ("P", "PA"):
        palette = np.asarray(image.getpalette() or []).reshape(-1, 3)
        return bool((palette[:, :1] != palette[:, 1:]).any())
    return image.mode in COLOUR_MODES


def _from_pillow(image: PillowImage.Image) -> DecodedImage:
    """Return an image of Pillow as numbers."""
    mode = image.mode
    if mode in DEEP_MODES:
        white = FULL_SCALE["uint16"]
        values = np.asarray(image).astype(np.float32)
        return DecodedImage(np.clip(values / white, 0, 1)[:, :, None], None, mode, "PNG", white, "uint16")
    if mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float32))
        white = white_of(values)
        return DecodedImage(np.clip(values / white, 0, 1)[:, :, None], None, mode, "TIFF", white, "float32")
    transparent = mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info
    plain = image.convert(
        ("RGBA" if transparent else "RGB") if _is_colour(image) else ("LA" if transparent else "L")
    )
    values = np.asarray(plain, dtype=np.float32) / 255
    if values.ndim == 2:
        values = values[:, :, None]
    opacity = values[:, :, -1] if transparent else None
    return DecodedImage(
        np.ascontiguousarray(values[:, :, : -1 if transparent else None]), opacity, mode, "PNG"
    )


def _decode_array(raw: bytes) -> DecodedImage:
    """Return the bytes of a numpy array as an image."""
    try:
        stored = np.load(io.BytesIO(raw), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(
            f"an array of an image cannot be read: {error}", hint="numpy.save it again"
        ) from error
    if stored.ndim not in (2, 3) or stored.dtype.kind not in "biuf" or 0 in stored.shape:
        raise DataError(
            f"expected the pixels of an image, got an array of shape {stored.shape}",
            hint="(height, width) or (height, width, channels)",
        )
    values = stored.reshape(*stored.shape[:2], -1).astype(np.float32)
    values = np.nan_to_num(values, nan=float(np.nanmean(values)) if np.isfinite(values).any() else 0.0)
    white = FULL_SCALE.get(stored.dtype.name) or white_of(values)
    values = np.clip(values / white, 0, 1).astype(np.float32)
    opacity = values[:, :, -1] if values.shape[2] in (2, 4) else None
    channels = values[:, :, : -1 if opacity is not None else None]
    if channels.shape[2] not in (1, 3):
        raise DataError(
            f"expected 1, 3 or 4 channels, got {values.shape[2]}", hint="(height, width, 3) for colours"
        )
    return DecodedImage(channels, opacity, "array", "NPY", white, stored.dtype.name)


def white_of(values: np.ndarray) -> float:
    """Return the value that stands for white among numbers whose type does not tell: 1, 255 or 65,535.

    Args:
        values: pixels; the smallest of the three that none exceeds is taken, else their largest.
    """
    top = float(values.max()) if values.size else 1.0
    return next((white for white in (1.0, *sorted(set(FULL_SCALE.values()))) if top <= white), top)
