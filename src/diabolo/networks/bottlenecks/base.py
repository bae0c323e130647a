"""What a bottleneck is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn


class Bottleneck(nn.Module, ABC):
    """Turns the encoder's output into a latent code, and back into what the decoder reads.

    An instance owns its sizes; its weights are made by `build`, once the encoder's width is known, so
    an unbuilt instance can be passed around, copied and compared.
    """

    beta: float = 1.0
    """The weight of the KL divergence in the loss."""

    @abstractmethod
    def build(self, width: int) -> int:
        """Make the weights for an encoder of this width; returns the width of the latent code."""

    @abstractmethod
    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, width) -> the latent code (rows, latent), and its KL divergence in nats (rows,)."""

    @abstractmethod
    def sample(self, n: int) -> Tensor:
        """Draw n latent codes from the prior; (n, latent).

        Raises:
            UnsupportedError: if the bottleneck has no prior.
        """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The arguments that make an instance like this one."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options().items())})"
