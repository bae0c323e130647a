"""Building blocks of networks that torch lacks."""

from diabolo.layers.alphabet import Alphabet
from diabolo.layers.mlp import ACTIVATIONS, MLP
from diabolo.layers.restorer import Restorer
from diabolo.layers.whitener import Whitener

__all__ = ["ACTIVATIONS", "MLP", "Alphabet", "Restorer", "Whitener"]
