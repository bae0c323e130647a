"""Distributions over a finite set of levels."""

from __future__ import annotations

import torch
from torch import Tensor

from diabolo.networks.likelihoods.discrete import Discrete


class Categorical(Discrete):
    """A categorical distribution whose mean and median are its mode, because levels have no order.

    Args:
        logits: (..., columns, levels); a level that a column does not have holds a very negative number.

    Example:
        >>> import torch
        >>> Categorical(torch.tensor([[[0.1, 0.9]]])).mode
        tensor([[1]])
    """

    def narrow(self, index: int) -> Categorical:
        """Return the distribution of one field, (rows, fields) -> (rows, 1)."""
        return Categorical(self.logits[:, index : index + 1])

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

    def cdf(self, value: Tensor) -> Tensor:
        return self.probs.cumsum(-1).gather(-1, value.long().unsqueeze(-1)).squeeze(-1)

    def icdf(self, value: Tensor) -> Tensor:
        cumulated = self.probs.cumsum(-1)
        value = value + torch.zeros_like(cumulated[..., 0])
        index = (cumulated < value.unsqueeze(-1) - 1e-7).sum(-1)
        return index.clamp_max(cumulated.shape[-1] - 1)
