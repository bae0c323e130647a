"""The quantized bottleneck: a code of a few small whole numbers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from diabolo.errors import UnsupportedError
from diabolo.networks.bottlenecks.base import Bottleneck
from diabolo.utils.checks import check_int


class Quantized(Bottleneck):
    """`latent` numbers, each of which takes one of a few levels between -1 and 1.

    Finite scalar quantization (Mentzer et al., "VQ-VAE made simple", 2023): `y = (levels - 1) *
    sigmoid(h)` is rounded, `z = 2 * round(y) / (levels - 1) - 1`, and gradients pass as if it were not. No
    code stays unused, as entries of a learnt codebook can. The divergence is 0: every code costs `latent *
    log2(levels)` bits.

    Args:
        latent: numbers in the code.
        levels: of each number.

    Example:
        >>> Quantized(8, levels=4)
        Quantized(latent=8, levels=4)
    """

    def __init__(self, latent: int = 8, levels: int = 8) -> None:
        super().__init__()
        self.latent, self.levels = check_int("latent", latent), check_int("levels", levels, least=2)

    def build(self, width: int) -> int:
        self.code = nn.Linear(width, self.latent)
        return self.latent

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        y = (self.levels - 1) * self.code(h).sigmoid()
        return self.to_codes(y + (y.round() - y).detach()), h.new_zeros(len(h))

    def to_codes(self, levels: Tensor) -> Tensor:
        """Return codes between -1 and 1 for levels counted from 0, (rows, latent)."""
        return 2 * levels / (self.levels - 1) - 1

    def to_levels(self, codes: Tensor) -> Tensor:
        """Invert `to_codes`, (rows, latent)."""
        return ((codes + 1) * (self.levels - 1) / 2).round().long()

    def sample(self, n: int) -> Tensor:
        raise UnsupportedError(
            "the codes of a quantized autoencoder have no prior of their own to draw from",
            hint='prior="mixture", which is fitted to the codes of remembered rows',
        )

    def options(self) -> dict[str, Any]:
        return {"latent": self.latent, "levels": self.levels}
