"""What should stand there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.errors import OptionError
from tests import made
from tests.conftest import fitted


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
