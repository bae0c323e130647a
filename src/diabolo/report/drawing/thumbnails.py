"""Images as thumbnails in a page: small ones as they are, photographs reduced and as jpeg."""

from __future__ import annotations

import base64
import io

import numpy as np
import torch
from torch.nn import functional

from diabolo.data.images.reduction import resize
from diabolo.errors import MissingExtraError, need
from diabolo.report.drawing.png import Thumbnail, to_grey, to_uri

MAX_EXACT_SIDE = 64  # pixels: smaller images are shown pixel by pixel, without losses: a choice
JPEG_QUALITY = 82  # of 100: its losses are not seen at the size of a thumbnail (a choice)


def fit_into(pixels: np.ndarray, most: int) -> np.ndarray:
    """Return an image whose longer side has at most so many pixels: the mean over each new pixel's area.

    Args:
        pixels: (height, width, channels).
        most: pixels of the longer side.

    Example:
        >>> fit_into(np.zeros((100, 50, 3), np.float32), 20).shape
        (20, 10, 3)
    """
    height, width = pixels.shape[:2]
    share = min(1.0, most / max(height, width))
    return resize(pixels, max(round(height * share), 1), max(round(width * share), 1))


def fit_map(bits: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a map of pixels at another size; reduced, each pixel has the highest value of its area.

    The mean would hide what is smaller than a new pixel.

    Args:
        bits: (height, width).
        height: of the result.
        width: of the result.
    """
    plane = torch.from_numpy(np.ascontiguousarray(bits, dtype=np.float32))[None, None]
    if bits.shape[0] >= height and bits.shape[1] >= width:
        found = functional.adaptive_max_pool2d(plane, (height, width))
    else:
        found = functional.interpolate(plane, (height, width), mode="bilinear", align_corners=False)
    return np.asarray(found[0, 0].numpy())


def make_thumbnail(
    pixels: np.ndarray, text: str, *, most: int, exact: bool | None = None, quality: int = JPEG_QUALITY
) -> Thumbnail:
    """Return an image for a page.

    Without Pillow, it is reduced to 64 pixels: png of a photograph is large.

    Args:
        pixels: (height, width, channels) from 0 to 1, of 1 or 3 channels.
        text: what it shows.
        most: pixels of the longer side, at most.
        exact: whether pixels are shown one by one, without losses; None to do so with small images.
        quality: of jpeg.
    """
    exact = max(pixels.shape[:2]) <= MAX_EXACT_SIDE if exact is None else exact
    raw = None if exact else _as_jpeg(fit_into(pixels, most), quality)
    if raw is None:
        small = to_grey(fit_into(pixels, min(most, MAX_EXACT_SIDE)), 0, 1)
        return Thumbnail(to_uri(small[..., 0] if small.shape[2] == 1 else small), text, smooth=not exact)
    return Thumbnail("data:image/jpeg;base64," + base64.b64encode(raw).decode(), text, smooth=True)


def _as_jpeg(pixels: np.ndarray, quality: int) -> bytes | None:
    """Return an image as jpeg; None if Pillow is not installed."""
    try:
        pillow = need("PIL.Image", extra="images")
    except MissingExtraError:
        return None
    values = to_grey(pixels, 0, 1)
    file = io.BytesIO()
    image = pillow.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    image.save(file, format="JPEG", quality=quality, optimize=True)
    return file.getvalue()
