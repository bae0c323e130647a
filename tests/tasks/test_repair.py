"""Repair fills missing values and replaces suspicious cells."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.errors import OptionError, UnsupportedError
from diabolo.tasks.repair import VALUE_OPTIONS
from tests import made
from tests.fits import fitted


@pytest.mark.parametrize("library", made.LIBRARIES)
def test_missing_values_are_filled(model: Autoencoder, fresh: pa.Table, library: str) -> None:
    incomplete = fresh
    for row in range(20, 40):
        incomplete = made.with_cell(made.with_cell(incomplete, "double", row, None), "city", row + 20, None)
    data = made.as_library(incomplete, library)
    answer = model.repair(data)
    frame = answer.to_frame()
    for name in fresh.column_names:
        before, after = made.values_of(data, name), made.values_of(frame, name)
        assert all(a is None or a == b for a, b in zip(before, after, strict=True))
        if name in made.PREDICTED:
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
    missing = {(i, n) for n in made.PREDICTED for i, v in enumerate(made.values_of(data, n)) if v is None}
    assert places == missing and len(made.values_of(changes, "row")) == len(missing)
    assert set(made.values_of(changes, "why")) == {"missing"} and set(made.values_of(changes, "old")) == {
        None
    }
    assert made.values_of(changes, "row") == sorted(made.values_of(changes, "row"))


def test_nothing_changes_without_missing_values(model: Autoencoder) -> None:
    whole = made.mixed(80, seed=3, holes=0.0)
    answer = model.repair(whole)
    assert answer.to_frame().equals(whole) and answer.changes.num_rows == 0
    pd.testing.assert_frame_equal(model.repair(whole.to_pandas()).to_frame(), whole.to_pandas())
    assert model.repair(pl.from_arrow(whole)).to_frame().equals(pl.from_arrow(whole))


def typed() -> pd.DataFrame:
    """A column of every type, 200 rows."""
    rng = np.random.default_rng(0)
    number = rng.normal(size=200)
    return pd.DataFrame(
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


@pytest.fixture(scope="module")
def typed_model() -> Autoencoder:
    return fitted(typed(), epochs=3)


@pytest.mark.parametrize("value", VALUE_OPTIONS)
def test_types_are_kept(typed_model: Autoencoder, value: str) -> None:
    frame = typed()
    model = functools.partial(typed_model.repair, value=value, seed=0)
    # Without anything to repair, the types are those of the frame; so they are after a repair.
    assert model(frame).to_frame().dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    incomplete = frame.copy()
    incomplete.loc[5, "f4"] = np.nan
    incomplete.loc[6, "label"] = np.nan
    incomplete.loc[9:12, "i1"] = np.nan
    incomplete.loc[7, "day"] = pd.NaT
    incomplete.loc[8, "zone"] = pd.NaT
    fixed = model(incomplete).to_frame()
    # pandas itself changed the type of integers with missing values.
    assert fixed.dtypes.astype(str).to_dict() == incomplete.dtypes.astype(str).to_dict()
    assert (fixed["i1"] % 1 == 0).all() and fixed["i1"].between(0, 99).all()
    assert not fixed.isna().any().any()
    assert fixed["label"][6] in ("up", "down")
    polars = pl.from_pandas(frame).with_columns(pl.col("label").cast(pl.Categorical))
    blanked = polars.with_columns(pl.when(pl.int_range(200) == 3).then(None).otherwise(pl.all()).name.keep())
    mended = model(blanked).to_frame()
    assert mended.schema == polars.schema and mended.null_count().sum_horizontal()[0] == 0


def test_cells_are_corrected_where_the_right_value_is_known(model: Autoencoder, fresh: pa.Table) -> None:
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and r["number"] > 1)
    anomalous = made.with_cell(fresh, "city", row, "Rome")
    kept = model.repair(anomalous, correct=False)
    assert kept.to_frame()["city"][row].as_py() == "Rome" and kept.suspects.num_rows == 0
    explained = model.explain(anomalous, rows=[row])
    p_wrong = float(explained.p_wrong[0, explained.names.index("city")])
    # A clean table of 400 rows: a rule that holds in 47 rows may have an exception.
    assert p_wrong == explained.p_wrong.max() and p_wrong > 0.5
    answer = model.repair(anomalous, threshold=0.4)
    assert answer.to_frame()["city"][row].as_py() == explained.expected["city"][0].as_py() == "Oslo"
    lines = [c for c in answer.changes.to_pylist() if c["row"] == row]
    assert [(c["column"], c["old"], c["new"]) for c in lines] == [("city", "Rome", "Oslo")]
    assert lines[0]["why"] == explained.why["city"][0] and lines[0]["p_wrong"] == pytest.approx(p_wrong)
    assert lines[0]["low"] is None and lines[0]["high"] is None
    # A cell that is suspicious and not corrected is listed.
    doubted = model.repair(anomalous, threshold=1.0)
    assert doubted.to_frame()["city"][row].as_py() == "Rome"
    suspects = [s for s in doubted.suspects.to_pylist() if s["row"] == row]
    assert [(s["column"], s["observed"]) for s in suspects] == [("city", "Rome")]
    assert suspects[0]["why"] == lines[0]["why"] and suspects[0]["p_wrong"] == lines[0]["p_wrong"]
    for threshold in (0.0, -1, 1.5, float("nan")):
        with pytest.raises(OptionError, match="threshold"):
            model.repair(anomalous, threshold=threshold)


def test_points_of_a_series_are_replaced_on_request(wave_model: Autoencoder, wave: pa.Table) -> None:
    anomalous = made.with_cell(wave, "value", 400, 30.0)
    assert wave_model.repair(anomalous).to_frame()["value"][400].as_py() == 30
    answer = wave_model.repair(anomalous, threshold=0.9)
    assert answer.to_frame()["value"][400].as_py() == pytest.approx(wave["value"][400].as_py(), abs=0.5)
    line = next(c for c in answer.changes.to_pylist() if c["row"] == 400)
    assert line["why"] == "unlikely given its surroundings" and answer.suspects.num_rows == 0


def test_changes_contain_the_expected_range(model: Autoencoder, fresh: pa.Table) -> None:
    incomplete = made.with_cell(made.with_cell(fresh, "double", 3, None), "city", 4, None)
    lines = {(c["row"], c["column"]): c for c in model.repair(incomplete).changes.to_pylist()}
    explained = model.explain(incomplete, rows=[3])
    number, label = lines[3, "double"], lines[4, "city"]
    for end in ("low", "high"):
        assert float(number[end]) == pytest.approx(explained.value(end, "double", 0), rel=1e-4)
    assert float(number["low"]) < float(number["new"]) < float(number["high"])
    assert label["low"] is None and label["high"] is None


def skewed(rows: int = 600) -> pa.Table:
    """`amount` is mostly about 1, and sometimes large: its mean, median and mode differ."""
    rng = np.random.default_rng(0)
    amount = np.where(rng.random(rows) < 0.6, 1.0, 3 + rng.exponential(10, rows))
    return pa.table({"amount": amount, "other": rng.normal(size=rows)})


def test_mean_median_and_mode_differ_where_the_distribution_is_skewed() -> None:
    table = skewed()
    model = fitted(table, epochs=10)
    incomplete = table.set_column(0, "amount", pa.array([None] * 100 + table["amount"].to_pylist()[100:]))
    filled = {
        value: np.array(model.repair(incomplete, value=value).to_frame()["amount"].to_pylist()[:100])
        for value in ("mean", "median", "mode")
    }
    truth = np.array(table["amount"].to_pylist())
    assert np.allclose(filled["mode"], 1) and (np.abs(filled["median"] - 1) < 0.5).mean() > 0.7
    assert filled["mean"].mean() == pytest.approx(truth.mean(), rel=0.3)
    errors = {value: np.abs(filled[value] - truth[:100]).mean() for value in filled}
    assert errors["median"] < errors["mean"]
    sampled = np.array(model.repair(incomplete, value="draw", seed=0).to_frame()["amount"].to_pylist()[:100])
    assert 0.4 < (np.abs(sampled - 1) < 0.5).mean() < 0.8 and sampled.std() > 0.4 * truth.std()


def without(table: pa.Table, *names: str) -> pa.Table:
    """Return the table with all values of some columns missing."""
    for name in names:
        position = table.column_names.index(name)
        table = table.set_column(position, name, pa.nulls(table.num_rows, table[name].type))
    return table


def test_samples_are_consistent_and_vary_as_much_as_the_data(model: Autoencoder) -> None:
    rows = made.mixed(500, seed=5, holes=0.0)
    truth = rows.to_pandas()
    incomplete = without(rows, "number", "double", "count", "flag")
    sampled = model.repair(incomplete, value="draw", seed=0).to_frame().to_pandas()
    # Each column has its own distribution, and dependences between columns are kept.
    assert np.corrcoef(sampled["number"], sampled["double"])[0, 1] > 0.8
    assert (sampled["flag"].astype(bool) == (sampled["count"] > 4)).mean() > 0.9
    for name in ("number", "double", "count"):
        assert 0.75 < sampled[name].std() / truth[name].std() < 1.25
    # Samples depend on the city, which is present.
    assert (sampled["number"][truth["city"] == "Oslo"] > 0).mean() > 0.8
    means = model.repair(incomplete).to_frame().to_pandas()
    assert means["number"].std() < sampled["number"].std()


def test_samples_depend_on_the_seed_and_not_on_other_rows(model: Autoencoder, fresh: pa.Table) -> None:
    incomplete = without(fresh, "double", "when", "city")

    def sampled(table: pa.Table, seed: int | None) -> pa.Table:
        return model.repair(table, value="draw", seed=seed).to_frame()

    whole = sampled(incomplete, 3)
    assert whole.equals(sampled(incomplete, 3))
    assert whole.equals(model.repair(incomplete, value="draw", seed=np.int64(3)).to_frame())
    assert not whole.equals(sampled(incomplete, 4)) and not sampled(incomplete, None).equals(
        sampled(incomplete, None)
    )
    order = np.random.default_rng(1).permutation(120)
    assert sampled(incomplete.take(pa.array(order)), 3).equals(whole.take(pa.array(order)))
    assert sampled(incomplete.slice(17, 2), 3).equals(whole.slice(17, 2))
    # Equal rows get different samples.
    twins = sampled(pa.concat_tables([incomplete.slice(5, 1)] * 50), 3)
    assert len(set(twins["double"].to_pylist())) > 10
    assert np.unique(twins["when"].to_pylist()).size > 10


def test_samples_replace_suspicious_cells_too(model: Autoencoder, fresh: pa.Table) -> None:
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and r["number"] > 1)
    anomalous = made.with_cell(fresh, "city", row, "Rome")
    p_wrong = model.explain(anomalous, rows=[row]).p_wrong.max()
    sampled = [model.repair(anomalous, threshold=0.99 * p_wrong, value="draw", seed=s) for s in range(5)]
    assert [d.to_frame()["city"][row].as_py() for d in sampled].count("Oslo") >= 4
    whole = made.mixed(30, seed=3, holes=0.0)
    assert model.repair(whole, value="draw").to_frame().equals(whole)


@pytest.mark.parametrize("value", ["mean", "median", "mode"])
def test_every_model_fills_with_expected_values(
    any_model: Autoencoder, wave_model: Autoencoder, wave: pa.Table, fresh: pa.Table, value: str
) -> None:
    filled = any_model.repair(fresh, value=value).to_frame()
    assert all(filled[name].null_count == 0 for name in made.PREDICTED)
    incomplete = made.with_cell(wave, "value", 400, None)
    assert wave_model.repair(incomplete, value=value).to_frame()["value"][400].as_py() == pytest.approx(
        wave["value"][400].as_py(), abs=0.4
    )


def test_models_that_cannot_sample_cells_are_refused(
    models: dict[str, Autoencoder],
    wave_model: Autoencoder,
    wave: pa.Table,
    picture_models: dict[str, Autoencoder],
    fresh: pa.Table,
) -> None:
    for able in ("default", "masked"):
        assert models[able].repair(fresh, value="draw", seed=0).changes.num_rows > 0
    unable = [
        (models["vanilla"], fresh),
        (wave_model, wave),
        (picture_models["default"], made.pictures(3)),
    ]
    for model, data in unable:
        with pytest.raises(UnsupportedError, match="cannot sample") as raised:
            model.repair(data, value="draw")
        assert 'value="median"' in str(raised.value)
    with pytest.raises(OptionError, match="value='middle'") as unknown:
        models["masked"].repair(fresh, value="middle")
    assert "median" in str(unknown.value)
    with pytest.raises(OptionError, match="seed=-1"):
        models["masked"].repair(fresh, value="draw", seed=-1)
