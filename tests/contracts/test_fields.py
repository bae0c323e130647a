"""What every kind of field promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diabolo.data.columns.number import make_bins
from diabolo.data.fields import FIELDS, Curve, Field, Picture, Reading, Real, Symbol
from diabolo.utils.torch_state import forked_rng

ROWS, WIDTH = 5, 12


def real(seed: int, exact: bool) -> Real:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3, 200).astype(float) if exact else rng.normal(size=200)
    return Real(*make_bins((values - values.mean()) / values.std()))


MADE: dict[type[Field], list[Any]] = {
    Real: [real(0, False), real(1, True), real(2, False)],
    Symbol: [Symbol(np.array([0.0, 5, 9])), Symbol(np.array([0.0, 3, 3, 3, 2, 6, 1, 2]), circular=True)],
    Curve: [Curve(8), Curve(8, -2.0, 5.0)],
    Picture: [Picture((3, 4, 5)), Picture((3, 4, 5), -2.0, 5.0)],
}


def values_for(kind: type[Field]) -> Tensor:
    with forked_rng(0):
        if kind is Symbol:
            return torch.stack([torch.randint(0, len(f.counts), (ROWS,)) for f in MADE[kind]], 1)
        return torch.randn(ROWS, len(MADE[kind]), *MADE[kind][0].cell)


@pytest.fixture(params=FIELDS, ids=lambda kind: kind.kind)
def kind(request: pytest.FixtureRequest) -> type[Field]:
    assert request.param in MADE, f"say in MADE what a {request.param.__name__} looks like"
    return request.param


@pytest.fixture(params=[False, True], ids=["means", "full"])
def reading(request: pytest.FixtureRequest) -> Reading:
    return Reading(embedding=4, full=request.param)


@pytest.fixture
def modules(kind: type[Field], reading: Reading) -> Any:
    with forked_rng(0):
        stem = kind.stem(MADE[kind], reading)
        return stem, kind.head(MADE[kind], WIDTH, stem, reading)


def test_stem_has_the_width_it_says(kind: type[Field], modules: Any) -> None:
    values = values_for(kind)
    assert modules[0](values, torch.ones_like(values, dtype=torch.bool)).shape == (ROWS, modules[0].width)


def test_a_hidden_cell_says_only_that_it_is_hidden(kind: type[Field], modules: Any) -> None:
    stem, values = modules[0], values_for(kind)
    everything = torch.ones_like(values, dtype=torch.bool)
    visible = everything.clone()
    visible[:, 0] = False
    other = values.clone()
    other[:, 0] = values[:, 0].roll(1, 0) if kind is Symbol else values[:, 0] + 3
    other[0, 0] = (values[0, 0] + 1) % 3
    assert torch.equal(stem(values, visible), stem(other, visible))
    assert not torch.equal(stem(values, everything), stem(other, everything))
    assert not torch.equal(stem(values, visible), stem(values, everything))


def test_rows_are_read_one_by_one(kind: type[Field], modules: Any) -> None:
    values = values_for(kind)
    visible = torch.ones_like(values, dtype=torch.bool)
    together = modules[0](values, visible)
    for row in range(ROWS):
        alone = modules[0](values[row : row + 1], visible[row : row + 1])
        assert torch.allclose(alone[0], together[row], atol=1e-6)


def test_head_predicts_every_cell(kind: type[Field], modules: Any) -> None:
    values = values_for(kind)
    with forked_rng(1):
        likelihood = modules[1](torch.randn(ROWS, WIDTH))
    assert likelihood.batch_shape == values.shape
    assert likelihood.log_prob(values).shape == values.shape
    assert torch.isfinite(likelihood.log_prob(values)).all()
    assert likelihood.mean.shape == values.shape


def test_blocks_cover_the_cell_once(kind: type[Field]) -> None:
    for field in MADE[kind]:
        times = np.zeros(field.cell)
        for block in field.blocks:
            times[block or ...] += 1
        assert (times == 1).all()


def test_head_learns(kind: type[Field], modules: Any) -> None:
    values = values_for(kind)
    with forked_rng(1):
        h = torch.randn(ROWS, WIDTH)
    loss = -modules[1](h).log_prob(values).sum()
    loss.backward()
    gradients = [p.grad for p in modules[1].parameters() if p.grad is not None]
    assert gradients and any(float(g.abs().sum()) > 0 for g in gradients)


def test_log_prob_and_faults_are_in_one_measure(kind: type[Field], modules: Any) -> None:
    values = values_for(kind)
    likelihood = modules[1](torch.zeros(ROWS, WIDTH))
    for index, field in enumerate(MADE[kind]):
        one = values[:, index : index + 1]
        log_p, log_q = field.log_prob(likelihood.narrow(index), one), field.log_prob_if_wrong(one.numpy())
        assert log_p.shape == one.shape == log_q.shape[1:]
        assert np.isfinite(log_q).all() and bool(torch.isfinite(log_p).all())


@pytest.mark.parametrize("index", [0, 1])
def test_masses_of_what_a_wrong_number_could_be_sum_to_one(index: int) -> None:
    field = MADE[Real][index]
    for alone in (True, False):
        assert np.exp(field.log_prob_if_wrong(field.centres, alone)).sum(1) == pytest.approx(1, abs=1e-6)
    likelihood = Real.head([field], WIDTH, Real.stem([field], Reading()), Reading())(
        torch.zeros(1, WIDTH)
    ).narrow(0)
    masses = [field.log_prob(likelihood, torch.tensor([[float(c)]])).exp().item() for c in field.centres]
    assert sum(masses) == pytest.approx(1, abs=1e-4)


def test_masses_of_what_a_wrong_symbol_could_be_sum_to_one() -> None:
    for field in MADE[Symbol]:
        for alone in (True, False):
            masses = np.exp(field.log_prob_if_wrong(np.arange(len(field.counts)), alone)).sum(1)
            assert masses == pytest.approx(1, abs=1e-6)


def test_a_wrong_number_may_lie_anywhere() -> None:
    field = MADE[Real][0]
    assert np.isfinite(field.log_prob_if_wrong(np.array([-1e6, 1e6, 0.0]))).all()


def test_neighbours_on_a_circle_start_alike() -> None:
    """Hours 23 and 0 are as near to each other as hours 11 and 12, and 0 and 12 are far apart."""
    counts = np.r_[0, np.ones(24)]
    with forked_rng(0):
        alphabet = Symbol.stem([Symbol(counts, circular=True)], Reading(embedding=4)).alphabet
    circle = alphabet.weight[0, :, :2].detach().numpy()

    def apart(a: int, b: int) -> float:
        return float(np.linalg.norm(circle[a + 1] - circle[b + 1]))

    assert apart(23, 0) == pytest.approx(apart(11, 12), abs=1e-5)
    assert apart(0, 12) > 5 * apart(23, 0)
