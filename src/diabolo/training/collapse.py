"""Codes that say nothing about a row: noticed after training, and said with what helps."""

from __future__ import annotations

import torch
from torch import Tensor

from diabolo.data.fields import Batch, Pixels
from diabolo.networks.bottlenecks import Identity, Variational
from diabolo.networks.network import Network

MAX_ROWS = 2048  # whose codes are looked at; a choice
MIN_CODE_NATS = 0.05  # mean divergence from the prior; a latent code below it has collapsed (a choice)
MIN_NUMBER_NATS = 0.01  # the same of one number of a code (Burda et al., 2016, use a variance of .01)
MIN_UNUSED = 0.5  # share of the numbers of a code of images that a note is worth; a choice
MIN_DEVIATION = 1e-4  # of all numbers of a code over the rows, in units of their size; a choice


@torch.no_grad()
def collapse_notes(network: Network, batch: Batch, name: str) -> list[str]:
    """Return a note if the code, or some numbers of it, say nothing about the rows; else none.

    Args:
        network: trained.
        batch: rows that it was trained on.
        name: of the network.
    """
    rows = network.base.prepare(batch[:MAX_ROWS]).batch
    h = network.encoder(network.embed_inputs(rows))
    if isinstance(network.bottleneck, Variational):
        nats = network.bottleneck.divergences(h).mean(0)
        return _of_variational(network.bottleneck, nats, name, of_images=Pixels.kind in network.kinds)
    if isinstance(network.bottleneck, Identity) or not _all_equal(network.bottleneck(h)[0]):
        return []
    return [
        f"{name}: the latent code has collapsed: all {len(rows):,} rows have the same one, and it says "
        "nothing about a row. A lower learning rate helps, lr=0.0005; or more rows."
    ]


def _of_variational(bottleneck: Variational, nats: Tensor, name: str, *, of_images: bool) -> list[str]:
    """Return a note about the (latent,) mean divergence of each number of a code, in nats."""
    total, unused = float(nats.sum()), int((nats < MIN_NUMBER_NATS).sum())
    if total < MIN_CODE_NATS:
        return [
            f"{name}: the latent code has collapsed: it differs from the prior by {total:.3f} nats and says "
            f"nothing about a row. A smaller beta than {bottleneck.beta:g} helps."
        ]
    # The few columns of a table seldom need a whole code, nor do simple images; others are blurred then.
    if not of_images or unused < MIN_UNUSED * len(nats):
        return []
    return [
        f"{name}: {unused} of the {len(nats)} numbers of the latent code say nothing about a row "
        f"(posterior collapse): latent={len(nats) - unused} is enough, or a smaller beta than "
        f"{bottleneck.beta:g} uses more."
    ]


def _all_equal(codes: Tensor) -> bool:
    """Return whether (rows, latent) codes are the same for all rows, of which there are two or more."""
    size = codes.abs().mean().clamp_min(1e-12)
    return len(codes) > 1 and bool((codes - codes[:1]).abs().max() < MIN_DEVIATION * size)
