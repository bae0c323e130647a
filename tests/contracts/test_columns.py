"""What every kind of column promises."""

from __future__ import annotations

import datetime
import json
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diabolo.data.columns import COLUMNS, Boolean, Category, Column, Datetime, Image, Number, Text, Window
from diabolo.data.columns.image import to_images
from diabolo.errors import ColumnError

quick = settings(max_examples=25, deadline=None, derandomize=True)


def moments(count: int) -> list[datetime.datetime | None]:
    start = datetime.datetime(2023, 1, 1)
    return [None if i % 11 == 5 else start + datetime.timedelta(hours=9 * i) for i in range(count)]


# kind -> values that are of this kind and of no other.
MADE: dict[type[Column], list[Any]] = {
    Window: [
        np.sin(np.arange(40.0)).reshape(5, 8),
        np.where(np.arange(12.0) == 3, np.nan, np.arange(12.0)).reshape(3, 4),
    ],
    Image: [
        to_images(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), "x"),
        to_images(np.arange(120, dtype=np.int16).reshape(2, 4, 5, 3) - 60, "x"),
        to_images(np.linspace(0, 1, 90).reshape(2, 3, 3, 5), "x"),
        to_images(np.where(np.arange(40) == 7, np.nan, np.arange(40.0)).reshape(2, 4, 5), "x"),
        to_images(np.arange(60, dtype=np.float16).reshape(3, 4, 5), "x").take(pa.array([2, None, 0])),
    ],
    Boolean: [pa.array([True, False, None, True])],
    Datetime: [
        pa.array(moments(900), pa.timestamp("us")),
        pa.array(moments(30), pa.timestamp("ns")),
        pa.array(moments(30), pa.timestamp("ms", "UTC")),
        pa.array(moments(30), pa.timestamp("s", "Europe/Oslo")),
        pa.array([datetime.date(2024, 2, 29), None, datetime.date(1969, 12, 31)], pa.date32()),
        pa.array([datetime.date(2024, 2, 29), None, datetime.date(1969, 12, 31)], pa.date64()),
    ],
    Number: [
        pa.array([1.5, -2.0, None, 3.25]),
        pa.array([1, 2, None, 127], pa.int8()),
        pa.array([-(2**31), 2**31 - 1, 0], pa.int32()),
        pa.array([0, 255, 17], pa.uint8()),
        pa.array([3, 1, 4, None, 5], pa.int64()),
        pa.array([0.5, 0.25, None], pa.float32()),
        pa.array([1.25, 2.5], pa.float64()).cast(pa.decimal128(8, 2)),
    ],
    Text: [
        pa.array([f"AB-{i:04d}" for i in range(40)]),
        pa.array([None, *(f"{'x' * (i % 7 + 1)} no. {i}" for i in range(30))], pa.large_string()),
        pa.array(["", *(chr(65 + i) * (i + 1) + "ä" * i for i in range(25))], pa.string_view()),
        pa.array([f"words that go on, and on; {'more ' * i}" for i in range(20)]),
    ],
    Category: [
        pa.array(["a", "b", None, "a"]),
        pa.array(["a", "b", None], pa.large_string()),
        pa.array(["a", "b", None], pa.string_view()),
        pa.array(["x", None, "y", "x"]).dictionary_encode(),
        pa.array(["x", "y"], pa.large_string()).dictionary_encode(),
        pa.array([datetime.time(9, 30), None, datetime.time(17)], pa.time64("us")),
        pa.array(["", " ", "å", "日本", "a\n"]),
    ],
}
CASES = [(kind, values) for kind in COLUMNS for values in MADE.get(kind, [])]


def named(case: Any) -> str:
    return getattr(case, "__name__", None) or str(getattr(case, "type", None) or getattr(case, "shape", ""))


def same(one: Any, other: Any) -> bool:
    return json.dumps(one.to_json(), sort_keys=True) == json.dumps(other.to_json(), sort_keys=True)


def plain(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else pa.array(values).to_pylist()


def test_every_kind_is_tried() -> None:
    assert set(MADE) == set(COLUMNS)


@pytest.mark.parametrize(("kind", "values"), CASES, ids=named)
def test_one_kind_claims_it(kind: type[Column], values: Any) -> None:
    assert [k for k in COLUMNS if k.claims(values)] == [kind]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1], [2]]),
        pa.array([{"a": 1}]),
        pa.array([b"x"]),
        pa.nulls(3),
        pa.array([datetime.timedelta(1)]),
        np.zeros(3),
    ],
    ids=named,
)
def test_nobody_claims_what_has_no_kind(values: Any) -> None:
    assert not [k for k in COLUMNS if k.claims(values)]


@pytest.mark.parametrize(("kind", "values"), CASES, ids=named)
def test_fit_leaves_the_instance_as_it_was(kind: type[Column], values: Any) -> None:
    blank = kind()
    before = json.dumps(blank.to_json(), sort_keys=True)
    fitted = blank.fit(values, "x")
    assert json.dumps(blank.to_json(), sort_keys=True) == before
    assert fitted is not blank
    # Fitting again starts anew, and gives the same.
    assert same(fitted.fit(values, "x"), fitted)


