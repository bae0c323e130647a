"""Dependencies that are in the data are found, and none where there are none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from diabolo.cleaning.rules.search import MAX_FOUND, find_rules
from diabolo.datasets import adults
from tests.cleaning.made_rules import changed, orders, read


def texts_of(table: dict[str, pa.Array]) -> set[str]:
    return {rule.text for rule in find_rules(read(table))}


PLANTED = {
    *("net + tax = gross", "provider -> size", "size -> provider", "provider -> city", "start <= end"),
}


def test_planted_rules_are_found_and_no_others() -> None:
    assert texts_of(orders()) == PLANTED


@pytest.mark.parametrize("seed", [1, 2])
def test_they_are_found_in_data_with_errors(seed: int) -> None:
    table, rng = orders(seed=seed), np.random.default_rng(seed)
    for name in ("city", "gross", "size"):
        rows = rng.choice(400, 8, replace=False).tolist()
        table = changed(table, name, {row: table[name][400 - 1 - row].as_py() for row in rows})
    assert texts_of(table) == PLANTED
    found = {rule.text: rule for rule in find_rules(read(table))}
    assert 390 <= found["net + tax = gross"].holds <= 394


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_found_in_random_data(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 300
    common = rng.normal(size=rows)
    table = {
        **{f"label {i}": pa.array(rng.choice(list("abcdefghij")[: i + 2], rows)) for i in range(6)},
        **{f"count {i}": pa.array(rng.poisson(i + 1, rows)) for i in range(4)},
        **{f"number {i}": pa.array((common + rng.normal(size=rows)).round(2)) for i in range(6)},
        "id": pa.array([f"id {i}" for i in range(rows)]),
        "rare": pa.array(np.where(rng.random(rows) < 0.01, "yes", "no")),
        "zeros": pa.array(np.where(rng.random(rows) < 0.03, rng.gamma(2, 9, rows), 0).round()),
        "constant": pa.array(["kg"] * rows),
    }
    assert texts_of(table) == set()


def test_what_follows_from_other_rules_is_left_out() -> None:
    rng = np.random.default_rng(0)
    street = rng.integers(0, 60, 600)
    table = {
        "street": pa.array([f"street {i}" for i in street]),
        "city": pa.array([f"city {i // 5}" for i in street]),
        "country": pa.array([f"country {i // 20}" for i in street]),
        "code": pa.array([f"{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in street]),
    }
    wanted = {"street -> code", "code -> street", "street -> city", "city -> country"}
    assert texts_of(table) == wanted


def test_equal_columns_are_said_to_be_equal() -> None:
    rng = np.random.default_rng(0)
    value = rng.integers(0, 40, 300)
    table = {"value": pa.array(value), "again": pa.array(np.where(rng.random(300) < 0.02, 7, value))}
    assert texts_of(table) == {"value = again"}


def test_the_sum_of_three_is_found_and_rounded_numbers_add_up() -> None:
    rng = np.random.default_rng(0)
    parts = rng.gamma(2, 40, (3, 300))
    table = {f"part {i}": pa.array(part.round(1)) for i, part in enumerate(parts)}
    assert texts_of({**table, "all": pa.array(parts.sum(0).round(1))}) >= {"part 0 + part 1 + part 2 = all"}


def test_sums_of_numbers_that_are_not_rounded_are_found() -> None:
    rng = np.random.default_rng(0)
    one, two, three = 1e7 * rng.gamma(2, 4, (3, 300))
    table = {"one": one, "two": two, "three": three, "all": one + (two + three)}
    found = texts_of({name: pa.array(values) for name, values in table.items()})
    assert found >= {"one + two + three = all"}


def test_numbers_apart_or_alike_are_not_in_order() -> None:
    rng = np.random.default_rng(0)
    size = rng.normal(100, 20, 400)
    table = {"small": size / 10, "large": size, "other": size + rng.normal(12, 5, 400)}
    assert texts_of({name: pa.array(values.round(2)) for name, values in table.items()}) == set()
    lowest = size - rng.exponential(5, 400)
    assert texts_of({"min": pa.array(lowest.round(2)), "max": pa.array(size.round(2))}) == {"min <= max"}


def test_the_number_of_rules_is_bounded() -> None:
    rng = np.random.default_rng(0)
    base = [rng.integers(0, 12, 300) for _ in range(30)]
    table = {f"a{i}": pa.array([f"v{x}" for x in values]) for i, values in enumerate(base)}
    table |= {f"b{i}": pa.array([f"w{x}" for x in values]) for i, values in enumerate(base)}
    pairs = {frozenset(rule.columns) for rule in find_rules(read(table))}
    assert len(pairs) == MAX_FOUND


def test_the_adults_have_one_pair_of_rules() -> None:
    table = adults()
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    assert texts_of(columns) == {"education -> education-num", "education-num -> education"}
