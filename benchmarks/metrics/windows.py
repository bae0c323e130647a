"""Quality of synthetic windows of a series; windows are (windows, steps, channels), 0 to 1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

Windows = NDArray[np.float32]

STEPS, BATCH, RATE, TRAIN_SHARE = 2_000, 128, 1e-3, 0.8
N_BLOCKS = 10  # of real windows in time; the trees are trained on every other one
MAX_QUERIES = 500  # windows whose nearest ones are computed


class RecurrentNetwork(nn.Module):
    """A layer of gated recurrent units, with one output for each step."""

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.units, self.out = nn.GRU(channels, units, batch_first=True), nn.Linear(units, 1)

    def forward(self, windows: Tensor) -> Tensor:
        outputs: Tensor = self.out(self.units(windows)[0])[..., 0]
        return outputs


class Copies(NamedTuple):
    """Distances of synthetic windows from real ones.

    Attributes:
        ratio: the median distance of synthetic windows to the nearest real one, over that of real windows to
            the nearest one without common points.
        share: of synthetic windows that are nearer than 99 % of those.
    """

    ratio: float
    share: float


def discriminative(real: Windows, new: Windows, seed: int, steps: int = STEPS) -> float:
    """Return abs(accuracy - 1/2) of a GRU that separates synthetic windows from real ones; 0 is best.

    As in TimeGAN (Yoon, Jarrett, van der Schaar, 2019): half as many units as channels, 2,000 steps of Adam
    over 128 windows of each kind, tested on the fifth of the windows that was not used for training.
    """
    random, count = np.random.default_rng(seed), min(len(real), len(new))
    classes = [torch.from_numpy(part[random.permutation(len(part))[:count]]) for part in (real, new)]
    first, classifier = int(TRAIN_SHARE * count), _network(real.shape[2], real.shape[2] // 2, seed)
    optimizer = torch.optim.Adam(classifier.parameters(), RATE)
    target = torch.tensor([1.0, 0.0]).repeat_interleave(BATCH)
    for _ in range(steps):
        batch = torch.cat([part[random.integers(0, first, BATCH)] for part in classes])
        loss = functional.binary_cross_entropy_with_logits(classifier(batch)[:, -1], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        called_real = [float((classifier(part[first:])[:, -1] > 0).float().mean()) for part in classes]
    return abs((called_real[0] + 1 - called_real[1]) / 2 - 0.5)


def predictive(real: Windows, new: Windows, seed: int, steps: int = STEPS) -> float:
    """Return the error on real windows of a GRU trained on synthetic ones to predict the last channel.

    The error is the mean absolute one, of the prediction one step ahead from the other channels.
    """
    random, network = np.random.default_rng(seed), _network(real.shape[2] - 1, real.shape[2] // 2, seed)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    train, test = map(torch.from_numpy, (new, real))

    def error(windows: Tensor) -> Tensor:
        predicted = torch.sigmoid(network(windows[:, :-1, :-1]))
        return (predicted - windows[:, 1:, -1]).abs().mean()

    for _ in range(steps):
        optimizer.zero_grad()
        error(train[random.integers(0, len(train), BATCH)]).backward()
        optimizer.step()
    with torch.no_grad():
        return float(error(test))


def trees(real: Windows, new: Windows, seed: int) -> float:
    """Return the AUROC of boosted trees that separate synthetic from real windows, in unseen segments.

    Real windows, in order, are split into ten segments; the trees are trained on every other one and half of
    the synthetic windows. With a random split, test windows would share points with training windows.
    """
    flat = [part.reshape(len(part), -1) for part in (real, new)]
    trained = [np.arange(len(real)) * N_BLOCKS // len(real) % 2 == 0]
    trained.append(np.random.default_rng(seed).random(len(new)) < 0.5)
    rows = [
        np.concatenate([f[w] for f, w in zip(flat, masks, strict=True)])
        for masks in (trained, _inverted(trained))
    ]
    labels = [np.repeat([0, 1], [int(w.sum()) for w in masks]) for masks in (trained, _inverted(trained))]
    classifier = HistGradientBoostingClassifier(random_state=seed).fit(rows[0], labels[0])
    return float(roc_auc_score(labels[1], classifier.predict_proba(rows[1])[:, 1]))


def copies(real: Windows, new: Windows, seed: int) -> Copies:
    """Measure whether synthetic windows are copies of the real ones, which are in order and all fitted."""
    random = np.random.default_rng(seed)
    flat = real.reshape(len(real), -1).astype(np.float64)
    queries = random.choice(len(real), min(MAX_QUERIES, len(real)), replace=False)
    sample = new[random.choice(len(new), min(MAX_QUERIES, len(new)), replace=False)]
    disjoint = np.abs(queries[:, None] - np.arange(len(real))) >= real.shape[1]
    real_distances = np.where(disjoint, _distances(flat[queries], flat), np.inf).min(1)
    new_distances = _distances(sample.reshape(len(sample), -1).astype(np.float64), flat).min(1)
    return Copies(
        float(np.median(new_distances) / np.median(real_distances)),
        float((new_distances < np.quantile(real_distances, 0.01)).mean()),
    )


def _network(channels: int, units: int, seed: int) -> RecurrentNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return RecurrentNetwork(channels, max(units, 1))


def _inverted(masks: list[NDArray[np.bool_]]) -> list[NDArray[np.bool_]]:
    return [~mask for mask in masks]


def _distances(rows: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (rows**2).sum(1)[:, None] - 2 * rows @ others.T + (others**2).sum(1)
    distances: NDArray[np.float64] = np.sqrt(squares.clip(0))
    return distances
