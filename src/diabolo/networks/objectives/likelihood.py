"""The default objective: the likelihood of every cell, with learnt scales."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from diabolo.data.fields import Batch
from diabolo.networks.corruptions import Corrupted
from diabolo.networks.objectives.base import Objective, Reconstructs


class Likelihood(Objective):
    """-log p of every cell under its predicted distribution, and the exact KL, both summed, in nats.

    With beta = 1 the loss of a variational network is minus the evidence lower bound on log p(row)
    (Kingma and Welling, 2014): no weight between its two parts has to be chosen.

    Example:
        >>> Likelihood()
        Likelihood()
    """

    def row_losses(self, network: Reconstructs, batch: Batch, damaged: Corrupted) -> tuple[Tensor, Tensor]:
        """Return -log p of each row, with that of the presence of values if predicted, and the KL.

        Args:
            network: reads and predicts.
            batch: clean rows.
            damaged: the rows that it reads, and the weight of each cell.
        """
        prediction = network.predict(damaged.batch)
        nats = {k: -prediction.likelihoods[k].log_prob(batch.values[k]) for k in network.kinds}
        if damaged.weights is not None:
            nats = {k: n * damaged.weights[k] for k, n in nats.items()}
        if damaged.batch.absent is not None:
            assert damaged.weights is not None
            for kind, log_odds in prediction.presence.items():
                present = batch.visible[kind]
                nats[kind] = torch.where(present, nats[kind], 0.0)
                fields = network.can_be_missing[kind]
                of_presence = binary_cross_entropy_with_logits(
                    log_odds, present[:, fields].to(log_odds.dtype), reduction="none"
                )
                nats[f"presence of {kind}"] = of_presence * damaged.weights[kind][:, fields]
        return torch.stack([n.flatten(1).sum(1) for n in nats.values()]).sum(0), prediction.kl

    def options(self) -> dict[str, Any]:
        return {}
