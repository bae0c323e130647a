"""Latent coordinates of rows, and their decoding."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.errors import DataError, UnsupportedError
from tests import made
from tests.fits import fitted


def test_decoded_coordinates_are_the_reconstruction(models: dict[str, Autoencoder], fresh: pa.Table) -> None:
    for recipe in ("vanilla", "variational", "beta"):
        model = models[recipe]
        decoded, whole = model.inverse_transform(model.transform(fresh)), model.reconstruct(fresh).to_frame()
        assert decoded.column_names == whole.column_names == made.PREDICTED
        assert np.allclose(decoded["double"].to_numpy(), whole["double"].to_numpy(), atol=1e-4)
        assert decoded["city"].to_pylist() == whole["city"].to_pylist()
        gaps = np.abs(decoded["when"].to_numpy() - whole["when"].to_numpy())
        assert gaps.max() < np.timedelta64(30, "s")


def test_a_model_without_a_bottleneck_does_not_decode(
    model: Autoencoder, fresh: pa.Table, wave_model: Autoencoder
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        model.inverse_transform(model.transform(fresh))
    assert caught.value.hint and "vanilla" in caught.value.hint
    with pytest.raises(UnsupportedError):
        wave_model.inverse_transform(np.zeros((1, 2)))


def test_coordinates_of_another_width_are_refused(models: dict[str, Autoencoder]) -> None:
    with pytest.raises(DataError, match=r"shape \(rows, 16\), got \(2, 5\)"):
        models["vanilla"].inverse_transform(np.zeros((2, 5)))


def test_answers_of_the_fit_are_in_its_library(table: pa.Table) -> None:
    model = fitted(table.to_pandas(), "vanilla", epochs=1, latent=2)
    assert isinstance(model.history_, pd.DataFrame)
    assert isinstance(model.inverse_transform(np.zeros((3, 2))), pd.DataFrame)


def test_similar_rows_have_similar_coordinates(model: Autoencoder, fresh: pa.Table) -> None:
    near = made.with_cell(fresh, "double", 0, fresh["double"][0].as_py() + 1e-4)
    z, moved = model.transform(fresh), model.transform(near)
    assert np.array_equal(z[1:], moved[1:]) or np.allclose(z[1:], moved[1:], atol=1e-5)
    assert np.linalg.norm(z[0] - moved[0]) < 0.05 * np.linalg.norm(z[0] - z[1])
