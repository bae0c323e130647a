"""Noise on numbers, other rows' values in categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diabolo.data.fields import Codes, Symbol, by_field
from diabolo.networks.corruptions.base import Corruption, Damaged, everything
from diabolo.networks.corruptions.swap import Swap
from diabolo.utils.checks import positive


class Noise(Corruption):
    """Adds normal noise to every number; a symbol is exchanged for another row's with probability `swap`.

    All cells stay visible and all are predicted: the network learns to pull a row back to where rows
    are dense (Vincent et al., "Stacked denoising autoencoders", 2010), and what it pulls away is odd.

    Args:
        sigma: deviation of the noise, in standard deviations of the column.
        swap: probability that a symbol is exchanged.
    """

    def __init__(self, sigma: float = 0.3, swap: float = 0.1) -> None:
        super().__init__()
        self.sigma = positive("noise", sigma)
        self.swap = Swap(swap)

    def forward(self, codes: Codes, scored: Mapping[str, Tensor]) -> Damaged:
        labels = {k: s & (k == Symbol.kind) for k, s in scored.items()}
        swapped = self.swap(codes, labels).codes
        noisy = {
            k: v + self.sigma * torch.randn_like(v) * by_field(scored[k], v)
            for k, v in codes.values.items()
            if k != Symbol.kind
        }
        return Damaged(swapped.replace(values=noisy), everything(codes, scored))

    def options(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "swap": self.swap.probability}
