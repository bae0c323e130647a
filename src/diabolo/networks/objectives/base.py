"""The interface of objectives, and what they use of a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.networks.corruptions import Corrupted
from diabolo.networks.prediction import Prediction
from diabolo.networks.stems import FlatStem


class Reconstructs(Protocol):
    """What an objective uses of a network; see `diabolo.networks.network.Network`.

    Attributes:
        kinds: of fields.
    """

    kinds: list[str]

    @property
    def can_be_missing(self) -> Mapping[str, Tensor]:
        """Kind -> (fields,) which may have no value."""

    def predict(self, batch: Batch) -> Prediction:
        """Return a prediction of every cell, for prepared rows."""

    def embed_inputs(self, batch: Batch) -> Tensor:
        """Return what the encoder reads, (rows, width)."""

    def encode_inputs(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latent code, (rows, latent), and its KL divergence, (rows,)."""

    def reconstruct(self, latent: Tensor) -> Tensor:
        """Return the reconstruction of what was read, (rows, width)."""

    def flat_stem(self, kind: str) -> FlatStem:
        """Return the stem of a kind."""


class Objective(ABC):
    """Measures how badly a network restores rows: loss = reconstruction + beta * KL."""

    reconstructs: bool = False
    """Whether the decoder reconstructs the numbers that the encoder reads, embeddings included."""

    unit_range: bool = False
    """Whether numbers are read in their range, from 0 to 1, instead of in standard units."""

    @abstractmethod
    def row_losses(self, network: Reconstructs, batch: Batch, damaged: Corrupted) -> tuple[Tensor, Tensor]:
        """Return the reconstruction and the KL divergence of each row, (rows,) each.

        Args:
            network: reads and predicts.
            batch: clean rows.
            damaged: the rows that it reads, and the weight of each cell.
        """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return the arguments that make an equal instance."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options().items())})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.options() == other.options()

    __hash__ = None  # type: ignore[assignment]
