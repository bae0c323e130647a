"""Images before and after noise is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diabolo.report.drawing.png import Thumbnail
from diabolo.report.drawing.thumbnails import make_thumbnail

if TYPE_CHECKING:
    from diabolo.report.image_view import ImageView

# Choices:
N_DENOISED = 4
MAX_HEIGHT, MAX_WIDTH = 320, 480  # pixels of the part of an image that is shown: noise is seen at full size
QUALITY = 90  # of jpeg: a lower one would remove noise by itself


@dataclass(frozen=True)
class BeforeAfter:
    """An image as it is, and without noise.

    Attributes:
        name: of its file, or its number.
        before: the image, or its middle.
        after: the same part without noise.
        change: root mean square of what was removed, in percent of the range from black to white.
        width: pixels of the part that is shown.
        is_part: whether it is a part of the image.
    """

    name: str
    before: Thumbnail
    after: Thumbnail
    change: float
    width: int
    is_part: bool


def before_after(view: ImageView) -> list[BeforeAfter]:
    """Return evenly chosen images with and without noise; none if the model does not denoise images.

    Args:
        view: the data.
    """
    models = view.engine.images
    if models is None or models.denoiser is None:
        return []
    rows = view.images.are_present(view.evenly_spaced(N_DENOISED).tolist())
    frame, _ = view.engine.source.narrow(view.frame, np.array(rows, dtype=int))
    images, places = models.images(frame)
    found = []
    for place, image in zip(places.tolist(), images, strict=True):
        part = _middle(image)
        clean = np.clip(models.denoiser.denoise(part), 0, 1)
        found.append(_compared(view.images.names[rows[place]], part, clean, part.shape != image.shape))
    return found


def _compared(name: str, part: np.ndarray, clean: np.ndarray, is_part: bool) -> BeforeAfter:
    change = 100 * float(np.sqrt(np.mean((part - clean) ** 2)))
    before, after = (
        make_thumbnail(pixels, text, most=MAX_WIDTH, quality=QUALITY)
        for pixels, text in ((part, f"{name} before"), (clean, f"{name} without noise"))
    )
    return BeforeAfter(name, before, after, change, part.shape[1], is_part)


def _middle(image: np.ndarray) -> np.ndarray:
    """Return the middle of a large image."""
    top, left = (
        max(size - most, 0) // 2 for size, most in zip(image.shape, (MAX_HEIGHT, MAX_WIDTH), strict=False)
    )
    return image[top : top + MAX_HEIGHT, left : left + MAX_WIDTH]
