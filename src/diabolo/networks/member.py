"""The description of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diabolo.networks.bottlenecks import BOTTLENECKS, Bottleneck, Identity
from diabolo.networks.corruptions import CORRUPTIONS, Corruption, Noise
from diabolo.networks.objectives import OBJECTIVES, Likelihood, Objective
from diabolo.networks.stems import StemOptions

PLAIN = (
    "embedding",
    "full_distribution",
    "window_filter",
    "whiten",
    "activation",
    "batch_norm",
    "residual",
    "convolution",
)
"""Attributes of a member that are plain values."""


@dataclass(frozen=True)
class Member:
    """The description of a network, before it is built.

    Attributes:
        corruption: how rows are damaged in training.
        bottleneck: the layers between encoder and decoder.
        objective: what the network is trained for.
        layers: widths of the encoder's layers; the decoder mirrors them.
        embedding: numbers in the embedding of a symbol whose column does not give a size.
        full_distribution: predict whole distributions of numbers, not means with a scale for each column.
        window_filter: start from the best linear prediction of the windows of a series.
        whiten: whether such windows are whitened first: noise and errors are measured there.
        activation, batch_norm, residual: as in `diabolo.networks.layers.MLP`.
        convolution: read and predict images by convolutions, if they are large enough.
        training: settings that differ from those of `diabolo.training.settings.Training`.
    """

    corruption: Corruption = field(default_factory=Noise)
    bottleneck: Bottleneck = field(default_factory=Identity)
    objective: Objective = field(default_factory=Likelihood)
    layers: tuple[int, ...] = (128, 128)
    embedding: int = 16
    full_distribution: bool = False
    window_filter: bool = True
    whiten: bool = False
    residual: bool = False
    activation: str = "silu"
    batch_norm: bool = False
    convolution: bool = False
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stem_options(self) -> StemOptions:
        """How such a network reads and predicts its fields."""
        return StemOptions(
            embedding=self.embedding,
            full_distribution=self.full_distribution,
            reconstruct_embeddings=self.objective.reconstructs,
            unit_range=self.objective.unit_range,
            convolution=self.convolution,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a model file."""
        return {
            **{name: getattr(self, name) for name in PLAIN},
            "layers": list(self.layers),
            "training": dict(self.training),
            "corruption": [type(self.corruption).__name__, self.corruption.options()],
            "bottleneck": [type(self.bottleneck).__name__, self.bottleneck.options()],
            "objective": [type(self.objective).__name__, self.objective.options()],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Member:
        """Invert `to_json`."""
        state = dict(state)
        kinds_of = {"corruption": CORRUPTIONS, "bottleneck": BOTTLENECKS, "objective": OBJECTIVES}
        for name, kinds in kinds_of.items():
            kind, options = state[name]
            state[name] = next(k for k in kinds if k.__name__ == kind)(**options)
        return cls(**{**state, "layers": tuple(state["layers"])})
