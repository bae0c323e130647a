"""What is computed of an image before anything is compared: its contrast, its texture and its layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diabolo.images.defects.filtering import blur, pool, resized
from diabolo.utils.sampling import evenly_spaced

BLACK = 0.05  # added before logarithms (of 0.02 to 0.1, a choice): a black pixel is no outlier
LOCAL = 9.0  # pixels of the deviation of the local mean that is removed (a choice, at half resolution)
FINE_NOISE = 1e-3  # least deviation of an image's contrast: a blank image has none
MAX_CONTRAST = 6.0  # deviations of an image at which contrasts are cut off (a choice)
MEDIUM = (1.0, 2.5)  # pixels: between these blurs lies the coarser of two bands of texture (a choice)
COARSE = 4  # pixels of a cell of texture (a choice)
ENERGY_FLOOR = 1e-5  # of squared contrasts: noise of 8 bits
LAYOUT = 8  # cells of the layout, in height and in width (16 is no better for small defects, measured)
THUMBNAIL = 28  # pixels of the small copy by which whole images are compared, at most
SIZE_SAMPLE = 20  # images that say how large images are
FULL_SIDE, HALF_SIDE = 200, 512  # shorter sides up to which every pixel, and every second, is used (a choice)
WORKING_SIDE = 256  # pixels of the shorter side that is left of larger images (a choice)
ENERGIES = 4  # layers of texture for each channel


@dataclass(frozen=True)
class Layers:
    """An image as the parts of the detector see it.

    Attributes:
        contrast: (1, channels, height, width) log brightness over its local mean, in the image's deviations.
        texture: (1, 4 channels, cells high, cells wide) log energy of fine and medium edges across and along,
            over the image's mean.
        brightness: (channels * 64,) log brightness in cells of the layout.
        energies: (4 channels * 64,) log energies in cells of the layout.
        thumbnail: (channels * side * side,) square roots of brightness, which evens out differences of
            dark and bright pixels.
    """

    contrast: Tensor
    texture: Tensor
    brightness: np.ndarray
    energies: np.ndarray
    thumbnail: np.ndarray


@dataclass(frozen=True)
class Preparation:
    """How images are brought to the scale at which they are compared.

    Attributes:
        channels: of every image.
        factor: pixels of an image that make one, in height and in width.
        thumbnail: pixels of the small copy in height and in width.
    """

    channels: int
    factor: int
    thumbnail: int

    @classmethod
    def choose(cls, images: Sequence[np.ndarray]) -> Preparation:
        """Return the scale that fits the usual size of the images.

        Args:
            images: (height, width, channels) each; a few of them are read.
        """
        shapes = [images[int(i)].shape for i in evenly_spaced(len(images), SIZE_SAMPLE)]
        side = int(np.median([min(shape[:2]) for shape in shapes]))
        factor = 1 if side < FULL_SIDE else 2 if side <= HALF_SIDE else -(-side // WORKING_SIDE)
        return cls(shapes[0][2], factor, min(THUMBNAIL, side))

    def layers(self, image: np.ndarray) -> Layers:
        """Return what is compared of an image.

        Args:
            image: (height, width, channels), 0 to 1.
        """
        full = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))[None]
        brightness = torch.log(pool(full, self.factor) + BLACK)
        energy = edge_energies(brightness)
        layout = (LAYOUT, LAYOUT)
        return Layers(
            contrast_of(brightness),
            energy - energy.mean((2, 3), keepdim=True),
            resized(brightness, layout).flatten().numpy(),
            resized(energy, layout).flatten().numpy(),
            resized(full, (self.thumbnail, self.thumbnail)).sqrt().flatten().numpy(),
        )


def contrast_of(brightness: Tensor) -> Tensor:
    """Return log brightness over its local mean, in standard deviations of each channel of the image.

    Args:
        brightness: (1, channels, height, width) of logarithms.
    """
    above = brightness - blur(brightness, LOCAL)
    deviation = above.square().mean((2, 3), keepdim=True).sqrt()
    return (above / (deviation + FINE_NOISE)).clamp(-MAX_CONTRAST, MAX_CONTRAST)


def edge_energies(brightness: Tensor) -> Tensor:
    """Return (1, 4 channels, cells high, cells wide) log root mean squares of differences between neighbours.

    Fine differences are of what a slight blur removes, medium ones of what lies between two blurs; each
    across and along: a texture is told by how much of which it has.

    Args:
        brightness: (1, channels, height, width) of logarithms.
    """
    slight = blur(brightness, MEDIUM[0])
    bands = ((brightness - slight, 1), (slight - blur(brightness, MEDIUM[1]), 2))
    edges = (_difference(band, step, axis) for band, step in bands for axis in (3, 2))
    return torch.cat([torch.log(pool(edge.square(), COARSE) + ENERGY_FLOOR) / 2 for edge in edges], 1)


def _difference(band: Tensor, step: int, axis: int) -> Tensor:
    """Return differences between pixels a step apart; 0 beyond the margin."""
    length = band.shape[axis]
    if length <= step:
        return torch.zeros_like(band)
    difference = band.narrow(axis, step, length - step) - band.narrow(axis, 0, length - step)
    before = step // 2
    margins = (before, step - before)
    return torch.nn.functional.pad(difference, margins if axis == 3 else (0, 0, *margins))
