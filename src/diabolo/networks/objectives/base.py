"""What an objective is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from diabolo.data.fields import Batch
    from diabolo.networks.corruptions import Corrupted
    from diabolo.networks.network import Network


class Objective(ABC):
    """Says how badly a network restores rows: loss = reconstruction + beta * KL."""

    rebuilds: bool = False
    """Whether the decoder rebuilds the very numbers that the encoder read, embeddings included."""

    unit: bool = False
    """Whether numbers are read in their range, from 0 to 1, instead of in standard units."""

    @abstractmethod
    def rows(self, network: Network, batch: Batch, damaged: Corrupted) -> tuple[Tensor, Tensor]:
        """(rows,) reconstruction and (rows,) KL divergence of each row.

        Args:
            network: what reads and predicts.
            batch: clean rows.
            damaged: what it gets to read of them, and the weight of each cell.
        """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The arguments that make an instance like this one."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options().items())})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.options() == other.options()

    __hash__ = None  # type: ignore[assignment]
