"""No damage: the bottleneck alone keeps the network from copying."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.networks.corruptions.base import Corrupted, Corruption, full_weights


class Clean(Corruption):
    """Leaves rows as they are."""

    def forward(self, batch: Batch, scored: Mapping[str, Tensor]) -> Corrupted:
        """Return the rows as they are.

        Args:
            batch: clean rows.
            scored: kind -> (fields,) which may be damaged and are predicted.
        """
        return Corrupted(batch, full_weights(batch, scored))

    def options(self) -> dict[str, Any]:
        return {}
