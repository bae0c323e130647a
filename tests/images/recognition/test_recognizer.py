"""The recognizer tells people apart that it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import pytest

from diabolo.errors import DataError
from diabolo.images.recognition import recognizer as module
from diabolo.images.recognition.recognizer import Recognizer
from tests.images.recognition.people import images_of


def shares(recognizer: Recognizer, seed: int = 9) -> tuple[float, float]:
    """The shares of accepted pairs of the same and of different people, none of whom was in the fit."""
    images, labels = images_of(8, 4, seed=seed)
    vectors, who = recognizer.describe(images), np.array(labels)
    one, other = np.triu_indices(len(who), 1)
    accepted = (vectors @ vectors.T)[one, other] > recognizer.threshold(0.01)
    same = who[one] == who[other]
    return float(accepted[same].mean()), float(accepted[~same].mean())


def test_people_never_seen_are_told_apart(recognizer: Recognizer) -> None:
    same, different = shares(recognizer)
    assert same > 0.9 and different < 0.05


def test_no_label_is_needed() -> None:
    images, _ = images_of(12, 4)
    same, different = shares(Recognizer.fit(images, None))
    assert same > 0.9 and different < 0.05


def test_images_without_a_label_count(recognizer: Recognizer) -> None:
    images, labels = images_of(12, 4)
    some = [label if i < 24 else None for i, label in enumerate(labels)]
    partly, without = Recognizer.fit(images, some), Recognizer.fit(images[:24], labels[:24])
    assert partly.calibration.people == without.calibration.people == 6
    assert not np.allclose(partly.whitening.mean, without.whitening.mean, atol=1e-4)
    assert shares(partly)[0] > 0.9


def test_vectors_are_unit_vectors_that_do_not_depend_on_the_batch(recognizer: Recognizer) -> None:
    images, _ = images_of(3, 2, seed=5)
    vectors = recognizer.describe(images)
    assert vectors.dtype == np.float32 and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for i, image in enumerate(images):
        assert np.array_equal(recognizer.describe([image])[0], vectors[i])
    assert recognizer.describe([]).shape == (0, vectors.shape[1])


def test_a_mirror_image_shows_the_same_person(recognizer: Recognizer) -> None:
    (image, *_), _ = images_of(1, 1, seed=5)
    one, other = recognizer.describe([image, image[:, ::-1]])
    assert one @ other > 0.999


def test_the_seed_decides() -> None:
    images, labels = images_of(5, 3)
    one, same, other = (Recognizer.fit(images, labels, seed=s) for s in (1, 1, 2))
    for name, array in one.arrays().items():
        assert np.array_equal(array, same.arrays()[name])
    assert not np.array_equal(one.whitening.factor, other.whitening.factor)


def test_a_recognizer_is_restored(recognizer: Recognizer) -> None:
    images, _ = images_of(2, 1, seed=5)
    restored = Recognizer.restore(recognizer.arrays(), recognizer.state())
    assert np.array_equal(restored.describe(images), recognizer.describe(images))
    assert restored.threshold(0.03) == recognizer.threshold(0.03)
    with pytest.raises(ValueError, match="names of arrays"):
        Recognizer.restore({**recognizer.arrays(), "more": np.zeros(1)}, recognizer.state())


@pytest.mark.parametrize("labels", [["a"], []])
def test_labels_are_as_many_as_images(labels: list[Any]) -> None:
    with pytest.raises(DataError, match=f"2 images and {len(labels)} labels"):
        Recognizer.fit(images_of(2, 1)[0], labels)
    with pytest.raises(DataError, match="0 images"):
        Recognizer.fit([], None)


class Counted(Sequence[np.ndarray]):
    """Images that are made when they are asked for, and counted."""

    def __init__(self, count: int) -> None:
        self.count, self.read = count, 0
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return self.count

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[np.ndarray]: ...
    def __getitem__(self, index: Any) -> Any:
        self.read += 1
        return self.rng.random((12, 12, 1), np.float32)


def test_of_many_images_a_part_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VIEWS", 200)
    images = Counted(100_000)
    labels = [f"p{i % 5}" if i < 40 else None for i in range(100_000)]
    told: list[float] = []
    fitted = Recognizer.fit(images, labels, progress=lambda name, done, left: told.append(done))
    assert images.read == 100 + module.MAX_SHAPES
    assert fitted.calibration.people == 5 and fitted.calibration.pairs == 40 * 39 // 2 - 5 * 28
    assert told and max(told) == 1
