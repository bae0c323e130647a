"""Which images are anomalous, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diabolo.errors import DataError
from diabolo.images.defects.base import ImageKind
from diabolo.images.defects.filtering import interpolated
from diabolo.images.defects.folds import separated_folds
from diabolo.images.defects.joining import Joining
from diabolo.images.defects.layers import THUMBNAIL, WORKING_SIDE, Layers, Preparation
from diabolo.images.defects.local_maps import named
from diabolo.images.defects.objects import Objects, predicted_share
from diabolo.images.defects.position import PositionScale, PositionSums
from diabolo.images.defects.surfaces import Surfaces
from diabolo.utils.checks import is_finite_number, require
from diabolo.utils.files import select_prefix
from diabolo.utils.progress import Progress

KINDS: tuple[type[ImageKind], ...] = (Surfaces, Objects)
MAX_IMAGES, MAX_PIXELS = 5_000, 32_000_000  # that are read, and the pixels of these at working size (choices)
FOLDS = 3  # parts of the fit that models of the others judge (a choice)
TOP = 0.001  # share of the pixels of a map whose mean is its evidence (of .0003 to .01, measured)
OBJECT_SIDE = 64  # pixels up to which an image may be compared as a whole (a choice)
ALIGNED = 0.3  # share of the variance that nearest images predict, from which on they are compared (a choice)
RARE = 0.001  # share of normal pixels that exceed the typical largest value of a map
PIXELS_KEPT = 2_000  # of each map, to find that value
MAX_FACTOR, MAX_CHANNELS = 1_000, 4  # of what a model file may hold


@dataclass(frozen=True)
class DefectDetector:
    """Anomaly scores of images, and maps of where they are anomalous.

    Attributes:
        preparation: how images are brought to one scale.
        model: evidence that an image is anomalous.
        position: scale of the maps by place.
        joining: scales of the pieces of evidence.
        calibration: (images,) scores of images of the fit by models that had not seen them.
        typical: value of the map that normal pixels exceed in 1 of 1,000 cases.
    """

    preparation: Preparation
    model: ImageKind
    position: PositionScale
    joining: Joining
    calibration: np.ndarray
    typical: float

    @classmethod
    def fit(
        cls, images: Sequence[np.ndarray], *, seed: int = 0, progress: Progress | None = None
    ) -> DefectDetector:
        """Learn what normal images look like.

        Args:
            images: (height, width, channels) each, 0 to 1; sizes may differ. Of many, some are read, once.
            seed: of every random number.
            progress: called with the progress.

        Raises:
            DataError: there are fewer than two images, or their channels differ.
        """
        if len(images) < 2:
            raise DataError(
                f"{len(images)} images: at least 2 normal images are needed to tell what is anomalous",
                hint="name a folder with more images",
            )
        preparation = Preparation.choose(images)
        layers = _read(images, preparation, seed, progress)
        model, left_out, folds = _fit_model(layers, seed, preparation)
        maps = [left_out[fold].log_maps(one) for one, fold in zip(layers, folds, strict=True)]
        sums = [PositionSums(model.maps) for _ in left_out]
        for one, fold in zip(maps, folds, strict=True):
            sums[fold].add(one)
        scales = [_without(sums, fold) for fold in range(len(sums))]
        own = [scales[fold].standardised(one) for one, fold in zip(maps, folds, strict=True)]
        kept = torch.cat([_some(one) for one in own])
        whole = [left_out[fold].log_distances(one) for one, fold in zip(layers, folds, strict=True)]
        pieces = np.array([[_top(one), *rest] for one, rest in zip(own, whole, strict=True)])
        joining = Joining.fit(pieces)
        scores = np.array([joining.score(piece, model.plain, model.excess) for piece in pieces])
        typical = float(functional.softplus(torch.quantile(kept, 1 - RARE)))
        return cls(preparation, model, _without(sums, -1), joining, scores, typical)

    def anomaly_map(self, image: np.ndarray) -> np.ndarray:
        """Return (height, width) how anomalous each pixel is, at least 0, comparable between images.

        Args:
            image: (height, width, channels), 0 to 1.

        Raises:
            DataError: it has other channels than the images of the fit.
        """
        return self.judge(image)[1]

    def score(self, image: np.ndarray) -> float:
        """Return the anomaly score of an image: higher is more anomalous.

        Args:
            image: (height, width, channels), 0 to 1.

        Raises:
            DataError: it has other channels than the images of the fit.
        """
        return self.judge(image)[0]

    def judge(self, image: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the anomaly score of an image and its map, as `score` and `anomaly_map`, in half the time.

        Args:
            image: (height, width, channels), 0 to 1.

        Raises:
            DataError: it has other channels than the images of the fit.
        """
        layers = self._layers(image)
        standardised = self._standardised(layers)
        pieces = [_top(standardised), *self.model.log_distances(layers)]
        score = self.joining.score(pieces, self.model.plain, self.model.excess)
        return score, self._full_map(standardised, image)

    def expected(self, image: np.ndarray) -> np.ndarray:
        """Return (height, width, channels) what was expected: the image with its anomalous parts replaced.

        Args:
            image: (height, width, channels), 0 to 1.

        Raises:
            DataError: it has other channels than the images of the fit.
        """
        layers = self._layers(image)
        suspicious = self._full_map(self._standardised(layers), image) > self.typical
        return self.model.expected(image, layers, suspicious)

    def _layers(self, image: np.ndarray) -> Layers:
        """Return what is compared of an image, after a look at its channels."""
        _check_channels(image, self.preparation.channels)
        return self.preparation.layers(image)

    def _standardised(self, layers: Layers) -> Tensor:
        """Return the map of an image, at the resolution of its model."""
        return self.position.standardised(self.model.log_maps(layers))

    def _full_map(self, standardised: Tensor, image: np.ndarray) -> np.ndarray:
        """Return (height, width) the map at the size of the image; the soft maximum of 0 and its values."""
        large = interpolated(standardised, (image.shape[0], image.shape[1]))
        values: np.ndarray = functional.softplus(large)[0, 0].numpy()
        return values

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""
        return {
            **named("model", self.model.arrays()),
            **named("position", self.position.arrays()),
            **named("joining", self.joining.arrays()),
            "calibration": self.calibration,
        }

    def state(self) -> dict[str, Any]:
        """Return the rest of what was fitted, as plain values."""
        return {"kind": self.model.name, "typical": self.typical, **asdict(self.preparation)}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> DefectDetector:
        """Return the inverse of `arrays` and `state`.

        Args:
            arrays: name -> array.
            state: plain values.

        Raises:
            ValueError: no fit can have left this.
        """
        try:
            return cls._restored(arrays, state)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("invalid detector of anomalous images") from error

    @classmethod
    def _restored(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> DefectDetector:
        """Return the inverse of `arrays` and `state`, which may lack names."""
        preparation = _restored_preparation(state)
        kinds = {kind.name: kind for kind in KINDS}
        require(state["kind"] in kinds, "kind of images")
        model = kinds[state["kind"]].restore(select_prefix(arrays, "model/"), preparation)
        scores, typical = arrays["calibration"], state["typical"]
        require(scores.ndim == 1 and scores.dtype == np.float64, "scores of the fit")
        require(2 <= len(scores) <= MAX_IMAGES and bool(np.isfinite(scores).all()), "scores of the fit")
        require(is_finite_number(typical) and typical > 0, "typical value of a map")
        restored = cls(
            preparation,
            model,
            PositionScale.restore(select_prefix(arrays, "position/"), model.maps),
            Joining.restore(select_prefix(arrays, "joining/"), len(model.plain)),
            scores.copy(),
            float(typical),
        )
        require(restored.arrays().keys() == arrays.keys(), "names of arrays")
        return restored


def _restored_preparation(state: Mapping[str, Any]) -> Preparation:
    """Return how images are prepared, as a model file says."""
    limits = {"channels": MAX_CHANNELS, "factor": MAX_FACTOR, "thumbnail": THUMBNAIL}
    for name, most in limits.items():
        require(type(state[name]) is int and 1 <= state[name] <= most, name)
    return Preparation(*(state[name] for name in limits))


def _check_channels(image: np.ndarray, channels: int) -> None:
    """Raise `DataError` if an image has other channels than the first of the fit."""
    if image.ndim != 3 or image.shape[2] != channels or not image.size:
        raise DataError(
            f"an image of shape {image.shape}; the images of the fit have {channels} channels",
            hint="convert all images to the same mode, for example with image.convert('L')",
        )


def _read(
    images: Sequence[np.ndarray], preparation: Preparation, seed: int, progress: Progress | None
) -> list[Layers]:
    """Return the layers of images, or of some drawn at random if there are many."""
    usual = WORKING_SIDE**2 if preparation.factor > 1 else OBJECT_SIDE**2
    count = min(len(images), MAX_IMAGES, MAX_PIXELS // usual)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    layers = []
    for done, index in enumerate(chosen):
        image = images[int(index)]
        _check_channels(image, preparation.channels)
        layers.append(preparation.layers(image))
        if progress is not None:
            progress("images", (done + 1) / count, None)
    return layers


def _fit_model(
    layers: Sequence[Layers], seed: int, preparation: Preparation
) -> tuple[ImageKind, list[ImageKind], np.ndarray]:
    """Return the model of the kind that the images are of, those without each fold, and the folds."""
    count = min(FOLDS, len(layers))
    small = preparation.factor == 1 and max(layers[0].contrast.shape[2:]) <= OBJECT_SIDE
    if small:
        folds = np.arange(len(layers)) % count
        objects, without = Objects.fit_folds(layers, folds, seed)
        if predicted_share(without, layers, folds) > ALIGNED:
            return objects, list(without), folds
    folds = separated_folds(np.stack([one.thumbnail for one in layers]), count)
    surfaces, parts = Surfaces.fit_folds(layers, folds, seed)
    return surfaces, list(parts), folds


def _without(sums: Sequence[PositionSums], left_out: int) -> PositionScale:
    """Return the scale of all maps but those of one fold."""
    rest = [part for fold, part in enumerate(sums) if fold != left_out]
    total = rest[0]
    for part in rest[1:]:
        total = total.plus(part)
    return PositionScale.fit(total)


def _top(standardised: Tensor) -> float:
    """Return the mean of the largest values of a map."""
    values = standardised.flatten()
    return float(values.topk(max(1, round(TOP * len(values)))).values.mean())


def _some(standardised: Tensor) -> Tensor:
    """Return some values of a map, evenly spaced."""
    values = standardised.flatten()
    return values[:: max(1, len(values) // PIXELS_KEPT)]
