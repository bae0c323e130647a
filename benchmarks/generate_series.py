"""Synthetic windows of series: `python -m benchmarks.generate_series --data DIR --json OUT [--sets a,b]`.

DIR holds .csv files of numbers, a series each, one row for each step; or .npz files with windows, `data`
(windows, steps, channels), which are joined to a series if each starts one step after the previous one.
Sines are generated.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import common, detection
from benchmarks.metrics import windows as metrics

STEPS = 24
N_REPEATS = 5
N_GAUSSIANS, N_COMPONENTS = 15, 100
SINES = "sines"
CLAIM = "With its defaults, diabolo generates series that a recurrent network cannot tell from real ones."
PROTOCOL = (
    "Windows of 24 steps, one from every start, each channel scaled to 0 to 1; all are fitted, and as many "
    "are sampled. sines: 10,000 windows of 5 waves with frequencies and phases from 0 to .1, as TimeGAN "
    "makes them. discriminative, predictive: as in TimeGAN (2,000 steps, mean of 5 networks). trees: AUROC "
    "of boosted trees in segments of time not used for training (benchmarks.metrics.windows.trees); .5 or "
    "less is perfect. copy_ratio: median distance of synthetic windows to the nearest fitted one, over that "
    "of real windows to the nearest without common points; copies: share of synthetic windows nearer than "
    "99 % of those. cpu_seconds: fit and sample."
)


@dataclass(frozen=True)
class Real:
    """Real windows.

    Attributes:
        windows: (windows, steps, channels), in order of time.
        series: (points, channels) the series that they are cut from; None if they are independent.
    """

    windows: NDArray[np.float64]
    series: NDArray[np.float64] | None


Method = Callable[[Real, int], NDArray[np.float64]]
"""(real windows, seed) -> as many synthetic ones."""


def load(path: Path | None) -> Real:
    """Read a series or windows; generate sines if there is no path."""
    if path is None:
        random = np.random.default_rng(0)
        frequency, phase = random.uniform(0, 0.1, (2, 10_000, 1, 5))
        return Real((np.sin(frequency * np.arange(STEPS)[:, None] + phase) + 1) / 2, None)
    if path.name.removesuffix(".gz").endswith(".csv"):
        series = pd.read_csv(path).select_dtypes("number").to_numpy(float)
        return Real(
            np.lib.stride_tricks.sliding_window_view(series, STEPS, axis=0).transpose(0, 2, 1), series
        )
    windows = common.read_npz(path)["data"].astype(float)
    joined = len(windows) > 1 and np.array_equal(windows[:-1, 1:], windows[1:, :-1])
    return Real(windows, np.concatenate([windows[0], windows[1:, -1]]) if joined else None)


def ours(recipe: str, real: Real, seed: int) -> NDArray[np.float64]:
    """Sample with the default of diabolo, or another recipe: one series, or one for each window."""
    from diabolo import Autoencoder

    count, steps, channels = real.windows.shape
    names = [f"channel {c}" for c in range(channels)]
    options: dict[str, Any] = {"window": steps, "seed": seed}
    if real.series is not None:
        table = pd.DataFrame(real.series, columns=names)
    else:
        table = pd.DataFrame(real.windows.reshape(-1, channels), columns=names)
        table["window"] = np.repeat(np.arange(count).astype(str), steps)
        options["by"] = "window"
    model = Autoencoder(recipe, **options).fit(table)
    sampled = model.generate(steps, series=count, seed=seed).to_frame()
    # The fit leaves out constant channels.
    complete = pd.DataFrame(
        {name: sampled[name] if name in sampled else table[name].iloc[0] for name in names}
    )
    return complete.to_numpy(float).reshape(count, steps, channels)


def gaussian_mixture(real: Real, seed: int) -> NDArray[np.float64]:
    """Sample from 15 normal distributions over 100 principal components of the windows: the reference."""
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    low, high = real.windows.min((0, 1)), real.windows.max((0, 1))
    flat = ((real.windows - low) / (high - low + 1e-7)).reshape(len(real.windows), -1)
    components = PCA(min(N_COMPONENTS, flat.shape[1] - 1), random_state=seed).fit(flat)
    mixture = GaussianMixture(N_GAUSSIANS, reg_covar=1e-7, max_iter=60, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(components.transform(flat))
    sampled = components.inverse_transform(mixture.sample(len(flat))[0]).reshape(real.windows.shape)
    return np.asarray(sampled * (high - low + 1e-7) + low)


def copied(real: Real, seed: int) -> NDArray[np.float64]:
    """Sample real windows: no measure of quality detects them, the test for copies must."""
    return real.windows[np.random.default_rng(seed).integers(0, len(real.windows), len(real.windows))]


METHODS: dict[str, Method] = {
    common.OURS: partial(ours, "default"),
    "variational": partial(ours, "variational"),
    "gaussian_mixture": gaussian_mixture,
    "copied": copied,
}


def measure(real: Real, synthetic: NDArray[np.float64], seed: int) -> dict[str, float | None]:
    """Return all measures of synthetic windows, which are shuffled first."""
    low, high = real.windows.min((0, 1)), real.windows.max((0, 1))
    synthetic = synthetic[np.random.default_rng(seed).permutation(len(synthetic))]
    old, new = (((part - low) / (high - low + 1e-7)).astype(np.float32) for part in (real.windows, synthetic))
    new = new.clip(0, 1)
    copies = metrics.copies(old, new, seed)
    return {
        "discriminative": common.mean(metrics.discriminative(old, new, s) for s in range(N_REPEATS)),
        "predictive": common.mean(metrics.predictive(old, new, s) for s in range(N_REPEATS)),
        "trees": common.mean(metrics.trees(old, new, s) for s in range(N_REPEATS)),
        "copy_ratio": copies.ratio,
        "copies": copies.share,
    }


def find(folder: Path, only: Sequence[str]) -> Mapping[str, Path | None]:
    """Return the sets of a folder by name, and the sines."""
    found: dict[str, Path | None] = {}
    if tuple(only) != (SINES,):
        found |= common.find_sets(folder, (".csv", ".npz"), [name for name in only if name != SINES])
    return found | ({SINES: None} if not only or SINES in only else {})


def run(options: common.Options) -> list[dict[str, Any]]:
    """Measure diabolo and the peers on every set and seed; one row each, failures included."""
    rows = []
    with threadpool_limits(1):
        for name, path in find(options.data, options.sets).items():
            real = load(path)
            for seed in range(options.seeds):
                for method in (common.OURS, *options.peers):
                    work = partial(_run_method, method, real, seed, options.scores, name)
                    rows.append(detection.attempt(method, name, seed, work))
    return rows


def _run_method(method: str, real: Real, seed: int, folder: Path | None, name: str) -> dict[str, Any]:
    synthetic, seconds = common.timed(METHODS[method], real, seed)
    if folder is not None:
        target = detection.raw_folder(folder, method)
        target.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(target / f"{name}.{seed}.npz", data=synthetic)
    return {
        "train": len(real.windows),
        "test": len(synthetic),
        **measure(real, synthetic, seed),
        "cpu_seconds": seconds,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = common.parse(
        arguments,
        description=f"{CLAIM} Protocol: {PROTOCOL}",
        known_peers=[name for name in METHODS if name != common.OURS],
        default_peers=("gaussian_mixture", "copied"),
    )
    return detection.report(options, run(options), CLAIM, PROTOCOL, "discriminative")


if __name__ == "__main__":
    sys.exit(main())
