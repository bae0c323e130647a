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
from diabolo.engine import CHUNK
from diabolo.errors import DataError, OptionError, UnsupportedError
from diabolo.model import choose_device, seconds
from tests import made
from tests.conftest import fitted


@pytest.fixture(params=["default", "vanilla", "variational", "masked"])
def any_model(request: pytest.FixtureRequest, models: dict[str, Autoencoder]) -> Autoencoder:
    return models[request.param]


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
    monkeypatch.setattr("diabolo.engine.CHUNK", 17)
    monkeypatch.setattr("diabolo.engine.ROWS", 5)
    assert CHUNK > 1_000
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


def test_an_alarm_at_the_very_threshold_is_below_0(table: pa.Table) -> None:
    """The oddest calibration row has exactly the bits of a rate of 2 in n + 1."""
    rows = fitted(table, "denoising", epochs=1).engine_.facts["rows_calibrated_on"]
    model = fitted(table, "denoising", epochs=1, alarm_rate=2 / (rows + 1))
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
        np.zeros((2, 2, 2)),
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


# What is odd.


def usual(fresh: pa.Table) -> int:
    """A row without holes, in the middle of what is usual."""
    return next(
        i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and abs(r["number"]) < 0.3
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("double", 60.0),
        ("number", -9.0),
        ("count", 400),
        ("count", -3),
        ("double", float("inf")),
        ("city", "Rome"),
    ],
)
def test_an_odd_cell_is_found(model: Autoencoder, fresh: pa.Table, name: str, value: Any) -> None:
    row = usual(fresh)
    if name == "city":
        row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and r["number"] > 1)
    odd = made.with_cell(fresh, name, row, value)
    assert model.anomaly_score(odd)[row] > model.anomaly_score(fresh)[row] + 2
    answer = model.explain(odd, rows=[row])
    # The cell that is wrong is named, and the others are not accused in its place.
    assert answer.names[int(answer.bits[0].argmax())] == name
    others = [i for i, n in enumerate(answer.names) if n != name]
    assert answer.p_wrong[0, others].max() < 0.5
    assert answer.share[0, answer.names.index(name)] > 100 / len(answer.names)
    assert model.explain(fresh, rows=[row]).p_wrong[0].max() < 0.5


@pytest.mark.parametrize("value", [5.0, -6.0])
def test_a_cell_that_is_only_odd_in_its_row_is_suspected(
    model: Autoencoder, fresh: pa.Table, value: float
) -> None:
    row = usual(fresh)
    odd = made.with_cell(fresh, "double", row, value)
    assert model.anomaly_score(odd)[row] > model.anomaly_score(fresh)[row] + 2
    answer, sane = model.explain(odd, rows=[row]), model.explain(fresh, rows=[row])
    place = answer.names.index("double")
    assert place in np.argsort(-answer.bits[0])[:2] and answer.bits[0, place] > sane.bits[0, place] + 2
    assert answer.names[int(answer.share[0].argmax())] == "double"


def test_cells_that_contradict_each_other_are_found(model: Autoencoder, fresh: pa.Table) -> None:
    """The flag says whether the count is above 4: one of the two is wrong, and nothing says which."""
    row = usual(fresh)
    odd = made.with_cell(fresh, "flag", row, not fresh["flag"][row].as_py())
    answer = model.explain(odd, rows=[row])
    assert {answer.names[i] for i in np.argsort(-answer.bits[0])[:2]} == {"flag", "count"}


def test_what_was_expected_is_said(model: Autoencoder, fresh: pa.Table) -> None:
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and 1 < r["number"] < 1.5)
    number = fresh["number"][row].as_py()
    answer = model.explain(made.with_cell(fresh, "double", row, -3.0), rows=[row])
    assert answer.got["double"].to_pylist() == [-3.0]
    assert answer.expected["double"].to_pylist()[0] == pytest.approx(2 * number, abs=1.0)
    low, high = (answer_.to_pylist()[0] for answer_ in (answer.low["double"], answer.high["double"]))
    assert low < answer.expected["double"].to_pylist()[0] < high and low > -3.0
    assert answer.low["city"] is None and answer.expected["city"].to_pylist()[0] in ("Oslo", "Lima", "Rome")


