"""A robust variational autoencoder, as a peer for the detection of wrong cells.

Eduardo et al., "Robust variational autoencoders for outlier detection and repair of mixed-type data" (AISTATS
2020), implemented from the description: each cell comes from the decoder with probability 0.95, else from a
broad distribution, so that wrong cells hardly affect the network.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot

from benchmarks.cell_peers import Asked, CellPredictions, Coder
from diabolo.utils.torch_state import forked_rng

P_RIGHT = 0.95  # prior probability that a cell is right
BROAD_SCALE = 2.0  # standard deviations of numbers that are wrong; wrong labels are uniform
HIDDEN, LATENT = 400, 20
EPOCHS, BATCH, RATE = 100, 150, 1e-3


class Net(nn.Module):
    """Variational autoencoder with one hidden layer in each half, and a learnt scale for each number.

    Args:
        numbers: number of columns of numbers.
        sizes: number of symbols of each column of labels.
    """

    def __init__(self, numbers: int, sizes: list[int]) -> None:
        super().__init__()
        self.numbers, self.sizes = numbers, sizes
        width = numbers + sum(sizes)
        self.encoder = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, width))
        self.log_scale = nn.Parameter(torch.zeros(numbers))

    def forward(self, x: Tensor, symbols: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p - log p0 (rows, cells), numbers first, and the KL divergence (rows,)."""
        indicators = [one_hot(s, size).float() for s, size in zip(symbols.T, self.sizes, strict=True)]
        mean, log_var = self.encoder(torch.cat([x, *indicators], 1)).chunk(2, 1)
        noise = torch.randn_like(mean) if self.training else torch.zeros_like(mean)
        decoded = self.decoder(mean + noise * (0.5 * log_var).exp())
        scale = self.log_scale.clamp(-4, 2)
        normal = -0.5 * ((x - decoded[:, : self.numbers]) / scale.exp()).square() - scale
        broad = -0.5 * (x / BROAD_SCALE).square() - np.log(BROAD_SCALE)
        ratios, start = [normal - broad], self.numbers
        for column, size in enumerate(self.sizes):
            log_p = log_softmax(decoded[:, start : start + size], 1).gather(
                1, symbols[:, column : column + 1]
            )
            ratios.append(log_p + np.log(size))
            start += size
        divergence = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1)
        return torch.cat(ratios, 1), divergence


def robust_vae(train: pd.DataFrame, numbers: frozenset[str], seed: int) -> Asked:
    """Fit the network; predict P(wrong) of each cell. Missing values are read as the mean, or as a label."""
    names = [n for n in train if n in numbers], [n for n in train if n not in numbers]
    encoders = {n: Coder(train[n], False, 0) for n in names[1]}
    mean, scale = train[names[0]].mean(), train[names[0]].std().replace(0, 1)
    sizes = [len(encoder.shares) for encoder in encoders.values()]

    def read(frame: pd.DataFrame) -> tuple[Tensor, Tensor]:
        x = ((frame[names[0]] - mean) / scale).fillna(0).to_numpy(np.float32)
        symbols = [encoder.encode(frame[n]) + 1 for n, encoder in encoders.items()]
        return torch.from_numpy(x), torch.from_numpy(
            np.stack(symbols, 1) if symbols else np.zeros((len(x), 0), int)
        )

    with forked_rng(seed):
        net, (x, symbols) = Net(len(names[0]), sizes), read(train)
        optimiser = torch.optim.Adam(net.parameters(), RATE)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(x)).split(BATCH):
                ratio, divergence = net(x[rows], symbols[rows])
                # With the optimal weights of the cells, given the decoder, the bound is that of a mixture.
                log_mixture = torch.logaddexp(
                    ratio + np.log(P_RIGHT), torch.full_like(ratio, np.log(1 - P_RIGHT))
                )
                loss = (divergence - log_mixture.sum(1)).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    net.eval()

    @torch.no_grad()
    def ask(frame: pd.DataFrame) -> CellPredictions:
        log_ratios = pd.DataFrame(-net(*read(frame))[0].numpy(), columns=[*names[0], *names[1]])
        evidence = log_ratios[list(frame)].to_numpy(float)
        return CellPredictions(evidence, 1 / (1 + np.exp(-(evidence + np.log((1 - P_RIGHT) / P_RIGHT)))))

    return ask
