"""The contract of every kind of field."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diabolo.data.fields import FIELDS, Field, Real, Symbol
from tests.field_examples import EXAMPLES, values_for


@pytest.fixture(params=FIELDS, ids=lambda kind: kind.kind)
def kind(request: pytest.FixtureRequest) -> type[Field]:
    assert request.param in EXAMPLES, f"add examples of {request.param.__name__} to EXAMPLES"
    return request.param


def test_blocks_cover_the_cell_once(kind: type[Field]) -> None:
    for field in EXAMPLES[kind]:
        times = np.zeros(field.cell)
        for block in field.blocks:
            times[block or ...] += 1
        assert (times == 1).all()


def test_log_prob_if_wrong_has_the_shape_of_values(kind: type[Field]) -> None:
    values = values_for(kind)
    for index, field in enumerate(EXAMPLES[kind]):
        one = values[:, index : index + 1].numpy()
        for alone in (True, False):
            log_q = field.log_prob_if_wrong(one, alone)
            assert log_q.shape[1:] == one.shape and len(log_q) >= 1
            assert np.isfinite(log_q).all()


@pytest.mark.parametrize("index", [0, 1])
def test_masses_of_a_wrong_number_sum_to_one(index: int) -> None:
    field = EXAMPLES[Real][index]
    for alone in (True, False):
        assert np.exp(field.log_prob_if_wrong(field.centres, alone)).sum(1) == pytest.approx(1, abs=1e-6)


def test_masses_of_a_wrong_symbol_sum_to_one() -> None:
    for field in EXAMPLES[Symbol]:
        for alone in (True, False):
            masses = np.exp(field.log_prob_if_wrong(np.arange(len(field.counts)), alone)).sum(1)
            assert masses == pytest.approx(1, abs=1e-6)


def test_a_wrong_number_may_lie_anywhere() -> None:
    field = EXAMPLES[Real][0]
    assert np.isfinite(field.log_prob_if_wrong(np.array([-1e6, 1e6, 0.0]))).all()


def test_redistributed_values_keep_their_bin_and_their_order() -> None:
    field = EXAMPLES[Real][0]
    drawn = torch.linspace(float(field.low[0]), float(field.high[-1]), 1000, dtype=torch.double)
    bins = np.searchsorted(field.edges[1:-1], drawn.numpy(), side="right")
    inside = (drawn.numpy() >= field.low[bins]) & (drawn.numpy() <= field.high[bins])
    moved = field.redistribute(drawn)
    assert np.array_equal(
        np.searchsorted(field.edges[1:-1], moved.numpy(), side="right")[inside], bins[inside]
    )
    assert bool((moved[inside].diff() >= -1e-12).all())
