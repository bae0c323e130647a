"""Comparisons of two tables find the differences that tables were made with."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo.evaluation import (
    DistanceSpace,
    Table,
    column_similarity,
    nearest_rows,
    pair_similarity,
    privacy_report,
    two_sample_test,
)


def table(rows: int, seed: int, tie: float = 1.0) -> dict[str, np.ndarray]:
    """Two numbers and two labels; all go together as far as `tie` says."""
    random = np.random.default_rng(seed)
    a = random.integers(0, 40, rows).astype(float)
    b = (tie * a + random.normal(0, 6, rows)).round(1)
    city = np.array(["Oslo", "Rome", "Lima", "Bonn"], object)[
        (a.astype(int) // 10 + random.integers(0, 2, rows)) % 4
    ]
    return {
        "a": a,
        "city": city,
        "b": b,
        "yes": np.where(a + random.normal(0, 8, rows) > 25, "yes", "no").astype(object),
    }


def with_missing_values(made: Table) -> dict[str, np.ndarray]:
    return {**made, "b": np.where(made["a"] > 30, np.nan, made["b"])}


def test_a_table_is_like_itself() -> None:
    real = table(500, 0)
    assert set(column_similarity(real, real).values()) == {1.0}
    assert set(pair_similarity(real, real).values()) == {1.0}
    assert len(pair_similarity(real, real)) == 6


def test_the_column_that_differs_is_the_one_that_is_named() -> None:
    real, other = table(2000, 0), table(2000, 1)
    other["b"] = other["b"] + 8
    found = column_similarity(real, other)
    assert min(found, key=lambda name: found[name]) == "b" and found["b"] < 0.8
    assert min(found[name] for name in ("a", "city", "yes")) > 0.94
    result = two_sample_test(real, other, importances=True)
    assert result.auroc > 0.75
    assert max(result.importances, key=lambda name: result.importances[name]) in ("a", "b")
    assert result.n_rows == (2000, 2000)
    assert len(result.rows) == len(result.probabilities) == 2000
    assert two_sample_test(real, other).importances == {}


def test_pairs_that_are_broken_are_the_ones_that_are_named() -> None:
    real, other = table(2000, 0), table(2000, 1)
    other["city"] = np.random.default_rng(0).permutation(other["city"])
    found = pair_similarity(real, other)
    worst = sorted(found, key=lambda pair: found[pair])[:3]
    assert all("city" in pair for pair in worst)
    assert min(column_similarity(real, other).values()) > 0.94  # column by column there is nothing to see
    assert two_sample_test(real, other).auroc > 0.7


def test_a_discriminator_cannot_tell_rows_of_one_source_apart() -> None:
    result = two_sample_test(table(2000, 0), table(1500, 1))
    assert abs(result.auroc - 0.5) < 0.06 and result.n_rows == (2000, 1500)
    assert two_sample_test(table(2000, 0), table(1500, 1)).auroc == result.auroc


def test_missing_values_count() -> None:
    real = table(1000, 0)
    gone = with_missing_values(real)
    assert column_similarity(gone, real)["b"] < 0.8 and column_similarity(real, gone)["b"] < 0.8
    assert pair_similarity(gone, real)["city", "b"] < 0.9
    assert two_sample_test(gone, real).auroc > 0.55
    nothing = {**real, "b": np.full(1000, np.nan)}
    assert column_similarity(real, nothing)["b"] == column_similarity(nothing, real)["b"] == 0
    assert column_similarity(nothing, nothing)["b"] == 1
    assert 0 <= two_sample_test(nothing, real).auroc <= 1


def test_columns_of_one_value() -> None:
    real = {"a": np.ones(60), "b": np.arange(60.0), "c": np.full(60, "x", object)}
    assert set(pair_similarity(real, real).values()) == {1.0}
    assert two_sample_test(real, real, importances=True).importances["c"] == 0


def test_copies_are_found() -> None:
    real, unseen = table(600, 0), table(600, 1)
    order = np.random.default_rng(0).permutation(600)
    copied = {name: values[order] for name, values in real.items()}
    honest, stolen = (privacy_report(real, new, unseen, target="yes") for new in (table(600, 2), copied))
    assert stolen.copies == 1 and honest.copies < 0.05
    assert stolen.distance_to_closest == 0 < honest.distance_to_closest
    assert stolen.closer_to_fit is not None and stolen.closer_to_fit > 0.9
    assert honest.closer_to_fit == pytest.approx(0.5, abs=0.1)
    assert stolen.membership_auroc is not None and stolen.membership_auroc > 0.9
    assert honest.membership_auroc == pytest.approx(0.5, abs=0.1)
    assert stolen.attribute_accuracy > 0.95 > honest.attribute_accuracy
    assert honest.copies_real is not None and honest.copies_real < 0.05
    alone = privacy_report(real, copied, None, target="b")
    assert alone.copies == 1 and alone.membership_auroc is None and alone.target == "b"


def test_rows_with_missing_values_can_be_copies() -> None:
    real = with_missing_values(table(300, 0))
    assert privacy_report(real, real, None, target="b").copies == 1
    gone = {**real, "b": np.full(300, np.nan)}
    assert privacy_report(gone, gone, None, target="b").attribute_accuracy == 1


def test_distances_give_every_column_the_same_weight() -> None:
    real = table(300, 0)
    points = DistanceSpace(real)(real)
    distance, which = nearest_rows(points, points)
    assert (distance == 0).all() and (points[which] == points).all()
    assert nearest_rows(points, points, exclude_self=True)[0].max() > 0
    far = {
        "a": np.array([1e9]),
        "city": np.array(["Paris"], object),
        "b": np.array([np.nan]),
        "yes": real["yes"][:1],
    }
    assert nearest_rows(DistanceSpace(real)(far), points)[0][0] < 4
