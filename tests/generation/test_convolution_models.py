"""Large images through a fitted model: saved, loaded, generated, interpolated and traversed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import diabolo
from diabolo import Autoencoder

SIDE = 26


def blobs(rows: int, seed: int) -> np.ndarray:
    """Images of 8 bits, each with one bright disc."""
    random = np.random.default_rng(seed)
    centre, radius = random.uniform(8, 18, (rows, 2, 1, 1)), random.uniform(3, 7, (rows, 1, 1))
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = np.hypot(y - centre[:, 0], x - centre[:, 1]) < radius
    return (inside * 220 + random.integers(0, 20, inside.shape)).astype(np.uint8)


@pytest.mark.filterwarnings("ignore::diabolo.DiaboloWarning")  # of so short a training
def test_images_go_through_a_model_file_and_back(tmp_path: Path) -> None:
    model = Autoencoder("variational", latent=3, seed=0, budget=2.0).fit(blobs(80, 0))
    assert "convolution" in type(model.engine_.cell_network.stems["pixels"]).__name__.lower()
    new = blobs(3, 1)
    model.save(tmp_path / "m.diabolo")
    loaded = diabolo.load(tmp_path / "m.diabolo")
    assert np.array_equal(loaded.reconstruct(new).to_array(), model.reconstruct(new).to_array())
    assert loaded.interpolate(new, steps=4).to_array().shape == (2, 4, SIDE, SIDE)
    assert loaded.traverse(new, axis=1, steps=5).to_array().shape == (3, 5, SIDE, SIDE)
    made = np.asarray(loaded.generate(6, seed=2).to_array())
    assert made.shape == (6, SIDE, SIDE) and made.dtype == np.uint8
    assert np.array_equal(made, model.generate(6, seed=2).to_array())