def test_an_unseen_label_is_surprising(any_model: Autoencoder, fresh: pa.Table) -> None:
    known = np.flatnonzero(fresh["city"].is_valid().to_numpy())
    unseen = pa.array([None if v is None else "Atlantis" for v in fresh["city"].to_pylist()])
    odd = fresh.set_column(fresh.column_names.index("city"), "city", unseen)
    before, after = any_model.anomaly_score(fresh)[known], any_model.anomaly_score(odd)[known]
    assert (after > before).mean() > 0.95 and np.median(after - before) > 1
    answer = any_model.explain(odd, rows=known[:20].tolist())
    place = answer.names.index("city")
    assert (answer.bits[:, place] > any_model.explain(fresh, rows=known[:20].tolist()).bits[:, place]).all()
    assert answer.got["city"].to_pylist() == ["Atlantis"] * 20


def test_infinities_are_odd_and_not_holes(model: Autoencoder, fresh: pa.Table) -> None:
    odd = made.with_cell(made.with_cell(fresh, "double", 3, float("inf")), "double", 4, float("-inf"))
    bits = model.anomaly_score(odd)
    assert np.isfinite(bits).all() and set(np.argsort(-bits)[:2]) == {3, 4}
    answer = model.explain(odd, rows=[3, 4])
    assert (answer.share[:, answer.names.index("double")] > 60).all()
    assert np.isfinite(answer.bits).all()


def test_rows_of_holes_are_answered(any_model: Autoencoder, fresh: pa.Table) -> None:
    blank = pa.table(
        {
            n: pa.nulls(2, t) if n in made.SCORED else fresh[n].slice(0, 2)
            for n, t in zip(fresh.column_names, fresh.schema.types, strict=True)
        }
    )
    assert np.isfinite(any_model.anomaly_score(blank)).all()
    answer = any_model.explain(blank)
    assert not answer.p_wrong.any() and not answer.bits.any()
    assert np.allclose(answer.share.sum(1), 100)
    assert all(any_model.repair(blank).to_frame()[n].null_count == 0 for n in made.SCORED)


def test_context_is_read_but_never_scored(table: pa.Table, fresh: pa.Table) -> None:
    model = fitted(table, epochs=60, context=["city", "count"])
    assert model.schema_.scored == ["number", "double", "flag", "when"]
    answer = model.explain(fresh, rows=[0, 1])
    assert answer.names == model.schema_.scored
    assert set(model.reconstruct(fresh).to_frame().column_names) == set(model.schema_.scored)
    changed = made.with_cell(made.with_cell(fresh, "count", 0, None), "city", 1, None)
    repaired = model.repair(changed).to_frame()
    assert repaired["count"][0].as_py() is None and repaired["city"][1].as_py() is None
    codes = model.engine_.schema.encode(model.engine_.read(fresh).columns)
    parts = model.engine_.parts(codes)
    for slot in model.schema_.slots:
        if slot.name in ("city", "count"):
            assert not parts[slot.kind][:, slot.index].any()
    # It is read: without the count, the flag cannot be known.
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values())
    wrong = made.with_cell(fresh, "flag", row, not fresh["flag"][row].as_py())
    assert model.explain(wrong, rows=[row]).bits[0, 2] > model.explain(fresh, rows=[row]).bits[0, 2] + 2


def test_ignored_columns_change_nothing(model: Autoencoder, fresh: pa.Table) -> None:
    other = fresh.set_column(0, "id", pa.array(["strange"] * 120)).drop_columns(["remark"])
    assert np.array_equal(model.anomaly_score(other), model.anomaly_score(fresh))
    assert model.repair(other).to_frame()["id"].to_pylist() == ["strange"] * 120


