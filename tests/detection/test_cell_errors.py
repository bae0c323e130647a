"""What wrong cells are like: evidence becomes a probability."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.data.fields import Symbol
from diabolo.detection.cell_errors import CellErrorModel
from diabolo.training import error_rates

LEARNT = CellErrorModel(0.05, {"symbol": (0.8, 0.2)}, knots=(-2.0, 0.0, 3.0), log_odds=(-6.0, -3.0, 2.0))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-40, 40), min_size=2, max_size=20), st.sampled_from([CellErrorModel(), LEARNT]))
def test_more_evidence_is_never_less_probable(nats: list[float], faults: CellErrorModel) -> None:
    found = faults.wrong(np.sort(nats))
    assert (np.diff(found) >= 0).all() and ((found >= 0) & (found <= 1)).all()


def test_between_knots_odds_are_interpolated_and_beyond_a_nat_is_a_nat() -> None:
    nats = np.array([-3.0, -2.0, -1.0, 0.0, 3.0, 4.0])
    found = LEARNT.wrong(nats)
    assert np.log(found / (1 - found)) == pytest.approx([-7, -6, -4.5, -3, 2, 3])


def test_without_evidence_a_cell_is_as_wrong_as_any() -> None:
    assert CellErrorModel(0.03).wrong(np.array([0.0, np.nan])) == pytest.approx([0.03, 0.0])


def test_the_ways_are_mixed_by_their_shares() -> None:
    field, values = Symbol(np.array([0, 90, 9, 1])), np.array([1, 3])
    swapped, any_one = np.exp(field.log_prob_if_wrong(values))
    assert np.exp(LEARNT.log_q(field, values, alone=True)) == pytest.approx(0.8 * swapped + 0.2 * any_one)
    assert np.exp(CellErrorModel().log_q(field, values, alone=True)) == pytest.approx((swapped + any_one) / 2)


def test_a_changed_label_is_another_one() -> None:
    # Nine rows in ten hold the first label: exchanged for another one, that is the second.
    field = Symbol(np.array([0, 9_000, 1_000]))
    alone, together = (np.exp(field.log_prob_if_wrong(np.array([1, 2]), alone=a))[0] for a in (True, False))
    assert alone == pytest.approx([0.1, 0.9], abs=0.01)
    assert together == pytest.approx([0.9, 0.1], abs=0.01)


def test_what_was_learnt_survives_json() -> None:
    assert CellErrorModel.from_json(json.loads(json.dumps(LEARNT.to_json()))) == LEARNT
    assert CellErrorModel.from_json(CellErrorModel().to_json()) == CellErrorModel()


def test_a_low_rate_makes_evidence_beyond_all_that_was_observed_weak() -> None:
    planted, observed = np.linspace(-1, 12, 400), np.linspace(-8, 2, 300)
    rare = error_rates._probability_curve(planted, observed, 1e-4)[1]
    common = error_rates._probability_curve(planted, observed, 0.05)[1]
    assert rare[-1] < 0.1 < 0.9 < common[-1]
