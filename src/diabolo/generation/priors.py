"""Distributions that the latent codes of new rows are sampled from."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from diabolo.generation.mixtures import fit_gaussian_mixture
from diabolo.networks.bottlenecks import Bottleneck, Quantized

PRIORS = ("mixture", "normal")
# Choices: components of each mixture, at most, and rows of the fit for each component.
_MAX_NORMALS, _ROWS_PER_NORMAL = 32, 100
_MAX_CLASSES, _ROWS_PER_CLASS = 100, 40
_EM_STEPS, _GAUSSIAN_EM_STEPS = 60, 50


class LatentPrior(ABC):
    """A distribution of latent codes."""

    @abstractmethod
    def sample(self, rows: int) -> Tensor:
        """Sample (rows, latent) codes.

        Raises:
            UnsupportedError: there is no such distribution for the bottleneck.
        """


class NormalPrior(LatentPrior):
    """The distribution that the bottleneck's codes are held near in training.

    Args:
        bottleneck: of the fitted network.
    """

    def __init__(self, bottleneck: Bottleneck) -> None:
        self.bottleneck = bottleneck

    def sample(self, rows: int) -> Tensor:
        return self.bottleneck.sample(rows)


class GaussianMixturePrior(LatentPrior):
    """A mixture of normal distributions, fitted to the codes of remembered rows.

    Args:
        latents: (rows, latent) codes.
        random: generator of the samples.
    """

    def __init__(self, latents: Tensor, random: np.random.RandomState) -> None:
        known = latents.numpy().astype(float)
        n_components = min(max(len(known) // _ROWS_PER_NORMAL, 1), _MAX_NORMALS)
        ridge = 1e-4 * float(known.var()) + 1e-9
        self.mixture = fit_gaussian_mixture(
            known, n_components, ridge=ridge, max_iter=_GAUSSIAN_EM_STEPS, seed=0
        )
        self.mixture.random_state = random

    def sample(self, rows: int) -> Tensor:
        codes, _ = self.mixture.sample(rows)
        # scikit-learn returns them component by component.
        return torch.from_numpy(np.asarray(codes[torch.randperm(rows).numpy()])).float()


class LatentClassPrior(LatentPrior):
    """Latent classes, in each of which the levels of a code are independent (Lazarsfeld, 1950), by EM.

    Args:
        bottleneck: of the fitted network.
        latents: (rows, latent) codes of remembered rows.
        random: generator of the samples.
    """

    def __init__(self, bottleneck: Quantized, latents: Tensor, random: np.random.RandomState) -> None:
        from sklearn.cluster import KMeans

        self.bottleneck, self.random = bottleneck, random
        known, levels = bottleneck.to_levels(latents).numpy(), bottleneck.levels
        rows, latent = known.shape
        classes = min(max(rows // _ROWS_PER_CLASS, 1), _MAX_CLASSES, len(np.unique(known, axis=0)))
        one_hot = np.eye(levels)[known].reshape(rows, -1)
        mean = one_hot.mean(0)
        member = np.eye(classes)[KMeans(classes, n_init=1, max_iter=20, random_state=0).fit_predict(known)]
        for _ in range(_EM_STEPS):
            # One more row in each class, distributed as all rows: no level that occurs is impossible.
            weight = member.sum(0)
            share = (member.T @ one_hot + mean) / (weight[:, None] + 1)
            log = one_hot @ np.log(share + 1e-12).T + np.log((weight + 1) / (rows + classes))
            member = np.exp(log - log.max(1, keepdims=True))
            member /= member.sum(1, keepdims=True)
        self.weights = member.sum(0) / rows
        self.cumulative = share.reshape(classes, latent, levels).cumsum(2)

    def sample(self, rows: int) -> Tensor:
        cumulative = self.cumulative[self.random.choice(len(self.weights), rows, p=self.weights)]
        quantile = self.random.random_sample((rows, cumulative.shape[1], 1)) * cumulative[:, :, -1:]
        level = np.asarray((cumulative <= quantile).sum(2).clip(max=cumulative.shape[2] - 1))
        return self.bottleneck.to_codes(torch.from_numpy(level))


def fit_prior(name: str, bottleneck: Bottleneck, latents: Tensor, seed: int) -> LatentPrior:
    """Fit a prior.

    Args:
        name: "mixture": latent classes for quantized codes, else normal distributions; or "normal".
        bottleneck: of the fitted network.
        latents: (rows, latent) codes of remembered rows.
        seed: of the samples of a mixture.
    """
    if name == "normal":
        return NormalPrior(bottleneck)
    random = np.random.RandomState(seed % 2**32)
    if isinstance(bottleneck, Quantized):
        return LatentClassPrior(bottleneck, latents, random)
    return GaussianMixturePrior(latents, random)
