"""How rows are damaged in training, so that a network learns to see what they should be."""

from diabolo.corruptions.base import Corruption, Damaged
from diabolo.corruptions.clean import Clean
from diabolo.corruptions.mask import Mask
from diabolo.corruptions.noise import Noise
from diabolo.corruptions.swap import Swap

CORRUPTIONS: tuple[type[Corruption], ...] = (Clean, Noise, Swap, Mask)

__all__ = ["CORRUPTIONS", "Clean", "Corruption", "Damaged", "Mask", "Noise", "Swap"]
