"""New rows look like the old ones, and are as asked for."""

from __future__ import annotations

import datetime
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from diabolo import Autoencoder
from diabolo.data.columns.image import to_pixels
from diabolo.data.fields import Batch
from diabolo.errors import OptionError, UnsupportedError
from diabolo.generation.incremental import IncrementalEncoder
from diabolo.tasks.generate import in_batches
from tests import made
from tests.fits import fitted

ABLE = ["default", "masked", "vanilla", "variational", "classic"]


@pytest.mark.parametrize("recipe", ABLE)
def test_columns_are_those_of_the_fit(models: dict[str, Autoencoder], table: pa.Table, recipe: str) -> None:
    new = models[recipe].generate(700, seed=0).to_frame()
    assert new.num_rows == 700 and new.schema.types == table.schema.types
    assert new.column_names == table.column_names
    for name in made.PREDICTED:
        # Three in a hundred have no value, in the same columns.
        share = new[name].null_count / 700
        assert 0.003 < share < 0.1 if table[name].null_count else share == 0
    assert set(new["city"].to_pylist()) <= {"Oslo", "Rome", "Lima", None}
    count = known(new, "count")
    assert count.min() >= 0 and count.max() <= 9
    assert new["id"].to_pylist() == list(range(1600, 2300)) and set(new["unit"].to_pylist()) == {"kg"}
    assert np.isfinite(models[recipe].anomaly_score(new)).all()


def known(table: pa.Table, name: str) -> np.ndarray:
    """The values of a column that are there."""
    return np.array(table[name].drop_null().to_pylist())


def test_rows_have_what_ties_columns_together(model: Autoencoder) -> None:
    new = model.generate(700, seed=1).to_frame().drop_null()
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
    new = new.drop_null()
    number = known(new, "number")
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
    assert set(new["city"].to_pylist()) <= {"Oslo", "Rome", "Lima", None}
    # ... as remembered rows have it: some have none.
    assert 0 < new["city"].null_count < 60
    rome = model.generate(50, seed=0, given={"city": "Rome"}).to_frame()
    assert (
        set(rome["city"].to_pylist()) == {"Rome"}
        and known(rome, "number").mean() < known(new, "number").mean() - 0.3
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"citty": "Rome"}, "'citty'"),
        ({"city": "Paris"}, "'Paris'"),
        ({"id": 3}, "'id'"),
        ({"city": None}, "None"),
        ({"city": ["Rome", "Paris"]}, "'Paris'"),
        ({"city": []}, "no value for 'city'"),
        ({"count": (20, 30)}, "between 20 and 30"),
        ({"count": "many"}, "'many'"),
        ({"when": [datetime.datetime(2025, 1, 1)]}, "a range of dates"),
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
        (models["variational"], {"given": {"city": "Rome"}, "prior": "normal"}, 'prior="mixture"'),
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
    # A normal prior is not fitted to the codes: a few of its images lie where there are none.
    assert abs(float(new.mean()) - float(shown.mean())) < (15 if prior == "mixture" else 20)


def test_ranges_and_lists_are_kept_and_read(model: Autoencoder) -> None:
    wanted = {"count": (5, 8), "city": ["Oslo", "Rome"]}
    new = model.generate(1200, seed=0, given=wanted).to_frame()
    assert set(new["city"].to_pylist()) == {"Oslo", "Rome"}
    count, number = np.array(new["count"].to_pylist()), new["number"].to_numpy()
    assert count.min() == 5 and count.max() == 8
    assert np.mean(new["flag"].drop_null().to_pylist()) > 0.9
    oslo = np.array(new["city"].to_pylist()) == "Oslo"
    # Both are as frequent as in the data.
    assert 0.35 < oslo.mean() < 0.65
    assert np.nanmean(number[oslo] > 0) > 0.85 and np.nanmean(number[~oslo] < 0) > 0.85


def test_choices_in_several_columns_fit_together(model: Autoencoder) -> None:
    # Four fifths of the counts 4 to 8 are above 4; of true flags all are. The two must not be drawn apart.
    new = model.generate(1500, seed=0, given={"count": (4, 8), "flag": [True]}).to_frame()
    assert set(new["flag"].to_pylist()) == {True}
    count = np.array(new["count"].to_pylist())
    assert (count == 4).mean() < 0.05 and abs((count == 5).mean() - 0.25) < 0.08


def test_dates_can_be_given_as_a_range(model: Autoencoder) -> None:
    start = datetime.datetime(2025, 6, 1)
    when = model.generate(300, seed=0, given={"when": (start, None)}).to_frame()["when"].to_pylist()
    assert min(when) >= start - datetime.timedelta(minutes=2) and max(when) > start + datetime.timedelta(300)


@pytest.mark.parametrize("recipe", ["masked", "variational"])
def test_constraints_are_satisfied(models: dict[str, Autoencoder], recipe: str) -> None:
    new = models[recipe].generate(400, seed=0, where=["double <= number", "city != 'Lima'"]).to_frame()
    assert new.num_rows == 400 and "Lima" not in new["city"].to_pylist() and new["city"].null_count
    there = new.select(["double", "number"]).drop_null()
    assert (there["double"].to_numpy() <= there["number"].to_numpy()).all()


