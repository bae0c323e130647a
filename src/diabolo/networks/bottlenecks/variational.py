"""The variational bottleneck: a distribution over codes of a few numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from diabolo.networks.bottlenecks.base import Bottleneck
from diabolo.utils.checks import check_int, check_non_negative


class Variational(Bottleneck):
    """A normal distribution over `latent` numbers, kept close to the standard normal one.

    In training the code is drawn, `z = z_mean + exp(z_log_var / 2) * epsilon` with
    `epsilon ~ N(0, stdev^2)`, so that gradients pass (Kingma and Welling, "Auto-encoding variational
    Bayes", 2014); otherwise it is `z_mean`. The divergence from the standard normal is, in nats,
    `KL = sum(z_mean^2 + exp(z_log_var) - z_log_var - 1) / 2`; `beta` is its weight in the loss
    (Higgins et al., "beta-VAE", 2017).

    Args:
        latent: numbers in the code.
        beta: weight of the divergence.
        stdev: deviation of the noise in training.

    Example:
        >>> Variational(8, beta=0.5)
        Variational(latent=8, beta=0.5, stdev=1.0)
    """

    def __init__(self, latent: int = 16, beta: float = 1.0, stdev: float = 1.0) -> None:
        super().__init__()
        self.latent = check_int("latent", latent)
        self.beta, self.stdev = check_non_negative("beta", beta), check_non_negative("stdev", stdev)

    def build(self, width: int) -> int:
        self.mean = nn.Linear(width, self.latent)
        self.log_var = nn.Linear(width, self.latent)
        return self.latent

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        z_mean, z_log_var = self.mean(h), self.log_var(h).clamp(-12, 8)
        deviation = (0.5 * z_log_var).exp()
        kl = _divergences(z_mean, z_log_var, deviation).sum(1)
        if not self.training:
            return z_mean, kl
        return torch.addcmul(z_mean, deviation, torch.randn_like(z_mean), value=self.stdev), kl

    def divergences(self, h: Tensor) -> Tensor:
        """Return the KL divergence of each number of a code in nats, (rows, width) -> (rows, latent)."""
        z_mean, z_log_var = self.mean(h), self.log_var(h).clamp(-12, 8)
        return _divergences(z_mean, z_log_var, (0.5 * z_log_var).exp())

    def sample(self, n: int) -> Tensor:
        return torch.randn(n, self.latent)

    def options(self) -> dict[str, Any]:
        return {"latent": self.latent, "beta": self.beta, "stdev": self.stdev}


def _divergences(z_mean: Tensor, z_log_var: Tensor, deviation: Tensor) -> Tensor:
    return 0.5 * (z_mean.square() + deviation.square() - z_log_var - 1)
