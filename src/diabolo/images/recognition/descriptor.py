"""The descriptor of an image: histograms of the directions of its gradients, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from diabolo.utils.checks import require

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue in grey: ITU-R BT.601
# Measured on random splits of 20 people, 10 to fit and 10 never seen, as true accepts at 1 % false accepts:
# images of 56 x 48 pixels in cells of 8 gave .90; 6 to 12 directions, finer cells, twice the resolution and
# half of it .85 to .90, soft signs of neighbouring pixels .83, local contrast .77; no sum of several more.
CELL = 8  # pixels, both ways
AREA = 56 * 48  # pixels of an image as it is described, about
MIN_SIDE, MAX_SIDE = 3 * CELL, 14 * CELL  # pixels: long and narrow images keep at least three cells
N_DIRECTIONS = 8
DIRECTION_POWER = 3  # of the cosine by which a gradient counts for the directions next to it
LOG_OFFSET = 0.1  # added to the brightness: its logarithm turns the strength of light into an offset
SMOOTHING = 0.5  # pixels, before the gradient (.8: true accepts .01 lower)
CELL_SMOOTHING = 5.0  # pixels: histograms of neighbouring cells overlap (4: .01 lower, 6: the same)
CONTRAST_OFFSET = 0.1  # share of the image's mean contrast: cells without contrast hold noise
MIN_CONTRAST = 1e-6  # below which an image is constant


@dataclass(frozen=True)
class Descriptor:
    """Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) of small grey images.

    Attributes:
        height: of an image as it is described, in pixels; a multiple of `CELL`.
        width: likewise.
    """

    height: int
    width: int

    @classmethod
    def for_shapes(cls, shapes: list[tuple[int, int]]) -> Self:
        """Return the descriptor whose proportions are the median of those of images.

        Args:
            shapes: height and width of each.
        """
        ratio = float(np.median([height / width for height, width in shapes]))
        return cls(_side(math.sqrt(AREA * ratio)), _side(math.sqrt(AREA / ratio)))

    @property
    def size(self) -> int:
        """The length of the description of an image."""
        return (self.height // CELL) * (self.width // CELL) * N_DIRECTIONS

    def prepare(self, image: np.ndarray) -> Tensor:
        """Return (1, height, width) the grey image at the size that is described.

        What lies beyond the proportions of the fit is cut off at both ends, so that nothing is stretched.

        Args:
            image: (height, width, channels), 0 to 1.
        """
        grey = image[..., 0] if image.shape[-1] == 1 else image @ np.asarray(LUMA, image.dtype)
        pixels = torch.from_numpy(np.ascontiguousarray(self._crop(grey), dtype=np.float32))[None, None]
        return F.interpolate(pixels, (self.height, self.width), mode="bilinear", antialias=True)[0]

    def describe(self, images: Tensor) -> Tensor:
        """Return (images, size) the square roots of the histograms, in units of the contrast around a cell.

        Args:
            images: (images, height, width) as `prepare` returns them.
        """
        smooth = _smooth(images.clamp(0, 1).add(LOG_OFFSET).log())
        across = F.pad(smooth[..., 2:] - smooth[..., :-2], (1, 1))
        down = F.pad(smooth[:, 2:] - smooth[:, :-2], (0, 0, 1, 1))
        strength = (across.square() + down.square()).sqrt()
        angle = torch.atan2(down, across)[:, None] - _directions()
        votes = strength[:, None] * angle.cos().clamp_min(0) ** DIRECTION_POWER
        histograms = _cells(self.height) @ votes @ _cells(self.width).T
        contrast = histograms.square().sum(1, keepdim=True).sqrt()
        around = F.avg_pool2d(contrast, 3, 1, 1, count_include_pad=False)
        least = CONTRAST_OFFSET * around.mean((2, 3), keepdim=True) + MIN_CONTRAST
        return (histograms / (around + least)).sqrt().flatten(1)

    def state(self) -> dict[str, Any]:
        """Return the sizes, as plain values."""
        return {"height": self.height, "width": self.width}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Return the inverse of `state`.

        Args:
            state: plain values.

        Raises:
            ValueError: no fit can have left this.
        """
        sides = [state["height"], state["width"]]
        for side in sides:
            require(type(side) is int and MIN_SIDE <= side <= MAX_SIDE and side % CELL == 0, "size of images")
        return cls(*sides)

    def _crop(self, image: np.ndarray) -> np.ndarray:
        """Return the middle of an image, in the proportions that are described."""
        rows, columns = image.shape
        height = min(rows, max(round(columns * self.height / self.width), 1))
        width = min(columns, max(round(rows * self.width / self.height), 1))
        top, left = (rows - height) // 2, (columns - width) // 2
        return image[top : top + height, left : left + width]


def _side(length: float) -> int:
    return int(np.clip(CELL * round(length / CELL), MIN_SIDE, MAX_SIDE))


def _directions() -> Tensor:
    return (torch.arange(N_DIRECTIONS) * (2 * math.pi / N_DIRECTIONS))[:, None, None]


def _smooth(images: Tensor) -> Tensor:
    """Return images smoothed by a Gaussian in both directions."""
    height, width = images.shape[-2:]
    rows, columns = (_gaussians(n, tuple(range(n)), SMOOTHING) for n in (height, width))
    return rows @ images @ columns.T


def _cells(length: int) -> Tensor:
    """Return (cells, length) the weights of the pixels of a row or column in its cells."""
    return _gaussians(length, tuple(c + (CELL - 1) / 2 for c in range(0, length, CELL)), CELL_SMOOTHING)


@lru_cache(maxsize=64)
def _gaussians(length: int, centres: tuple[float, ...], deviation: float) -> Tensor:
    """Return (centres, length) weights that fall off as a normal distribution, of sum 1.

    Args:
        length: pixels.
        centres: pixels from the first one.
        deviation: pixels.
    """
    away = torch.arange(length)[None] - torch.tensor(centres)[:, None]
    weights = (-0.5 * (away / deviation) ** 2).exp()
    return weights / weights.sum(1, keepdim=True)
