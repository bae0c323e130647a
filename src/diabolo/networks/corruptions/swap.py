"""Values of other rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.networks.corruptions.base import Corrupted, Corruption, full_weights
from diabolo.utils.checks import check_fraction


class Swap(Corruption):
    """Exchanges each cell, with probability `probability`, for that of another row of the batch.

    Args:
        probability: of each cell.
    """

    def __init__(self, probability: float = 0.1) -> None:
        super().__init__()
        self.probability = check_fraction("swap", probability)

    def forward(self, batch: Batch, scored: Mapping[str, Tensor]) -> Corrupted:
        values = {}
        for kind, value in batch.values.items():
            if self.probability and bool(scored[kind].any()):
                other = torch.randperm(len(value), device=value.device)
                donor, there = value[other], batch.visible[kind] & batch.visible[kind][other]
                chosen = torch.rand(value.shape[:2], device=value.device) < self.probability
                chosen = (chosen & scored[kind]).view(*value.shape[:2], *[1] * (value.dim() - 2))
                values[kind] = torch.where(chosen & there, donor, value)
        return Corrupted(batch.replace(values=values), full_weights(batch, scored))

    def options(self) -> dict[str, Any]:
        return {"probability": self.probability}
