"""What every recipe promises: it fits, answers every question, and is the same after a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import diabolo
from diabolo import Autoencoder
from diabolo.errors import OptionError
from diabolo.networks.member import Member
from diabolo.networks.recipes import RECIPES, make_members
from tests import made
from tests.fits import fitted as quietly


@pytest.fixture(params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def fitted(recipe: str, models: dict[str, Autoencoder]) -> Autoencoder:
    return models[recipe]


def test_it_is_fitted(recipe: str, fitted: Autoencoder) -> None:
    assert fitted.recipe == recipe
    assert list(fitted.engine_.networks) == list(make_members(recipe, {}))
    assert fitted.schema_.scored == made.SCORED
    assert len(fitted.history_["step"]) >= 10


def test_training_helped(fitted: Autoencoder) -> None:
    for name in fitted.engine_.networks:
        losses = [h["held_out"] for h in fitted.engine_.history if h["member"] == name]
        assert min(losses) < losses[0]


def test_scores(fitted: Autoencoder, fresh: pa.Table) -> None:
    bits = fitted.anomaly_score(fresh)
    assert bits.shape == (120,) and np.isfinite(bits).all() and (bits >= 0).all() and bits.std() > 0
    # Rows whose columns belong to other rows are odder than rows.
    torn = fresh.set_column(2, "double", pa.array(np.roll(fresh["double"].to_numpy(), 1)))
    assert fitted.anomaly_score(torn).mean() > bits.mean()
    assert np.array_equal(fitted.anomaly_score(fresh), bits)


def test_explains(fitted: Autoencoder, fresh: pa.Table) -> None:
    answer = fitted.explain(fresh, rows=[4, 9], neighbours=2)
    assert answer.names == made.SCORED
    assert answer.bits.shape == answer.p_wrong.shape == answer.share.shape == (2, len(answer.names))
    assert np.allclose(answer.share.sum(1), 100)
    assert ((answer.p_wrong >= 0) & (answer.p_wrong <= 1)).all()
    assert answer.to_arrow().num_rows == 2 * len(answer.names)
    assert answer.nearest.num_rows == 4


def test_repairs(fitted: Autoencoder, fresh: pa.Table) -> None:
    whole = fitted.repair(fresh).to_frame()
    assert whole.column_names == fresh.column_names
    assert all(whole[name].null_count == 0 for name in made.PREDICTED)
    assert whole.schema.types == fresh.schema.types


def test_embeds(fitted: Autoencoder, fresh: pa.Table) -> None:
    z = fitted.transform(fresh)
    assert z.shape == (120, len(fitted.get_feature_names_out())) and np.isfinite(z).all()
    assert (z.std(0) > 0).any()
    assert np.array_equal(fitted.embed(fresh).z, z)


def test_reconstructs(recipe: str, fitted: Autoencoder, fresh: pa.Table) -> None:
    made_of_it = fitted.reconstruct(fresh).to_frame()
    assert made_of_it.column_names == made.PREDICTED and made_of_it.num_rows == 120
    if recipe not in ("beta", "variational"):  # their codes may have collapsed in so few steps
        number = fresh["double"].to_numpy()
        assert np.corrcoef(made_of_it["double"].to_numpy(), number)[0, 1] > 0.6


def test_is_the_same_after_a_file(fitted: Autoencoder, fresh: pa.Table, tmp_path: Path) -> None:
    path = fitted.save(tmp_path / "model.diabolo")
    again = diabolo.load(path)
    assert np.array_equal(again.anomaly_score(fresh), fitted.anomaly_score(fresh))
    assert np.array_equal(again.transform(fresh), fitted.transform(fresh))
    assert again.explain(fresh, rows=[3]).to_arrow().equals(fitted.explain(fresh, rows=[3]).to_arrow())
    assert again.repair(fresh).to_arrow().equals(fitted.repair(fresh).to_arrow())
    assert str(again.schema_) == str(fitted.schema_)
    assert again.get_params(deep=False).keys() == fitted.get_params(deep=False).keys()
    assert again.recipe == fitted.recipe and again.epochs == fitted.epochs
    assert again.threshold_ == fitted.threshold_ and again.alarm_rate_ == fitted.alarm_rate_


@pytest.mark.parametrize("kind", ["real", "curve", "pixels"])
def test_members_survive_json(recipe: str, kind: str) -> None:
    for member in make_members(recipe, {}, [kind]).values():
        state = member.to_json()
        assert Member.from_json(json.loads(json.dumps(state))).to_json() == state


def test_answers_for_series(recipe: str, wave: pa.Table) -> None:
    model = quietly(wave, recipe, time="time", window=16, epochs=1, layers=(32,))
    assert np.isfinite(model.anomaly_score(wave)).all()
    assert model.transform(wave).shape[0] == model.reconstruct(wave).to_frame().num_rows == 1_200
    assert model.explain(wave, rows=[7]).share.tolist() == [[100.0]]


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("nonsense", {}),
        ("vanilla", {"beta": 1.0}),
        ("vanilla", {"latent": 0}),
        ("masked", {"noise": 0.1}),
        ("default", {"layers": ()}),
        ("default", {"layers": (64, 0)}),
        ("default", {"layers": "wide"}),
        ("default", {"noise": -1}),
        ("default", {"activation": "softest"}),
        ("default", {"lr": 0}),
        ("default", {"epochs": -1}),
        ("default", {"batch_size": 0}),
        ("default", {"optimizer": "guess"}),
        ("default", {"schedule": "never"}),
        ("default", {"budget": "soon"}),
        ("default", {"budget": 0}),
        ("default", {"device": "abacus"}),
        ("default", {"embedding": 0}),
    ],
)
def test_options_that_cannot_work_are_refused(recipe: str, options: dict[str, Any], table: pa.Table) -> None:
    with pytest.raises(OptionError):
        Autoencoder(recipe, **{"epochs": 1, **options}).fit(table)


@pytest.mark.parametrize(
    "options",
    [
        {"latent": 4},
        {"noise": 0.5},
        {"layers": "32,16"},
        {"layers": [32], "activation": "leaky_relu", "batch_norm": True},
        {"embedding": 3},
        {"embedding": 1},
        {"optimizer": "sgd", "lr": 1e-3},
        {"optimizer": "adam", "schedule": "cosine_restarts"},
        {"schedule": "constant", "weight_decay": 0.1},
        {"schedule": "cosine", "batch_size": 50, "patience": 0},
    ],
)
def test_options_that_can_work_do(options: dict[str, Any], table: pa.Table, fresh: pa.Table) -> None:
    model = quietly(table, **{"epochs": 1, **options})
    assert np.isfinite(model.anomaly_score(fresh)).all()
    if "latent" in options:
        assert model.transform(fresh).shape == (120, 4)
    if options.get("layers") == "32,16":
        assert model.engine_.row_network.member.layers == (32, 16)
