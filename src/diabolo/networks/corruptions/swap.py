"""Values of other rows in some cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.networks.corruptions.base import Corrupted, Corruption, full_weights
from diabolo.utils.checks import check_fraction


class Swap(Corruption):
    """Replaces each cell, with probability `probability`, by that of another row of the batch.

    Args:
        probability: of each cell.
    """

    def __init__(self, probability: float = 0.1) -> None:
        super().__init__()
        self.probability = check_fraction("swap", probability)

    def forward(self, batch: Batch, scored: Mapping[str, Tensor]) -> Corrupted:
        """Return rows of which some scored cells hold the value of another row.

        Args:
            batch: clean rows.
            scored: kind -> (fields,) which may be damaged and are predicted.
        """
        values = {}
        for kind, value in batch.values.items():
            if self.probability and bool(scored[kind].any()):
                other = torch.randperm(len(value), device=value.device)
                donor, present = value[other], batch.visible[kind] & batch.visible[kind][other]
                chosen = torch.rand(value.shape[:2], device=value.device) < self.probability
                chosen = (chosen & scored[kind]).view(*value.shape[:2], *[1] * (value.dim() - 2))
                values[kind] = torch.where(chosen & present, donor, value)
        return Corrupted(batch.replace(values=values), full_weights(batch, scored))

    def options(self) -> dict[str, Any]:
        return {"probability": self.probability}
