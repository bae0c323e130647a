"""What distributions over a finite set of outcomes have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import Distribution


class Discrete(Distribution, ABC):
    """A distribution over finitely many outcomes of each column: the levels of a label, the bins of a number.

    Args:
        logits: (..., columns, outcomes); an outcome that a column does not have holds a very negative number.
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape[:-1], validate_args=False)

    @cached_property
    def log_mass(self) -> Tensor:
        """The log of the probability of every outcome, (..., columns, outcomes); computed on first use."""
        return self.logits.log_softmax(-1)

    @property
    def probs(self) -> Tensor:
        """The probability of every outcome, (..., columns, outcomes)."""
        return self.logits.softmax(-1)

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        return self.icdf(torch.rand(*sample_shape, *self.batch_shape, device=self.logits.device))

    @abstractmethod
    def icdf(self, value: Tensor) -> Tensor:
        """Return the outcome at each share `value` of the mass, from 0 to 1, (..., columns)."""
