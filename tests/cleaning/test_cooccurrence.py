"""Counts of values and of pairs of values, against loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.cleaning.texts.cooccurrence import (
    CONCENTRATIONS,
    MAX_CONTEXTS,
    STRIDE,
    Marginal,
    find_contexts,
    group_means,
)

few = settings(deadline=None, max_examples=60)


def draw_rows(
    rng: np.random.Generator, rows: int, values: int, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """A group of each row, -1 for none, and a value that follows from it but for some noise."""
    group = rng.integers(-1, values, rows)
    codes = np.where(rng.random(rows) < noise, rng.integers(0, values, rows), np.maximum(group, 0))
    return codes.astype(np.int64), group.astype(np.int64)


def pairs_of(group: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    keys, where = np.unique(np.maximum(group, 0) * STRIDE + codes, return_inverse=True)
    return keys, where


@few
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 30), st.floats(0, 1))
def test_the_values_of_a_column_have_a_probability_of_one_in_all(
    seed: int, rows: int, values: int, base_of_known: float
) -> None:
    rng = np.random.default_rng(seed)
    codes, right = rng.integers(0, values, rows), rng.random(rows)
    marginal = Marginal.of(codes, right, values)
    base = base_of_known * rng.dirichlet(np.ones(values))
    zeros = np.zeros(values)
    p = marginal.p(np.arange(values), base, zeros, zeros)
    new = float(marginal.p(np.array([values]), np.array([1 - base_of_known]), zeros[:1], zeros[:1])[0])
    assert (p >= 0).all() and p.sum() + new <= 1 + 1e-9
    # What the discount takes off is given to no value: the rest of the mass.
    taken = marginal.discount * np.minimum(marginal.counts, 1).sum() / (marginal.total + marginal.theta)
    assert p.sum() + new == pytest.approx(1 - taken)


def test_a_row_left_out_is_as_if_it_were_not_there() -> None:
    rng = np.random.default_rng(0)
    codes, right = rng.integers(0, 5, 40), rng.random(40)
    marginal = Marginal.of(codes, right, 5)
    for row in range(40):
        rest = np.delete(np.arange(40), row)
        counts = np.bincount(codes[rest], right[rest], 5)
        other = Marginal(counts, marginal.theta, marginal.discount, float(counts.sum()))
        one, base, none = codes[row : row + 1], np.array([0.1]), np.zeros(1)
        found = marginal.p(one, base, right[row : row + 1], right[row : row + 1])
        assert found == pytest.approx(other.p(one, base, none, none))


def test_a_column_that_never_repeats_expects_new_values() -> None:
    different = Marginal.of(np.arange(100), np.ones(100), 100)
    same = Marginal.of(np.zeros(100, int), np.ones(100), 1)
    assert different.theta == 98 and different.discount > 0.9
    assert same.theta == 0.5 and same.discount == 0
    assert Marginal.of(np.zeros(0, int), np.zeros(0), 0).theta == 0.5


@few
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40), st.integers(1, 6))
def test_means_of_groups_leave_the_row_itself_out(seed: int, rows: int, number: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    group, gain, weight = rng.integers(-1, groups, rows), rng.normal(size=rows), rng.random(rows)
    own = rng.integers(-1, rows, number)
    # A row of the fit is asked with its own group; a new row may have one that the fit does not have.
    asked = np.where(own >= 0, group[np.maximum(own, 0)], rng.integers(-1, groups + 2, number))
    sums, counts = group_means(group, gain, weight, asked, own)
    for i in range(number):
        others = [r for r in range(rows) if group[r] == asked[i] and r != own[i] and asked[i] >= 0]
        assert sums[i] == pytest.approx(sum(gain[r] * weight[r] for r in others), abs=1e-9)
        assert counts[i] == pytest.approx(sum(weight[r] for r in others), abs=1e-9)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_contexts_count_the_pairs_of_all_other_rows(noise: float) -> None:
    rng = np.random.default_rng(1)
    codes, group = draw_rows(rng, 120, 6, noise)
    right, right_there = rng.random(120), rng.random(120)
    marginal = Marginal.of(codes, right, 6)
    alone = marginal.p(codes, np.full(120, 0.01), right, right)
    others = {"a": (group, right_there)}
    (context,) = find_contexts(codes, right, marginal, alone, others, {"a": pairs_of(group, codes)})
    own = right * right_there * (group >= 0)
    assert context.name == "a" and context.own == pytest.approx(own)
    fits = []
    for concentration in CONCENTRATIONS:
        gains, logs = [], []
        for row in range(120):
            rest = [r for r in range(120) if r != row and group[r] == group[row] and group[row] >= 0]
            total = sum(own[r] for r in rest)
            pair = sum(own[r] for r in rest if codes[r] == codes[row])
            pair = max(pair - marginal.discount * min(pair, 1), 0)
            given_group = (pair + concentration * alone[row]) / (total + concentration)
            gains.append(np.log(given_group / alone[row]) if group[row] >= 0 else 0.0)
            if total > 0.5:
                logs.append(np.log(given_group) * right[row])
        fits.append(np.mean(logs))
        if concentration == context.concentration:
            assert context.gain == pytest.approx(np.clip(gains, -8, 8))
    assert context.concentration == CONCENTRATIONS[int(np.argmax(fits))]
    for g in range(-1, 8):
        for v in range(7):
            pair, total = context.counts(np.array([g]), np.array([v]))
            assert pair[0] == pytest.approx(own[(group == g) & (codes == v)].sum() if g >= 0 else 0)
            assert total[0] == pytest.approx(own[group == g].sum() if g >= 0 else 0)


def test_only_columns_that_say_something_are_contexts_and_the_best_come_first() -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 6, 300)
    ones, others = np.ones(300), {}
    for number in range(MAX_CONTEXTS + 4):
        noise = number / 40
        group = np.where(rng.random(300) < noise, rng.integers(0, 6, 300), codes)
        others[f"c{number}"] = group, ones
    others["random"] = rng.integers(0, 6, 300), ones
    others["none"] = np.full(300, -1), ones
    others["different"] = np.arange(300), ones
    marginal = Marginal.of(codes, ones, 6)
    alone = marginal.p(codes, np.full(300, 0.01), ones, ones)
    pairs = {name: pairs_of(group, codes) for name, (group, _) in others.items()}
    found = find_contexts(codes, ones, marginal, alone, others, pairs)
    gains = [float(context.gain.mean()) for context in found]
    assert len(found) == MAX_CONTEXTS and gains == sorted(gains, reverse=True)
    assert found[0].name == "c0" and not {"random", "none", "different"} & {c.name for c in found}
