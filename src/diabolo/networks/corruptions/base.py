"""What a corruption is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from diabolo.data.fields import Batch, broadcast_fields


class Corrupted(NamedTuple):
    """What the network reads, and how much each cell's prediction counts.

    Attributes:
        codes: the damaged rows.
        weights: kind -> (rows, fields, *cell); 0 for holes and context. None if every cell counts alike.
    """

    batch: Batch
    weights: Mapping[str, Tensor] | None


class Corruption(nn.Module, ABC):
    """Damages rows. It has no weights; it is a module so that it shows up in a printed network."""

    masks: bool = False
    """Whether the network learns to predict hidden cells from the others."""

    @abstractmethod
    def forward(self, batch: Batch, scored: Mapping[str, Tensor]) -> Corrupted:
        """Damage the scored fields of some rows; draws come from torch's default generator.

        Args:
            batch: clean rows.
            scored: kind -> (fields,) which may be damaged and are predicted.
        """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The arguments that make an instance like this one."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options().items())})"


def full_weights(batch: Batch, scored: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Weight 1 for every scored cell that is there."""
    if batch.whole:
        return None
    return {k: (v & broadcast_fields(scored[k], v)).float() for k, v in batch.visible.items()}
