"""What a user is promised of a model of a table."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diabolo import Autoencoder, DiaboloWarning
from diabolo.data.fields import CHUNK_ROWS
from diabolo.errors import DataError, OptionError
from diabolo.training.options import choose_device, seconds
from tests import made
from tests.fits import fitted

# Scores and their batches.


def test_scores_do_not_depend_on_the_batch(any_model: Autoencoder, fresh: pa.Table) -> None:
    together = any_model.anomaly_score(fresh)
    alone = np.concatenate([any_model.anomaly_score(fresh.slice(i, 1)) for i in range(40)])
    assert np.allclose(alone, together[:40], atol=1e-6, rtol=1e-6)
    halves = np.concatenate(
        [any_model.anomaly_score(fresh.slice(0, 50)), any_model.anomaly_score(fresh.slice(50))]
    )
    assert np.allclose(halves, together, atol=1e-6, rtol=1e-6)


def test_scores_follow_their_rows(any_model: Autoencoder, fresh: pa.Table) -> None:
    order = np.random.default_rng(0).permutation(120)
    turned = any_model.anomaly_score(fresh.take(pa.array(order)))
    assert np.allclose(turned, any_model.anomaly_score(fresh)[order], atol=1e-6, rtol=1e-6)


def test_scores_are_the_same_in_every_library(model: Autoencoder, fresh: pa.Table) -> None:
    wanted = model.anomaly_score(fresh)
    for library in made.LIBRARIES:
        assert np.array_equal(model.anomaly_score(made.as_library(fresh, library)), wanted)
    assert np.array_equal(model.anomaly_score(fresh.to_pydict()), wanted)
    assert np.array_equal(model.anomaly_score(pl.from_arrow(fresh).lazy()), wanted)


def test_large_data_is_read_in_pieces(
    monkeypatch: pytest.MonkeyPatch, model: Autoencoder, fresh: pa.Table
) -> None:
    wanted = model.anomaly_score(fresh), model.repair(fresh).to_arrow(), model.transform(fresh)
    monkeypatch.setattr("diabolo.detection.parts.CHUNK_ROWS", 17)
    monkeypatch.setattr("diabolo.engine.ROWS_PER_READ", 5)
    assert CHUNK_ROWS > 1_000
    assert np.allclose(model.anomaly_score(fresh), wanted[0], atol=1e-6, rtol=1e-6)
    assert np.allclose(model.transform(fresh), wanted[2], atol=1e-5)
    assert model.repair(fresh).to_arrow()["city"].equals(wanted[1]["city"])


def test_rows_of_the_fit_are_scored_like_new_rows(model: Autoencoder, table: pa.Table) -> None:
    """Fitting and scoring one file, everyone's first hour: nothing is known by heart, few rows are alarms."""
    seen, new = model.anomaly_score(table), model.anomaly_score(made.mixed(600, seed=9))
    assert abs(np.median(seen) - np.median(new)) < 0.5
    assert (model.predict(table) == -1).mean() < 0.03
    assert (model.predict(made.mixed(600, seed=9)) == -1).mean() < 0.05


# scikit-learn.


def test_signs_are_those_of_scikit_learn(model: Autoencoder, fresh: pa.Table) -> None:
    odd = made.with_cell(fresh, "double", 5, 40.0)
    bits = model.anomaly_score(odd)
    assert bits.argmax() == 5
    assert np.array_equal(model.score_samples(odd), -bits)
    assert np.allclose(model.decision_function(odd), model.score_samples(odd) - model.offset_)
    assert model.offset_ == -model.threshold_
    assert set(np.unique(model.predict(odd))) == {-1, 1} and model.predict(odd)[5] == -1
    assert np.array_equal(model.predict(odd) == -1, bits >= model.threshold_)
    assert np.array_equal(model.predict(odd), np.where(model.decision_function(odd) < 0, -1, 1))


def test_a_row_at_the_very_threshold_is_no_alarm(table: pa.Table) -> None:
    bits = fitted(table, "denoising", epochs=1).anomaly_score(table)
    some = bits[np.argsort(bits)[len(bits) // 2]]
    model = fitted(table, "denoising", epochs=1, alarm_rate=float(2.0**-some))
    decision, alarm = model.decision_function(table), model.predict(table) == -1
    assert np.isclose(decision, 0, atol=1e-9).any()
    assert np.array_equal(alarm, decision < 0)
    assert np.array_equal(alarm, np.array(model.score_rows(table)["alarm"]))


def test_it_can_be_cloned_and_asked_for_its_parameters() -> None:
    options = {
        "recipe": "vanilla",
        "latent": 3,
        "epochs": 2,
        "context": ["city"],
        "seed": 5,
        "alarm_rate": 0.1,
    }
    model = Autoencoder(**options)
    assert {k: v for k, v in model.get_params(deep=False).items() if k in options} == options
    twin = clone(model)
    assert twin is not model and twin.get_params() == model.get_params()
    assert model.set_params(latent=4).latent == 4 and twin.latent == 3
    assert "latent=4" in repr(model)


def test_fit_leaves_the_parameters_alone(table: pa.Table) -> None:
    model = Autoencoder("vanilla", epochs=1, layers=[8], budget="1min")
    before = dict(model.get_params(deep=False))
    assert fitted(table, **{**before, "epochs": 1}).get_params(deep=False) == before


def test_it_works_in_a_pipeline() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1)) @ np.array([[1.0, 2, -1]]) + 0.1 * rng.normal(size=(300, 3))
    pipeline = make_pipeline(StandardScaler(), Autoencoder("vanilla", epochs=5, latent=2))
    assert pipeline.fit(x).predict(x).shape == (300,)
    assert pipeline.transform(x).shape == (300, 2)
    assert Autoencoder("denoising", epochs=1).fit_predict(x).shape == (300,)
    assert Autoencoder("vanilla", latent=2, epochs=1).fit_transform(x).shape == (300, 2)


