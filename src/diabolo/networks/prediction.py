"""What networks return."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor
from torch.distributions import Distribution


class Prediction(NamedTuple):
    """The predictions of a network for some rows.

    Attributes:
        latent: (rows, latent) the latent code.
        kl: (rows,) its divergence from the prior, in nats.
        likelihoods: kind -> a distribution of shape (rows, fields, *cell).
        presence: kind -> (rows, its fields in `Network.can_be_missing`) log-odds that there is a value.
    """

    latent: Tensor
    kl: Tensor
    likelihoods: dict[str, Distribution]
    presence: Mapping[str, Tensor] = MappingProxyType({})


class Loss(NamedTuple):
    """Means over the rows of a batch, in the objective's measure: total = reconstruction + beta * kl."""

    total: Tensor
    reconstruction: Tensor
    kl: Tensor
