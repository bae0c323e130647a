"""What makes a row odd, cell by cell: how far it lies from what the network expects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve, Real, Symbol, broadcast_fields
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.networks.network import Network

KNEE = 4.0  # deviations from which on errors count by their logarithm
WILD = 2.0  # times the largest error in training: beyond, a single cell counts as much as it is far out


class Residuals:
    """Errors of a network's expected values, in units of its errors on training rows.

    A number counts its squared error over the mean squared error of its column, a symbol twice its
    surprise -log p (for a normal error these are the same quantity), a window the squared Mahalanobis
    length of its error curve: errors that always come together count once.

    In the residual of a row, the errors e of numbers count as `(4 asinh(e / 4))^2`: like `e^2` while they are
    usual, like the square of a logarithm beyond, so that one column with heavy tails does not drown the
    others. Only an error larger than any in training by far counts in full.

    Attributes:
        arrays: name -> what was learnt, for a model file: the size of errors by kind, and the largest error
            of a number (`worst`).
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = dict(arrays)

    @classmethod
    def fit(cls, network: Network, batch: Batch) -> Residuals:
        """Learn the size of the errors on training rows."""
        arrays: dict[str, np.ndarray] = {}
        errors: dict[str, list[np.ndarray]] = {}
        for chunk in batch.chunks(ROWS_PER_READ):
            for kind, (error, there) in raw_errors(network, chunk).items():
                errors.setdefault(kind, []).append(np.where(there, error, np.nan))
        for kind, parts in errors.items():
            error = np.concatenate(parts)
            if kind == Curve.kind:
                flat = np.nan_to_num(error.reshape(len(error), -1)).astype(np.float64)
                covariance = flat.T @ flat / len(flat)
                size = np.trace(covariance) / len(covariance)
                covariance += (0.01 * size + 1e-9) * np.eye(len(covariance))
                arrays[kind] = np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)
            else:
                total = np.nansum(error.astype(np.float64) ** 2, axis=0)
                square = total / np.maximum(np.isfinite(error).sum(0), 1)
                arrays[kind] = np.sqrt(square + 1e-4).astype(np.float32)
            if kind == Real.kind:
                largest = np.nanmax(np.abs(error / arrays[kind]), initial=1.0)
                arrays["worst"] = np.array([largest], np.float32)
        return cls(arrays)

    def of(self, network: Network, batch: Batch, symbols: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Kind -> (rows, fields, *cell) squared errors in training units; 0 where there is no value.

        Args:
            network: the one that `fit` saw.
            batch: rows.
            symbols: (rows, fields) the surprise of the symbols in nats, if another network reads them.
        """
        found = {}
        for kind, (error, there) in raw_errors(network, batch).items():
            if kind == Symbol.kind:
                nats = error if symbols is None else symbols
                found[kind] = np.where(there, 2 * nats, 0.0)
            elif kind == Curve.kind:
                flat = np.where(there, error, 0.0).reshape(len(error), -1)
                white = (flat @ self.arrays[kind].T).astype(np.float64)
                found[kind] = (white**2).reshape(error.shape)
            else:
                found[kind] = np.where(there, (error / self.arrays[kind]) ** 2, 0.0).astype(np.float64)
        return found

    def rows(self, parts: Mapping[str, np.ndarray], counts: np.ndarray) -> np.ndarray:
        """(rows,) the residual of each row, from its cells' squared errors and how many of them count."""
        total = np.zeros(len(counts))
        for kind, part in parts.items():
            cells = part.reshape(len(counts), -1)
            usual = (KNEE * np.arcsinh(np.sqrt(cells) / KNEE)) ** 2 if kind == Real.kind else cells
            total += usual.sum(1)
        residual = np.sqrt(total / np.maximum(counts, 1))
        if Real.kind in parts:
            wild = parts[Real.kind].max(1, initial=0.0) / (WILD * self.arrays["worst"][0]) ** 2
            residual = residual * np.sqrt(1 + wild)
        return np.asarray(residual)


@torch.no_grad()
def raw_errors(network: Network, batch: Batch) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Kind -> (errors, which count): value minus expected value, or -log p of a symbol."""
    rows = len(batch)
    batch = batch.padded()
    likelihoods = network(batch).likelihoods
    found = {}
    for kind, scored in network.scored.items():
        value: Tensor = batch.values[kind]
        likelihood = likelihoods[kind]
        error = -likelihood.log_prob(value) if kind == Symbol.kind else value - likelihood.mean
        there = batch.visible[kind] & broadcast_fields(scored, value)
        found[kind] = (error.cpu().numpy()[:rows], there.cpu().numpy()[:rows])
    return found