@pytest.mark.parametrize(("kind", "values"), CASES, ids=named)
def test_encoding_fills_the_fields(kind: type[Column], values: Any) -> None:
    fitted = kind().fit(values, "x")
    parts = fitted.encode(values, "x")
    assert len(parts) == len(fitted.fields)
    for field, (value, visible) in zip(fitted.fields, parts, strict=True):
        assert value.shape == visible.shape == (len(values), *field.cell)
        assert visible.dtype == bool
        assert value.dtype == (np.int64 if field.kind == "symbol" else np.float32)
        assert np.isfinite(value).all()
        if field.kind == "symbol":
            assert value.min() >= 0 and value.max() < len(field.counts)


@pytest.mark.parametrize(("kind", "values"), CASES, ids=named)
def test_missing_values_are_found(kind: type[Column], values: Any) -> None:
    missing = (
        np.isnan(values)
        if isinstance(values, np.ndarray)
        else kind().missing(values)
        if kind is Image
        else values.is_null().to_numpy(zero_copy_only=False)
    )
    for _, visible in kind().fit(values, "x").encode(values, "x"):
        assert np.array_equal(visible, ~missing)


@pytest.mark.parametrize(("kind", "values"), CASES, ids=named)
def test_decoding_gives_back_what_was_encoded(kind: type[Column], values: Any) -> None:
    fitted = kind().fit(values, "x")
    back = fitted.decode([value for value, _ in fitted.encode(values, "x")])
    assert len(back) == len(values)
    if not kind.predicts_values:  # what comes back is like the value: its fields are the same
        again = fitted.encode(back, "x")
        for (wanted, visible), (got, _) in zip(fitted.encode(values, "x"), again, strict=True):
            assert np.array_equal(got[visible], wanted[visible])
        return
    for got, wanted in zip(plain(back), plain(values), strict=True):
        if isinstance(wanted, list):
            assert np.allclose(
                np.array(got)[~np.isnan(wanted)], np.array(wanted)[~np.isnan(wanted)], atol=1e-5
            )
        elif isinstance(wanted, datetime.datetime):
            assert abs(got - wanted) < datetime.timedelta(seconds=5)
        elif isinstance(wanted, datetime.date | datetime.time):
            assert got == wanted
        elif wanted is not None:
            assert got == wanted or got == pytest.approx(float(wanted), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("kind", "values"), CASES, ids=named)
def test_decoding_gives_back_the_type(kind: type[Column], values: Any) -> None:
    fitted = kind().fit(values, "x")
    back = fitted.decode([value for value, _ in fitted.encode(values, "x")])
    if isinstance(values, np.ndarray):
        assert isinstance(back, np.ndarray) and back.dtype == float
        return
    wanted = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    # Decimals and views come back as the plain types that hold the same values.
    plainer = {pa.string_view(): pa.string(), pa.decimal128(8, 2): pa.float64()}
    assert back.type == plainer.get(wanted, wanted)


@pytest.mark.parametrize(("kind", "values"), CASES, ids=named)
def test_survives_json(kind: type[Column], values: Any) -> None:
    fitted = kind().fit(values, "x")
    state = json.loads(json.dumps(fitted.to_json(), allow_nan=False))
    assert state.pop("kind") == kind.kind
    again = kind(**state)
    assert same(again, fitted)
    for one, other in zip(again.encode(values, "x"), fitted.encode(values, "x"), strict=True):
        assert np.array_equal(one[0], other[0]) and one[0].dtype == other[0].dtype
        assert np.array_equal(one[1], other[1])
    assert again.describe() == fitted.describe()
    assert len(again.fields) == len(fitted.fields)


@pytest.mark.parametrize(("kind", "values"), CASES, ids=named)
def test_describes_itself(kind: type[Column], values: Any) -> None:
    assert kind().fit(values, "x").describe()


@pytest.mark.parametrize("kind", [k for k in COLUMNS if k is not Boolean], ids=named)
def test_nothing_to_learn_is_said(kind: type[Column]) -> None:
    nothing = {
        Window: np.full((2, 3), np.nan),
        Image: to_images(np.full((2, 3, 3), np.nan), "x"),
        Datetime: pa.nulls(3, pa.timestamp("us")),
        Number: pa.array([None, float("nan"), float("inf")]),
        Text: pa.nulls(3, pa.string()),
        Category: pa.nulls(3, pa.string()),
    }[kind]
    with pytest.raises(ColumnError, match="'x'") as caught:
        kind().fit(nothing, "x")
    assert caught.value.hint and caught.value.column == "x"


numbers = st.lists(st.none() | st.floats(width=64), min_size=1, max_size=60).filter(
    lambda xs: any(x is not None and np.isfinite(x) for x in xs)
)


