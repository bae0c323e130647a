"""The contract of every likelihood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from diabolo.networks.likelihoods import LIKELIHOODS, Binned, Bins, Categorical, Normal
from diabolo.utils.torch_state import forked_rng

ROWS, FIELDS = 3, 2


def normal() -> Normal:
    return Normal(
        torch.tensor([[0.0, 2.0], [-1.0, 0.5], [3.0, 3.0]]),
        torch.tensor([[1.0, 0.5], [2.0, 1.0], [0.1, 4.0]]),
    )


def bins() -> Bins:
    """Three intervals; and two exact values, padded by one bin that the column does not have."""
    return Bins(
        edges=torch.tensor([[0.0, 1.0, 2.0, 4.0], [5.0, 6.0, 7.0, 7.0]]),
        low=torch.tensor([[0.0, 1.0, 2.0], [5.0, 7.0, 7.0]]),
        high=torch.tensor([[1.0, 2.0, 4.0], [5.0, 7.0, 7.0]]),
        centres=torch.tensor([[0.5, 1.5, 3.0], [5.0, 7.0, 7.0]]),
        counts=torch.tensor([3, 2]),
    )


def binned() -> Binned:
    mass = torch.tensor(
        [
            [[0.2, 0.3, 0.5], [0.25, 0.75, 0]],
            [[0.6, 0.2, 0.2], [0.9, 0.1, 0]],
            [[0.1, 0.8, 0.1], [0.5, 0.5, 0]],
        ]
    )
    return Binned(torch.where(mass > 0, mass.log(), -1e9), bins())


def levels() -> Categorical:
    mass = torch.tensor(
        [
            [[0.2, 0.3, 0.5], [0.25, 0.75, 0]],
            [[0.6, 0.2, 0.2], [0.9, 0.1, 0]],
            [[0.1, 0.8, 0.1], [0.4, 0.6, 0]],
        ]
    )
    return Categorical(torch.where(mass > 0, mass.log(), -1e9))


# kind -> (makes an example, (rows, fields) values that it can take)
MADE: dict[type, tuple[Callable[[], Any], Tensor]] = {
    Normal: (normal, torch.tensor([[0.3, 1.5], [-2.0, 0.0], [3.05, -1.0]])),
    Binned: (binned, torch.tensor([[0.3, 5.0], [1.7, 7.0], [3.0, 5.0]])),
    Categorical: (levels, torch.tensor([[0, 1], [2, 0], [1, 1]])),
}


@pytest.fixture(params=LIKELIHOODS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type:
    return request.param


@pytest.fixture
def likelihood(kind: type) -> Any:
    assert kind in MADE, f"add an example of {kind.__name__} to MADE"
    return MADE[kind][0]()


@pytest.fixture
def values(kind: type) -> Tensor:
    return MADE[kind][1]


@pytest.mark.parametrize("method", ["log_prob", "cdf"])
def test_results_are_elementwise(likelihood: Any, values: Tensor, method: str) -> None:
    assert likelihood.batch_shape == (ROWS, FIELDS)
    answer = getattr(likelihood, method)(values)
    assert answer.shape == (ROWS, FIELDS)
    for row in range(ROWS):
        # The result of a cell does not depend on the values of others.
        other = values.roll(1, 0).clone()
        other[row] = values[row]
        assert torch.equal(getattr(likelihood, method)(other)[row], answer[row])


@pytest.mark.parametrize("middle", ["mean", "median", "mode"])
def test_mean_median_and_mode_have_the_shape_of_a_value(likelihood: Any, middle: str) -> None:
    assert getattr(likelihood, middle).shape == (ROWS, FIELDS)


def test_mode_is_at_least_as_likely_as_any_sample(likelihood: Any) -> None:
    with forked_rng(0):
        drawn = likelihood.sample((200,))
    best = likelihood.log_prob(likelihood.mode)
    for one in drawn:
        assert bool((likelihood.log_prob(one) <= best + 1e-6).all())


def test_quantiles_invert_the_distribution_function(kind: type, likelihood: Any) -> None:
    for share in (0.01, 0.05, 0.1, 0.2, 0.31, 0.5, 0.77, 0.9, 0.95, 0.99):
        quantile = likelihood.icdf(torch.tensor(share))
        assert quantile.shape == (ROWS, FIELDS)
        reached = likelihood.cdf(quantile)
        if kind is Normal:
            assert torch.allclose(reached, torch.full_like(reached, share), atol=1e-4)
            continue
        if kind is Binned:
            # The first field is continuous; the second one consists of two points.
            assert torch.allclose(reached[:, 0], torch.full((ROWS,), share), atol=1e-4)
        assert bool((reached >= share - 1e-4).all())
        below = (
            likelihood.cdf(quantile - 1)
            if kind is Binned
            else torch.where(quantile > 0, likelihood.cdf((quantile - 1).clamp_min(0)), 0)
        )
        assert bool((below <= share + 1e-4).all())


def test_quantiles_do_not_decrease(likelihood: Any) -> None:
    shares = torch.linspace(0.001, 0.999, 99)
    quantiles = torch.stack([likelihood.icdf(s) for s in shares]).double()
    assert bool((quantiles.diff(dim=0) >= -1e-6).all())


def test_each_cell_can_have_a_quantile_of_its_own(likelihood: Any) -> None:
    shares = torch.tensor([[0.1, 0.9], [0.3, 0.3], [0.6, 0.2]])
    together = likelihood.icdf(shares)
    for row in range(ROWS):
        for field in range(FIELDS):
            assert together[row, field] == likelihood.icdf(shares[row, field])[row, field]


def test_narrow_is_one_field(likelihood: Any, values: Tensor) -> None:
    for field in range(FIELDS):
        one, at = likelihood.narrow(field), slice(field, field + 1)
        assert one.batch_shape == (ROWS, 1)
        assert torch.allclose(one.log_prob(values[:, at]), likelihood.log_prob(values)[:, at])
        assert torch.allclose(one.cdf(values[:, at]), likelihood.cdf(values)[:, at])
        assert torch.allclose(one.mean, likelihood.mean[:, at])
        assert torch.allclose(one.icdf(torch.tensor(0.3)), likelihood.icdf(torch.tensor(0.3))[:, at])


def test_samples_follow_the_distribution(kind: type, likelihood: Any, values: Tensor) -> None:
    with forked_rng(1):
        drawn = likelihood.sample((20_000,))
    assert drawn.shape == (20_000, ROWS, FIELDS)
    share = (drawn <= values).double().mean(0)
    assert torch.allclose(share, likelihood.cdf(values).double(), atol=0.015)
    if kind is not Categorical:
        spread = drawn.double().std(0)
        assert bool(((drawn.double().mean(0) - likelihood.mean).abs() < 0.03 * spread + 1e-3).all())


def test_frequencies_of_samples_are_those_of_log_prob(kind: type, likelihood: Any, values: Tensor) -> None:
    with forked_rng(2):
        drawn = likelihood.sample((20_000,))
    if kind is Normal:
        near = ((drawn - values).abs() < 0.02 * likelihood.scale).double().mean(0)
        expected = likelihood.log_prob(values).exp() * 0.04 * likelihood.scale
        assert torch.allclose(near, expected.double(), atol=0.005)
        return
    here = values if kind is Categorical else bins().locate(values)
    found = drawn if kind is Categorical else bins().locate(drawn)
    assert torch.allclose(
        (found == here).double().mean(0), likelihood.log_prob(values).exp().double(), atol=0.015
    )


def test_masses_sum_to_one(kind: type, likelihood: Any) -> None:
    if kind is Normal:
        grid = torch.linspace(-40, 40, 80_001).view(-1, 1, 1)
        total = likelihood.log_prob(grid).exp().sum(0) * 1e-3
    else:
        total = likelihood.probs.sum(-1)
        assert bool((likelihood.probs[:, 1, 2] == 0).all())  # the level that the second field does not have
    assert torch.allclose(total, torch.ones(ROWS, FIELDS), atol=1e-3)


def test_log_prob_and_mean_are_those_of_the_masses() -> None:
    assert torch.allclose(
        levels().log_prob(torch.tensor([[2, 1], [0, 0], [1, 0]])).exp()[0], torch.tensor([0.5, 0.75])
    )
    assert torch.allclose(
        binned().log_prob(torch.tensor([[3.9, 7.0]] * 3)).exp()[0], torch.tensor([0.5, 0.75])
    )
    assert torch.allclose(
        binned().mean[0], torch.tensor([0.2 * 0.5 + 0.3 * 1.5 + 0.5 * 3.0, 0.25 * 5 + 0.75 * 7])
    )
    assert torch.equal(levels().mean, levels().mode) and torch.equal(levels().median, levels().mode)


@pytest.mark.parametrize("numbers", [normal, binned])
def test_half_of_the_samples_lie_below_the_median(numbers: Callable[[], Any]) -> None:
    with forked_rng(3):
        drawn = numbers().sample((20_000,))
    assert bool(((drawn <= numbers().median).double().mean(0) > 0.485).all())
    assert bool(((drawn >= numbers().median).double().mean(0) > 0.485).all())


def test_values_beyond_the_bins_belong_to_the_outer_bins() -> None:
    far = torch.tensor([[-100.0, -100.0], [100.0, 100.0], [1e30, -1e30]])
    assert bins().locate(far).tolist() == [[0, 0], [2, 1], [2, 0]]
    assert torch.isfinite(binned().log_prob(far)).all()
    assert torch.allclose(binned().cdf(far), torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]]), atol=1e-6)
