"""Data and fitted models that many tests share."""

from __future__ import annotations

import os

# scikit-learn's check of array-API inputs runs only with this, set before scipy is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import pyarrow as pa
import pytest
from hypothesis import settings

from diabolo import Autoencoder
from diabolo.networks.recipes import RECIPES
from tests import made
from tests.commands import folder, run  # noqa: F401
from tests.fits import fitted

# The same examples in every run: a failure is found by whoever makes it, not by the next one.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def table() -> pa.Table:
    return made.mixed()


@pytest.fixture(scope="session")
def plain(table: pa.Table) -> pa.Table:
    """The columns of `table` that are scored: there is nothing to say about the others."""
    return table.select(made.PREDICTED)


@pytest.fixture(scope="session")
def fresh() -> pa.Table:
    """Rows like those of `table` that no model has seen."""
    return made.mixed(120, seed=1)


@pytest.fixture(scope="session")
def models(table: pa.Table) -> dict[str, Autoencoder]:
    """Recipe -> a model of `table`."""
    return {recipe: fitted(table, recipe, epochs=12, layers=(64, 64)) for recipe in RECIPES}


@pytest.fixture(scope="session")
def model(table: pa.Table) -> Autoencoder:
    """The default model of `table`, trained as long as it is by default."""
    return fitted(table)


@pytest.fixture(scope="session")
def wave() -> pa.Table:
    return made.wave()


@pytest.fixture(scope="session")
def wave_model(wave: pa.Table) -> Autoencoder:
    return fitted(wave, time="time", window=32, epochs=8)


@pytest.fixture(scope="session")
def channels_model() -> Autoencoder:
    return fitted(made.two_channels(), time="time", window=32, epochs=8)


@pytest.fixture(scope="session")
def fleet_model() -> Autoencoder:
    return fitted(made.fleet(), time="time", by="machine", window=24, epochs=8)


@pytest.fixture(scope="session")
def picture_models() -> dict[str, Autoencoder]:
    """Recipe -> a model of pictures."""
    shown = made.pictures()
    return {
        recipe: fitted(shown, recipe, epochs=200, layers=(48,), **({"latent": 4} if "va" in recipe else {}))
        for recipe in ("default", "vanilla", "variational", "denoising", "masked", "classic")
    }


@pytest.fixture(params=["default", "vanilla", "variational", "masked"])
def any_model(request: pytest.FixtureRequest, models: dict[str, Autoencoder]) -> Autoencoder:
    return models[request.param]
