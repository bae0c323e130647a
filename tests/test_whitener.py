"""Whitened windows: alike in every direction, and brought back as they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from diabolo import Autoencoder
from diabolo.layers import Whitener
from diabolo.recipes import make_members

POINTS, CHANNELS = 12, 2


def walks(rows: int, seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    lag = np.abs(np.subtract.outer(np.arange(POINTS), np.arange(POINTS)))
    parts = [random.multivariate_normal(np.full(POINTS, 2.0 + c), 0.8**lag, rows) for c in range(CHANNELS)]
    return torch.from_numpy(np.concatenate(parts, 1)).float()


def all_of(values: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(values, dtype=torch.bool)


@pytest.fixture(scope="module")
def learnt() -> Whitener:
    whitener, values = Whitener(POINTS * CHANNELS, CHANNELS), walks(4000)
    whitener.learn(values, all_of(values))
    return whitener


def test_every_direction_of_the_shape_varies_alike(learnt: Whitener) -> None:
    values = walks(4000, seed=1)
    white = learnt(values, all_of(values))
    spread = torch.linalg.eigvalsh(torch.cov(white.T))
    assert spread[:CHANNELS].abs().max() < 1e-4  # how high each channel lies is left out
    assert spread[CHANNELS] > 0.75 and spread[-1] < 1.25


def test_the_way_back(learnt: Whitener) -> None:
    values = walks(50, seed=2)
    white = learnt(values, all_of(values))
    mean, _ = learnt.back(white, torch.ones_like(white), values)
    assert torch.allclose(mean, values, atol=1e-3)


def test_scales_are_those_of_independent_directions(learnt: Whitener) -> None:
    random, values = torch.Generator().manual_seed(0), walks(1, seed=3)
    scale = torch.rand(1, POINTS * CHANNELS, generator=random) + 0.1
    mean, said = learnt.back(torch.zeros_like(scale), scale, values)
    drawn = scale * torch.randn(40_000, POINTS * CHANNELS, generator=random)
    found, _ = learnt.back(drawn, scale, values.expand(len(drawn), -1))
    assert torch.allclose(found.std(0), said[0], rtol=0.03)
    assert torch.allclose(found.mean(0), mean[0], atol=0.03)


def test_a_hole_is_crossed_whatever_else_is_in_the_batch(learnt: Whitener) -> None:
    values, seen = walks(20, seed=4), all_of(walks(20))
    seen[3, 4:6], seen[7, POINTS:] = False, False
    white = learnt(values, seen)
    line = values.clone()
    line[3, 4:6] = values[3, 3] + (values[3, 6] - values[3, 3]) * torch.tensor([1 / 3, 2 / 3])
    assert torch.allclose(white[3], learnt(line, all_of(line))[3], atol=1e-4)
    for row in (3, 7):
        assert torch.allclose(
            white[row : row + 1], learnt(values[row : row + 1], seen[row : row + 1]), atol=1e-5
        )


def test_a_network_of_whitened_windows_beats_its_linear_start() -> None:
    """It restores the windows of the fit better: of a square wave, that are no sum of a few directions."""
    random, place = np.random.default_rng(0), np.arange(6_000)
    table = {"value": np.sign(np.sin(place / 7.3)) + 0.02 * random.normal(size=len(place))}
    trained = Autoencoder("denoising", window=64).fit(table)
    members = make_members("denoising", {}, {"curve"})
    members = {name: replace(member, training={"epochs": 0}) for name, member in members.items()}
    start = Autoencoder(window=64, members=members).fit(table)
    losses = [m.engine_.history[-1]["total"] for m in (trained, start)]
    assert losses[0] < losses[1] - 5, losses
