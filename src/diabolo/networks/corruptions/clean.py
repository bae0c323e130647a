"""No damage: the bottleneck alone keeps the network from copying."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.networks.corruptions.base import Corrupted, Corruption, full_weights


class Clean(Corruption):
    """Rows as they are."""

    def forward(self, batch: Batch, scored: Mapping[str, Tensor]) -> Corrupted:
        return Corrupted(batch, full_weights(batch, scored))

    def options(self) -> dict[str, Any]:
        return {}
