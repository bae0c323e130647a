"""Noise in numbers, values of other rows in categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diabolo.data.fields import Batch, Symbol, broadcast_fields
from diabolo.networks.corruptions.base import Corrupted, Corruption, full_weights
from diabolo.networks.corruptions.swap import Swap
from diabolo.utils.checks import check_non_negative


class Noise(Corruption):
    """Adds normal noise to every number; a symbol is replaced by that of another row with probability `swap`.

    All cells stay visible and all are predicted: the network learns to move a row back to where rows are
    dense (Vincent et al., "Stacked denoising autoencoders", 2010); what it moves far is anomalous.

    Args:
        sigma: standard deviation of the noise, in standard deviations of the column.
        swap: probability that a symbol is replaced.
    """

    def __init__(self, sigma: float = 0.3, swap: float = 0.1) -> None:
        super().__init__()
        self.sigma = check_non_negative("noise", sigma)
        self.swap = Swap(swap)

    def forward(self, batch: Batch, scored: Mapping[str, Tensor]) -> Corrupted:
        """Return rows with noise in the scored numbers and other labels in some scored symbols.

        Args:
            batch: clean rows.
            scored: kind -> (fields,) which may be damaged and are predicted.
        """
        labels = {k: s & (k == Symbol.kind) for k, s in scored.items()}
        swapped = self.swap(batch, labels).batch
        noisy = {
            k: v + self.sigma * torch.randn_like(v) * broadcast_fields(scored[k], v)
            for k, v in batch.values.items()
            if k != Symbol.kind
        }
        return Corrupted(swapped.replace(values=noisy), full_weights(batch, scored))

    def options(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "swap": self.swap.probability}
