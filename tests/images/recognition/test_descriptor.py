"""What the descriptions of images are, and what they do not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diabolo.images.recognition.descriptor import CELL, N_DIRECTIONS, Descriptor
from diabolo.images.recognition.views import mirrored, random_views
from tests.images.recognition.people import images_of


@pytest.fixture
def descriptor() -> Descriptor:
    return Descriptor(56, 48)


def described(descriptor: Descriptor, image: np.ndarray) -> np.ndarray:
    return descriptor.describe(descriptor.prepare(image))[0].numpy()


def test_the_proportions_are_those_of_the_images() -> None:
    assert Descriptor.for_shapes([(112, 92)] * 3) == Descriptor(56, 48)
    assert Descriptor.for_shapes([(90, 90), (90, 90), (1, 5_000)]) == Descriptor(48, 48)
    narrow = Descriptor.for_shapes([(20_000, 2)])
    assert narrow.height > narrow.width >= 3 * CELL


def test_a_vertical_edge_is_a_gradient_across(descriptor: Descriptor) -> None:
    image = np.zeros((56, 48, 1), np.float32)
    image[:, 24:] = 1
    cells = described(descriptor, image).reshape(N_DIRECTIONS, 7, 6)
    assert (cells[:, :, 2:4].argmax(0) == 0).all()  # brighter towards the right
    turned = described(descriptor, 1 - image).reshape(N_DIRECTIONS, 7, 6)
    assert (turned[:, :, 2:4].argmax(0) == N_DIRECTIONS // 2).all()
    assert np.abs(cells[:, :, 0]).max() < 0.2 < cells[0, :, 2].min()


def test_the_strength_of_light_hardly_matters(descriptor: Descriptor) -> None:
    images, _ = images_of(2, 1)
    bright, other = (described(descriptor, i) for i in images)
    dark = described(descriptor, images[0] * 0.5)
    assert np.linalg.norm(bright - dark) < 0.3 * np.linalg.norm(bright - other)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_constant_image_has_a_finite_description(descriptor: Descriptor, value: float) -> None:
    found = described(descriptor, np.full((30, 40, 3), value, np.float32))
    assert np.isfinite(found).all() and np.abs(found).max() < 0.5


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 300, 1), (500, 2, 3), (56, 48, 1), (7, 7, 3)])
def test_images_of_any_shape_are_described(descriptor: Descriptor, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).random(shape, np.float32)
    prepared = descriptor.prepare(image)
    assert prepared.shape == (1, 56, 48) and descriptor.describe(prepared).shape == (1, descriptor.size)


def test_nothing_is_stretched(descriptor: Descriptor) -> None:
    image = np.random.default_rng(0).random((56, 48, 1), np.float32)
    wide = np.concatenate([np.zeros((56, 20, 1), np.float32), image, np.ones((56, 20, 1), np.float32)], 1)
    assert torch.equal(descriptor.prepare(wide), descriptor.prepare(image))


def test_grey_and_colour_are_compared_by_brightness(descriptor: Descriptor) -> None:
    (grey, *_), _ = images_of(1, 1)
    colour = np.repeat(grey, 3, axis=2)
    assert np.allclose(described(descriptor, grey), described(descriptor, colour), atol=1e-3)


def test_views_begin_with_the_image_and_its_mirror_image() -> None:
    image = torch.rand(1, 56, 48)
    views = random_views(image, 5)
    assert views.shape == (7, 56, 48) and torch.equal(views[0], image[0])
    assert torch.equal(views[1], image[0].flip(-1)) and torch.equal(mirrored(image), views[:2])
    assert all(not torch.allclose(view, views[0], atol=0.05) for view in views[2:])
    assert torch.equal(random_views(image, 0), views[:2])


@pytest.mark.parametrize("state", [{"height": 56, "width": 50}, {"height": 8, "width": 56}, {"height": 1e9}])
def test_a_forged_size_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="invalid size of images"):
        Descriptor.restore({"width": 56, **state})
