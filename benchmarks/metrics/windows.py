"""How well new windows of a series stand for real ones; windows are (windows, steps, channels), 0 to 1."""

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

STEPS, BATCH, RATE, LEARNT = 2_000, 128, 1e-3, 0.8
BLOCKS = 10  # of real windows in time, every other of which the trees learn from
ASKED = 500  # windows whose nearest ones are looked for


class Gated(nn.Module):
    """A layer of gated recurrent units, and one number for each step of theirs."""

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.units, self.out = nn.GRU(channels, units, batch_first=True), nn.Linear(units, 1)

    def forward(self, windows: Tensor) -> Tensor:
        said: Tensor = self.out(self.units(windows)[0])[..., 0]
        return said


class Copies(NamedTuple):
    """How near new windows lie to real ones.

    Attributes:
        ratio: the median distance of new windows to the nearest real one, over that of real windows to the
            nearest one that they share no point with.
        share: of new windows that are nearer than 99 % of those.
    """

    ratio: float
    share: float


def discriminative(real: Windows, new: Windows, seed: int, steps: int = STEPS) -> float:
    """How far from a half is the accuracy of a GRU that tells new windows from real ones; 0 is best.

    As in TimeGAN (Yoon, Jarrett, van der Schaar, 2019): half as many units as channels, 2,000 steps of Adam
    over 128 windows of each kind, tested on the fifth of the windows that was not learnt from.
    """
    random, count = np.random.default_rng(seed), min(len(real), len(new))
    kinds = [torch.from_numpy(part[random.permutation(len(part))[:count]]) for part in (real, new)]
    first, classifier = int(LEARNT * count), _made(real.shape[2], real.shape[2] // 2, seed)
    optimizer = torch.optim.Adam(classifier.parameters(), RATE)
    target = torch.tensor([1.0, 0.0]).repeat_interleave(BATCH)
    for _ in range(steps):
        batch = torch.cat([part[random.integers(0, first, BATCH)] for part in kinds])
        loss = functional.binary_cross_entropy_with_logits(classifier(batch)[:, -1], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        called = [float((classifier(part[first:])[:, -1] > 0).float().mean()) for part in kinds]
    return abs((called[0] + 1 - called[1]) / 2 - 0.5)


def predictive(real: Windows, new: Windows, seed: int, steps: int = STEPS) -> float:
    """Mean absolute error, on real windows, of a GRU that learnt to guess the last channel on new ones."""
    random, classifier = np.random.default_rng(seed), _made(real.shape[2] - 1, real.shape[2] // 2, seed)
    optimizer, learnt, asked = (
        torch.optim.Adam(classifier.parameters(), RATE),
        *map(torch.from_numpy, (new, real)),
    )

    def error(windows: Tensor) -> Tensor:
        guess = torch.sigmoid(classifier(windows[:, :-1, :-1]))
        return (guess - windows[:, 1:, -1]).abs().mean()

    for _ in range(steps):
        optimizer.zero_grad()
        error(learnt[random.integers(0, len(learnt), BATCH)]).backward()
        optimizer.step()
    with torch.no_grad():
        return float(error(asked))


def trees(real: Windows, new: Windows, seed: int) -> float:
    """AUROC of boosted trees that tell new windows from real ones, in segments of time they do not know.

    Real windows, in their order, are parted into ten segments; trees learn from every other of them and a
    half of the new ones. Windows that were parted at random would share points with windows learnt from.
    """
    flat = [part.reshape(len(part), -1) for part in (real, new)]
    learnt = [np.arange(len(real)) * BLOCKS // len(real) % 2 == 0]
    learnt.append(np.random.default_rng(seed).random(len(new)) < 0.5)
    rows = [
        np.concatenate([f[w] for f, w in zip(flat, ways, strict=True)]) for ways in (learnt, _not(learnt))
    ]
    names = [np.repeat([0, 1], [int(w.sum()) for w in ways]) for ways in (learnt, _not(learnt))]
    classifier = HistGradientBoostingClassifier(random_state=seed).fit(rows[0], names[0])
    return float(roc_auc_score(names[1], classifier.predict_proba(rows[1])[:, 1]))


def copies(real: Windows, new: Windows, seed: int) -> Copies:
    """Whether new windows are real ones: real windows, in their order, were all learnt from."""
    random = np.random.default_rng(seed)
    whole = real.reshape(len(real), -1).astype(np.float64)
    asked = random.choice(len(real), min(ASKED, len(real)), replace=False)
    drawn = new[random.choice(len(new), min(ASKED, len(new)), replace=False)]
    apart = np.abs(asked[:, None] - np.arange(len(real))) >= real.shape[1]
    usual = np.where(apart, _distances(whole[asked], whole), np.inf).min(1)
    found = _distances(drawn.reshape(len(drawn), -1).astype(np.float64), whole).min(1)
    return Copies(
        float(np.median(found) / np.median(usual)), float((found < np.quantile(usual, 0.01)).mean())
    )


def _made(channels: int, units: int, seed: int) -> Gated:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Gated(channels, max(units, 1))


def _not(ways: list[NDArray[np.bool_]]) -> list[NDArray[np.bool_]]:
    return [~way for way in ways]


def _distances(rows: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (rows**2).sum(1)[:, None] - 2 * rows @ others.T + (others**2).sum(1)
    distances: NDArray[np.float64] = np.sqrt(squares.clip(0))
    return distances