def test_shares_add_up(any_model: Autoencoder, fresh: pa.Table) -> None:
    answer = any_model.explain(fresh)
    assert np.allclose(answer.share.sum(1), 100) and (answer.share >= 0).all()
    assert answer.rows.tolist() == list(range(120))


def test_rows_can_be_picked(model: Autoencoder, fresh: pa.Table) -> None:
    whole, some = model.explain(fresh), model.explain(fresh, rows=[7, 3, 7])
    assert np.allclose(some.bits, whole.bits[[7, 3, 7]], atol=1e-4)
    assert some.to_arrow()["row"].to_pylist() == np.repeat([7, 3, 7], 6).tolist()
    for rows in ([120], [-1], [5, 1_000]):
        with pytest.raises(OptionError, match="row"):
            model.explain(fresh, rows=rows)


def test_no_rows_can_be_picked(model: Autoencoder, fresh: pa.Table) -> None:
    assert model.explain(fresh, rows=[]).to_arrow().num_rows == 0


def test_similar_rows_are_shown(model: Autoencoder, table: pa.Table) -> None:
    answer = model.explain(table.to_pandas(), rows=[4, 5], neighbours=3)
    near = answer.nearest
    assert near["row"].tolist() == [4, 4, 4, 5, 5, 5]
    known = table.select(made.SCORED).to_pylist()
    for place, row in ((0, 4), (3, 5)):
        shown = near.iloc[place]
        assert shown["distance"] >= 0
        assert abs(shown["double"] - known[row]["double"]) < 2
        # It is a row of the fit, in its own values, and not the row itself.
        twins = [i for i, k in enumerate(known) if abs(k["double"] - shown["double"]) < 1e-4]
        assert twins and twins != [row]
        when = known[twins[0]]["when"]
        assert when is None or abs(pd.Timestamp(when) - shown["when"]) < pd.Timedelta(seconds=20)


def test_alarm_rates(table: pa.Table, model: Autoencoder, fresh: pa.Table) -> None:
    rows = model.engine_.facts["rows_calibrated_on"]
    assert model.alarm_rate_ == pytest.approx(max(0.001, 1 / (rows + 1)))
    assert model.threshold_ == pytest.approx(-np.log2(model.alarm_rate_))
    few, many = (np.array(model.score_rows(fresh, alarm_rate=rate)["alarm"]).sum() for rate in (0.02, 0.3))
    assert few < many and 0.1 < many / 120 < 0.5
    with pytest.raises(OptionError, match="calibration rows"):
        model.score_rows(fresh, alarm_rate=1e-6)
    for rate in (1e-6, 0.0, 1.0):
        with pytest.raises(OptionError, match="alarm_rate"):
            fitted(table, "denoising", epochs=1, alarm_rate=rate)


def test_score_rows_says_it_in_three_ways(model: Autoencoder, fresh: pa.Table) -> None:
    frame = model.score_rows(fresh.to_pandas())
    assert list(frame.columns) == ["bits", "severity", "alarm"]
    assert np.array_equal(frame["bits"], model.anomaly_score(fresh))
    assert np.allclose(frame["severity"], 100 * (1 - 2 ** (-frame["bits"] / 10)))
    assert np.array_equal(frame["alarm"], model.predict(fresh) == -1)


# What should stand there.


