"""The layers between encoder and decoder."""

from diabolo.networks.bottlenecks.base import Bottleneck
from diabolo.networks.bottlenecks.identity import Identity
from diabolo.networks.bottlenecks.quantized import Quantized
from diabolo.networks.bottlenecks.vanilla import Vanilla
from diabolo.networks.bottlenecks.variational import Variational

BOTTLENECKS: tuple[type[Bottleneck], ...] = (Identity, Vanilla, Variational, Quantized)

__all__ = ["BOTTLENECKS", "Bottleneck", "Identity", "Quantized", "Vanilla", "Variational"]
