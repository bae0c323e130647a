"""Ids and constants of generated rows."""

from __future__ import annotations

import json
import re
import uuid
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diabolo.data.surrogates import SurrogateColumn


def made(values: pa.Array, rows: int = 500, seed: int = 0) -> pa.Array:
    filler = SurrogateColumn.fit(values)
    assert filler is not None
    again = SurrogateColumn.from_json(json.loads(json.dumps(filler.to_json())))
    assert again == filler
    new = again.make(0, rows, seed)
    assert len(new) == rows and new.type == values.type
    return new


def test_whole_numbers_count_on() -> None:
    assert made(pa.array(range(5, 105)), 3).to_pylist() == [105, 106, 107]
    assert made(pa.array(range(105, 5, -1), pa.int32()), 3).to_pylist() == [5, 4, 3]
    assert made(pa.array([900, 7, 81]), 2).to_pylist() == [901, 902]


def test_constants_and_missing_values_stay() -> None:
    assert set(made(pa.array([2.5] * 30)).to_pylist()) == {2.5}
    partly_missing = made(pa.array(["kg", None] * 50), 1000)
    assert set(partly_missing.to_pylist()) == {"kg", None} and 400 < partly_missing.null_count < 600
    assert set(made(pa.array([True] * 9)).to_pylist()) == {True}


def test_ids_look_like_those_of_the_fit() -> None:
    random = np.random.default_rng(0)
    batch = [f"K{random.integers(10**5):05d}-{'xyz'[i % 3]}" for i in range(400)]
    new = made(pa.array(batch), 5000).to_pylist()
    assert len(set(new)) == 5000 and all(re.fullmatch(r"K\d{5}-[xyz]", code) for code in new)
    # Neighbours are not similar, and another seed gives others.
    assert np.mean([a[1] == b[1] for a, b in pairwise(new)]) < 0.5
    assert len(set(new) & set(made(pa.array(batch), 5000, seed=1).to_pylist())) < 1000
    for one in made(pa.array([str(uuid.UUID(bytes=random.bytes(16))) for _ in range(300)])).to_pylist():
        assert uuid.UUID(one)


def test_too_few_ids_become_longer() -> None:
    new = made(pa.array(["a1", "b2", "a3", "b1"]), 900).to_pylist()
    assert len(set(new)) == 900 and all(re.fullmatch(r"[ab][123]\d+", code) for code in new)


def test_batches_have_ids_of_their_own() -> None:
    filler = SurrogateColumn.fit(pa.array([f"{i:08d}" for i in range(0, 10**8, 10**5 + 1)]))
    assert filler is not None
    parts = [filler.make(start, 1000, 3).to_pylist() for start in (0, 1000, 2000)]
    assert len({v for part in parts for v in part}) == 3000


@pytest.mark.parametrize("values", [pa.array([1.5, 2.5]), pa.array(["", ""] + ["a" * 300, "b" * 300] * 9)])
def test_others_are_not_made(values: pa.Array) -> None:
    assert SurrogateColumn.fit(values) is None


@given(st.lists(st.text(min_size=3, max_size=6), min_size=2, max_size=20, unique=True), st.integers(1, 300))
def test_ids_always_differ(texts: list[str], rows: int) -> None:
    filler = SurrogateColumn.fit(pa.array(texts))
    if filler is not None:
        new = filler.make(0, rows, 0).to_pylist()
        assert len(set(new)) == rows