@pytest.mark.parametrize("library", made.LIBRARIES)
def test_holes_are_filled(model: Autoencoder, fresh: pa.Table, library: str) -> None:
    holed = fresh
    for row in range(20, 40):
        holed = made.with_cell(made.with_cell(holed, "double", row, None), "city", row + 20, None)
    data = made.as_library(holed, library)
    answer = model.repair(data)
    frame = answer.to_frame()
    for name in fresh.column_names:
        before, after = made.values_of(data, name), made.values_of(frame, name)
        assert all(a is None or a == b for a, b in zip(before, after, strict=True))
        if name in made.SCORED:
            assert None not in after
    double, city = made.values_of(frame, "double"), made.values_of(frame, "city")
    truth = fresh.to_pylist()
    known = [i for i in range(20, 40) if truth[i]["number"] is not None]
    assert np.mean([abs(double[i] - truth[i]["double"]) for i in known]) < 0.6
    known = [i for i in range(40, 60) if truth[i]["city"] is not None]
    assert np.mean([city[i] == truth[i]["city"] for i in known]) > 0.8
    changes = answer.changes
    assert made.library_of(changes) == library
    places = set(zip(made.values_of(changes, "row"), made.values_of(changes, "column"), strict=True))
    holes = {(i, n) for n in made.SCORED for i, v in enumerate(made.values_of(data, n)) if v is None}
    assert places == holes and len(made.values_of(changes, "row")) == len(holes)
    assert set(made.values_of(changes, "why")) == {"hole"} and set(made.values_of(changes, "old")) == {None}
    assert made.values_of(changes, "row") == sorted(made.values_of(changes, "row"))


def test_without_holes_nothing_changes(model: Autoencoder) -> None:
    whole = made.mixed(80, seed=3, holes=0.0)
    answer = model.repair(whole)
    assert answer.to_frame().equals(whole) and answer.changes.num_rows == 0
    pd.testing.assert_frame_equal(model.repair(whole.to_pandas()).to_frame(), whole.to_pandas())
    assert model.repair(pl.from_arrow(whole)).to_frame().equals(pl.from_arrow(whole))


def test_types_are_kept() -> None:
    rng = np.random.default_rng(0)
    number = rng.normal(size=200)
    frame = pd.DataFrame(
        {
            "f4": number.astype("float32"),
            "i1": rng.integers(0, 100, 200).astype("int8"),
            "u2": rng.integers(0, 60_000, 200).astype("uint16"),
            "label": pd.Categorical(np.where(number > 0, "up", "down")),
            "flag": number > 0,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, 200), unit="D"),
            "zone": pd.Timestamp("2024-01-01", tz="Europe/Oslo")
            + pd.to_timedelta(rng.integers(0, 9_000, 200), unit="h"),
        }
    )
    model = fitted(frame, epochs=3)
    # Nothing to repair: the very frame comes back. Something to repair: its types come back.
    assert model.repair(frame).to_frame().dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    holed = frame.copy()
    holed.loc[5, "f4"] = np.nan
    holed.loc[6, "label"] = np.nan
    holed.loc[7, "day"] = pd.NaT
    holed.loc[8, "zone"] = pd.NaT
    fixed = model.repair(holed).to_frame()
    assert fixed.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    assert not fixed.isna().any().any()
    assert fixed["label"][6] in ("up", "down")
    polars = pl.from_pandas(frame).with_columns(pl.col("label").cast(pl.Categorical))
    gone = polars.with_columns(pl.when(pl.int_range(200) == 3).then(None).otherwise(pl.all()).name.keep())
    mended = model.repair(gone).to_frame()
    assert mended.schema == polars.schema and mended.null_count().sum_horizontal()[0] == 0


def test_the_largest_whole_number_can_be_expected() -> None:
    rng = np.random.default_rng(0)
    byte = np.where(rng.random(300) < 0.97, 255, 0).astype("uint8")
    table = pa.table({"byte": byte, "x": byte / 255 + 0.01 * rng.normal(size=300)})
    model = fitted(table, epochs=60)
    holed = table.set_column(0, "byte", pa.array([None, *byte[1:].tolist()], pa.uint8()))
    assert set(model.repair(holed).to_frame()["byte"].to_pylist()) <= {0, 255}
    assert 255 in model.explain(table, rows=[0]).expected["byte"].to_pylist()


