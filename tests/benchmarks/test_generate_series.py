"""New windows of series are measured as the protocol says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import common, generate_series
from benchmarks.metrics import windows as metrics

STEPS = 24


def series(points: int = 700, seed: int = 0) -> np.ndarray:
    """Two channels between 0 and 1 that go together."""
    noise = np.random.default_rng(seed).normal(size=(points + 60, 2))
    walk = np.stack([np.convolve(n, 0.9 ** np.arange(60), "valid")[:points] for n in noise.T], 1)
    return 1 / (1 + np.exp(-np.stack([walk[:, 0], walk[:, 0] + 0.3 * walk[:, 1]], 1) / 2))


def windows(points: np.ndarray) -> np.ndarray:
    cut = np.lib.stride_tricks.sliding_window_view(points, STEPS, axis=0)
    return cut.transpose(0, 2, 1).astype(np.float32)


def test_metrics_tell_noise_from_a_series_and_nothing_from_the_same() -> None:
    real = windows(series())
    noise = np.random.default_rng(1).random(real.shape).astype(np.float32)
    wide = [np.tile(part, 4) for part in (real, noise)]  # a network of four units: one learns little
    assert metrics.discriminative(*wide, 0, steps=400) > 0.3
    assert metrics.discriminative(wide[0], wide[0].copy(), 0, steps=50) < 0.15
    assert metrics.trees(real, noise, 0) > 0.95
    other = windows(series(seed=5))
    assert 0.2 < metrics.trees(real, other, 0) < 0.85
    good, bad = (metrics.predictive(real, part, 0, steps=200) for part in (real, noise))
    assert good < bad


def test_the_same_seed_measures_the_same() -> None:
    real, other = windows(series()), windows(series(seed=3))
    assert metrics.discriminative(real, other, 1, steps=20) == metrics.discriminative(
        real, other, 1, steps=20
    )


def test_copies_are_found() -> None:
    real = windows(series())
    copied = metrics.copies(real, real[::2], 0)
    assert copied.ratio == pytest.approx(0, abs=1e-3) and copied.share == 1
    fresh = metrics.copies(real, windows(series(seed=5)), 0)
    assert 0.5 < fresh.ratio < 2 and fresh.share < 0.2


def test_windows_that_overlap_are_joined_again(tmp_path: Path) -> None:
    points = series(100)
    np.savez(tmp_path / "joined.npz", data=windows(points).astype(float))
    np.savez(tmp_path / "apart.npz", data=windows(points)[::STEPS].astype(float))
    pd.DataFrame(points).assign(name="x").to_csv(tmp_path / "rows.csv", index=False)
    joined, apart, rows = (
        generate_series.load(tmp_path / n) for n in ("joined.npz", "apart.npz", "rows.csv")
    )
    assert joined.series is not None and np.allclose(joined.series, points, atol=1e-6)
    assert apart.series is None and apart.windows.shape == (4, STEPS, 2)
    assert rows.series is not None and rows.windows.shape == joined.windows.shape
    sines = generate_series.load(None)
    assert sines.windows.shape == (10_000, STEPS, 5) and 0 <= sines.windows.min() <= sines.windows.max() <= 1


@pytest.mark.filterwarnings("ignore:there is too little data")
def test_windows_apart_are_series_of_their_own() -> None:
    real = generate_series.Real(windows(series())[::10].astype(float), None)
    made = generate_series.ours("default", real, 0)
    assert made.shape == real.windows.shape
    assert np.abs(made.mean((0, 1)) - real.windows.mean((0, 1))).max() < 0.15


def test_it_runs_and_writes_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_series, "N_REPEATS", 1)
    for name in ("discriminative", "predictive"):
        plain = getattr(metrics, name)
        monkeypatch.setattr(metrics, name, lambda *a, plain=plain: plain(*a, steps=20))
    pd.DataFrame(series(500)).to_csv(tmp_path / "walk.csv", index=False)
    out = tmp_path / "out.json"
    arguments = ["--data", str(tmp_path), "--json", str(out), "--scores", str(tmp_path / "kept")]
    assert generate_series.main([*arguments, "--sets", "walk", "--peers", "gaussian_mixture,copied"]) == 0
    result = json.loads(out.read_text())
    assert set(result["peers"]) == {"gaussian_mixture", "copied"}
    assert result["peers"]["copied"]["copies"] == 1 and result["mean"]["copies"] < 0.5
    assert {"discriminative", "predictive", "trees", "copy_ratio", "cpu_seconds"} <= result["mean"].keys()
    kept = common.read_npz(tmp_path / "kept" / "walk.0.npz")["data"]
    assert kept.shape == (477, STEPS, 2)
