"""The default objective: every cell's distribution, with scales that are learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diabolo.objectives.base import Objective

if TYPE_CHECKING:
    from diabolo.corruptions import Damaged
    from diabolo.fields import Codes
    from diabolo.network import Network


class Likelihood(Objective):
    """-log p of every cell under its predicted distribution, and the exact KL, both summed, in nats.

    With beta = 1 the loss of a variational network is minus the evidence lower bound on log p(row)
    (Kingma and Welling, 2014): no weight between its two parts has to be found.

    Example:
        >>> Likelihood()
        Likelihood()
    """

    def rows(self, network: Network, codes: Codes, damaged: Damaged) -> tuple[Tensor, Tensor]:
        prediction = network(damaged.codes)
        nats = {k: -prediction.likelihoods[k].log_prob(codes.values[k]) for k in network.kinds}
        if damaged.weights is not None:
            nats = {k: n * damaged.weights[k] for k, n in nats.items()}
        return torch.stack([n.flatten(1).sum(1) for n in nats.values()]).sum(0), prediction.kl

    def options(self) -> dict[str, Any]:
        return {}
