"""Small images of aligned objects: judged as wholes, by the nearest images of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diabolo.images.defects.base import ImageKind
from diabolo.images.defects.filtering import blur, interpolated
from diabolo.images.defects.layers import Layers, Preparation
from diabolo.images.defects.nearest import NearestImages
from diabolo.images.defects.position import MIN_DISTANCE

DIFFERENCE_BLUR = 1.0  # pixels of the map of differences (a choice)


@dataclass(frozen=True)
class Objects(ImageKind):
    """The nearest images, and where an image differs from them.

    Attributes:
        memory: small copies of the images of the fit.
        shape: (channels, height, width) of a small copy.
    """

    name = "objects"
    maps = 1
    plain = (0.0, 1.0)  # the largest difference says less than all of them (a choice)
    excess = (1.0, 0.0)

    memory: NearestImages
    shape: tuple[int, int, int]

    @classmethod
    def fit_folds(
        cls, layers: Sequence[Layers], folds: np.ndarray, seed: int
    ) -> tuple[Objects, list[Objects]]:
        thumbnails = np.stack([one.thumbnail for one in layers])
        channels = layers[0].contrast.shape[1]
        side = round((thumbnails.shape[1] / channels) ** 0.5)

        def without(left_out: int) -> Objects:
            return cls(NearestImages.fit(thumbnails[folds != left_out]), (channels, side, side))

        return without(-1), [without(fold) for fold in range(int(folds.max()) + 1)]

    def log_maps(self, layers: Layers) -> Tensor:
        difference = np.abs(layers.thumbnail - self.memory.nearest(layers.thumbnail).mean(0))
        image = torch.from_numpy(difference.reshape(1, *self.shape)).mean(1, keepdim=True)
        return torch.log(blur(image, DIFFERENCE_BLUR).clamp_min(MIN_DISTANCE))

    def log_distances(self, layers: Layers) -> list[float]:
        return [float(np.log(self.memory.distance(layers.thumbnail) + MIN_DISTANCE))]

    def expected(self, image: np.ndarray, layers: Layers, suspicious: np.ndarray) -> np.ndarray:
        roots = self.memory.nearest(layers.thumbnail).mean(0)
        small = torch.from_numpy(np.square(roots).reshape(1, *self.shape))
        large: np.ndarray = interpolated(small, (image.shape[0], image.shape[1]))[0].numpy()
        return large.transpose(1, 2, 0)

    def arrays(self) -> dict[str, np.ndarray]:
        return self.memory.arrays()

    @classmethod
    def restore(cls, arrays: Mapping[str, Any], preparation: Preparation) -> Objects:
        shape = (preparation.channels, preparation.thumbnail, preparation.thumbnail)
        return cls(NearestImages.restore(arrays, int(np.prod(shape))), shape)


def predicted_share(memories: Sequence[Objects], layers: Sequence[Layers], folds: np.ndarray) -> float:
    """Return the share of the variance of left-out images that the nearest images predict.

    It is near 1 for aligned objects, and below 0 for textures, whose nearest image is no better than their
    mean.

    Args:
        memories: by fold, without its images.
        layers: of the images.
        folds: (images,) number of the fold of each.
    """
    thumbnails = np.stack([one.thumbnail for one in layers])
    pairs = zip(thumbnails, folds, strict=True)
    predicted = np.stack([memories[fold].memory.nearest(image).mean(0) for image, fold in pairs])
    # Without the mean of each image: how bright it is says nothing about whether it is aligned.
    left = thumbnails - predicted
    left = np.square(left - left.mean(1, keepdims=True)).mean()
    around = thumbnails - thumbnails.mean(0)
    total = np.square(around - around.mean(1, keepdims=True)).mean()
    return float(1 - left / total) if total > 0 else 0.0
