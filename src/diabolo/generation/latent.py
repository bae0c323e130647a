"""Where the codes of new rows come from."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from diabolo.engine import Engine
from diabolo.networks.bottlenecks import Quantized
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.utils.torch_state import forked_rng

PRIORS = ("mixture", "normal")
CODES = 4_096  # codes that a mixture is fitted on
PARTS, SHARE = 32, 100  # of a mixture of normal distributions: at most so many, and rows for each
CLASSES, MEMBERS = 100, 40  # of a mixture of classes, likewise
ROUNDS = 60  # of the fit of classes


class LatentPrior:
    """Draws codes as those of remembered rows are distributed, or as the bottleneck has it.

    Attributes:
        known: (rows, latent) codes of remembered rows.

    Args:
        engine: a fitted model with a bottleneck.
        seed: of the draws.
        prior: "mixture", of normal distributions or, of quantized codes, of classes; or "normal".
    """

    def __init__(self, engine: Engine, seed: int, prior: str) -> None:
        self.bottleneck, self.known = engine.cell_network.bottleneck, _remembered(engine)
        self.random = np.random.RandomState(seed % 2**32)
        self.mixture = None if prior == "normal" else self._fit()

    def _fit(self) -> _Normals | _Classes:
        if isinstance(self.bottleneck, Quantized):
            return _Classes(self.bottleneck.to_levels(self.known).numpy(), self.bottleneck.levels)
        return _Normals(self.known.numpy().astype(float))

    def draw(self, rows: int) -> Tensor:
        """(rows, latent) codes."""
        if self.mixture is None:
            return self.bottleneck.sample(rows)
        drawn = torch.from_numpy(self.mixture.draw(rows, self.random))
        if isinstance(self.bottleneck, Quantized):
            return self.bottleneck.to_codes(drawn)
        return drawn.float()


class _Normals:
    """A mixture of normal distributions."""

    def __init__(self, known: np.ndarray) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        parts = min(max(len(known) // SHARE, 1), PARTS)
        spread = 1e-4 * float(known.var()) + 1e-9
        self.fitted = GaussianMixture(parts, max_iter=50, reg_covar=spread, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.fitted.fit(known)

    def draw(self, rows: int, random: np.random.RandomState) -> np.ndarray:
        self.fitted.random_state = random
        drawn, _ = self.fitted.sample(rows)
        # They come one normal distribution after the other.
        return np.asarray(drawn[torch.randperm(rows).numpy()])


class _Classes:
    """Latent classes: in each, the numbers of a code are independent (Lazarsfeld, 1950); fitted by EM.

    Args:
        known: (rows, latent) levels, from 0.
        levels: how many.
    """

    def __init__(self, known: np.ndarray, levels: int) -> None:
        from sklearn.cluster import KMeans

        rows, latent = known.shape
        classes = min(max(rows // MEMBERS, 1), CLASSES, len(np.unique(known, axis=0)))
        flags = np.eye(levels)[known].reshape(rows, -1)
        usual = flags.mean(0)
        first = KMeans(classes, n_init=1, max_iter=20, random_state=0).fit_predict(known)
        member = np.eye(classes)[first]
        for _ in range(ROUNDS):
            # One row more in each class, which is like all rows: no level is impossible that occurs.
            weight = member.sum(0)
            share = (member.T @ flags + usual) / (weight[:, None] + 1)
            log = flags @ np.log(share + 1e-12).T + np.log((weight + 1) / (rows + classes))
            member = np.exp(log - log.max(1, keepdims=True))
            member /= member.sum(1, keepdims=True)
        self.weight = member.sum(0) / rows
        self.upto = share.reshape(classes, latent, levels).cumsum(2)

    def draw(self, rows: int, random: np.random.RandomState) -> np.ndarray:
        upto = self.upto[random.choice(len(self.weight), rows, p=self.weight)]
        place = random.random_sample((rows, upto.shape[1], 1)) * upto[:, :, -1:]
        return np.asarray((upto <= place).sum(2).clip(max=upto.shape[2] - 1))


def places(engine: Engine) -> Tensor:
    """The remembered rows whose codes are looked at, evenly chosen."""
    remembered = len(engine.memory.rows)
    return torch.linspace(0, remembered - 1, min(remembered, CODES)).round().long()


def _remembered(engine: Engine) -> Tensor:
    """(rows, latent) codes of remembered rows."""
    # They are drawn, as in training, not only their means: between the codes of two rows are more.
    bottleneck = engine.cell_network.bottleneck
    read = engine.fill_missing(engine.memory.rows)[places(engine)]
    bottleneck.train()
    try:
        with forked_rng(0), torch.no_grad():
            z = [engine.cell_network.encode(c.to(engine.device))[0] for c in read.chunks(ROWS_PER_READ)]
    finally:
        bottleneck.eval()
    return torch.cat(z).cpu()
