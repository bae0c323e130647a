"""What holds for any rows: drawn ones, odd ones, in any order and of any library."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from diabolo import Autoencoder, load, tasks
from tests import made
from tests.fits import fitted

some = settings(max_examples=8, deadline=None, derandomize=True)
few = settings(some, max_examples=4)
TYPES = {n: made.mixed(2).schema.field(n).type for n in made.PREDICTED}
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "number": st.floats(),
    "double": st.floats(-3, 3) | st.floats(),
    "count": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9),
    "city": st.sampled_from(["Oslo", "Rome", "Lima"]) | st.text(max_size=9),
    "flag": st.booleans(),
    "when": st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)),
}
ROWS = st.lists(
    st.fixed_dictionaries({n: st.none() | cell for n, cell in CELLS.items()}), min_size=1, max_size=8
).map(lambda rows: pa.table({n: pa.array([r[n] for r in rows], t) for n, t in TYPES.items()}))


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return made.mixed(120, seed=2).select(made.PREDICTED)


@pytest.fixture(scope="module")
def small(data: pa.Table) -> Autoencoder:
    return fitted(data, epochs=2, layers=(32,))


@pytest.fixture(scope="module")
def again(small: Autoencoder, tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    """The same model from a file."""
    return load(small.save(tmp_path_factory.mktemp("model") / "m.diabolo"))


def numbers_of(answer: Any) -> list[np.ndarray]:
    """All numbers of an answer, of whatever task."""
    found = []
    for column in answer.to_arrow().itercolumns():
        if pa.types.is_floating(column.type):
            found.append(column.to_numpy())
    return found


# Any rows.


@some
@given(rows=ROWS)
def test_no_answer_has_a_nan(small: Autoencoder, rows: pa.Table) -> None:
    for values in numbers_of(tasks.score(small, rows)) + numbers_of(small.embed(rows)):
        assert np.isfinite(values).all()
    said = small.explain(rows)
    for values in (said.bits, said.p_wrong, said.share):
        assert np.isfinite(values).all()
    for part in (said.expected, said.low, said.high):
        for column in part.values():
            assert column is None or not pc.any(column.is_null(nan_is_null=True)).as_py()
    for frame in (small.repair(rows).to_frame(), small.reconstruct(rows).to_frame()):
        for name in made.PREDICTED:
            assert not pc.any(frame[name].is_null(nan_is_null=True)).as_py()


@some
@given(rows=ROWS)
def test_shares_add_to_100(small: Autoencoder, rows: pa.Table) -> None:
    share = small.explain(rows).share
    assert np.allclose(share.sum(1), 100) and (share >= 0).all()


@some
@given(rows=ROWS)
def test_repair_fills_holes_and_leaves_the_rest(small: Autoencoder, rows: pa.Table) -> None:
    fixed = small.repair(rows, correct=False).to_frame()
    assert fixed.schema == rows.schema
    for name in made.PREDICTED:
        there = pc.invert(rows[name].is_null(nan_is_null=True))
        assert fixed[name].filter(there).equals(rows[name].filter(there))
    levels = set(small.schema_["city"].levels)
    holes = rows["city"].is_null()
    assert set(fixed["city"].filter(holes).to_pylist()) <= levels


@some
@given(rows=ROWS)
def test_repair_changes_what_it_lists_and_nothing_else(small: Autoencoder, rows: pa.Table) -> None:
    repaired = small.repair(rows)
    fixed, listed = repaired.to_frame(), repaired.changed
    assert fixed.schema == rows.schema
    for name in made.PREDICTED:
        lines = zip(listed["row"].to_pylist(), listed["column"].to_pylist(), strict=True)
        changed = {row for row, column in lines if column == name}
        kept = pa.array([row not in changed for row in range(rows.num_rows)])
        assert fixed[name].filter(kept).equals(rows[name].filter(kept))


# Order and company.


@some
@given(picked=st.lists(st.integers(0, 119), min_size=1, max_size=150))
def test_a_row_is_scored_the_same_wherever_it_stands(
    small: Autoencoder, data: pa.Table, picked: list[int]
) -> None:
    taken = data.take(pa.array(picked))
    whole = small.anomaly_score(data)[picked]
    assert np.allclose(small.anomaly_score(taken), whole, atol=1e-5)
    assert np.allclose(small.explain(taken).share, small.explain(data).share[picked], atol=1e-2)


@some
@given(size=st.integers(9, 120))
def test_the_size_of_a_batch_changes_nothing(small: Autoencoder, data: pa.Table, size: int) -> None:
    parts = [small.anomaly_score(data.slice(i, size)) for i in range(0, 120, size)]
    assert np.allclose(np.concatenate(parts), small.anomaly_score(data), atol=1e-5)


@some
@given(rows=ROWS)
def test_a_model_that_was_saved_answers_to_the_bit(
    small: Autoencoder, again: Autoencoder, rows: pa.Table
) -> None:
    assert np.array_equal(again.anomaly_score(rows), small.anomaly_score(rows))
    one, other = again.explain(rows), small.explain(rows)
    assert np.array_equal(one.bits, other.bits) and np.array_equal(one.share, other.share)
    assert again.repair(rows).to_arrow()["city"].equals(small.repair(rows).to_arrow()["city"])


# Fits of the same data in other clothes.


def as_new(table: pa.Table) -> pa.Table:
    """Rows that the fit does not have: of its own rows the cells are checked, digit by digit."""
    backwards = table["when"].take(pa.array(range(table.num_rows - 1, -1, -1)))
    return table.set_column(table.column_names.index("when"), "when", backwards)


@few
@given(power=st.integers(-20, 20), name=st.sampled_from(["number", "double"]))
def test_a_unit_that_is_a_power_of_two_changes_nothing(
    small: Autoencoder, data: pa.Table, power: int, name: str
) -> None:
    other = data.set_column(
        data.column_names.index(name), name, pc.multiply(data[name], pa.scalar(2.0**power))
    )
    bits = fitted(other, epochs=2, layers=(32,)).anomaly_score(as_new(other))
    assert np.allclose(bits, small.anomaly_score(as_new(data)), atol=1e-5)


@few
@given(factor=st.floats(1e-6, 1e6))
def test_other_units_change_next_to_nothing(small: Autoencoder, data: pa.Table, factor: float) -> None:
    other = data.set_column(1, "double", pc.multiply(data["double"], pa.scalar(factor)))
    bits = fitted(other, epochs=2, layers=(32,)).anomaly_score(as_new(other))
    assert spearmanr(bits, small.anomaly_score(as_new(data))).statistic > 0.999


@pytest.mark.parametrize("value", [0, 1.5, "kg", True, None])
def test_a_constant_column_changes_nothing(small: Autoencoder, data: pa.Table, value: Any) -> None:
    other = data.add_column(2, "same", pa.array([value] * 120))
    model = fitted(other, epochs=2, layers=(32,))
    assert np.array_equal(model.anomaly_score(other), small.anomaly_score(data))


@pytest.mark.parametrize("library", made.LIBRARIES)
def test_fits_are_the_same_in_every_library(small: Autoencoder, data: pa.Table, library: str) -> None:
    frame = made.as_library(data, library)
    model = fitted(frame, epochs=2, layers=(32,))
    # Flags with holes are objects in pandas, whole numbers with holes are floats: they mean the same.
    assert np.array_equal(model.anomaly_score(frame), small.anomaly_score(data))
    assert np.array_equal(model.explain(frame).share, small.explain(data).share)


@some
@given(holes=st.sets(st.integers(0, 119), min_size=1, max_size=119))
def test_sets_of_categories_and_types_are_respected(
    small: Autoencoder, data: pa.Table, holes: set[int]
) -> None:
    cities = [None if i in holes else v for i, v in enumerate(data["city"].to_pylist())]
    known = ["Lima", "Never", "Oslo", "Rome"]
    frame = data.to_pandas().assign(
        city=pd.Categorical(cities, known, ordered=True), count=pd.array(data["count"].to_pylist(), "Int16")
    )
    fixed = small.repair(frame).to_frame()
    assert fixed.dtypes.equals(frame.dtypes)
    assert list(fixed["city"].cat.categories) == known and "Never" not in set(fixed["city"])
    other = pl.from_arrow(data).with_columns(
        city=pl.Series(cities, dtype=pl.Enum(known)), count=pl.col("count").cast(pl.UInt8)
    )
    mended = small.repair(other).to_frame()
    assert mended.schema == other.schema
    assert mended["city"].to_list() == fixed["city"].tolist()


# What is said is true.


@some
@given(row=st.integers(0, 119), value=st.floats(30, 1e6), sign=st.sampled_from([-1, 1]))
def test_a_value_far_outside_is_a_suspect(
    model: Autoencoder, fresh: pa.Table, row: int, value: float, sign: int
) -> None:
    odd = made.with_cell(fresh, "double", row, sign * value).slice(row, 1)
    answer = model.repair(odd)
    assert "double" in answer.suspects["column"].to_pylist() + answer.changes["column"].to_pylist()


@some
@given(row=st.integers(0, 119))
def test_repair_lowers_the_score(model: Autoencoder, fresh: pa.Table, row: int) -> None:
    right = fresh["double"][row].as_py()
    assume(abs(right) > 1 and fresh["number"][row].is_valid)
    odd = made.with_cell(fresh, "double", row, right * 1000).slice(row, 1)
    repaired = model.repair(odd, threshold=0.01)
    assert "double" in repaired.changes["column"].to_pylist()
    assert model.anomaly_score(repaired.to_frame())[0] < model.anomaly_score(odd)[0]


@pytest.mark.parametrize("name", ["number", "double"])
def test_ranges_hold_the_share_that_they_state(model: Autoencoder, name: str) -> None:
    new = made.mixed(600, seed=9)
    said = model.explain(new)
    low, high = (part[name].to_numpy() for part in (said.low, said.high))
    values = new[name].to_numpy()
    there = ~np.isnan(values)
    inside = (low <= values) & (values <= high)
    # Nine in ten, less three deviations of a share of 600; more where another column tells the value.
    assert 0.86 <= inside[there].mean() <= 0.99
