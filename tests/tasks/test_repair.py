"""What should stand there."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.errors import OptionError, UnsupportedError
from diabolo.tasks.repair import VALUES
from tests import made
from tests.fits import fitted


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
    assert set(made.values_of(changes, "why")) == {"missing"} and set(made.values_of(changes, "old")) == {
        None
    }
    assert made.values_of(changes, "row") == sorted(made.values_of(changes, "row"))


def test_without_holes_nothing_changes(model: Autoencoder) -> None:
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


@pytest.mark.parametrize("value", VALUES)
def test_types_are_kept(typed_model: Autoencoder, value: str) -> None:
    frame = typed()
    model = functools.partial(typed_model.repair, value=value, seed=0)
    # Nothing to repair: the very frame comes back. Something to repair: its types come back.
    assert model(frame).to_frame().dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    holed = frame.copy()
    holed.loc[5, "f4"] = np.nan
    holed.loc[6, "label"] = np.nan
    holed.loc[9:12, "i1"] = np.nan
    holed.loc[7, "day"] = pd.NaT
    holed.loc[8, "zone"] = pd.NaT
    fixed = model(holed).to_frame()
    # pandas itself gave the whole numbers with holes another type.
    assert fixed.dtypes.astype(str).to_dict() == holed.dtypes.astype(str).to_dict()
    assert (fixed["i1"] % 1 == 0).all() and fixed["i1"].between(0, 99).all()
    assert not fixed.isna().any().any()
    assert fixed["label"][6] in ("up", "down")
    polars = pl.from_pandas(frame).with_columns(pl.col("label").cast(pl.Categorical))
    gone = polars.with_columns(pl.when(pl.int_range(200) == 3).then(None).otherwise(pl.all()).name.keep())
    mended = model(gone).to_frame()
    assert mended.schema == polars.schema and mended.null_count().sum_horizontal()[0] == 0


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


def test_the_range_of_what_was_expected_is_told(model: Autoencoder, fresh: pa.Table) -> None:
    holed = made.with_cell(made.with_cell(fresh, "double", 3, None), "city", 4, None)
    lines = {(c["row"], c["column"]): c for c in model.repair(holed).changes.to_pylist()}
    said = model.explain(holed, rows=[3])
    number, label = lines[3, "double"], lines[4, "city"]
    for end in ("low", "high"):
        assert float(number[end]) == pytest.approx(said.value(end, "double", 0), rel=1e-4)
    assert float(number["low"]) < float(number["new"]) < float(number["high"])
    assert label["low"] is None and label["high"] is None


def skewed(rows: int = 600) -> pa.Table:
    """`amount` is mostly about 1, and sometimes large: its mean, median and mode are apart."""
    rng = np.random.default_rng(0)
    amount = np.where(rng.random(rows) < 0.6, 1.0, 3 + rng.exponential(10, rows))
    return pa.table({"amount": amount, "other": rng.normal(size=rows)})


def test_mean_median_and_mode_differ_where_the_distribution_is_skewed() -> None:
    table = skewed()
    model = fitted(table, epochs=10)
    holed = table.set_column(0, "amount", pa.array([None] * 100 + table["amount"].to_pylist()[100:]))
    filled = {
        value: np.array(model.repair(holed, value=value).to_frame()["amount"].to_pylist()[:100])
        for value in ("mean", "median", "mode")
    }
    truth = np.array(table["amount"].to_pylist())
    assert np.allclose(filled["mode"], 1) and (np.abs(filled["median"] - 1) < 0.5).mean() > 0.7
    assert filled["mean"].mean() == pytest.approx(truth.mean(), rel=0.3)
    errors = {value: np.abs(filled[value] - truth[:100]).mean() for value in filled}
    assert errors["median"] < errors["mean"]
    drawn = np.array(model.repair(holed, value="draw", seed=0).to_frame()["amount"].to_pylist()[:100])
    assert 0.4 < (np.abs(drawn - 1) < 0.5).mean() < 0.8 and drawn.std() > 0.4 * truth.std()


def without(table: pa.Table, *names: str) -> pa.Table:
    for name in names:
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.nulls(table.num_rows, table[name].type))
    return table


def test_draws_fit_together_and_are_as_scattered_as_the_data(model: Autoencoder) -> None:
    rows = made.mixed(500, seed=5, holes=0.0)
    truth = rows.to_pandas()
    holed = without(rows, "number", "double", "count", "flag")
    drawn = model.repair(holed, value="draw", seed=0).to_frame().to_pandas()
    # Each is drawn from its own distribution, and what ties them together holds.
    assert np.corrcoef(drawn["number"], drawn["double"])[0, 1] > 0.8
    assert (drawn["flag"].astype(bool) == (drawn["count"] > 4)).mean() > 0.9
    for name in ("number", "double", "count"):
        assert 0.75 < drawn[name].std() / truth[name].std() < 1.25
    # The city, which was there, is heeded.
    assert (drawn["number"][truth["city"] == "Oslo"] > 0).mean() > 0.8
    means = model.repair(holed).to_frame().to_pandas()
    assert means["number"].std() < drawn["number"].std()


def test_draws_follow_the_seed_and_not_the_company(model: Autoencoder, fresh: pa.Table) -> None:
    holed = without(fresh, "double", "when", "city")

    def drawn(table: pa.Table, seed: int | None) -> pa.Table:
        return model.repair(table, value="draw", seed=seed).to_frame()

    whole = drawn(holed, 3)
    assert whole.equals(drawn(holed, 3))
    assert whole.equals(model.repair(holed, value="draw", seed=np.int64(3)).to_frame())
    assert not whole.equals(drawn(holed, 4)) and not drawn(holed, None).equals(drawn(holed, None))
    order = np.random.default_rng(1).permutation(120)
    assert drawn(holed.take(pa.array(order)), 3).equals(whole.take(pa.array(order)))
    assert drawn(holed.slice(17, 2), 3).equals(whole.slice(17, 2))
    # Rows that are the same draw values of their own.
    twins = drawn(pa.concat_tables([holed.slice(5, 1)] * 50), 3)
    assert len(set(twins["double"].to_pylist())) > 10
    assert np.unique(twins["when"].to_pylist()).size > 10


def test_draws_replace_suspicious_cells_too(model: Autoencoder, fresh: pa.Table) -> None:
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and r["number"] > 1)
    odd = made.with_cell(fresh, "city", row, "Rome")
    p_wrong = model.explain(odd, rows=[row]).p_wrong.max()
    drawn = [model.repair(odd, threshold=0.99 * p_wrong, value="draw", seed=s) for s in range(5)]
    assert [d.to_frame()["city"][row].as_py() for d in drawn].count("Oslo") >= 4
    whole = made.mixed(30, seed=3, holes=0.0)
    assert model.repair(whole, value="draw").to_frame().equals(whole)


@pytest.mark.parametrize("value", ["mean", "median", "mode"])
def test_every_model_fills_with_what_is_expected(
    any_model: Autoencoder, wave_model: Autoencoder, wave: pa.Table, fresh: pa.Table, value: str
) -> None:
    filled = any_model.repair(fresh, value=value).to_frame()
    assert all(filled[name].null_count == 0 for name in made.SCORED)
    holed = made.with_cell(wave, "value", 400, None)
    assert wave_model.repair(holed, value=value).to_frame()["value"][400].as_py() == pytest.approx(
        wave["value"][400].as_py(), abs=0.4
    )


def test_what_cannot_be_drawn_is_said(
    models: dict[str, Autoencoder],
    wave_model: Autoencoder,
    wave: pa.Table,
    picture_models: dict[str, Autoencoder],
    fresh: pa.Table,
) -> None:
    for able in ("default", "masked"):
        assert models[able].repair(fresh, value="draw", seed=0).changes.num_rows > 0
    asked = [
        (models["vanilla"], fresh),
        (wave_model, wave),
        (picture_models["default"], made.pictures(3)),
    ]
    for model, data in asked:
        with pytest.raises(UnsupportedError, match="drawn") as raised:
            model.repair(data, value="draw")
        assert 'value="median"' in str(raised.value)
    with pytest.raises(OptionError, match="value='middle'") as unknown:
        models["masked"].repair(fresh, value="middle")
    assert "median" in str(unknown.value)
    with pytest.raises(OptionError, match="seed=-1"):
        models["masked"].repair(fresh, value="draw", seed=-1)
