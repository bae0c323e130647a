"""The recognizer: turns images into unit vectors whose dot product says whether they show the same person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from diabolo.errors import DataError
from diabolo.images.recognition.calibration import PairCalibration
from diabolo.images.recognition.descriptor import Descriptor
from diabolo.images.recognition.views import mirrored, random_views
from diabolo.images.recognition.whitening import Whitening
from diabolo.utils.progress import Progress
from diabolo.utils.sampling import evenly_spaced
from diabolo.utils.torch_state import forked_rng

MAX_RANDOM_VIEWS = 8  # of an image, besides itself and its mirror image (measured: 2 are nearly as good)
MAX_VIEWS = 20_000  # of all images of a fit: about 10 CPU seconds
MAX_SHAPES = 50  # images, read once more, whose median proportions are those of the descriptions
CALIBRATION_PREFIX = "pairs/"


@dataclass(frozen=True)
class Recognizer:
    """Histograms of oriented gradients, whitened by what differs between images of the same person.

    Images with labels say what varies within a person; those without vary by their random views only, which
    is nearly as good (true accepts of people never seen at 1 % false accepts, 20 random splits: descriptions
    alone .79, no labels .935, labels .939; with 4 of 10 people known, .885 from their images alone, .938 with
    the unknown ones). Labels also say how similar different people are, see `threshold`. A network with a
    margin, trained on top of it, was worse: .88 to .90 after 300 and 100 steps.

    Attributes:
        descriptor: from images to descriptions.
        whitening: from descriptions to unit vectors.
        calibration: how similar images of different people are.
    """

    descriptor: Descriptor
    whitening: Whitening
    calibration: PairCalibration

    @classmethod
    def fit(
        cls,
        images: Sequence[np.ndarray],
        labels: Sequence[str | None] | None,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Learn what varies within people.

        Args:
            images: (height, width, channels) each, 0 to 1.
            labels: who is on each image, None where it is not known; None if nobody is known. Unknown images
                are taken to be of different people.
            seed: of the random views.
            progress: called with the progress.

        Raises:
            DataError: there is no image, or the labels are not as many.
        """
        if len(images) == 0 or (labels is not None and len(labels) != len(images)):
            count = "no" if labels is None else len(labels)
            raise DataError(
                f"{len(images)} images and {count} labels", hint="give one label or None for each"
            )
        groups, labelled = _groups(labels, len(images))
        rows = _chosen(labelled)
        descriptor = Descriptor.for_shapes([images[i].shape[:2] for i in _sample(rows)])
        views = _describe_views(descriptor, images, rows, seed, progress)
        whitening = Whitening.fit(views, groups[rows])
        return cls(descriptor, whitening, PairCalibration.fit(views, groups[rows], labelled[rows], progress))

    def describe(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return (images, size) unit vectors; the dot product of two is their similarity, -1 to 1.

        Each image is described by itself, so that its vector does not depend on the others.

        Args:
            images: (height, width, channels) each, 0 to 1.
        """
        vectors = np.zeros((len(images), self.descriptor.size), np.float32)
        for i in range(len(images)):
            views = self.descriptor.describe(mirrored(self.descriptor.prepare(images[i])))
            vectors[i] = self.whitening.apply(views.numpy()[None])[0]
        return vectors

    def threshold(self, false_accept_rate: float = 0.01) -> float:
        """Return the similarity from which on two images are taken to show the same person.

        It is measured on all pairs of images of the fit, by whitenings fitted without the two people;
        `calibration.pairs` and `calibration.people` say how many there were.

        Args:
            false_accept_rate: the share of pairs of different people that exceed it.

        Raises:
            OptionError: the rate is not between 0 and 1.
            UnsupportedError: the fit had too few images.
        """
        return self.calibration.threshold(false_accept_rate)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""
        pairs = {f"{CALIBRATION_PREFIX}{k}": v for k, v in self.calibration.arrays().items()}
        return {**self.whitening.arrays(), **pairs}

    def state(self) -> dict[str, Any]:
        """Return the rest of what was fitted, as plain values."""
        return {"descriptor": self.descriptor.state(), "calibration": self.calibration.state()}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> Self:
        """Return the inverse of `arrays` and `state`.

        Args:
            arrays: name -> array.
            state: plain values.

        Raises:
            ValueError: no fit can have left this.
        """
        descriptor = Descriptor.restore(state["descriptor"])
        whitening = Whitening.restore(arrays, descriptor.size)
        pairs = {k.removeprefix(CALIBRATION_PREFIX): v for k, v in arrays.items()}
        calibration = PairCalibration.restore(pairs, state["calibration"])
        restored = cls(descriptor, whitening, calibration)
        if restored.arrays().keys() != arrays.keys():
            raise ValueError("invalid names of arrays")
        return restored


def _groups(labels: Sequence[str | None] | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (images,) the number of the person of each image, and whether it has a label.

    Args:
        labels: of the images.
        count: of the images.
    """
    known = [None] * count if labels is None else list(labels)
    number = {label: i for i, label in enumerate(sorted({v for v in known if v is not None}))}
    groups = [len(number) + i if v is None else number[v] for i, v in enumerate(known)]
    return np.array(groups, dtype=np.int64), np.array([v is not None for v in known])


def _chosen(labelled: np.ndarray) -> np.ndarray:
    """Return the images that a fit uses, at most as many as there may be views: those with labels first."""
    most = MAX_VIEWS // 2
    with_label, without = np.flatnonzero(labelled), np.flatnonzero(~labelled)
    first = with_label[evenly_spaced(len(with_label), most)]
    rest = without[evenly_spaced(len(without), most - len(first))]
    return np.sort(np.concatenate([first, rest]))


def _sample(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows[evenly_spaced(len(rows), MAX_SHAPES)])


def _describe_views(
    descriptor: Descriptor,
    images: Sequence[np.ndarray],
    rows: np.ndarray,
    seed: int,
    progress: Progress | None,
) -> np.ndarray:
    """Return (rows, views, size) the descriptions of the views of images.

    Args:
        descriptor: from images to descriptions.
        images: all of them.
        rows: those to describe.
        seed: of the random views.
        progress: called with the progress.
    """
    count = min(max(MAX_VIEWS // len(rows) - 2, 0), MAX_RANDOM_VIEWS)
    described = np.empty((len(rows), 2 + count, descriptor.size), np.float32)
    with forked_rng(seed):
        for i, row in enumerate(rows.tolist()):
            described[i] = descriptor.describe(random_views(descriptor.prepare(images[row]), count)).numpy()
            if progress is not None:
                progress("describing images", (i + 1) / len(rows), None)
    return described
