"""What a model of one kind of images says of an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from diabolo.images.defects.layers import Layers, Preparation


class ImageKind(ABC):
    """Evidence that an image is anomalous, for one kind of images.

    Attributes:
        name: in model files.
        maps: how many maps an image has.
        plain: weight of each piece of evidence: of the map, then of the whole image.
        excess: weight of how far each piece exceeds what is usual, in the same order.
    """

    name: ClassVar[str]
    maps: ClassVar[int]
    plain: ClassVar[tuple[float, ...]]
    excess: ClassVar[tuple[float, ...]]

    @classmethod
    @abstractmethod
    def fit_folds(cls, layers: Sequence[Layers], folds: np.ndarray, seed: int) -> tuple[Self, list[Self]]:
        """Learn from all images, and from all but those of each fold.

        Args:
            layers: of normal images.
            folds: (images,) number of the fold of each, from 0 on.
            seed: of every random number.
        """

    @abstractmethod
    def log_maps(self, layers: Layers) -> Tensor:
        """Return (1, maps, height, width) log distances around pixels, at any resolution.

        Args:
            layers: of an image.
        """

    @abstractmethod
    def log_distances(self, layers: Layers) -> list[float]:
        """Return log distances of the whole image.

        Args:
            layers: of an image.
        """

    @abstractmethod
    def expected(self, image: np.ndarray, layers: Layers, suspicious: np.ndarray) -> np.ndarray:
        """Return (height, width, channels) what was expected in place of an image.

        Args:
            image: (height, width, channels), 0 to 1.
            layers: of the image.
            suspicious: (height, width) whether a pixel is anomalous.
        """

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""

    @classmethod
    @abstractmethod
    def restore(cls, arrays: Mapping[str, Any], preparation: Preparation) -> Self:
        """Return the inverse of `arrays`.

        Args:
            arrays: name -> array.
            preparation: of the images.

        Raises:
            ValueError: no fit can have left this.
        """
