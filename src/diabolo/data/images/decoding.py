"""Decode images: files and bytes of any mode and depth, as numbers from 0 to 1."""

from __future__ import annotations

import io
import shlex
import stat
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
FULL_SCALE = {"uint8": 255.0, "bool": 1.0}  # the value of white, where the type tells
# The values of white that are usual elsewhere: of floats, and of 8, 10, 12, 14 and 16 bits in a wider type.
WHITES = (1.0, 255.0, 1_023.0, 4_095.0, 16_383.0, 65_535.0)
# Values this many times that of white are in other units: 10 and 12 bits are a factor of 4 apart.
TOO_BRIGHT = 3.9
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # grey of 16 or 32 bits, as Pillow names it
SEVERAL_FORMATS = ("GIF", "TIFF", "WEBP", "PNG")  # that hold several images; others add previews
COLOUR_MODES = ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "RGBa")
# What the bytes of an image begin with: png, jpeg, webp, tiff, bmp, gif, pgm, ppm, an array.
MAGICS = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"RIFF",
    b"II*\x00",
    b"MM\x00*",
    b"BM",
    b"GIF8",
    b"P4",
    b"P5",
    b"P6",
    NPY_MAGIC,
)
# What png, jpeg, gif and webp in base64 begin with.
BASE64_STARTS = ("data:image/", "iVBORw0KGgo", "/9j/4", "R0lGODlh", "R0lGODdh", "UklGR")
ORIENTATION = 0x0112  # the tag of exif that says how the camera was held
CHANNEL_COUNTS = (1, 2, 3, 4)  # grey, grey with opacity, colour, colour with opacity
KEPT_INFO = ("icc_profile", "dpi")  # of the file, written again
LOSSLESS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate")  # compressions of tiff, kept
FORMAT_NAMES = {"MPO": "JPEG"}  # a jpeg with more images behind the first


@dataclass
class DecodedImage:
    """An image as numbers, and what it takes to write it as it was.

    Attributes:
        pixels: (height, width, channels) float32 from 0 to 1; one channel for grey, three for colour.
        opacity: (height, width) likewise; None for an image without.
        mode: of Pillow; or "array" for bytes of a numpy array.
        format: of the file, as Pillow names it, "PNG" for example; "NPY" for an array.
        black, white: the stored values of 0 and 1.
        type: the numpy type of the stored values.
        info: what is kept of the file beside its pixels.
    """

    pixels: np.ndarray
    opacity: np.ndarray | None
    mode: str
    format: str
    black: float = 0.0
    white: float = 255.0
    type: str = "uint8"
    info: dict[str, Any] = field(default_factory=dict)


def decode(source: str | Path | bytes, limits: tuple[float, float] | None = None) -> DecodedImage:
    """Decode an image: the first one, if a file holds several; turned as its camera was held.

    Args:
        source: the path of a file, or its bytes; or bytes of a numpy array of (height, width) or (height,
            width, channels), in the format of `numpy.save`.
        limits: the stored values of black and white, where 8 bits do not tell them; None to tell them by
            this image alone.

    Raises:
        DataError: there is no such file, it is no image, is damaged, has more than `MAX_PIXELS` pixels, or
            pixels far beyond the limits.
    """
    if isinstance(source, bytes) and source.startswith(NPY_MAGIC):
        return decode_array(_load_array(source), limits)
    from PIL import ImageOps

    with _opened(source) as image:
        kept = {k: image.info[k] for k in KEPT_INFO if k in image.info}
        name = FORMAT_NAMES.get(image.format or "PNG", image.format or "PNG")
        if name == "TIFF" and image.info.get("compression") in LOSSLESS:
            kept["compression"] = image.info["compression"]
        image.load()
        found = _from_pillow(ImageOps.exif_transpose(image), limits)
    found.format, found.info = name, kept
    return found


@dataclass(frozen=True)
class ImageFacts:
    """What the first bytes of an image say.

    Attributes:
        height, width: pixels.
        channels: 1 for grey, 3 for colour.
        several: whether the file holds several images: an animation, or the pages of a scan.
    """

    height: int
    width: int
    channels: int
    several: bool = False


