"""Building blocks of networks that torch lacks."""

from diabolo.networks.layers.embedding import Alphabet
from diabolo.networks.layers.mlp import ACTIVATIONS, MLP
from diabolo.networks.layers.whitening import Whitener
from diabolo.networks.layers.wiener import Restorer

__all__ = ["ACTIVATIONS", "MLP", "Alphabet", "Restorer", "Whitener"]
