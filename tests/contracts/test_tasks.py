"""Contracts of all tasks: answers are in the caller's dataframe library, row for row."""

from __future__ import annotations

import contextlib
import datetime
import functools
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.tasks import (
    TASKS,
    compare,
    drift,
    generate,
    group,
    identify,
    interpolate,
    match,
    repair,
    traverse,
    verify,
    violations,
)
from tests import made


def drawn(model: Autoencoder, data: Any) -> Any:
    """Fill missing values with samples, which do not depend on other rows."""
    return repair(model, data, value="draw", seed=3)


# All other tasks return lines for each row: `generate` has no rows as input, the others are about pairs of
# rows, about columns, about the rows that violate rules, or about images with labels.
OF_OTHERS = (generate, interpolate, compare, drift, violations, verify, identify, group)
OF_ROWS = [*(task for task in TASKS if task not in OF_OTHERS), drawn]
OPTIONS: dict[Any, dict[str, Any]] = {
    match: {"gallery": made.mixed(60, seed=2)},
    traverse: {"axis": 1, "steps": 3},
}


def alike(one: list[Any], other: list[Any]) -> bool:
    """Return whether values are equal up to the rounding of 32-bit numbers, also of dates, in seconds."""

    def agree(a: Any, b: Any) -> bool:
        if isinstance(a, float) and isinstance(b, float):
            return abs(a - b) <= 1e-4 * max(1, abs(a)) or (a != a and b != b)
        if isinstance(a, datetime.datetime) and isinstance(b, datetime.datetime):
            return abs(a - b) < datetime.timedelta(minutes=2)
        if isinstance(a, str) and isinstance(b, str):
            with contextlib.suppress(ValueError):
                return agree(float(a), float(b))
            with contextlib.suppress(ValueError):
                return agree(datetime.datetime.fromisoformat(a), datetime.datetime.fromisoformat(b))
        return bool(a == b)

    return len(one) == len(other) and all(agree(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(params=OF_ROWS, ids=lambda task: task.__name__)
def task(request: pytest.FixtureRequest) -> Any:
    return functools.partial(request.param, **OPTIONS.get(request.param, {}))


@pytest.fixture
def model(task: Any, model: Autoencoder, models: dict[str, Autoencoder]) -> Autoencoder:
    """The default model; one with a bottleneck where it is needed."""
    return models["vanilla"] if task.func is traverse else model


@pytest.mark.parametrize("library", made.LIBRARIES)
def test_answers_in_the_library_of_the_question(
    task: Any, model: Autoencoder, fresh: pa.Table, library: str
) -> None:
    answer = task(model, made.as_library(fresh, library))
    frame = answer.to_frame()
    assert made.library_of(frame) == library
    plain = task(model, fresh).to_frame()
    names = list(frame.columns) if library != "pyarrow" else frame.column_names
    assert names == plain.column_names
    if library == "pandas":
        # A pandas column of whole numbers or flags with missing values holds floats or objects.
        names = [n for n in names if n not in ("observed", "count", "flag")]
    for name in names:
        got, wanted = made.values_of(frame, name), made.values_of(plain, name)
        assert alike(got, wanted), name


def test_mappings_are_answered_in_arrow(task: Any, model: Autoencoder, fresh: pa.Table) -> None:
    answer = task(model, fresh.to_pydict())
    assert isinstance(answer.to_frame(), pa.Table)
    assert answer.to_frame().equals(answer.to_arrow())


def test_the_pandas_index_is_kept(task: Any, model: Autoencoder, fresh: pa.Table) -> None:
    frame = fresh.to_pandas()
    frame.index = pd.Index([f"row {i}" for i in range(len(frame))], name="where")
    answer = task(model, frame)
    if len(answer.to_frame()) > len(frame):
        # It has many lines for a row: `row` counts from 0, as `rows` does.
        assert answer.to_frame()["row"].unique().tolist() == list(range(len(frame)))
    else:
        assert answer.to_frame().index.equals(frame.index)
        assert answer.to_frame().index.name == "where"


def test_the_data_is_left_as_it_was(task: Any, model: Autoencoder, fresh: pa.Table) -> None:
    frame = fresh.to_pandas()
    before = frame.copy(deep=True)
    task(model, frame).to_frame()
    pd.testing.assert_frame_equal(frame, before)


def test_rows_follow_the_order_of_the_question(task: Any, model: Autoencoder, fresh: pa.Table) -> None:
    order = np.random.default_rng(5).permutation(fresh.num_rows)
    straight, turned = task(model, fresh).to_arrow(), task(model, fresh.take(pa.array(order))).to_arrow()
    lines = straight.num_rows // fresh.num_rows
    place = (order[:, None] * lines + np.arange(lines)).ravel()
    for name in straight.column_names:
        one, other = straight[name].take(pa.array(place)).to_pylist(), turned[name].to_pylist()
        if name == "row":
            assert other == np.repeat(np.arange(fresh.num_rows), lines).tolist()
        else:
            assert alike(one, other), name


def test_one_row_is_enough(task: Any, model: Autoencoder, fresh: pa.Table) -> None:
    whole, alone = task(model, fresh).to_arrow(), task(model, fresh.slice(11, 1)).to_arrow()
    lines = whole.num_rows // fresh.num_rows
    assert alone.num_rows == lines
    for name in alone.column_names:
        one, other = alone[name].to_pylist(), whole[name].slice(11 * lines, lines).to_pylist()
        assert name == "row" or alike(one, other), name


def test_new_columns_and_their_order_do_not_matter(task: Any, model: Autoencoder, fresh: pa.Table) -> None:
    turned = fresh.select(fresh.column_names[::-1]).append_column("new", pa.array(np.arange(120)))
    one, other = task(model, fresh).to_arrow(), task(model, turned).to_arrow()
    assert set(one.column_names) <= set(other.column_names)
    for name in one.column_names:
        assert alike(one[name].to_pylist(), other[name].to_pylist()), name


def test_a_series_is_answered_row_for_row(task: Any, channels_model: Autoencoder) -> None:
    table = made.two_channels(seed=3)
    if task.func is traverse:
        pytest.skip("a series is not decoded from coordinates")
    if task.func is drawn:
        pytest.skip("a series is not sampled column by column")
    if task.func is match:
        task = functools.partial(match, gallery=table.slice(100, 300))
    order = np.random.default_rng(0).permutation(table.num_rows)
    straight = task(channels_model, table).to_arrow()
    turned = task(channels_model, table.take(pa.array(order))).to_arrow()
    lines = straight.num_rows // table.num_rows
    assert straight.num_rows == lines * table.num_rows
    place = (order[:, None] * lines + np.arange(lines)).ravel()
    for name in straight.column_names:
        one, other = straight[name].take(pa.array(place)).to_pylist(), turned[name].to_pylist()
        assert name == "row" or alike(one, other), name
