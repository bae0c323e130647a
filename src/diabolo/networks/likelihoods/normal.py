"""Normal distributions."""

from __future__ import annotations

import torch


class Normal(torch.distributions.Normal):
    """The normal distribution of torch, without its validation of every argument.

    Args:
        loc: the means.
        scale: the standard deviations, of the same shape.

    Example:
        >>> import torch
        >>> Normal(torch.zeros(2), torch.ones(2)).icdf(torch.tensor(0.5))
        tensor([0., 0.])
    """

    def __init__(self, loc: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__(loc, scale, validate_args=False)

    def narrow(self, index: int) -> Normal:
        """Return the distribution of one field, (rows, fields, *cell) -> (rows, 1, *cell)."""
        return Normal(self.loc[:, index : index + 1], self.scale[:, index : index + 1])

    @property
    def median(self) -> torch.Tensor:
        return self.loc
