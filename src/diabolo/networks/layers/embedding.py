"""Embeddings of the symbols of several columns, used to read a symbol and to predict one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

ALL = slice(None)


class FieldEmbedding(nn.Module):
    """One table of embeddings for several columns, padded to the largest alphabet and embedding.

    The same embedding reads a symbol (`look_up`) and scores it as a prediction (`logits`): what a
    symbol means is learnt once.

    Args:
        counts: for each column, how often each of its symbols occurs; the prediction starts there.
        size: numbers in an embedding, one for all columns or one for each.
        circular: columns whose symbols lie on a circle (hours, weekdays): their embeddings start so
            that neighbours are alike, the last symbol and the first one too.
        ordered: symbols of all columns lie in an order: one half of their embeddings starts as waves along
            it, slow ones first, so that neighbours are alike; the other half tells them apart.
    """

    def __init__(
        self,
        counts: Sequence[np.ndarray],
        size: int | Sequence[int],
        circular: Sequence[bool] | None = None,
        ordered: bool = False,
    ) -> None:
        super().__init__()
        self.counts = [len(c) for c in counts]
        widest = max(self.counts)
        self.sizes = [size] * len(counts) if isinstance(size, int) else list(size)
        self.columns, self.symbols, self.size = len(counts), widest, max(self.sizes)
        self.weight = nn.Parameter(torch.randn(self.columns, widest, self.size) * 0.5)
        bias = torch.zeros(self.columns, widest)
        absent = torch.ones(self.columns, widest, dtype=torch.bool)
        for column, count in enumerate(counts):
            share = torch.as_tensor(np.asarray(count, dtype=np.float32)) + 0.5
            bias[column, : len(share)] = (share / share.sum()).log()
            absent[column, : len(share)] = False
            if ordered:
                # The middle of each symbol's share of the rows, 0 to 1.
                rank = share.cumsum(0) - share / 2
                rank = (rank / share.sum()).double()
                waves = torch.arange(1, self.size // 2 + 1)
                self.weight.data[column, : len(share), : self.size // 2] = (
                    0.5 * math.sqrt(2) * torch.cos(torch.pi * waves * rank[:, None])
                ).float()
            if circular is not None and circular[column] and self.sizes[column] > 1:
                angle = torch.arange(len(share)) * (2 * torch.pi / max(len(share) - 1, 1))
                self.weight.data[column, : len(share), 0] = angle.sin()
                self.weight.data[column, : len(share), 1] = angle.cos()
        self.absent: Tensor
        self.offset: Tensor
        self.register_buffer("absent", absent)
        self.bias = nn.Parameter(bias)
        self.register_buffer("offset", torch.arange(self.columns) * widest)
        # (columns, size) which numbers a column's embeddings have; they follow from the sizes.
        self.used: Tensor
        used = torch.arange(self.size) < torch.tensor(self.sizes)[:, None]
        self.register_buffer("used", used, persistent=False)
        self.even = bool(used.all())
        if not self.even:
            self.weight.data *= used[:, None]

    @property
    def table(self) -> Tensor:
        """(columns, symbols, size) the embeddings; 0 beyond a column's own size."""
        return self.weight if self.even else self.weight * self.used[:, None]

    def look_up(self, symbols: Tensor, some: slice = ALL) -> Tensor:
        """(rows, columns) symbols of all columns, or of some, -> (rows, columns, size)."""
        flat = symbols + self.offset[some]
        return nn.functional.embedding(flat, self.table.view(-1, self.size))

    def logits(self, query: Tensor, some: slice = ALL) -> Tensor:
        """(rows, columns, size) -> (rows, columns, symbols); -1e9 where a column has no such symbol.

        Of `some` columns, as many symbols as the largest of them has.
        """
        there = slice(None, max(self.counts[some]))
        table = self.table[some, there]
        scores = torch.bmm(query.transpose(0, 1), table.transpose(1, 2)).transpose(0, 1)
        # The bias is a small table, the scores are large ones: what is not there is marked in the first.
        return scores + self.bias[some, there].masked_fill(self.absent[some, there], -1e9)

    def distances(self, points: Tensor) -> Tensor:
        """(rows, columns, size) -> (rows, columns, symbols) squared distances to the embeddings."""
        table = self.table
        cross = torch.bmm(points.transpose(0, 1), table.transpose(1, 2)).transpose(0, 1)
        squares = points.square().sum(-1, keepdim=True) - 2 * cross + table.square().sum(-1)
        return squares.clamp_min(0)

    def flat(self, embedded: Tensor, some: slice = ALL) -> Tensor:
        """(rows, columns, size) -> (rows, numbers): side by side, without what pads them."""
        return embedded.flatten(1) if self.even else embedded[:, self.used[some]]

    def spread(self, flat: Tensor) -> Tensor:
        """The inverse of `flat`: (rows, numbers) -> (rows, columns, size)."""
        if self.even:
            return flat.view(-1, self.columns, self.size)
        points = flat.new_zeros(len(flat), self.columns, self.size)
        points[:, self.used] = flat
        return points


def ask(query: nn.Linear, alphabet: FieldEmbedding, h: Tensor, some: slice = ALL) -> Tensor:
    """(rows, width) -> (rows, columns, size): what `FieldEmbedding.logits` compares with the embeddings.

    Args:
        query: a layer with `columns * size` outputs.
        alphabet: of all columns.
        h: what it reads.
        some: only these columns.
    """
    weight: Tensor = query.weight
    bias: Tensor = query.bias
    if some != ALL:
        weight = weight.view(alphabet.columns, alphabet.size, -1)[some].flatten(0, 1)
        bias = bias.view(alphabet.columns, alphabet.size)[some].flatten()
    return nn.functional.linear(h, weight, bias).view(len(h), -1, alphabet.size)
