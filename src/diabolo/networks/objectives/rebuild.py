"""The classic objective: the decoder rebuilds the vector that the encoder read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from diabolo.errors import OptionError
from diabolo.networks.objectives.base import Objective

if TYPE_CHECKING:
    from diabolo.data.fields import Batch
    from diabolo.networks.corruptions import Corrupted
    from diabolo.networks.network import Network

LOSSES: dict[str, Callable[..., Tensor]] = {
    "huber": functional.smooth_l1_loss,
    "l2": functional.mse_loss,
    "bce": functional.binary_cross_entropy_with_logits,
}


class Rebuild(Objective):
    """The error of a rebuilt vector, as a mean over all its elements; the KL as a mean over the latents.

    The vector holds the embeddings of the labels and the values of the numbers, side by side. Nothing
    keeps embeddings apart but what the rest of the vector gains by them: they can become alike until
    rebuilding them costs nothing and says nothing. `Likelihood` cannot be cheated so.

    Args:
        loss: "huber" (delta 1: `(x - y)^2 / 2` where it is below 1, `|x - y| - 1/2` beyond), "l2"
            (`(x - y)^2`) or "bce" (`-y log x - (1 - y) log(1 - x)`, numbers in their range, 0 to 1).

    Example:
        >>> Rebuild("l2")
        Rebuild(loss='l2')
    """

    rebuilds = True

    def __init__(self, loss: str = "huber") -> None:
        if loss not in LOSSES:
            raise OptionError(f"loss={loss!r} is not known", hint=f"one of {', '.join(LOSSES)}")
        self.loss, self.unit = loss, loss == "bce"

    def rows(self, network: Network, batch: Batch, damaged: Corrupted) -> tuple[Tensor, Tensor]:
        # The target is not detached: embeddings learn from both sides.
        target = network.read(batch)
        source = target if damaged.batch is batch else network.read(damaged.batch)
        latent, kl = network.bottleneck(network.encoder(source))
        losses = LOSSES[self.loss](network.rebuilt(latent), target, reduction="none")
        if damaged.weights is None:
            return losses.mean(1), kl / latent.shape[1]
        weights = torch.cat([network.plain(k).widen(damaged.weights[k]) for k in network.kinds], 1)
        reconstruction = (losses * weights).sum(1) / weights.sum(1).clamp_min(1)
        return reconstruction, kl / latent.shape[1]

    def options(self) -> dict[str, Any]:
        return {"loss": self.loss}
