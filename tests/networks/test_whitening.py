"""Whitened windows vary equally in every direction, and can be inverted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from diabolo import Autoencoder
from diabolo.networks.layers import Whitener
from diabolo.networks.recipes import make_members

POINTS, CHANNELS = 12, 2


def walks(rows: int, seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    lag = np.abs(np.subtract.outer(np.arange(POINTS), np.arange(POINTS)))
    parts = [random.multivariate_normal(np.full(POINTS, 2.0 + c), 0.8**lag, rows) for c in range(CHANNELS)]
    return torch.from_numpy(np.concatenate(parts, 1)).float()


def all_of(values: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(values, dtype=torch.bool)


@pytest.fixture(scope="module")
def fitted() -> Whitener:
    whitener, values = Whitener(POINTS * CHANNELS, CHANNELS), walks(4000)
    whitener.fit(values, all_of(values))
    return whitener


def test_every_direction_of_the_shape_has_the_same_variance(fitted: Whitener) -> None:
    values = walks(4000, seed=1)
    white = fitted(values)
    spread = torch.linalg.eigvalsh(torch.cov(white.T))
    assert spread[:CHANNELS].abs().max() < 1e-4  # how high each channel lies is left out
    assert spread[CHANNELS] > 0.75 and spread[-1] < 1.25


def test_invert_restores_windows(fitted: Whitener) -> None:
    values = walks(50, seed=2)
    white = fitted(values)
    mean, _ = fitted.invert(white, torch.ones_like(white), values)
    assert torch.allclose(mean, values, atol=1e-3)


def test_scales_are_those_of_independent_directions(fitted: Whitener) -> None:
    random, values = torch.Generator().manual_seed(0), walks(1, seed=3)
    scale = torch.rand(1, POINTS * CHANNELS, generator=random) + 0.1
    mean, said = fitted.invert(torch.zeros_like(scale), scale, values)
    drawn = scale * torch.randn(40_000, POINTS * CHANNELS, generator=random)
    found, _ = fitted.invert(drawn, scale, values.expand(len(drawn), -1))
    assert torch.allclose(found.std(0), said[0], rtol=0.03)
    assert torch.allclose(found.mean(0), mean[0], atol=0.03)


def test_missing_values_are_predicted_whatever_else_is_in_the_batch(fitted: Whitener) -> None:
    values, seen = walks(20, seed=4), all_of(walks(20))
    seen[3, 4:6], seen[7, POINTS:] = False, False
    whole, _ = fitted.complete(torch.where(seen, values, 0.0), seen)
    assert torch.equal(whole[seen], values[seen])
    assert (whole[3, 4:6] - values[3, 4:6]).abs().max() < 1.5
    assert (whole[7, POINTS:] - 3.0).abs().max() < 0.5  # channels do not go together here: the mean
    for row in (3, 7):
        alone, _ = fitted.complete(values[row : row + 1], seen[row : row + 1])
        assert torch.allclose(whole[row : row + 1], alone, atol=1e-5)


@pytest.mark.filterwarnings("ignore:there is too little data")
@pytest.mark.parametrize("random", [False, True], ids=["segments", "anywhere"])
def test_missing_values_of_a_series_are_predicted_and_are_no_alarms(random: bool) -> None:
    place, draw = np.arange(1500), np.random.default_rng(0)
    value = 3 * np.sin(place / 400) + np.sin(place / 5) + 0.1 * draw.normal(size=1500)
    gone = draw.random(1500) < 0.3 if random else place % 60 < 8
    table = {"value": np.where(gone, np.nan, value)}
    model = Autoencoder("denoising", window=32).fit(table)
    filled = np.asarray(model.repair(table).table["value"])
    assert np.sqrt(np.mean((filled[gone] - value[gone]) ** 2)) < 0.15
    assert (model.predict(table) == -1).mean() < 0.1


def test_codes_are_those_of_whitened_windows() -> None:
    table = {"value": np.sin(np.arange(1500) / 5) + 0.1 * np.random.default_rng(0).normal(size=1500)}
    engine = Autoencoder("denoising", window=32).fit(table).engine_
    batch = engine.schema.encode(engine.read(table)[slice(0, 64)])
    with torch.no_grad():
        said = engine.cell_network(batch).latent
    assert np.allclose(engine.latent(batch), said.numpy(), atol=1e-5)


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