def image_facts(source: str | Path | bytes) -> ImageFacts:
    """Return what can be told of an image without decoding it.

    Args:
        source: as for `decode`.

    Raises:
        DataError: see `decode`; damage beyond the first bytes is not noticed.
    """
    if isinstance(source, bytes) and source.startswith(NPY_MAGIC):
        stored = _load_array(source)
        channels = 1 if stored.ndim == 2 or stored.shape[2] < 3 else 3
        return ImageFacts(stored.shape[0], stored.shape[1], channels)
    with _opened(source) as image:
        width, height = image.size
        if _is_turned(image):
            width, height = height, width
        channels = 3 if _is_colour(image) else 1
        several = image.format in SEVERAL_FORMATS and bool(getattr(image, "is_animated", False))
        return ImageFacts(height, width, channels, several)


def _is_turned(image: PillowImage.Image) -> bool:
    """Return whether an image is turned by a quarter before it is shown."""
    if image.format == "PNG" and "exif" not in image.info:
        return False  # `getexif` would decode all of it, to look behind the pixels
    if image.format == "TIFF":
        return False  # whose size is already that of the turned image
    return image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)


def image_size(source: str | Path | bytes) -> tuple[int, int, int]:
    """Return the height, the width and the number of channels (1 or 3) of an image, without decoding it.

    Args:
        source: as for `decode`.

    Raises:
        DataError: see `decode`; damage beyond the first bytes is not noticed.
    """
    facts = image_facts(source)
    return facts.height, facts.width, facts.channels


def stored_range(source: str | Path | bytes) -> tuple[float, float] | None:
    """Return the lowest and the highest stored value of an image of more than 8 bits; None of 8 bits.

    Args:
        source: as for `decode`.

    Raises:
        DataError: see `decode`.
    """
    if isinstance(source, bytes) and source.startswith(NPY_MAGIC):
        stored = _load_array(source)
        return None if stored.dtype.name in FULL_SCALE else value_range(stored)
    with _opened(source) as image:
        return value_range(np.asarray(image)) if image.mode in (*DEEP_MODES, "F") else None


