"""The classic objective: the decoder reconstructs the vector that the encoder reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from diabolo.data.fields import Batch
from diabolo.errors import OptionError
from diabolo.networks.corruptions import Corrupted
from diabolo.networks.objectives.base import Objective, Reconstructs

LOSSES: dict[str, Callable[..., Tensor]] = {
    "huber": functional.smooth_l1_loss,
    "l2": functional.mse_loss,
    "bce": functional.binary_cross_entropy_with_logits,
}


class Rebuild(Objective):
    """The error of a reconstructed vector, as a mean over its elements; the KL as a mean over the latents.

    The vector holds the embeddings of the labels and the values of the numbers, side by side. Embeddings are
    kept apart only by what the rest of the vector gains by them: they can become so similar that their
    reconstruction costs nothing and tells nothing. `Likelihood` does not have this flaw.

    Args:
        loss: "huber" (delta 1: `(x - y)^2 / 2` where it is below 1, `|x - y| - 1/2` beyond), "l2"
            (`(x - y)^2`) or "bce" (`-y log x - (1 - y) log(1 - x)`, numbers in their range, 0 to 1).

    Raises:
        OptionError: the loss is not known.

    Example:
        >>> Rebuild("l2")
        Rebuild(loss='l2')
    """

    reconstructs = True

    def __init__(self, loss: str = "huber") -> None:
        if loss not in LOSSES:
            raise OptionError(f"loss={loss!r} is not known", hint=f"one of {', '.join(LOSSES)}")
        self.loss, self.unit_range = loss, loss == "bce"

    def row_losses(self, network: Reconstructs, batch: Batch, damaged: Corrupted) -> tuple[Tensor, Tensor]:
        """Return the mean error of each row's vector, and the mean KL of its latents.

        Args:
            network: reads and reconstructs.
            batch: clean rows.
            damaged: the rows that it reads, and the weight of each cell.
        """
        # The target is not detached: embeddings learn from both sides.
        target = network.embed_inputs(batch)
        source = target if damaged.batch is batch else network.embed_inputs(damaged.batch)
        latent, kl = network.encode_inputs(source)
        losses = LOSSES[self.loss](network.reconstruct(latent), target, reduction="none")
        if damaged.weights is None:
            return losses.mean(1), kl / latent.shape[1]
        parts = [network.flat_stem(k).expand_weights(damaged.weights[k]) for k in network.kinds]
        weights = torch.cat(parts, 1)
        reconstruction = (losses * weights).sum(1) / weights.sum(1).clamp_min(1)
        return reconstruction, kl / latent.shape[1]

    def options(self) -> dict[str, Any]:
        return {"loss": self.loss}