@quick
@given(numbers)
def test_any_floats_can_be_numbers(values: list[float | None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        column = pa.array(values, pa.float64())
        fitted = Number().fit(column, "x")
        json.dumps(fitted.to_json(), allow_nan=False)
        ((value, visible),) = fitted.encode(column, "x")
        back = fitted.decode([value]).to_pylist()
    assert visible.tolist() == [v is not None and not np.isnan(v) for v in values]
    assert np.isfinite(value).all()
    known = [v for v in values if v is not None and np.isfinite(v)]
    spread = max(known) - min(known) if len(known) > 1 else 0.0
    for got, wanted in zip(back, values, strict=True):
        if wanted is not None and np.isfinite(wanted):
            assert abs(got - wanted) <= 1e-5 * spread + 1e-9 * max(1.0, abs(wanted))
    for z, wanted in zip(value, values, strict=True):
        if wanted is not None and np.isinf(wanted):
            # An infinity is a value far outside, on its own side.
            assert z == np.sign(wanted) * 1e6
    field = fitted.fields[0]
    assert field.counts.sum() == len(known)
    assert (np.diff(field.edges) >= 0).all() and (field.low <= field.high).all()
    assert len(field.edges) == len(field.counts) + 1


whole = st.sampled_from(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])


@quick
@given(st.data(), whole)
def test_any_whole_numbers_can_be_numbers(data: st.DataObject, name: str) -> None:
    ends = np.iinfo(name)
    number = st.sampled_from([int(ends.min), int(ends.max)]) | st.integers(int(ends.min), int(ends.max))
    values = data.draw(
        st.lists(st.none() | number, min_size=1, max_size=40).filter(lambda v: any(x is not None for x in v))
    )
    column = pa.array(values, getattr(pa, name)())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = Number().fit(column, "x")
        ((value, visible),) = fitted.encode(column, "x")
        back = fitted.decode([value])
    assert back.type == column.type
    assert visible.tolist() == [v is not None for v in values]
    known = [v for v in values if v is not None]
    for got, wanted in zip(back.to_pylist(), values, strict=True):
        if wanted is not None:
            exact = max(abs(v) for v in known) <= 1_000_000
            assert got == wanted if exact else abs(got - wanted) <= 1e-5 * max(map(abs, known))


@quick
@given(
    st.lists(st.none() | st.text(max_size=12), min_size=1, max_size=50).filter(
        lambda v: any(x is not None for x in v)
    )
)
def test_any_text_can_be_labels(values: list[str | None]) -> None:
    column = pa.array(values, pa.string())
    fitted = Category().fit(column, "x")
    ((symbol, visible),) = fitted.encode(column, "x")
    back = fitted.decode([symbol]).to_pylist()
    assert [b for b, v in zip(back, values, strict=True) if v is not None] == [
        v for v in values if v is not None
    ]
    assert visible.tolist() == [v is not None for v in values]
    assert fitted.counts.sum() == sum(visible) and fitted.counts[0] == 0


@quick
@given(
    st.lists(
        st.none() | st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2250, 1, 1)),
        min_size=1,
        max_size=40,
    ).filter(lambda v: any(x is not None for x in v))
)
def test_any_moments_can_be_dates(values: list[datetime.datetime | None]) -> None:
    column = pa.array(values, pa.timestamp("us"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = Datetime().fit(column, "x")
        parts = fitted.encode(column, "x")
        back = fitted.decode([value for value, _ in parts]).to_pylist()
    known = [v for v in values if v is not None]
    slack = (max(known) - min(known)) * 1e-5 + datetime.timedelta(seconds=1)
    for got, wanted in zip(back, values, strict=True):
        assert wanted is None or abs(got - wanted) <= slack
    for part, (symbol, visible) in zip(fitted.parts, parts[1:], strict=True):
        assert symbol[visible].min() >= 1 and symbol[visible].max() < len(fitted.counts[part])


@quick
@given(
    arrays(np.float64, (6, 4), elements=st.floats(-1e9, 1e9) | st.just(np.nan)).filter(
        lambda a: np.isfinite(a).any()
    )
)
def test_any_numbers_can_be_windows(values: np.ndarray) -> None:
    # The points that `fit` looks at: the first one of each window, and all of the last.
    if not np.isfinite(np.r_[values[:, 0], values[-1]]).any():
        return
    fitted = Window().fit(values, "x")
    ((value, visible),) = fitted.encode(values, "x")
    assert np.array_equal(visible, ~np.isnan(values)) and np.isfinite(value).all()
    # Beyond a million deviations, values are clipped.
    near = visible & (np.abs(value) < 1e6)
    # Points that it does not look at may have more digits: windows that overlap have none such.
    back = fitted.decode([value], exact=False)
    assert np.allclose(back[near], values[near], rtol=1e-5, atol=1e-5 * max(fitted.scale, abs(fitted.mean)))
