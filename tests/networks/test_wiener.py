"""The linear guess of windows: it is the conditional distribution of normal windows, and says so."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from diabolo.networks.layers import WienerFilter

POINTS = 12


def walks(rows: int, seed: int = 0) -> torch.Tensor:
    """Windows of a process whose points go together."""
    random = np.random.default_rng(seed)
    lag = np.abs(np.subtract.outer(np.arange(POINTS), np.arange(POINTS)))
    return torch.from_numpy(random.multivariate_normal(np.full(POINTS, 2.0), 0.8**lag, rows)).float()


@pytest.fixture(scope="module")
def learnt() -> WienerFilter:
    restorer = WienerFilter(POINTS, trained=False)
    values = walks(4000)
    restorer.learn(values, torch.ones_like(values, dtype=torch.bool), noise=0.01)
    return restorer


def shown(rows: int, *hidden: int) -> torch.Tensor:
    seen = torch.ones(rows, POINTS, dtype=torch.bool)
    seen[:, list(hidden)] = False
    return seen


def conditional(values: np.ndarray, hidden: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """By the textbook, from the same windows."""
    known = walks(4000).double().numpy()
    mean, whole = known.mean(0), np.cov(known.T, bias=True) + 0.01 * np.eye(POINTS)
    seen = np.setdiff1d(np.arange(POINTS), hidden)
    weight = np.linalg.solve(whole[np.ix_(seen, seen)], whole[np.ix_(seen, hidden)])
    spread = whole[np.ix_(hidden, hidden)] - whole[np.ix_(hidden, seen)] @ weight
    return mean[hidden] + (values[:, seen] - mean[seen]) @ weight, np.sqrt(np.diag(spread))


@pytest.mark.parametrize("hidden", [[3], [0, 1, 2], [4, 9, 10], list(range(6, 12)), list(range(11))])
def test_hidden_points_are_guessed_as_the_conditional_distribution_has_them(
    learnt: WienerFilter, hidden: list[int]
) -> None:
    values = walks(50, seed=1)
    mean, log = learnt(values, shown(50, *hidden))
    wanted, spread = conditional(values.double().numpy(), hidden)
    guess = values.clone()
    guess[:, hidden] = torch.from_numpy(wanted).float()
    # Points that were seen come out smoothed: the guess itself has gone through the filter.
    plain, _ = learnt(guess, shown(50))
    assert torch.allclose(mean, plain, atol=1e-4)
    assert np.allclose(mean.numpy()[:, hidden], wanted, atol=0.02)
    assert np.allclose(log.exp().numpy()[:, hidden], spread, rtol=1e-3)


def test_rows_do_not_depend_on_their_company(learnt: WienerFilter) -> None:
    values, seen = walks(40, seed=2), torch.rand(40, POINTS) < 0.7
    whole = learnt(values, seen)
    for row in (0, 17, 39):
        for together, alone in zip(whole, learnt(values[row : row + 1], seen[row : row + 1]), strict=True):
            assert torch.allclose(together[row], alone[0], atol=1e-5)


def test_what_is_hidden_is_not_looked_at(learnt: WienerFilter) -> None:
    values, seen = walks(20, seed=3), shown(20, 2, 3)
    wild = torch.where(seen, values, torch.nan)
    assert torch.equal(learnt(values, seen)[0], learnt(wild, seen)[0])


def test_everything_hidden_is_the_mean(learnt: WienerFilter) -> None:
    mean, log = learnt(walks(3), torch.zeros(3, POINTS, dtype=torch.bool))
    assert torch.allclose(mean, learnt.mean.expand(3, -1), atol=1e-4)
    assert torch.allclose(log.exp(), torch.ones(3, POINTS), atol=0.1)


def test_the_noise_is_chosen_by_what_is_guessed_best() -> None:
    rough = walks(2000) + torch.randn(2000, POINTS, generator=torch.Generator().manual_seed(0))
    chosen = []
    for values in (walks(2000), rough):
        restorer = WienerFilter(POINTS, trained=False)
        restorer.learn(values, torch.ones_like(values, dtype=torch.bool))
        chosen.append(float(restorer.noise))
    assert chosen[0] < chosen[1] or chosen[0] <= 1e-2


def test_noise_is_taken_out_and_a_signal_is_left() -> None:
    random = np.random.default_rng(0)
    phase = random.uniform(0, 2 * np.pi, 3000)[:, None]
    signal = np.sin(phase + np.arange(POINTS) / 2)
    noisy = torch.from_numpy(signal + 0.2 * random.normal(size=signal.shape)).float()
    restorer = WienerFilter(POINTS, trained=False)
    restorer.learn(noisy, torch.ones_like(noisy, dtype=torch.bool))
    clean = restorer.clean(noisy).double().numpy()
    assert ((clean - signal) ** 2).mean() < 0.35 * 0.2**2
    smooth = torch.from_numpy(signal).float()
    restorer.learn(smooth, torch.ones_like(smooth, dtype=torch.bool))
    assert np.abs(restorer.clean(smooth).numpy() - signal).max() < 0.05


def test_holes_in_what_is_learnt_do_not_pull_to_zero() -> None:
    values = walks(4000)
    seen = torch.rand(values.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    restorer = WienerFilter(POINTS, trained=False)
    restorer.learn(torch.where(seen, values, 0.0), seen, noise=0.01)
    assert torch.allclose(restorer.mean, torch.full((POINTS,), 2.0), atol=0.1)
    mean, _ = restorer(values[:200], shown(200, 5))
    assert float((mean - values[:200])[:, 5].abs().mean()) < 0.5


def test_new_weights_are_not_read_with_old_solutions(learnt: WienerFilter) -> None:
    other, values, seen = copy.deepcopy(learnt), walks(5, seed=4), shown(5, 3)
    before = other(values, seen)[0]
    with torch.no_grad():
        other.weight.mul_(0.5)
    assert not torch.allclose(before, other(values, seen)[0], atol=1e-2)
