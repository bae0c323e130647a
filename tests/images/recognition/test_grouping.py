"""Images of the same unknown person get the same number."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from diabolo.images.recognition import grouping
from diabolo.images.recognition.grouping import group
from diabolo.images.recognition.recognizer import Recognizer
from tests.images.recognition.people import images_of


@pytest.fixture
def unknown(recognizer: Recognizer) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of images of people who were not in the fit, and who they are."""
    images, labels = images_of(10, 4, seed=3)
    order = np.random.default_rng(0).permutation(40)
    return recognizer.describe([images[i] for i in order]), np.array(labels)[order]


def test_people_are_grouped(recognizer: Recognizer, unknown: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, who = unknown
    found = group(vectors, recognizer.threshold(0.01))
    assert adjusted_rand_score(who, found) > 0.85


def test_numbers_follow_the_order_of_appearance(unknown: tuple[np.ndarray, np.ndarray]) -> None:
    found = group(unknown[0], 0.3)
    assert found[0] == 0 and list(dict.fromkeys(found.tolist())) == list(range(found.max() + 1))


def test_parts_of_many_images_are_joined(
    recognizer: Recognizer, unknown: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, who = unknown
    monkeypatch.setattr(grouping, "MAX_AT_ONCE", 15)
    found = group(vectors, recognizer.threshold(0.01))
    assert adjusted_rand_score(who, found) > 0.8
    assert len(np.unique(group(np.eye(40), 0.5))) == 40


def test_extremes_of_the_threshold() -> None:
    vectors = np.eye(3)[[0, 0, 1, 2]]
    assert group(vectors, 0.5).tolist() == [0, 0, 1, 2]
    assert group(vectors, -0.5).tolist() == [0, 0, 0, 0]
    assert group(vectors[:1], 0.5).tolist() == [0] and len(group(vectors[:0], 0.5)) == 0
