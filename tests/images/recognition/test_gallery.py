"""People are enrolled, identified and removed."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo.errors import DataError, OptionError
from diabolo.images.recognition.gallery import Gallery
from diabolo.images.recognition.recognizer import Recognizer
from tests.images.recognition.people import images_of


@pytest.fixture
def gallery() -> Gallery:
    gallery = Gallery()
    gallery.enrol(["ann", "bob", "ann"], np.array([[1, 0, 0], [0, 1, 0], [0.8, 0, 0.6]], np.float32))
    return gallery


def test_known_people_are_named_and_strangers_are_not(recognizer: Recognizer) -> None:
    images, labels = images_of(10, 5, seed=7)
    vectors = recognizer.describe(images)
    enrolled = [i for i in range(30) if i % 5 < 3]  # three images of six people
    asked = [i for i in range(30) if i % 5 >= 3]
    gallery = Gallery()
    gallery.enrol([labels[i] for i in enrolled], vectors[enrolled])
    threshold = recognizer.threshold(0.05 / len(gallery.people))
    assert [name for name, _ in gallery.identify(vectors[asked], threshold)] == [labels[i] for i in asked]
    assert sum(name is not None for name, _ in gallery.identify(vectors[30:], threshold)) <= 2


def test_a_person_is_the_mean_of_the_images(gallery: Gallery) -> None:
    assert gallery.people == ["ann", "bob"]
    mean = np.array([[1.8, 0, 0.6]]) / np.hypot(1.8, 0.6)
    ((name, similarity),) = gallery.identify(mean, 0.9)
    assert name == "ann" and similarity == pytest.approx(1)
    ((name, similarity),) = gallery.identify(np.array([[0, 0.6, -0.8]]), 0.7)
    assert name is None and similarity == pytest.approx(0.6)


def test_people_are_added_and_removed(gallery: Gallery) -> None:
    gallery.enrol(["cyd"], np.array([[0, 0, 1.0]]))
    vector = np.array([[0, 0, 1.0]])
    assert gallery.identify(vector, 0.5)[0][0] == "cyd"
    gallery.remove("cyd")
    assert gallery.people == ["ann", "bob"] and gallery.identify(vector, 0.5)[0][0] is None
    with pytest.raises(OptionError, match=r"(?s)'cyd' is not enrolled.*'ann', 'bob'"):
        gallery.remove("cyd")


def test_bad_input_is_refused(gallery: Gallery) -> None:
    with pytest.raises(DataError, match="2 images and 1 labels"):
        gallery.enrol(["ann"], np.zeros((2, 3)))
    with pytest.raises(DataError, match=r"\(images, 3\), got \(1, 4\)"):
        gallery.enrol(["ann"], np.zeros((1, 4)))
    with pytest.raises(DataError, match=r"\(images, 3\), got \(3,\)"):
        gallery.identify(np.zeros(3), 0.5)
    with pytest.raises(DataError, match="nobody is enrolled"):
        Gallery().identify(np.zeros((1, 3)), 0.5)


def test_a_gallery_is_restored(gallery: Gallery) -> None:
    restored = Gallery.restore(gallery.arrays(), gallery.state())
    asked = np.eye(3)
    assert restored.identify(asked, 0.5) == gallery.identify(asked, 0.5)
    empty = Gallery.restore(Gallery().arrays(), Gallery().state())
    assert empty.people == []
    for arrays, state in (
        ({"sums": np.zeros((1, 3))}, gallery.state()),
        ({"sums": np.full((2, 3), np.nan)}, gallery.state()),
        ({"sums": np.zeros((2, 3), np.int64)}, gallery.state()),
        (gallery.arrays(), {"people": ["ann", "ann"]}),
        (gallery.arrays(), {"people": ["ann", 3]}),
    ):
        with pytest.raises(ValueError, match=r"of a gallery|of people"):
            Gallery.restore(arrays, state)
