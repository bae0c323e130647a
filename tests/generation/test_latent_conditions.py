"""Rows with given values, decoded from the codes of remembered rows that have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from diabolo import Autoencoder
from diabolo.data.columns.image import to_pixels
from diabolo.errors import OptionError

HEIGHT, WIDTH = 6, 6


def labelled_images(rows: int, seed: int) -> dict[str, Any]:
    """Images whose bright half is their label, beside the sum of a number."""
    random = np.random.default_rng(seed)
    is_left = random.random(rows) < 0.5
    images = random.integers(0, 30, (rows, HEIGHT, WIDTH))
    images[is_left, :, : WIDTH // 2] += 200
    images[~is_left, :, WIDTH // 2 :] += 200
    weight = np.where(is_left, 10.0, 20.0) + random.normal(size=rows)
    return {"image": images.astype(np.uint8), "label": np.where(is_left, "left", "right"), "weight": weight}


@pytest.fixture(scope="module", params=["variational", "quantized"])
def model(request: pytest.FixtureRequest) -> Autoencoder:
    options: dict[str, Any] = {"layers": (32,), "latent": 3, "epochs": 30, "seed": 0}
    return Autoencoder(request.param, **options).fit(labelled_images(300, seed=0))


def brightness(table: Any, side: slice) -> float:
    return float(to_pixels(table["image"])[:, :, side].mean())


@pytest.mark.parametrize("label", ["left", "right"])
def test_images_have_the_given_label(model: Autoencoder, label: str) -> None:
    table = model.generate(40, seed=1, given={"label": label}).columns()
    assert set(table["label"].to_pylist()) == {label}
    left, right = brightness(table, slice(WIDTH // 2)), brightness(table, slice(WIDTH // 2, None))
    assert (left > right + 100) == (label == "left") and (right > left + 100) == (label == "right")


def test_images_have_a_number_near_the_given_one(model: Autoencoder) -> None:
    table = model.generate(40, seed=1, given={"weight": 20.0}).columns()
    assert np.allclose(table["weight"].to_numpy(), 20.0, atol=0.01)
    assert brightness(table, slice(WIDTH // 2, None)) > brightness(table, slice(WIDTH // 2)) + 100


def test_values_of_a_list_and_of_a_range_are_sampled(model: Autoencoder) -> None:
    table = model.generate(60, seed=1, given={"label": ["left", "right"], "weight": (15.0, None)}).columns()
    assert min(table["weight"].to_pylist()) >= 14.99
    assert table["label"].to_pylist().count("right") > 55


def test_values_that_occur_together_nowhere_are_refused(model: Autoencoder) -> None:
    with pytest.raises(OptionError, match="0 remembered rows have that value") as caught:
        model.generate(2, given={"label": "left", "weight": (17.5, None)})
    assert caught.value.hint
