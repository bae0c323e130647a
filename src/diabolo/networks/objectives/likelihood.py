"""The default objective: every cell's distribution, with scales that are learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from diabolo.networks.objectives.base import Objective

if TYPE_CHECKING:
    from diabolo.data.fields import Batch
    from diabolo.networks.corruptions import Corrupted
    from diabolo.networks.network import Network


class Likelihood(Objective):
    """-log p of every cell under its predicted distribution, and the exact KL, both summed, in nats.

    With beta = 1 the loss of a variational network is minus the evidence lower bound on log p(row)
    (Kingma and Welling, 2014): no weight between its two parts has to be found.

    Example:
        >>> Likelihood()
        Likelihood()
    """

    def rows(self, network: Network, batch: Batch, damaged: Corrupted) -> tuple[Tensor, Tensor]:
        prediction = network.predict(damaged.batch)
        nats = {k: -prediction.likelihoods[k].log_prob(batch.values[k]) for k in network.kinds}
        if damaged.weights is not None:
            nats = {k: n * damaged.weights[k] for k, n in nats.items()}
        if damaged.batch.absent is not None:
            assert damaged.weights is not None
            for kind, odds in prediction.presence.items():
                there = batch.visible[kind]
                nats[kind] = torch.where(there, nats[kind], 0.0)
                holes = network.holes[kind]
                missed = binary_cross_entropy_with_logits(
                    odds, there[:, holes].to(odds.dtype), reduction="none"
                )
                nats[f"presence of {kind}"] = missed * damaged.weights[kind][:, holes]
        return torch.stack([n.flatten(1).sum(1) for n in nats.values()]).sum(0), prediction.kl

    def options(self) -> dict[str, Any]:
        return {}
