"""The interface of bottlenecks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn


class Bottleneck(nn.Module, ABC):
    """Turns the encoder's output into the latent code that the decoder reads.

    An instance holds its sizes; its weights are made by `build`, once the width of the encoder is known, so
    that an instance without weights can be passed on, copied and compared.
    """

    beta: float = 1.0
    """The weight of the KL divergence in the loss."""

    @abstractmethod
    def build(self, width: int) -> int:
        """Make the weights for an encoder of this width; return the width of the latent code."""

    @abstractmethod
    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latent code, (rows, width) -> (rows, latent), and its KL divergence in nats, (rows,)."""

    @abstractmethod
    def sample(self, n: int) -> Tensor:
        """Return n latent codes drawn from the prior, (n, latent).

        Raises:
            UnsupportedError: the bottleneck has no prior.
        """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return the arguments that make an equal instance."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options().items())})"
