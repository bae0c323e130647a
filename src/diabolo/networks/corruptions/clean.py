"""No damage: the bottleneck alone keeps the network from copying."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from diabolo.data.fields import Codes
from diabolo.networks.corruptions.base import Corruption, Damaged, everything


class Clean(Corruption):
    """Rows as they are."""

    def forward(self, codes: Codes, scored: Mapping[str, Tensor]) -> Damaged:
        return Damaged(codes, everything(codes, scored))

    def options(self) -> dict[str, Any]:
        return {}
