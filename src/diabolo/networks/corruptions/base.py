"""The interface of corruptions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from diabolo.data.fields import Batch, broadcast_fields


class Corrupted(NamedTuple):
    """Damaged rows, and how much the prediction of each cell counts.

    Attributes:
        batch: the damaged rows.
        weights: kind -> (rows, fields, *cell); 0 for missing values and context. None if
            all cells count the same.
    """

    batch: Batch
    weights: Mapping[str, Tensor] | None


class Corruption(nn.Module, ABC):
    """Damages rows. It has no weights; it is a module so that a printed network contains it."""

    masks: bool = False
    """Whether the network learns to predict hidden cells from the others."""

    @abstractmethod
    def forward(self, batch: Batch, scored: Mapping[str, Tensor]) -> Corrupted:
        """Return damaged rows and weights; random numbers come from torch's default generator.

        Args:
            batch: clean rows.
            scored: kind -> (fields,) which may be damaged and are predicted.
        """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return the arguments that make an equal instance."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options().items())})"


def full_weights(batch: Batch, scored: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Return weight 1 for every scored cell that has a value; None if that is all of them.

    Args:
        batch: rows.
        scored: kind -> (fields,).
    """
    if batch.whole:
        return None
    return {k: (v & broadcast_fields(scored[k], v)).float() for k, v in batch.visible.items()}
