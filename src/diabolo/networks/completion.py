"""Fill missing values with what a network expects there."""

from __future__ import annotations

import torch

from diabolo.data.fields import Batch, Curve
from diabolo.networks.network import Network

ROWS_PER_READ = 4096  # rows that a network reads at once


@torch.no_grad()
def fill_missing(network: Network, batch: Batch, device: str) -> Batch:
    """Return the rows with what a network expects in place of their missing values.

    Args:
        network: on its device.
        batch: rows, on the CPU.
        device: of the network.
    """
    if all(bool(v.all()) for v in batch.visible.values()):
        return batch
    filled = batch
    # A network that has not learnt to read missing values is read again with its own answers in their place.
    for _ in range(1 if network.corruption.masks or network.white is not None else 5):
        likelihoods = network(filled.padded().to(device)).likelihoods
        filled = batch.fill({k: likelihoods[k].mean.cpu()[: len(batch)] for k in likelihoods})
    return filled


def complete_windows(network: Network, batch: Batch, device: str) -> Batch:
    """Return the rows with the missing points of their windows filled: whitening needs every point.

    Args:
        network: on its device.
        batch: rows, on the CPU.
        device: of the network.
    """
    if Curve.kind not in batch.values or bool(batch.visible[Curve.kind].all()):
        return batch
    parts = [fill_missing(network, chunk, device) for chunk in batch.chunks(ROWS_PER_READ)]
    curve = torch.cat([part.values[Curve.kind] for part in parts])
    return batch.replace({Curve.kind: curve}, {Curve.kind: torch.ones_like(curve, dtype=torch.bool)})
