"""Windows are drawn as they are distributed, as a whole and given some of their points."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diabolo.data.fields import Batch, Curve, Real, Symbol
from diabolo.generation.context import context_features
from diabolo.generation.window_mixture import WindowMixture

LENGTH = 12


def windows_of(series: np.ndarray) -> Batch:
    """All windows of a (points, channels) series."""
    windows = np.lib.stride_tricks.sliding_window_view(series, LENGTH, axis=0).astype(np.float32)
    curve = torch.from_numpy(windows.copy())
    return Batch({Curve.kind: curve}, {Curve.kind: torch.ones_like(curve, dtype=torch.bool)})


def fitted(series: np.ndarray, present: np.ndarray | None = None) -> WindowMixture:
    batch = windows_of(series)
    present = np.ones(series.shape, bool) if present is None else present
    return WindowMixture.fit(batch, np.zeros((len(batch), 0)), present, 0)


def sample_windows(mixture: WindowMixture, rows: int, channels: int, seed: int = 0) -> np.ndarray:
    nothing = mixture.condition_on(np.zeros((channels, LENGTH), bool), np.zeros(0, bool))
    blank = np.zeros((rows, channels, LENGTH))
    return mixture.sample(nothing, blank, np.zeros((rows, 0)), np.random.default_rng(seed))


def walk(points: int = 6_000) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=points + 100)
    return np.convolve(noise, 0.8 ** np.arange(60), "valid")[:points, None] * 0.6


def test_points_are_drawn_as_the_conditional_distribution_has_them() -> None:
    series = walk()
    mixture, known = fitted(series), np.arange(LENGTH) < 9
    row = windows_of(series).values[Curve.kind][100:101].numpy().astype(float)
    rows = np.repeat(row, 4_000, 0)
    given = mixture.condition_on(known[None], np.zeros(0, bool))
    sampled = mixture.sample(given, rows, np.zeros((len(rows), 0)), np.random.default_rng(1))[:, 0, 9:]
    # Of such a process, what comes next hangs on the last point alone.
    steps = np.arange(1, 4)
    wanted = row[0, 0, 8] * 0.8**steps
    spread = 0.6 * np.sqrt((1 - 0.8 ** (2 * steps)) / (1 - 0.8**2))
    assert np.allclose(sampled.mean(0), wanted, atol=0.1)
    assert np.allclose(sampled.std(0), spread, rtol=0.1)
    assert np.allclose(np.corrcoef(sampled.T)[0, 1], 0.8 * spread[0] / spread[1], atol=0.05)


def test_whole_windows_have_the_moments_of_the_series() -> None:
    series = walk()
    new, old = (
        sample_windows(fitted(series), 4_000, 1)[:, 0],
        windows_of(series).values[Curve.kind][:, 0].numpy(),
    )
    assert np.allclose(np.cov(new.T), np.cov(old.T), atol=0.12)


def test_discrete_values_stay_as_they_are_and_duplicates_equal() -> None:
    random, base = np.random.default_rng(0), walk()[:, 0]
    flag = (base > 0.5).astype(float) * 3 - 1
    skewed = np.exp(base)
    mixture = fitted(np.stack([flag, skewed, skewed, random.uniform(size=len(base))], 1))
    new = sample_windows(mixture, 2_000, 4)
    assert set(np.unique(new[:, 0])) == {-1.0, 2.0}
    assert new[:, 0].mean() == pytest.approx(flag.mean(), abs=0.25)
    assert np.array_equal(new[:, 1], new[:, 2])
    assert new[:, 1].min() >= np.float32(skewed.min()) * 0.999 and new[:, 1].max() <= skewed.max() * 1.001
    assert np.quantile(new[:, 1], [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(skewed, [0.1, 0.5, 0.9]), rel=0.2
    )
    assert np.corrcoef(new[:, 0].ravel(), new[:, 1].ravel())[0, 1] > 0.5  # channels go together
    assert np.quantile(new[:, 3], [0.1, 0.9]) == pytest.approx([0.1, 0.9], abs=0.03)


def test_modes_that_one_normal_distribution_would_mix_stay_apart() -> None:
    high = np.repeat(np.random.default_rng(0).random(120) < 0.5, 60)
    series = np.where(high, 5.0, -5.0)[:, None] + 0.3 * np.random.default_rng(1).normal(size=(7_200, 1))
    new = sample_windows(fitted(series), 2_000, 1)
    steady = (np.abs(np.diff(new[:, 0], axis=1)) < 3).all(1)
    assert steady.mean() > 0.7  # most windows hold no jump, as most of the series' do
    assert np.abs(np.abs(new[steady]) - 5).mean() < 0.6


def test_values_are_missing_as_often_and_as_long_as_in_the_fit() -> None:
    random = np.random.default_rng(0)
    present = np.ones((6_000, 2), bool)
    for start in random.integers(0, 5_900, 60):
        present[start : start + 20, 0] = False
    missing = fitted(np.hstack([walk(), walk()]), present).sample_missing(20, 2_000, random)
    assert not missing[..., 1].any()
    assert missing[..., 0].mean() == pytest.approx(1 - present[:, 0].mean(), rel=0.4)
    starts = (np.diff(missing[..., 0].astype(int), axis=1) == 1).sum()
    assert 10 < missing[..., 0].sum() / starts < 40
    assert not fitted(walk()).sample_missing(2, 10, random).any()


def test_context_becomes_numbers() -> None:
    rows = torch.arange(5)
    batch = Batch(
        {Symbol.kind: torch.stack([rows, rows % 3], 1), Real.kind: rows[:, None].float()},
        {
            Symbol.kind: torch.ones(5, 2, dtype=torch.bool),
            Real.kind: torch.tensor([[True], [True], [False], [True], [True]]),
        },
    )
    fields = {
        Symbol.kind: [Symbol(np.ones(5), circular=True), Symbol(np.ones(3))],
        Real.kind: [Real(*[np.zeros(2)] * 5, np.zeros((0, 7), int))],
    }
    scored = {Symbol.kind: np.array([False, False]), Real.kind: np.array([False])}
    numbers, known = context_features(batch, fields, scored)
    assert numbers.shape == known.shape == (5, 1 + 4 + 2)
    assert known[:, 0].tolist() == [True, True, False, True, True]  # a missing value
    assert known[:, 1].tolist() == [False, True, True, True, True]  # symbol 0 was never seen
    assert np.allclose(numbers[1:, 1] ** 2 + numbers[1:, 3] ** 2, 1)  # on a circle
    assert context_features(batch, fields, {k: ~v for k, v in scored.items()})[0].shape == (5, 0)