def test_suspicious_cells_are_replaced_if_asked(model: Autoencoder, fresh: pa.Table) -> None:
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and r["number"] > 1)
    odd = made.with_cell(fresh, "city", row, "Rome")
    kept = model.repair(odd)
    assert kept.to_frame()["city"][row].as_py() == "Rome"
    said = model.explain(odd, rows=[row])
    p_wrong = float(said.p_wrong[0, said.names.index("city")])
    assert p_wrong == said.p_wrong.max() and p_wrong > 0.01
    answer = model.repair(odd, threshold=0.99 * p_wrong)
    assert answer.to_frame()["city"][row].as_py() == said.expected["city"][0].as_py() == "Oslo"
    lines = [c for c in answer.changes.to_pylist() if c["row"] == row and c["why"] == "suspicious"]
    assert [c["column"] for c in lines] == ["city"]
    assert (lines[0]["old"], lines[0]["new"]) == ("Rome", "Oslo")
    assert lines[0]["p_wrong"] == pytest.approx(p_wrong, rel=1e-3)
    assert (
        model.repair(odd, threshold=min(1.01 * p_wrong, 1.0)).to_frame()["city"][row].as_py() == "Rome"
        or p_wrong > 0.99
    )
    for threshold in (0.0, -1, 1.5, float("nan")):
        with pytest.raises(OptionError, match="threshold"):
            model.repair(odd, threshold=threshold)


# The essence, and back.


def test_the_way_to_the_code_and_back_is_the_reconstruction(
    models: dict[str, Autoencoder], fresh: pa.Table
) -> None:
    for recipe in ("vanilla", "variational", "beta"):
        model = models[recipe]
        back, whole = model.inverse_transform(model.transform(fresh)), model.reconstruct(fresh).to_frame()
        assert back.column_names == whole.column_names == made.SCORED
        assert np.allclose(back["double"].to_numpy(), whole["double"].to_numpy(), atol=1e-4)
        assert back["city"].to_pylist() == whole["city"].to_pylist()
        gaps = np.abs(back["when"].to_numpy() - whole["when"].to_numpy())
        assert gaps.max() < np.timedelta64(30, "s")


def test_there_is_no_way_back_without_a_bottleneck(
    model: Autoencoder, fresh: pa.Table, wave_model: Autoencoder
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        model.inverse_transform(model.transform(fresh))
    assert caught.value.hint and "vanilla" in caught.value.hint
    with pytest.raises(UnsupportedError):
        wave_model.inverse_transform(np.zeros((1, 2)))


def test_a_code_of_another_width_is_refused(models: dict[str, Autoencoder]) -> None:
    with pytest.raises(DataError):
        models["vanilla"].inverse_transform(np.zeros((2, 5)))


def test_answers_of_the_fit_are_in_its_library(table: pa.Table) -> None:
    model = fitted(table.to_pandas(), "vanilla", epochs=1, latent=2)
    assert isinstance(model.history_, pd.DataFrame)
    assert isinstance(model.inverse_transform(np.zeros((3, 2))), pd.DataFrame)


def test_alike_rows_have_alike_codes(model: Autoencoder, fresh: pa.Table) -> None:
    near = made.with_cell(fresh, "double", 0, fresh["double"][0].as_py() + 1e-4)
    z, moved = model.transform(fresh), model.transform(near)
    assert np.array_equal(z[1:], moved[1:]) or np.allclose(z[1:], moved[1:], atol=1e-5)
    assert np.linalg.norm(z[0] - moved[0]) < 0.05 * np.linalg.norm(z[0] - z[1])


# Small, wide and strange data.


@pytest.mark.parametrize("rows", [2, 5, 20])
def test_little_data_is_answered_with_a_warning(rows: int) -> None:
    rng = np.random.default_rng(0)
    with pytest.warns(DiaboloWarning, match="too little data"):
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
