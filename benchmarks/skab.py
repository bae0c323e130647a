"""Alarms on a test bench with eight sensors: `python -m benchmarks.skab --data DIR --json OUT`.

DIR holds .csv files in the form of SKAB (Katser and Kozitsin, "Skoltech Anomaly Benchmark", 2020): separated
by semicolons, with `datetime`, sensors, `anomaly` and `changepoint`. The first 400 rows of a file are fitted.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from torch import nn

from benchmarks import common
from benchmarks.detection import Floats
from diabolo import Autoencoder

FITTED = 400  # rows of a file
LABELS = ("anomaly", "changepoint")
WINDOW = 60  # rows that the convolutional autoencoder reads
QUANTILE = 0.999  # of the fitted rows, from which peers read their level
MARGIN = 1.5  # times that quantile: the level of the autoencoders, as the benchmark's authors set it
STEPS, LEARNING_RATE, BATCH = 600, 3e-3, 32  # of the training of the autoencoders
RATES = {"": None, "_1": 0.01, "_05": 0.05}
"""Suffix of the measures -> alarm rate; None for the default."""
CLAIM = "On a test bench, the alarms of diabolo at its default rate beat those of a plain autoencoder."
PROTOCOL = (
    f"fit on the first {FITTED} rows of each file, judge all rows; F1, false-alarm rate (far) and "
    "missed-alarm rate (mar), in percent, over the rows of all files together; auroc: mean over files, of "
    f"the rows after the fit. Peers: the level is the {QUANTILE} quantile of the fitted rows, for "
    f"autoencoders {MARGIN} times that; a row is an alarm for the convolutional one if all windows of "
    f"{WINDOW} rows that cover it are."
)


class Judged(NamedTuple):
    """The answer for one file.

    Attributes:
        scores: (rows,) higher is more anomalous.
        alarms: suffix in `RATES` -> (rows,) alarms.
    """

    scores: Floats
    alarms: dict[str, NDArray[np.bool_]]


Method = Callable[[pd.DataFrame, int], Judged]
"""(rows of a file without labels, seed) -> scores and alarms."""


def ours(frame: pd.DataFrame, seed: int, *, follow: bool | None = None) -> Judged:
    """Fit diabolo with its defaults; several channels hold their level unless the user says otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Autoencoder(time="datetime", seed=seed).fit(frame[:FITTED])
        scores = np.asarray(model.anomaly_score(frame))
        alarms = {
            suffix: np.asarray(model.score_rows(frame, alarm_rate=rate, follow=follow)["alarm"])
            for suffix, rate in RATES.items()
        }
    return Judged(scores, alarms)


def t2_and_q(frame: pd.DataFrame, seed: int) -> Judged:
    """Hotelling's T2 and the squared residual of a PCA of 95 % of the variance, each over its level."""
    values = _scaled(frame)
    pca = PCA(0.95).fit(values[:FITTED])
    codes = pca.transform(values)
    t2 = (codes**2 / pca.explained_variance_).sum(1)
    q = ((values - pca.inverse_transform(codes)) ** 2).sum(1)
    return _at_level(np.maximum(*(part / np.quantile(part[:FITTED], QUANTILE) for part in (t2, q))), 1.0)


def isolation_forest(frame: pd.DataFrame, seed: int) -> Judged:
    """Score each row by itself with an isolation forest."""
    values = _scaled(frame)
    forest = IsolationForest(random_state=seed).fit(values[:FITTED])
    scores = -forest.score_samples(values)
    return _at_level(scores, float(np.quantile(scores[:FITTED], QUANTILE)))


def autoencoder(frame: pd.DataFrame, seed: int) -> Judged:
    """Score each row by the error of a dense autoencoder with a bottleneck of two."""
    values = torch.tensor(_scaled(frame), dtype=torch.float32)
    width = values.shape[1]
    torch.manual_seed(seed)
    sizes = (width, 5, 2, 5, width)
    layers = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.ELU())]
    network = nn.Sequential(*layers[:-1])
    _train(network, values[:FITTED])
    with torch.no_grad():
        errors = (network(values) - values).abs().sum(1).double().numpy()
    return _at_level(errors, MARGIN * float(np.quantile(errors[:FITTED], QUANTILE)))


