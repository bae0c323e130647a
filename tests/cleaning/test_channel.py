"""The noisy channel of one column: small parts, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diabolo.cleaning.texts.channel import (
    EM_STEPS,
    MIN_PRIOR_ROWS,
    SHARE_ROWS,
    USUAL_SHARES,
    WAYS,
    Evidence,
    Rates,
    fit_rates,
    rows_with,
)
from tests.cleaning.made_tables import checks, places


def evidence(p: np.ndarray, ways: np.ndarray) -> Evidence:
    return Evidence(p, ways, np.full(len(p), -1))


@given(st.lists(st.integers(0, 6), max_size=20), st.lists(st.integers(0, 8), max_size=10))
def test_rows_with_a_value_are_found_for_each_wanted_one(codes: list[int], wanted: list[int]) -> None:
    rows, position = rows_with(np.array(codes, dtype=np.int64), np.array(wanted, dtype=np.int64))
    found = sorted(zip(position.tolist(), rows.tolist(), strict=True))
    assert found == [(i, r) for i, w in enumerate(wanted) for r, c in enumerate(codes) if c == w]


def test_the_usual_shares_are_of_all_ways() -> None:
    assert len(USUAL_SHARES) == len(WAYS) and USUAL_SHARES.sum() == pytest.approx(1)


@pytest.mark.parametrize("wrong", [0, 20, 100])
def test_the_rate_of_errors_is_learnt(wrong: int) -> None:
    """Of 1,000 cells, some are a million times likelier as typing errors than as right values."""
    p, ways = np.full(1_000, 0.1), np.full((1_000, 5), 1e-7)
    p[:wrong], ways[:wrong, 0] = 1e-8, 1e-2
    rates = fit_rates(evidence(p, ways), Rates(0.02, USUAL_SHARES))
    prior_rows = max(MIN_PRIOR_ROWS, 100.0)
    assert rates.rate == pytest.approx((wrong + 0.02 * prior_rows) / (1_000 + prior_rows), rel=0.01)
    shares = (np.eye(5)[0] * wrong + USUAL_SHARES * SHARE_ROWS) / (wrong + SHARE_ROWS)
    assert rates.shares == pytest.approx(shares, rel=0.01) and EM_STEPS >= 10


@given(st.integers(0, 1_000), st.integers(1, 50))
def test_rates_are_probabilities(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    p, ways = 10 ** rng.uniform(-300, 0, rows), 10 ** rng.uniform(-300, 0, (rows, 5))
    rates = fit_rates(evidence(p, ways), Rates(0.01, USUAL_SHARES))
    assert 0 < rates.rate < 1 and (rates.shares > 0).all() and rates.shares.sum() == pytest.approx(1)


def test_what_is_known_of_cells_are_probabilities() -> None:
    texts = checks(places(300)).texts
    for name in texts.table.values:
        channel = texts.judged(name).channel
        assert channel.shares.sum() == pytest.approx(1) and 0 < channel.resemblance < 1
        weights = channel.weights(channel.reference)
        assert weights.sum(1) == pytest.approx(1) and (weights >= 0).all()
        found = channel.evidence(channel.reference)
        assert (found.p > 0).all() and (found.p <= 1 + 1e-9).all()
        assert (found.ways > 0).all() and (found.ways <= 1 + 1e-9).all()


def test_the_other_values_of_a_row_have_a_probability_of_at_most_one_in_all() -> None:
    texts = checks(places(300)).texts
    channel = texts.judged("city").channel
    rows, number = channel.reference, len(channel.values)
    weights = channel.weights(rows)
    p = np.stack([channel.p_of(rows, np.full(len(rows.codes), v), weights) for v in range(number)], 1)
    held = np.arange(number) == rows.codes[:, None]
    assert (p >= 0).all() and (np.where(held, 0, p).sum(1) < 0.1).all() and (p[held] > 0.9).all()
