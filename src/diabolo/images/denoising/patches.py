"""Square patches for training, cut at random from as much of the images as memory should hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from diabolo.errors import DataError
from diabolo.images.denoising.network import STRIDE

MAX_VALUES = 96_000_000  # of all images held, in half precision: 192 MB (a choice)
MAX_IMAGES = 4_000  # read at most (a choice): a model of this size does not need more


class PatchPool:
    """Hold parts of images, each read once, and cut patches from them.

    Args:
        images: each (height, width, channels), 0 to 1; only `MAX_IMAGES` of them, drawn at random, are read.
        seed: of the choice of images and of their parts.

    Raises:
        DataError: there is no image, or their numbers of channels differ.
    """

    def __init__(self, images: Sequence[np.ndarray], seed: int) -> None:
        if not len(images):
            raise DataError("no image to learn from", hint="name a folder that holds images")
        rng = np.random.default_rng(seed)
        count = min(len(images), MAX_IMAGES)
        chosen = np.sort(rng.permutation(len(images))[:count])
        self.parts = [_part(images[int(i)], MAX_VALUES // count, rng) for i in chosen]
        if len({len(part) for part in self.parts}) > 1:
            raise DataError("grey and colour images are mixed", hint="convert all of them to the same mode")
        self.sides = np.array([min(part.shape[1:]) for part in self.parts])
        self.areas = np.array([part.shape[1] * part.shape[2] for part in self.parts], dtype=float)

    @property
    def channels(self) -> int:
        """Channels of every image."""
        return len(self.parts[0])

    def sample(self, count: int, side: int, rng: np.random.Generator) -> Tensor:
        """Return (count, channels, side, side) patches, turned and mirrored at random as a batch.

        Args:
            count: how many.
            side: in pixels; less where most images are smaller.
            rng: draws images, in proportion to their area, and positions.
        """
        side = min(side, int(np.median(self.sides)) // STRIDE * STRIDE)
        weights = np.where(self.sides >= side, self.areas, 0.0)
        chosen = rng.choice(len(self.parts), count, p=weights / weights.sum())
        patches = torch.stack([_crop(self.parts[i], side, rng) for i in chosen]).float()
        return _turned(patches, int(rng.integers(8))).contiguous(memory_format=torch.channels_last)


def _part(image: np.ndarray, most: int, rng: np.random.Generator) -> Tensor:
    """Return (channels, height, width) a part of an image with at most so many values, in half precision."""
    height, width, channels = image.shape
    side = max(int((most / channels) ** 0.5), STRIDE)
    # An elongated image may keep more along its longer side.
    high = min(height, max(side, most // (channels * max(width, 1))))
    wide = min(width, max(STRIDE, most // (channels * high)))
    top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    part = image[top : top + high, left : left + wide]
    short = [(0, max(32 - length, 0)) for length in part.shape[:2]]
    if any(after for _, after in short):
        part = np.pad(part, [*short, (0, 0)], mode="symmetric")
    return torch.from_numpy(part.transpose(2, 0, 1).astype(np.float16))


def _crop(part: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    top, left = (int(rng.integers(length - side + 1)) for length in part.shape[1:])
    return part[:, top : top + side, left : left + side]


def _turned(patches: Tensor, way: int) -> Tensor:
    """Return patches in one of the 8 orientations of a square."""
    if way & 1:
        patches = patches.flip(-1)
    if way & 2:
        patches = patches.flip(-2)
    return patches.transpose(-1, -2) if way & 4 else patches
