"""Log probabilities that can be compared with those of a wrong cell."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from diabolo.data.fields import Field, Real
from diabolo.networks.likelihoods.binned import Binned


def log_mass(field: Field, likelihood: Distribution, values: Tensor) -> Tensor:
    """Return log p(value), in the measure of `Field.log_prob_if_wrong`: the two can be subtracted.

    For a number it is the mass of the bin of the value; for other kinds `likelihood.log_prob`.

    Args:
        field: one field.
        likelihood: its predicted distribution, (rows, 1, *cell).
        values: (rows, 1, *cell) encoded values.

    Returns:
        (rows, 1, *cell) in nats.
    """
    if not isinstance(field, Real):
        log_p: Tensor = likelihood.log_prob(values)
        return log_p
    if isinstance(likelihood, Binned):
        return likelihood.log_prob(values) - _decay_beyond(field, values)
    # The mass that a density puts into the bin of the value; the outer bins are unbounded.
    inner = torch.as_tensor(field.edges[1:-1], dtype=values.dtype, device=values.device).contiguous()
    edges = torch.cat([inner.new_tensor([-torch.inf]), inner, inner.new_tensor([torch.inf])])
    bins = torch.searchsorted(inner, values.contiguous(), right=True)
    mass = likelihood.cdf(edges[bins + 1]) - likelihood.cdf(edges[bins])
    return mass.clamp_min(1e-30).log()


def _decay_beyond(field: Real, values: Tensor) -> Tensor:
    """Return nats that values lose beyond the training range; 0 within it.

    There the mass of the outer bin falls exponentially, as fast as the values inside that bin suggest.
    """
    edges = field.edges
    least = 0.02 * float(edges[-1] - edges[0]) + 1e-6
    low = max(float(field.high[0] - field.centres[0]), least)
    high = max(float(field.centres[-1] - field.low[-1]), least)
    beyond = (float(edges[0]) - values).clamp_min(0) / low
    return beyond + (values - float(edges[-1])).clamp_min(0) / high
