"""What single kinds of columns do besides what all promise."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from diabolo.data.columns import Boolean, Category, Column, Datetime, Number, Window
from diabolo.errors import ColumnError
from tests.contracts.test_columns import MADE


def test_unseen_labels_share_symbol_0() -> None:
    fitted = Category().fit(pa.array(["a", "b", "a"]), "x")
    ((symbol, visible),) = fitted.encode(pa.array(["c", "a", None, "d"]), "x")
    assert symbol[[0, 3]].tolist() == [0, 0] and symbol[1] == 1
    assert visible.tolist() == [True, True, False, True]
    assert fitted.decode([np.array([1, 2])]).to_pylist() == ["a", "b"]


def test_very_many_labels_share_symbols() -> None:
    labels = [f"common{i}" for i in range(192) for _ in range(3)] + [f"rare{i}" for i in range(5_000)]
    fitted = Category().fit(pa.array(labels), "x")
    assert len(fitted.levels) == 5_192 and len(fitted.counts) == 256
    ((symbol, _),) = fitted.encode(pa.array([f"common{i}" for i in range(192)]), "x")
    assert len(set(symbol.tolist())) == 192
    ((rare, _),) = fitted.encode(pa.array([f"rare{i}" for i in range(5_000)]), "x")
    assert set(rare.tolist()) == set(range(193, 256))


def test_text_that_is_no_number_is_shown() -> None:
    fitted = Number().fit(pa.array([1.0, 2.0]), "age")
    assert fitted.encode(pa.array([" 3 ", "4e1"]), "age")[0][1].all()
    with pytest.raises(ColumnError, match=r"column 'age', row 1: expected a number, got 'old'"):
        fitted.encode(pa.array(["3", "old"]), "age")
    with pytest.raises(ColumnError, match="expected a number"):
        fitted.encode(pa.array([[1], [2]]), "age")


@pytest.mark.parametrize(
    ("kind", "bad"),
    [(Boolean, pa.array(["maybe"])), (Datetime, pa.array(["soon"])), (Category, pa.array([[1]]))],
)
def test_values_of_another_kind_are_refused(kind: type[Column], bad: pa.Array) -> None:
    fitted = kind().fit(MADE[kind][0], "x")
    with pytest.raises(ColumnError, match="column 'x'"):
        fitted.encode(bad, "x")


def test_windows_of_another_length_are_refused() -> None:
    with pytest.raises(ColumnError, match="windows of 8 points"):
        Window().fit(MADE[Window][0], "x").encode(np.zeros((2, 5)), "x")


def test_exact_values_keep_bins_of_their_own() -> None:
    fitted = Number().fit(pa.array([0, 1, 7] * 20), "x")
    assert fitted.counts.tolist() == [20, 20, 20] and np.array_equal(fitted.lows, fitted.highs)
    # A value that is heavy among many others has a bin of its own, too.
    mixed = np.r_[np.zeros(300), np.random.default_rng(0).normal(size=700)]
    heavy = Number().fit(pa.array(mixed), "x")
    middle = (0 - heavy.mean) / heavy.scale
    assert ((heavy.lows == heavy.highs) & np.isclose(heavy.lows, middle) & (heavy.counts == 300)).sum() == 1


def test_dates_use_the_cycles_that_they_span() -> None:
    hourly = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=i) for i in range(24 * 5)]
    assert Datetime().fit(pa.array(hourly), "x").parts == ["hour"]
    long = [datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=i * 31) for i in range(900)]
    assert Datetime().fit(pa.array(long), "x").parts == ["month", "weekday", "hour"]
    assert Datetime(elapsed=False).fit(pa.array(hourly[:3]), "x").fields == ()


def test_digits_after_the_point_are_kept() -> None:
    prices = Number().fit(pa.array([1.25, 3.5, 2.0]), "x")
    assert prices.decode([np.array([0.123456])]).to_pylist()[0] == pytest.approx(
        round(prices.mean + 0.123456 * prices.scale, 2), abs=1e-12
    )
    assert prices.decode([np.array([0.123456])], exact=False).to_pylist()[0] == pytest.approx(
        prices.mean + 0.123456 * prices.scale
    )
