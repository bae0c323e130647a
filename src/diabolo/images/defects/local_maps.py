"""Maps of how unusual an image is around each pixel: details, texture and contrast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diabolo.images.defects.filtering import blur, interpolated
from diabolo.images.defects.layers import ENERGIES, Layers
from diabolo.images.defects.patch_gaussian import STRIDE, PatchGaussian, PatchMoments, PatchShape
from diabolo.images.defects.position import MIN_DISTANCE
from diabolo.utils.files import select_prefix

DETAIL = PatchShape(
    9, kept=40
)  # of the contrast: whether a patch is likely (better than 5, 7 and 13, measured)
GAP = PatchShape(9, dilation=2, centre=3)  # of the contrast: whether its centre follows from what is around
TEXTURE = PatchShape(5, kept=10)  # of the texture, for each of its layers (a choice)
SHAPES = (DETAIL, GAP, TEXTURE)
MAPS = len(SHAPES) + 1  # the last is the contrast itself, without a model
CONTRAST_BLUR = 1.5  # pixels (a choice)


class LocalMoments:
    """Sums over patches of images, for each kind of patch.

    Args:
        channels: of the images.
    """

    def __init__(self, channels: int) -> None:
        widths = (channels, channels, ENERGIES * channels)
        self.parts = [PatchMoments(shape, width) for shape, width in zip(SHAPES, widths, strict=True)]

    def add(self, layers: Layers, generator: torch.Generator) -> None:
        """Add some patches of an image.

        Args:
            layers: of the image.
            generator: draws the patches.
        """
        for part, layer in zip(self.parts, _layers_of(layers), strict=True):
            part.add(layer, generator)

    def plus(self, other: LocalMoments) -> LocalMoments:
        """Return the sums over both."""
        both = LocalMoments.__new__(LocalMoments)
        both.parts = [a.plus(b) for a, b in zip(self.parts, other.parts, strict=True)]
        return both


@dataclass(frozen=True)
class LocalMaps:
    """Normal distributions of patches, one of each kind.

    Attributes:
        gaussians: in the order of `SHAPES`.
    """

    gaussians: Sequence[PatchGaussian]

    @classmethod
    def fit(cls, moments: LocalMoments) -> LocalMaps:
        """Return the distributions that follow from sums over patches."""
        return cls([PatchGaussian.fit(part) for part in moments.parts])

    def log_distances(self, layers: Layers) -> Tensor:
        """Return (1, 4, ceil(height / 2), ceil(width / 2)) log distances around every second pixel.

        Args:
            layers: of an image.
        """
        pairs = zip(self.gaussians, _layers_of(layers), strict=True)
        maps = [gaussian.distances(layer) for gaussian, layer in pairs]
        contrast = blur(layers.contrast.abs().mean(1, keepdim=True), CONTRAST_BLUR)
        maps.append(contrast[:, :, ::STRIDE, ::STRIDE])
        size = (maps[0].shape[2], maps[0].shape[3])
        logs = [torch.log(part.clamp_min(MIN_DISTANCE)) for part in maps]
        return torch.cat([part if part.shape[2:] == size else interpolated(part, size) for part in logs], 1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""
        stored: dict[str, np.ndarray] = {}
        for number, gaussian in enumerate(self.gaussians):
            stored |= named(str(number), gaussian.arrays())
        return stored

    @classmethod
    def restore(cls, arrays: Mapping[str, Any], channels: int) -> LocalMaps:
        """Return the inverse of `arrays`.

        Args:
            arrays: name -> array.
            channels: of the images.

        Raises:
            ValueError: no fit can have left this.
        """
        widths = (channels, channels, ENERGIES * channels)
        parts = enumerate(zip(SHAPES, widths, strict=True))
        return cls(
            [PatchGaussian.restore(select_prefix(arrays, f"{i}/"), s, width) for i, (s, width) in parts]
        )


def named(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays under names that begin with a prefix and a slash."""
    return {f"{prefix}/{k}": v for k, v in arrays.items()}


def _layers_of(layers: Layers) -> tuple[Tensor, Tensor, Tensor]:
    """Return the layer that each of `SHAPES` is of."""
    return layers.contrast, layers.contrast, layers.texture
