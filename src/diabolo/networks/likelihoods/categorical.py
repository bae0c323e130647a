"""Distributions over a finite set of levels."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import Distribution


class Categorical(Distribution):
    """A categorical distribution whose mean and median are its mode, because levels have no order.

    Args:
        logits: (..., columns, levels); a level that a column does not have holds a very negative number.

    Example:
        >>> import torch
        >>> Categorical(torch.tensor([[[0.1, 0.9]]])).mode
        tensor([[1]])
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape[:-1], validate_args=False)

    def narrow(self, index: int) -> Categorical:
        """Return the distribution of one field, (rows, fields) -> (rows, 1)."""
        return Categorical(self.logits[:, index : index + 1])

    @cached_property
    def log_mass(self) -> Tensor:
        """The log of the probability of every level, (..., columns, levels); computed on first use."""
        return self.logits.log_softmax(-1)

    @property
    def probs(self) -> Tensor:
        """The probability of every level, (..., columns, levels)."""
        return self.logits.softmax(-1)

    @property
    def mode(self) -> Tensor:
        return self.log_mass.argmax(-1)

    @property
    def mean(self) -> Tensor:
        return self.mode

    @property
    def median(self) -> Tensor:
        return self.mode

    def log_prob(self, value: Tensor) -> Tensor:
        return self.log_mass.gather(-1, value.long().unsqueeze(-1)).squeeze(-1)

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        return self.icdf(torch.rand(*sample_shape, *self.batch_shape, device=self.logits.device))

    def cdf(self, value: Tensor) -> Tensor:
        return self.probs.cumsum(-1).gather(-1, value.long().unsqueeze(-1)).squeeze(-1)

    def icdf(self, value: Tensor) -> Tensor:
        cumulated = self.probs.cumsum(-1)
        value = value + torch.zeros_like(cumulated[..., 0])
        index = (cumulated < value.unsqueeze(-1) - 1e-7).sum(-1)
        return index.clamp_max(cumulated.shape[-1] - 1)