@pytest.mark.parametrize(
    "question",
    ["predict", "anomaly_score", "explain", "repair", "embed", "reconstruct", "transform", "score_rows"],
)
def test_what_is_not_fitted_says_so(question: str, fresh: pa.Table) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(Autoencoder(), question)(fresh)


def test_arrays_are_tables(fresh: pa.Table) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    model = fitted(x, "vanilla", epochs=1, latent=2)
    assert model.n_features_in_ == 3 and not hasattr(model, "feature_names_in_")
    assert np.array_equal(model.anomaly_score(x), model.anomaly_score(x.tolist()))
    assert list(model.get_feature_names_out()) == ["z0", "z1"]
    for bad in (
        np.zeros(3),
        np.zeros((2, 2, 2, 2, 2)),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.zeros((2, 2), complex),
    ):
        with pytest.raises(DataError):
            fitted(bad)
    with pytest.raises(DataError):
        model.anomaly_score(x[:, :2])


def test_named_columns_are_remembered(model: Autoencoder, table: pa.Table) -> None:
    assert list(model.feature_names_in_) == table.column_names and model.n_features_in_ == 9


# Small, wide and strange data.


@pytest.mark.parametrize("rows", [2, 5, 20])
def test_little_data_is_answered_with_a_warning(rows: int) -> None:
    rng = np.random.default_rng(0)
    with pytest.warns(DiaboloWarning, match="there is too little data"):
        model = Autoencoder(epochs=2).fit({"x": rng.normal(size=rows), "y": rng.normal(size=rows)})
    bits = model.anomaly_score({"x": [0.0, 50.0], "y": [0.0, -50.0]})
    assert np.isfinite(bits).all() and bits[1] >= bits[0]


def test_one_column_is_enough() -> None:
    rng = np.random.default_rng(0)
    for values in (
        rng.normal(size=300),
        rng.choice(["a", "b"], 300).tolist(),
        (rng.random(300) < 0.5).tolist(),
    ):
        assert np.isfinite(fitted({"x": values}, epochs=1).anomaly_score({"x": values})).all()


def test_names_of_columns_may_be_anything() -> None:
    rng = np.random.default_rng(0)
    names = ["a.b", "a/b", "å 日本", "self", "row", "0"]
    frame = pl.DataFrame({n: rng.normal(size=80) for n in names})
    model = fitted(frame, epochs=1)
    assert model.schema_.scored == names
    assert model.repair(frame).to_frame().columns == names
    assert set(model.explain(frame, rows=[0]).to_frame()["column"]) == set(names)


def test_columns_of_numbers_by_number(table: pa.Table) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(80, 3)))
    model = fitted(frame, epochs=1)
    assert model.schema_.scored == ["0", "1", "2"]
    assert np.array_equal(model.anomaly_score(frame), model.anomaly_score(frame.copy()))


def test_kinds_can_be_said(table: pa.Table) -> None:
    model = fitted(table, epochs=1, categorical=["count"], ignore=["when"], scored=None)
    assert model.schema_["count"].kind == "category"
    assert "when" not in model.schema_.scored
    assert model.reconstruct(table).to_frame()["count"].type == pa.int64()
    only = fitted(table, epochs=1, scored=["number", "double"])
    assert only.schema_.scored == ["number", "double"]


def test_times_of_day_are_answered() -> None:
    rng = np.random.default_rng(0)
    hours = [datetime.time(int(h)) for h in rng.integers(0, 24, 200)]
    table = pa.table({"at": pa.array(hours, pa.time64("us")), "x": [float(h.hour) for h in hours]})
    model = fitted(table, epochs=2)
    assert model.reconstruct(table).to_frame()["at"].type == pa.time64("us")
    assert model.explain(table, rows=[0]).to_arrow().num_rows == 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [(5, 5.0), ("90", 90.0), ("30s", 30.0), ("2min", 120.0), ("1.5h", 5400.0), ("3 m", 180.0)],
)
def test_seconds(text: Any, wanted: float) -> None:
    assert seconds(text) == wanted
    with pytest.raises(OptionError, match="expected seconds"):
        seconds("soon")


def test_devices() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda", "mps")
    with pytest.raises(OptionError, match="not known"):
        choose_device("abacus")


def test_columns_that_are_left_out_are_said(table: pa.Table) -> None:
    with pytest.warns(DiaboloWarning, match=r"ignored: id .*unit \(constant: 'kg'\)"):
        Autoencoder("vanilla", epochs=1, latent=2, seed=1).fit(table)
