"""No bottleneck: the corruption alone keeps the network from copying."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from diabolo.errors import UnsupportedError
from diabolo.networks.bottlenecks.base import Bottleneck


class Identity(Bottleneck):
    """Returns the encoder's output as it is."""

    def build(self, width: int) -> int:
        return width

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return h, h.new_zeros(len(h))

    def sample(self, n: int) -> Tensor:
        raise UnsupportedError(
            "a model without a bottleneck has no prior to draw from",
            hint='Autoencoder("variational") has one',
        )

    def options(self) -> dict[str, Any]:
        return {}
