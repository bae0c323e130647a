"""Images of surfaces, and of objects with details: judged by their patches, and by their layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diabolo.images.defects.base import ImageKind
from diabolo.images.defects.filling import filled
from diabolo.images.defects.layers import ENERGIES, LAYOUT, Layers, Preparation
from diabolo.images.defects.layout import Layout
from diabolo.images.defects.local_maps import MAPS, LocalMaps, LocalMoments, named
from diabolo.utils.files import select_prefix


@dataclass(frozen=True)
class Surfaces(ImageKind):
    """Local maps, and layouts of texture and of brightness.

    Attributes:
        local: maps of patches.
        texture: of the energies of edges in cells of an image.
        brightness: of the log brightness in cells of an image.
    """

    name = "surfaces"
    maps = MAPS
    # Layouts tell of large shadows and worn areas (measured, of synthetic ones only), and of little else.
    plain = (2.0, 0.0, 0.0)
    excess = (0.0, 1.0, 1.0)

    local: LocalMaps
    texture: Layout
    brightness: Layout

    @classmethod
    def fit_folds(
        cls, layers: Sequence[Layers], folds: np.ndarray, seed: int
    ) -> tuple[Surfaces, list[Surfaces]]:
        generator = torch.Generator().manual_seed(seed)
        channels = layers[0].contrast.shape[1]
        parts = [LocalMoments(channels) for _ in range(int(folds.max()) + 1)]
        for one, fold in zip(layers, folds, strict=True):
            parts[fold].add(one, generator)
        cells = [np.stack([one.energies for one in layers]), np.stack([one.brightness for one in layers])]

        def without(left_out: int) -> Surfaces:
            rest = [part for fold, part in enumerate(parts) if fold != left_out]
            texture, brightness = (Layout.fit(values[folds != left_out]) for values in cells)
            return cls(LocalMaps.fit(reduce(LocalMoments.plus, rest)), texture, brightness)

        return without(-1), [without(fold) for fold in range(len(parts))]

    def log_maps(self, layers: Layers) -> Tensor:
        return self.local.log_distances(layers)

    def log_distances(self, layers: Layers) -> list[float]:
        return [self.texture.log_distance(layers.energies), self.brightness.log_distance(layers.brightness)]

    def expected(self, image: np.ndarray, layers: Layers, suspicious: np.ndarray) -> np.ndarray:
        return filled(image, suspicious)

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            **named("local", self.local.arrays()),
            **named("texture", self.texture.arrays()),
            **named("brightness", self.brightness.arrays()),
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, Any], preparation: Preparation) -> Surfaces:
        cells = preparation.channels * LAYOUT**2
        return cls(
            LocalMaps.restore(select_prefix(arrays, "local/"), preparation.channels),
            Layout.restore(select_prefix(arrays, "texture/"), ENERGIES * cells),
            Layout.restore(select_prefix(arrays, "brightness/"), cells),
        )
