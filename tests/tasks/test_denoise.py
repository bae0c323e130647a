"""Denoising removes noise, with the most suitable network of the model."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.errors import UnsupportedError
from tests import made
from tests.fits import fitted


def test_denoised_numbers_are_closer_to_the_clean_ones(model: Autoencoder, fresh: pa.Table) -> None:
    clean = np.asarray(fresh["double"].to_numpy(zero_copy_only=False))
    noise = np.random.default_rng(0).normal(size=len(clean))
    noisy = fresh.set_column(fresh.column_names.index("double"), "double", pa.array(clean + noise))
    denoised = model.denoise(noisy).to_frame()
    assert denoised.column_names == made.PREDICTED
    error = np.asarray(denoised["double"].to_numpy()) - clean
    assert (error**2).mean() < 0.6 * (noise**2).mean()


def test_denoised_series_are_closer_to_the_clean_ones(wave_model: Autoencoder) -> None:
    table = made.wave(400, seed=7)
    clean = np.sin(np.arange(400) * 2 * np.pi / 24)
    noisy = clean + 0.2 * np.random.default_rng(0).normal(size=400)
    data = table.set_column(1, "value", pa.array(noisy))
    denoised = wave_model.denoise(data).to_frame()["value"].to_numpy()
    assert ((denoised - clean) ** 2).mean() < 0.5 * ((noisy - clean) ** 2).mean()


@pytest.mark.parametrize("recipe", ["default", "denoising", "vanilla", "classic"])
def test_denoised_images_are_closer_to_the_clean_ones(
    picture_models: dict[str, Autoencoder], recipe: str
) -> None:
    clean = made.pictures(60, seed=5).astype(float)
    noisy = clean + np.random.default_rng(0).normal(0, 40, clean.shape)
    denoised = picture_models[recipe].denoise(noisy).to_array()
    assert ((denoised - clean) ** 2).mean() < 0.7 * ((noisy - clean) ** 2).mean()


def test_the_network_trained_with_noise_denoises(models: dict[str, Autoencoder], fresh: pa.Table) -> None:
    # In the default model that is the first one, which reconstructs.
    denoised, reconstructed = (
        getattr(models["default"], task)(fresh).to_frame() for task in ("denoise", "reconstruct")
    )
    assert denoised.equals(reconstructed)


def test_a_masked_model_names_models_that_denoise(models: dict[str, Autoencoder], fresh: pa.Table) -> None:
    with pytest.raises(UnsupportedError) as caught:
        models["masked"].denoise(fresh)
    assert caught.value.hint and 'Autoencoder("denoising")' in caught.value.hint


def test_the_model_of_the_hint_denoises(fresh: pa.Table) -> None:
    assert fitted(fresh, "vanilla", latent=8, epochs=1).denoise(fresh).to_frame().num_rows == 120
