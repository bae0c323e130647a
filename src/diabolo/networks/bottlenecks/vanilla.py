"""The plain bottleneck: a code of a few numbers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from diabolo.errors import UnsupportedError
from diabolo.networks.bottlenecks.base import Bottleneck
from diabolo.utils.checks import check_int


class Vanilla(Bottleneck):
    """A linear map to `latent` numbers.

    Args:
        latent: numbers in the code.

    Example:
        >>> Vanilla(8)
        Vanilla(latent=8)
    """

    def __init__(self, latent: int = 16) -> None:
        super().__init__()
        self.latent = check_int("latent", latent)

    def build(self, width: int) -> int:
        self.code = nn.Linear(width, self.latent)
        return self.latent

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return self.code(h), h.new_zeros(len(h))

    def sample(self, n: int) -> Tensor:
        raise UnsupportedError(
            "a vanilla autoencoder's codes have no prior to draw from",
            hint='Autoencoder("variational") has one',
        )

    def options(self) -> dict[str, Any]:
        return {"latent": self.latent}
