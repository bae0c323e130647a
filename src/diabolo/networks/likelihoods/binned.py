"""A number as one of a finite set of bins: exact values that repeat, and intervals of equal mass."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from diabolo.networks.likelihoods.discrete import Discrete


class Bins(NamedTuple):
    """The bins of several columns, padded to the widest.

    Attributes:
        edges: (columns, bins + 1) ascending; a value in [edges[b], edges[b + 1]) belongs to bin b.
        low, high: (columns, bins) the smallest and largest value in each bin; equal for a bin of one value.
        centres: (columns, bins) the mean of the values in each bin.
        counts: (columns,) number of bins of each column.
    """

    edges: Tensor
    low: Tensor
    high: Tensor
    centres: Tensor
    counts: Tensor

    def truncate(self, count: int) -> Bins:
        """Return the first `count` bins; no column may have more."""
        if self.centres.shape[-1] == count:
            return self
        low, high, centres = (part[..., :count] for part in (self.low, self.high, self.centres))
        return Bins(self.edges[..., : count + 1], low, high, centres, self.counts)

    def locate(self, value: Tensor) -> Tensor:
        """Return the bin of each value, (..., columns); values beyond the ends belong to the outer bins."""
        columns = value.reshape(-1, value.shape[-1]).T.contiguous()
        bins = torch.searchsorted(self.edges[:, 1:-1].contiguous(), columns, right=True)
        bins = torch.minimum(bins, (self.counts - 1)[:, None])
        return bins.T.reshape(value.shape)


class Binned(Discrete):
    """A categorical distribution over the bins of a number; within a bin, the uniform one.

    `log_prob` is the log of the *mass* of the bin that a value falls into, not a density: masses of
    columns with different units can be compared and added.

    Args:
        logits: (..., columns, bins); a bin that a column does not have holds a very negative number.
        bins: their edges and values.

    Example:
        >>> import torch
        >>> low, high = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 2.0]])
        >>> bins = Bins(torch.tensor([[0.0, 1.0, 2.0]]), low, high, (low + high) / 2, torch.tensor([2]))
        >>> number = Binned(torch.zeros(1, 1, 2), bins)
        >>> number.mean, number.icdf(torch.tensor(0.25))
        (tensor([[1.]]), tensor([[0.5000]]))
    """

    def __init__(self, logits: Tensor, bins: Bins) -> None:
        super().__init__(logits)
        self.bins = bins

    def narrow(self, index: int) -> Binned:
        """Return the distribution of one field, (rows, fields) -> (rows, 1)."""
        bins = Bins(*(part[index : index + 1] for part in self.bins))
        return Binned(self.logits[:, index : index + 1], bins)

    @property
    def mean(self) -> Tensor:
        return (self.probs * self.bins.centres).sum(-1)

    @property
    def median(self) -> Tensor:
        return self.icdf(self.logits.new_tensor(0.5))

    @property
    def mode(self) -> Tensor:
        return _pick(self.bins.centres, self.log_mass.argmax(-1))

    def log_prob(self, value: Tensor) -> Tensor:
        return _pick(self.log_mass, self.bins.locate(value))

    def cdf(self, value: Tensor) -> Tensor:
        probs, index = self.probs, self.bins.locate(value)
        low, high = _pick(self.bins.low, index), _pick(self.bins.high, index)
        # A bin of one value has its whole mass there: all of it counts from that value on.
        share = torch.where(high > low, (value - low) / (high - low).clamp_min(1e-12), value >= low)
        mass = _pick(probs, index)
        return _pick(probs.cumsum(-1), index) - mass * (1 - share.clamp(0, 1))

    def icdf(self, value: Tensor) -> Tensor:
        probs = self.probs
        value = value + torch.zeros_like(probs[..., 0]).clamp(0, 1)
        cumulated = probs.cumsum(-1).expand(*value.shape, -1)
        index = (cumulated < value.unsqueeze(-1) - 1e-6).sum(-1)
        index = torch.minimum(index, (self.bins.counts - 1).expand_as(index))
        mass = _pick(probs, index)
        share = ((value - _pick(cumulated, index) + mass) / mass.clamp_min(1e-12)).clamp(0, 1)
        low, high = _pick(self.bins.low, index), _pick(self.bins.high, index)
        return low + (high - low) * share


def _pick(table: Tensor, index: Tensor) -> Tensor:
    """Return the entries of the last axis at `index`, (..., bins) -> (...)."""
    return table.expand(*index.shape, table.shape[-1]).gather(-1, index.unsqueeze(-1)).squeeze(-1)