def convolutional(frame: pd.DataFrame, seed: int) -> Judged:
    """Score windows by the error of a convolutional autoencoder, and rows by the least of their windows."""
    values = torch.tensor(_scaled(frame), dtype=torch.float32)
    windows = values.unfold(0, WINDOW, 1)
    channels = values.shape[1]
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv1d(channels, 32, 7, stride=2, padding=3),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Conv1d(32, 16, 7, stride=2, padding=3),
        nn.ReLU(),
        nn.ConvTranspose1d(16, 16, 7, stride=2, padding=3, output_padding=1),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.ConvTranspose1d(16, 32, 7, stride=2, padding=3, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose1d(32, channels, 7, padding=3),
    )
    fitted = FITTED - WINDOW + 1
    _train(network, windows[:fitted])
    with torch.no_grad():
        errors = (network(windows) - windows).abs().mean(2).sum(1).double().numpy()
    level = MARGIN * float(np.quantile(errors[:fitted], QUANTILE))
    # Every row is covered by as many windows as have room.
    padded = np.pad(errors, (WINDOW - 1, WINDOW - 1), constant_values=np.inf)
    least = np.lib.stride_tricks.sliding_window_view(padded, WINDOW).min(1)
    return _at_level(least, level)


def _scaled(frame: pd.DataFrame) -> Floats:
    """Return the sensors, standardised by the fitted rows."""
    values = frame.drop(columns="datetime").to_numpy(np.float64)
    deviation = values[:FITTED].std(0)
    scaled: Floats = (values - values[:FITTED].mean(0)) / np.where(deviation > 0, deviation, 1.0)
    return scaled


def _train(network: nn.Module, rows: torch.Tensor) -> None:
    """Train an autoencoder on the squared error, then leave it ready to answer."""
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    network.train()
    for _ in range(STEPS):
        batch = rows[torch.randint(len(rows), (BATCH,))]
        loss = (network(batch) - batch).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()


def _at_level(scores: Floats, level: float) -> Judged:
    """Return the same alarms for every rate: the level of a peer is its own."""
    return Judged(scores, {suffix: scores > level for suffix in RATES})


METHODS: dict[str, Method] = {
    common.OURS: ours,
    "diabolo_follow": partial(ours, follow=True),
    "t2_q": t2_and_q,
    "isolation_forest": isolation_forest,
    "autoencoder": autoencoder,
    "convolutional": convolutional,
}
PEERS = tuple(name for name in METHODS if name != common.OURS)


def measures(labels: NDArray[np.bool_], alarms: NDArray[np.bool_]) -> dict[str, float]:
    """Return F1, and the rates of false and of missed alarms in percent."""
    hits, false = int((alarms & labels).sum()), int((alarms & ~labels).sum())
    missed = int((~alarms & labels).sum())
    return {
        "f1": 2 * hits / max(2 * hits + false + missed, 1),
        "far": 100 * false / max(int((~labels).sum()), 1),
        "mar": 100 * missed / max(int(labels.sum()), 1),
    }


def run(
    files: dict[str, Path], method: str, seeds: int, scores: Path | None
) -> tuple[dict[str, float], list[Any]]:
    """Return the measures of a method over all files and seeds, and a row of results for each file."""
    rows, labels, alarms, aurocs = [], [], {suffix: [] for suffix in RATES}, []  # type: ignore[var-annotated]
    total = 0.0
    for name, path in files.items():
        table = pd.read_csv(path, sep=";", parse_dates=["datetime"])
        truth = table["anomaly"].to_numpy() > 0.5
        for seed in range(seeds):
            judged, seconds = common.timed(METHODS[method], table.drop(columns=list(LABELS)), seed)
            total += seconds
            labels.append(truth)
            for suffix, part in judged.alarms.items():
                alarms[suffix].append(part)
            auroc = float(roc_auc_score(truth[FITTED:], judged.scores[FITTED:]))
            aurocs.append(auroc)
            rows.append({"set": name, "seed": seed, "method": method, "cpu_seconds": seconds, "auroc": auroc})
            rows[-1] |= measures(truth, judged.alarms[""])
            if scores is not None and method == common.OURS:
                common.keep_scores(scores, name, seed, judged.scores, truth.astype(np.int64))
    found = {"auroc": float(np.mean(aurocs)), "cpu_seconds": total}
    for suffix, parts in alarms.items():
        part = measures(np.concatenate(labels), np.concatenate(parts))
        found |= {f"{key}{suffix}": value for key, value in part.items()}
    return found, rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = common.parse(arguments, description=CLAIM, known_peers=PEERS, default_peers=PEERS)
    files = common.find_sets(options.data, ".csv", options.sets)
    found, rows = {}, []
    for method in (common.OURS, *options.peers):
        found[method], part = run(files, method, options.seeds, options.scores)
        rows += part
        print(method, file=sys.stderr, flush=True)
    keys = ("f1", "far", "mar", "auroc", "f1_1", "f1_05", "far_05", "mar_05", "cpu_seconds")
    common.print_table(["method", *keys], [[m, *(found[m][k] for k in keys)] for m in found])
    common.write_result(
        options.json,
        claim=CLAIM,
        protocol=PROTOCOL,
        seeds=options.seeds,
        rows=rows,
        mean=found[common.OURS],
        peers={name: found[name] for name in options.peers},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
