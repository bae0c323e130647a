"""What stands between encoder and decoder."""

from diabolo.bottlenecks.base import Bottleneck
from diabolo.bottlenecks.identity import Identity
from diabolo.bottlenecks.quantized import Quantized
from diabolo.bottlenecks.vanilla import Vanilla
from diabolo.bottlenecks.variational import Variational

BOTTLENECKS: tuple[type[Bottleneck], ...] = (Identity, Vanilla, Variational, Quantized)

__all__ = ["BOTTLENECKS", "Bottleneck", "Identity", "Quantized", "Vanilla", "Variational"]
