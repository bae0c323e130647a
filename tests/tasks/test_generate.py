"""New rows look like the old ones, and are as asked for."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.columns.image import to_pixels
from diabolo.errors import OptionError, UnsupportedError
from tests import made
from tests.conftest import fitted

ABLE = ["default", "masked", "vanilla", "variational", "classic"]


@pytest.mark.parametrize("recipe", ABLE)
def test_columns_are_those_of_the_fit(models: dict[str, Autoencoder], plain: pa.Table, recipe: str) -> None:
    new = models[recipe].generate(70, seed=0).to_frame()
    assert new.num_rows == 70 and new.schema.types == plain.schema.types
    assert new.column_names == plain.column_names
    for name in plain.column_names:
        assert new[name].null_count == 0
    assert set(new["city"].to_pylist()) <= {"Oslo", "Rome", "Lima"}
    count = np.array(new["count"].to_pylist())
    assert count.min() >= 0 and count.max() <= 9
    assert np.isfinite(models[recipe].anomaly_score(new)).all()


def test_rows_have_what_ties_columns_together(model: Autoencoder) -> None:
    new = model.generate(600, seed=1).to_frame()
    number, double = (np.array(new[name].to_pylist()) for name in ("number", "double"))
    assert np.corrcoef(number, double)[0, 1] > 0.75
    city = np.array(new["city"].to_pylist())
    assert (number[city == "Oslo"] > 0).mean() > 0.9 and (number[city == "Rome"] < 0).mean() > 0.9
    flag, count = (np.array(new[name].to_pylist()) for name in ("flag", "count"))
    assert (flag == (count > 4)).mean() > 0.93
    assert abs(number.mean()) < 0.2 and 0.8 < number.std() < 1.2


@pytest.mark.parametrize("recipe", ABLE)
def test_the_same_seed_gives_the_same_rows(models: dict[str, Autoencoder], recipe: str) -> None:
    one, again, other = (models[recipe].generate(20, seed=s).to_arrow() for s in (3, 3, 4))
    assert one.equals(again) and not one.equals(other)
    assert not models[recipe].generate(20).to_arrow().equals(models[recipe].generate(20).to_arrow())


@pytest.mark.parametrize("column", ["city", "flag", "count", "double", "when"])
def test_given_values_are_kept_and_read(model: Autoencoder, column: str) -> None:
    values: dict[str, Any] = {
        "city": "Rome",
        "flag": True,
        "count": 7,
        "double": -3.0,
        "when": datetime.datetime(2025, 6, 1, 12),
    }
    new = model.generate(1200, seed=0, given={column: values[column]}).to_frame()
    seen = set(new[column].to_pylist())
    assert len(seen) == 1
    if column == "when":
        assert abs(seen.pop() - values[column]) < datetime.timedelta(minutes=2)
        return
    assert seen.pop() == pytest.approx(values[column])
    number = np.array(new["number"].to_pylist())
    if column == "city":
        assert (number < 0).mean() > 0.85
    if column == "double":
        assert abs(np.median(number) + 1.5) < 0.3
    if column == "flag":
        assert (np.array(new["count"].to_pylist()) > 4).mean() > 0.9
    if column == "count":
        assert np.mean(new["flag"].to_pylist()) > 0.9


def test_context_comes_with_the_rows(table: pa.Table) -> None:
    model = fitted(table, context=["city"])
    new = model.generate(300, seed=0).to_frame()
    assert new.column_names == made.SCORED
    assert set(new["city"].to_pylist()) <= {"Oslo", "Rome", "Lima", None}
    # ... as remembered rows have it: some have none.
    assert 0 < new["city"].null_count < 60
    rome = model.generate(50, seed=0, given={"city": "Rome"}).to_frame()
    assert (
        set(rome["city"].to_pylist()) == {"Rome"}
        and np.mean(rome["number"].to_pylist()) < np.mean(new["number"].to_pylist()) - 0.3
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"citty": "Rome"}, "'citty'"),
        ({"city": "Paris"}, "'Paris'"),
        ({"id": 3}, "'id'"),
        ({"city": None}, "None"),
    ],
)
def test_what_cannot_be_given_is_said(model: Autoencoder, given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        model.generate(2, given=given)
    assert caught.value.hint


def test_what_a_model_cannot_do_is_said(
    models: dict[str, Autoencoder], picture_models: dict[str, Autoencoder]
) -> None:
    for model, options, hint in (
        (models["denoising"], {}, 'Autoencoder("masked")'),
        (models["vanilla"], {"given": {"city": "Rome"}}, 'Autoencoder("masked")'),
        (models["vanilla"], {"prior": "normal"}, 'Autoencoder("variational")'),
        (picture_models["masked"], {}, 'Autoencoder("variational")'),
    ):
        with pytest.raises(UnsupportedError) as caught:
            model.generate(2, **options)
        assert caught.value.hint and hint in caught.value.hint
    for wrong in ({"n": 0}, {"n": 2, "prior": "flat"}):
        with pytest.raises(OptionError):
            models["variational"].generate(**wrong)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_rows_come_in_the_library_of_the_fit(plain: pa.Table, library: str) -> None:
    model = fitted(made.as_library(plain, library), "variational", epochs=1, latent=2)
    assert isinstance(
        model.generate(3, seed=0).to_frame(), {"pandas": pd.DataFrame, "polars": pl.DataFrame}[library]
    )


@pytest.mark.parametrize("prior", ["mixture", "normal"])
def test_pictures_look_like_pictures(picture_models: dict[str, Autoencoder], prior: str) -> None:
    answer = picture_models["variational"].generate(50, seed=0, prior=prior)
    new, shown = answer.to_array(), made.pictures()
    assert new.dtype == np.uint8 and new.shape == (50, 8, 6)
    assert np.array_equal(to_pixels(answer.to_frame()["image"].combine_chunks()), new)
    # One bright spot on a dark ground, each in a place of its own.
    assert np.median(new.max((1, 2))) > 90 and np.median(new) < 60
    places = new.reshape(50, -1).argmax(1)
    assert len(set(places.tolist())) > 10
    assert abs(float(new.mean()) - float(shown.mean())) < 15
