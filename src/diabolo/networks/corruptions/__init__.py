"""How rows are damaged in training, so that a network learns to restore them."""

from diabolo.networks.corruptions.base import Corrupted, Corruption
from diabolo.networks.corruptions.clean import Clean
from diabolo.networks.corruptions.mask import Mask
from diabolo.networks.corruptions.noise import Noise
from diabolo.networks.corruptions.swap import Swap

CORRUPTIONS: tuple[type[Corruption], ...] = (Clean, Noise, Swap, Mask)

__all__ = ["CORRUPTIONS", "Clean", "Corrupted", "Corruption", "Mask", "Noise", "Swap"]
