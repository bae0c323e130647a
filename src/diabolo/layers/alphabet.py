"""Embeddings of the symbols of several columns, used to read a symbol and to predict one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


class Alphabet(nn.Module):
    """One table of embeddings for several columns, padded to the largest alphabet.

    The same embedding reads a symbol (`look_up`) and scores it as a prediction (`logits`): what a
    symbol means is learnt once.

    Args:
        counts: for each column, how often each of its symbols occurs; the prediction starts there.
        size: numbers in an embedding.
        circular: columns whose symbols lie on a circle (hours, weekdays): their embeddings start so
            that neighbours are alike, the last symbol and the first one too.
    """

    def __init__(
        self, counts: Sequence[np.ndarray], size: int, circular: Sequence[bool] | None = None
    ) -> None:
        super().__init__()
        widest = max(len(c) for c in counts)
        self.columns, self.symbols, self.size = len(counts), widest, size
        self.weight = nn.Parameter(torch.randn(self.columns, widest, size) * 0.5)
        bias = torch.zeros(self.columns, widest)
        absent = torch.ones(self.columns, widest, dtype=torch.bool)
        for column, count in enumerate(counts):
            share = torch.as_tensor(np.asarray(count, dtype=np.float32)) + 0.5
            bias[column, : len(share)] = (share / share.sum()).log()
            absent[column, : len(share)] = False
            if circular is not None and circular[column] and size > 1:
                angle = torch.arange(len(share)) * (2 * torch.pi / max(len(share) - 1, 1))
                self.weight.data[column, : len(share), 0] = angle.sin()
                self.weight.data[column, : len(share), 1] = angle.cos()
        self.absent: Tensor
        self.offset: Tensor
        self.register_buffer("absent", absent)
        self.bias = nn.Parameter(bias)
        self.register_buffer("offset", torch.arange(self.columns) * widest)

    def look_up(self, symbols: Tensor) -> Tensor:
        """(rows, columns) symbols -> (rows, columns, size)."""
        flat = symbols + self.offset
        return nn.functional.embedding(flat, self.weight.view(-1, self.size))

    def logits(self, query: Tensor) -> Tensor:
        """(rows, columns, size) -> (rows, columns, symbols); -1e9 where a column has no such symbol."""
        scores = torch.bmm(query.transpose(0, 1), self.weight.transpose(1, 2)).transpose(0, 1)
        return (scores + self.bias).masked_fill(self.absent, -1e9)
