"""What a corruption is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from diabolo.data.fields import Codes, by_field


class Damaged(NamedTuple):
    """What the network reads, and how much each cell's prediction counts.

    Attributes:
        codes: the damaged rows.
        weights: kind -> (rows, fields, *cell); 0 for holes and context. None if every cell counts alike.
    """

    codes: Codes
    weights: Mapping[str, Tensor] | None


class Corruption(nn.Module, ABC):
    """Damages rows. It has no weights; it is a module so that it shows up in a printed network."""

    hides: bool = False
    """Whether the network learns to predict hidden cells from the others."""

    @abstractmethod
    def forward(self, codes: Codes, scored: Mapping[str, Tensor]) -> Damaged:
        """Damage the scored fields of some rows; draws come from torch's default generator.

        Args:
            codes: clean rows.
            scored: kind -> (fields,) which may be damaged and are predicted.
        """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The arguments that make an instance like this one."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.options().items())})"


def everything(codes: Codes, scored: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Weight 1 for every scored cell that is there."""
    if codes.whole:
        return None
    return {k: (v & by_field(scored[k], v)).float() for k, v in codes.visible.items()}