def test_only_observed_combinations(table: pa.Table) -> None:
    model = fitted(table, "masked", epochs=1)
    seen = set(zip(*(table[n].to_pylist() for n in ("city", "flag", "count")), strict=True))
    free = model.generate(400, seed=0).to_frame()
    held = model.generate(400, seed=0, observed=[["city", "flag", "count"]]).to_frame()
    assert set(zip(*(held[n].to_pylist() for n in ("city", "flag", "count")), strict=True)) <= seen
    assert not set(zip(*(free[n].to_pylist() for n in ("city", "flag", "count")), strict=True)) <= seen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"where": ["count"]}, "cannot be read"),
        ({"where": ["cuont < 3"]}, "'cuont'"),
        ({"where": ["count < x"]}, "do not compare"),
        ({"where": "double > 99"}, "0 satisfy double > 99"),
        ({"observed": [["city", "remark"]]}, "'remark'"),
        ({"keep": ["city"]}, "like"),
    ],
)
def test_constraints_that_cannot_be_satisfied_are_refused(
    model: Autoencoder, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        model.generate(5, **options)
    assert caught.value.hint


def test_rows_like_others_keep_what_is_asked_for(model: Autoencoder, fresh: pa.Table) -> None:
    some = fresh
    one = model.generate(like=some, keep=["city", "when"], seed=0).to_frame()
    assert one.num_rows == 120
    assert one["city"].equals(some["city"]) and one["when"].equals(some["when"])
    assert not one["number"].equals(some["number"])
    there = one.select(["city", "number"]).drop_null()
    signs = dict.fromkeys(["Oslo", "Rome"], 0.0)
    for city in signs:
        chosen = np.array(there["city"].to_pylist()) == city
        signs[city] = float(np.mean(there["number"].to_numpy()[chosen] > 0))
    assert signs["Oslo"] > 0.75 > 0.25 > signs["Rome"]
    more = model.generate(250, like=some, keep=["city"], seed=0, where="count >= 5").to_frame()
    assert more["city"].to_pylist() == (some["city"].to_pylist() * 3)[:250]
    assert known(more, "count").min() >= 5


def test_what_cannot_be_kept_is_said(models: dict[str, Autoencoder], fresh: pa.Table) -> None:
    for keep, said in ((["id"], "'id'"), (["citty"], "'citty'")):
        with pytest.raises(OptionError, match=said):
            models["default"].generate(like=fresh, keep=keep)
    with pytest.raises(UnsupportedError):
        models["variational"].generate(like=fresh, keep=["city"])
    with pytest.raises(OptionError, match="one value"):
        models["default"].generate(like=fresh, given={"city": ["Oslo", "Rome"]})
    with pytest.raises(OptionError, match="no row like row"):
        models["default"].generate(like=fresh, keep=["count"], where="count > 9")
    with pytest.raises(OptionError, match="how many"):
        models["default"].generate()


def test_batches_follow_each_other(model: Autoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["diabolo.generation.tables"], "CHUNK_ROWS", 50)
    parts = list(in_batches(model, 120, seed=0))
    assert [len(part["number"]) for part in parts] == [50, 50, 20]
    ids = [i for part in parts for i in part["id"].to_pylist()]
    assert ids == list(range(1600, 1720))
    assert not parts[0]["double"].equals(parts[1]["double"])
    whole = model.generate(120, seed=0).to_arrow()
    assert whole["double"].to_pylist() == [v for part in parts for v in part["double"].to_pylist()]


def test_the_incremental_encoder_predicts_what_the_network_predicts(table: pa.Table) -> None:
    model = fitted(table, "masked", epochs=1)
    engine = model.engine_
    batch = engine.schema.encode({n: table[n].combine_chunks() for n in table.column_names})[:64]
    network = engine.cell_network
    hidden = {k: torch.from_numpy(s)[None] for k, s in engine.schema.scored_fields.items()}
    absent = {k: torch.zeros_like(batch.visible[k]) for k in network.presence_fields}
    shown = replace(batch.hide(hidden), absent=absent)
    encoder = IncrementalEncoder(network)
    encoder.begin(shown)
    seen = {k: v.clone() for k, v in shown.visible.items()}
    with torch.no_grad():
        for slot in engine.schema.slots:
            present = batch.visible[slot.kind][:, slot.index]
            encoder.reveal(slot.kind, slot.index, batch.values[slot.kind][:, slot.index], present)
            seen[slot.kind][:, slot.index] = present
            absent[slot.kind][:, slot.index] = ~present
            anew = network(Batch(batch.values, seen, absent=absent))
            h = encoder.decode()
            for other in engine.schema.slots:
                predicted = encoder.likelihood(h, other.kind, other.index)
                logits = anew.likelihoods[other.kind].logits[:, other.index, : predicted.logits.shape[-1]]
                close = torch.isclose(predicted.logits[:, 0], logits, atol=1e-4)
                assert close[:, 1:].all() and not (predicted.logits[:, 0, 1:] < -1e8).any()
                presence = encoder.presence(h, other.kind, other.index)
                with_missing = network.can_be_missing[other.kind]
                if not with_missing[other.index]:
                    assert presence is None
                    continue
                place = int(with_missing[: other.index].sum())
                assert presence is not None
                assert torch.allclose(presence, anew.presence[other.kind][:, place].sigmoid(), atol=1e-4)