@contextmanager
def _opened(source: str | Path | bytes) -> Iterator[PillowImage.Image]:
    """Open an image with Pillow; whatever is wrong with it becomes a `DataError`."""
    pillow = need("PIL.Image", extra="images")
    name = "the image" if isinstance(source, bytes) else str(source)
    if not isinstance(source, bytes):
        _check_file(Path(source))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large sizes, which are checked here, and of odd metadata
            with pillow.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                if image.size[0] * image.size[1] > MAX_PIXELS:
                    raise pillow.DecompressionBombError
                yield image
    except DataError:
        raise
    except pillow.DecompressionBombError as error:
        raise DataError(
            f"{name} has more than {MAX_PIXELS:,} pixels", hint="reduce it, or cut it into parts"
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


def _check_file(path: Path) -> None:
    """Check that a path is that of a file that can be read: to open a pipe would wait forever.

    Raises:
        DataError: it is not.
    """
    text = str(path)
    if text.startswith(BASE64_STARTS):
        raise DataError(f"{text[:30]}... is an image as text in base64", hint="base64.b64decode each")
    if text.startswith(("http:/", "https:/", "ftp:/", "s3:/", "gs:/")):
        raise DataError(f"{text[:80]} is an address, not a file", hint="download the images first")
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            path.open("rb").close()
            return
    except FileNotFoundError as error:
        raise DataError(
            f"{text[:500]}: there is no such file", hint=f"the current folder is {Path.cwd()}"
        ) from error
    except (OSError, ValueError) as error:  # links in a circle, no permission, a name that is too long
        reason = getattr(error, "strerror", None) or str(error)
        hint = f"ls -l {shlex.quote(text[:500])}"
        raise DataError(f"{text[:500]} cannot be read: {reason}", hint=hint) from error
    raise DataError(f"{text} is no file", hint="give the path of an image")


def _is_colour(image: PillowImage.Image) -> bool:
    """Return whether an image has colours; a palette of greys has none."""
    if image.mode in ("P", "PA"):
        palette = np.asarray(image.getpalette() or []).reshape(-1, 3)
        return bool((palette[:, :1] != palette[:, 1:]).any())
    return image.mode in COLOUR_MODES


def _from_pillow(image: PillowImage.Image, limits: tuple[float, float] | None) -> DecodedImage:
    """Return an image of Pillow as numbers."""
    mode = image.mode
    if mode in DEEP_MODES or mode == "F":
        values = np.asarray(image)
        kind = "uint16" if mode in DEEP_MODES[1:] else values.dtype.name
        return _scaled(values[:, :, None], mode, "PNG", kind, limits)
    transparent = mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info
    plain = image.convert(
        ("RGBA" if transparent else "RGB") if _is_colour(image) else ("LA" if transparent else "L")
    )
    values = np.asarray(plain, dtype=np.float32) / 255
    if values.ndim == 2:
        values = values[:, :, None]
    return DecodedImage(*_without_opacity(values, transparent), mode, "PNG")


def _without_opacity(values: np.ndarray, transparent: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the colours of an image, and its opacity, which is its last channel if it is transparent."""
    if not transparent:
        return np.ascontiguousarray(values), None
    return np.ascontiguousarray(values[:, :, :-1]), values[:, :, -1]


def _scaled(
    values: np.ndarray, mode: str, name: str, kind: str, limits: tuple[float, float] | None
) -> DecodedImage:
    """Return stored values as an image from 0 to 1.

    Args:
        values: (height, width, channels).
        mode: of the image.
        name: of its format.
        kind: the numpy type of stored values.
        limits: the stored values of black and white; None to tell them by these values.
    """
    low, high = value_range(values)
    if kind in FULL_SCALE:
        limits = (0.0, FULL_SCALE[kind])
    elif limits is None:
        limits = (0.0, WHITES[-1]) if kind == "uint16" else limits_of(low, high)
    black, white = limits
    check_brightness(low, high, limits)
    pixels = scale_pixels(values, black, white)
    parts = _without_opacity(pixels, pixels.shape[2] in (2, 4))
    return DecodedImage(*parts, mode, name, black, white, kind)


def check_brightness(low: float, high: float, limits: tuple[float, float]) -> None:
    """Check that pixels are not far beyond black and white.

    Args:
        low: the lowest stored value.
        high: the highest one.
        limits: black and white.

    Raises:
        DataError: they are.
    """
    black, white = limits
    if high > black + TOO_BRIGHT * (white - black) or low < white - TOO_BRIGHT * (white - black):
        raise DataError(
            f"it has pixels from {low:g} to {high:g}, and those of the fit are from {black:g} to {white:g}: "
            "the units differ",
            hint=f"images * {white / high:.4g}" if high > white else "images from 0 to 1",
        )


def scale_pixels(values: np.ndarray, black: float, white: float) -> np.ndarray:
    """Return stored values as float32 from 0 to 1; one that is missing is the mean of the others.

    Args:
        values: of any shape, at least one of them finite.
        black: the stored value of 0.
        white: the stored value of 1.
    """
    exact = values.astype(float)
    if exact.size and not np.isfinite(exact).all():
        middle = float(exact[np.isfinite(exact)].mean())
        exact = np.nan_to_num(exact, nan=middle, posinf=white, neginf=black)
    return np.clip((exact - black) / (white - black), 0, 1).astype(np.float32)


def value_range(values: np.ndarray) -> tuple[float, float]:
    """Return the lowest and the highest finite value.

    Args:
        values: stored pixels.

    Raises:
        DataError: none is finite.
    """
    known = values if values.dtype.kind != "f" else values[np.isfinite(values)]
    if known.size == 0:
        raise DataError("the image has no finite pixel", hint="leave it out")
    return float(known.min()), float(known.max())


def limits_of(low: float, high: float) -> tuple[float, float]:
    """Return the values that stand for black and white among stored values whose type does not tell.

    Args:
        low: the lowest value; black is 0, or this one if it is negative.
        high: the highest value; white is the smallest of `WHITES` that it does not exceed, else this one.
    """
    return min(low, 0.0), next((white for white in WHITES if high <= white), high)


def _load_array(raw: bytes) -> np.ndarray:
    """Return an array in bytes, which must hold an image."""
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
    if stored.ndim == 3 and stored.shape[2] not in CHANNEL_COUNTS:
        raise DataError(
            f"expected 1, 3 or 4 channels, got {stored.shape[2]}", hint="(height, width, 3) for colours"
        )
    return np.asarray(stored)


def decode_array(stored: np.ndarray, limits: tuple[float, float] | None) -> DecodedImage:
    """Return an array as an image.

    Args:
        stored: (height, width) or (height, width, channels).
        limits: as for `decode`.

    Raises:
        DataError: no pixel is finite, or pixels are far beyond the limits.
    """
    return _scaled(stored.reshape(*stored.shape[:2], -1), "array", "NPY", stored.dtype.name, limits)
