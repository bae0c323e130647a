"""Linear prediction of windows: the conditional distribution of normal windows."""

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
def fitted() -> WienerFilter:
    window_filter = WienerFilter(POINTS, trained=False)
    values = walks(4000)
    window_filter.fit(values, torch.ones_like(values, dtype=torch.bool), noise=0.01)
    return window_filter


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
def test_hidden_points_are_predicted_by_the_conditional_distribution(
    fitted: WienerFilter, hidden: list[int]
) -> None:
    values = walks(50, seed=1)
    mean, log = fitted(values, shown(50, *hidden))
    wanted, spread = conditional(values.double().numpy(), hidden)
    guess = values.clone()
    guess[:, hidden] = torch.from_numpy(wanted).float()
    # Points that were seen come out smoothed: the guess itself has gone through the filter.
    plain, _ = fitted(guess, shown(50))
    assert torch.allclose(mean, plain, atol=1e-4)
    assert np.allclose(mean.numpy()[:, hidden], wanted, atol=0.02)
    assert np.allclose(log.exp().numpy()[:, hidden], spread, rtol=1e-3)


def test_rows_do_not_depend_on_other_rows(fitted: WienerFilter) -> None:
    values, seen = walks(40, seed=2), torch.rand(40, POINTS) < 0.7
    whole = fitted(values, seen)
    for row in (0, 17, 39):
        for together, alone in zip(whole, fitted(values[row : row + 1], seen[row : row + 1]), strict=True):
            assert torch.allclose(together[row], alone[0], atol=1e-5)


def test_hidden_values_are_not_used(fitted: WienerFilter) -> None:
    values, seen = walks(20, seed=3), shown(20, 2, 3)
    wild = torch.where(seen, values, torch.nan)
    assert torch.equal(fitted(values, seen)[0], fitted(wild, seen)[0])


def test_everything_hidden_is_the_mean(fitted: WienerFilter) -> None:
    mean, log = fitted(walks(3), torch.zeros(3, POINTS, dtype=torch.bool))
    assert torch.allclose(mean, fitted.mean.expand(3, -1), atol=1e-4)
    assert torch.allclose(log.exp(), torch.ones(3, POINTS), atol=0.1)


def test_the_noise_is_chosen_by_the_best_prediction() -> None:
    rough = walks(2000) + torch.randn(2000, POINTS, generator=torch.Generator().manual_seed(0))
    chosen = []
    for values in (walks(2000), rough):
        window_filter = WienerFilter(POINTS, trained=False)
        window_filter.fit(values, torch.ones_like(values, dtype=torch.bool))
        chosen.append(float(window_filter.noise))
    assert chosen[0] < chosen[1] or chosen[0] <= 1e-2


def test_noise_is_taken_out_and_a_signal_is_left() -> None:
    random = np.random.default_rng(0)
    phase = random.uniform(0, 2 * np.pi, 3000)[:, None]
    signal = np.sin(phase + np.arange(POINTS) / 2)
    noisy = torch.from_numpy(signal + 0.2 * random.normal(size=signal.shape)).float()
    window_filter = WienerFilter(POINTS, trained=False)
    window_filter.fit(noisy, torch.ones_like(noisy, dtype=torch.bool))
    clean = window_filter.denoise(noisy).double().numpy()
    assert ((clean - signal) ** 2).mean() < 0.35 * 0.2**2
    smooth = torch.from_numpy(signal).float()
    window_filter.fit(smooth, torch.ones_like(smooth, dtype=torch.bool))
    assert np.abs(window_filter.denoise(smooth).numpy() - signal).max() < 0.05


def test_missing_values_in_the_fit_do_not_pull_to_zero() -> None:
    values = walks(4000)
    seen = torch.rand(values.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    window_filter = WienerFilter(POINTS, trained=False)
    window_filter.fit(torch.where(seen, values, 0.0), seen, noise=0.01)
    assert torch.allclose(window_filter.mean, torch.full((POINTS,), 2.0), atol=0.1)
    mean, _ = window_filter(values[:200], shown(200, 5))
    assert float((mean - values[:200])[:, 5].abs().mean()) < 0.5


def test_new_weights_are_not_read_with_old_solutions(fitted: WienerFilter) -> None:
    other, values, seen = copy.deepcopy(fitted), walks(5, seed=4), shown(5, 3)
    before = other(values, seen)[0]
    with torch.no_grad():
        other.weight.mul_(0.5)
    assert not torch.allclose(before, other(values, seen)[0], atol=1e-2)
