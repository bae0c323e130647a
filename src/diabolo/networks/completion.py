"""Rows with their missing values replaced by a network's predictions."""

from __future__ import annotations

import torch

from diabolo.data.fields import Batch, Curve
from diabolo.networks.network import Network

ROWS_PER_READ = 4096  # rows that a network reads at once
N_ROUNDS = 5  # of reading, for networks that read missing values as averages; a choice


@torch.no_grad()
def fill_missing(network: Network, batch: Batch, device: str) -> Batch:
    """Return rows with every missing value replaced by its expected value.

    Args:
        network: the network that predicts.
        batch: rows, on the CPU.
        device: of the network.
    """
    if all(bool(v.all()) for v in batch.visible.values()):
        return batch
    filled = batch
    # A network that has not learnt to predict missing values reads the rows again with its own predictions.
    for _ in range(1 if network.completes else N_ROUNDS):
        likelihoods = network(filled.padded().to(device)).likelihoods
        filled = batch.fill({k: likelihoods[k].mean.cpu()[: len(batch)] for k in likelihoods})
    return filled


def complete_windows(network: Network, batch: Batch, device: str) -> Batch:
    """Return rows with the missing values of windows replaced: whitened distances need every point.

    Args:
        network: the network that predicts.
        batch: rows, on the CPU.
        device: of the network.
    """
    if Curve.kind not in batch.values or bool(batch.visible[Curve.kind].all()):
        return batch
    parts = [fill_missing(network, chunk, device) for chunk in batch.chunks(ROWS_PER_READ)]
    windows = torch.cat([part.values[Curve.kind] for part in parts])
    return batch.replace({Curve.kind: windows}, {Curve.kind: torch.ones_like(windows, dtype=torch.bool)})
