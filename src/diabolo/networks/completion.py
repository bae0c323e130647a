"""Rows with their missing values replaced by a network's predictions."""

from __future__ import annotations

import torch

from diabolo.data.fields import FIELDS, Batch
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
    kinds = [f.kind for f in FIELDS if f.follows_time and f.kind in batch.values]
    if all(bool(batch.visible[kind].all()) for kind in kinds):
        return batch
    parts = [fill_missing(network, chunk, device) for chunk in batch.chunks(ROWS_PER_READ)]
    windows = {kind: torch.cat([part.values[kind] for part in parts]) for kind in kinds}
    return batch.replace(windows, {k: torch.ones_like(v, dtype=torch.bool) for k, v in windows.items()})
