"""Layers that torch does not have."""

from diabolo.networks.layers.embedding import FieldEmbedding
from diabolo.networks.layers.mlp import ACTIVATIONS, MLP
from diabolo.networks.layers.whitening import Whitener
from diabolo.networks.layers.wiener import WienerFilter

__all__ = ["ACTIVATIONS", "MLP", "FieldEmbedding", "Whitener", "WienerFilter"]
