"""Embeddings of the symbols of several fields, used to read a symbol and to predict one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

ALL = slice(None)
"""Selects all fields."""

ABSENT_LOGIT = -1e9
"""The logit of a symbol that a field does not have: its probability is 0."""


class FieldEmbedding(nn.Module):
    """One table of embeddings for several fields, padded to the largest alphabet and embedding.

    The same embedding reads a symbol (`look_up`) and scores it as a prediction (`logits`), so that what a
    symbol means is learnt once.

    Args:
        counts: for each field, (symbols,) how often each symbol occurs; predictions start from that.
        size: numbers in an embedding, one for all fields or one for each.
        circular: for each field, whether its symbols lie on a circle (hours, weekdays): such embeddings are
            initialised so that neighbours are similar, the last symbol and the first one too.
        ordered: the symbols of all fields have an order: one half of their embeddings is initialised as
            cosine waves along it, slow ones first, so that neighbours are similar; the other half is random.

    Attributes:
        counts: number of symbols of each field.
        sizes: numbers in the embeddings of each field.
        columns, symbols, size: fields, and the largest of each of these.
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
                self._initialise_in_order(column, share)
            if circular is not None and circular[column] and self.sizes[column] > 1:
                self._initialise_on_circle(column, len(share))
        self.absent: Tensor
        self.offset: Tensor
        self.register_buffer("absent", absent)
        self.bias = nn.Parameter(bias)
        self.register_buffer("offset", torch.arange(self.columns) * widest)
        # (columns, size) which numbers the embeddings of a field have; they follow from the sizes.
        self.used: Tensor
        used = torch.arange(self.size) < torch.tensor(self.sizes)[:, None]
        self.register_buffer("used", used, persistent=False)
        self.one_size = bool(used.all())
        if not self.one_size:
            self.weight.data *= used[:, None]

    def _initialise_in_order(self, column: int, share: Tensor) -> None:
        """Set half of the embeddings of a field to cosine waves along the order of its symbols."""
        # The middle of each symbol's share of the rows, 0 to 1.
        rank = share.cumsum(0) - share / 2
        rank = (rank / share.sum()).double()
        waves = torch.arange(1, self.size // 2 + 1)
        self.weight.data[column, : len(share), : self.size // 2] = (
            0.5 * math.sqrt(2) * torch.cos(torch.pi * waves * rank[:, None])
        ).float()

    def _initialise_on_circle(self, column: int, symbols: int) -> None:
        """Set two numbers of the embeddings of a field to points on a circle; symbol 0 is not on it."""
        angle = torch.arange(symbols) * (2 * torch.pi / max(symbols - 1, 1))
        self.weight.data[column, :symbols, 0] = angle.sin()
        self.weight.data[column, :symbols, 1] = angle.cos()

    @property
    def table(self) -> Tensor:
        """(columns, symbols, size) the embeddings; 0 beyond a field's own size."""
        return self.weight if self.one_size else self.weight * self.used[:, None]

    def look_up(self, symbols: Tensor, selected: slice = ALL) -> Tensor:
        """Return the embeddings of symbols, (rows, fields, size).

        Args:
            symbols: (rows, fields) of the selected fields.
            selected: which fields.
        """
        rows = symbols + self.offset[selected]
        return nn.functional.embedding(rows, self.table.view(-1, self.size))

    def queries(self, layer: nn.Linear, h: Tensor, selected: slice = ALL) -> Tensor:
        """Return what `logits` compares with the embeddings, (rows, fields, size).

        Args:
            layer: a layer with `columns * size` outputs.
            h: (rows, width) its input.
            selected: which fields; only their outputs are computed.
        """
        weight: Tensor = layer.weight
        bias: Tensor = layer.bias
        if selected != ALL:
            weight = weight.view(self.columns, self.size, -1)[selected].flatten(0, 1)
            bias = bias.view(self.columns, self.size)[selected].flatten()
        return nn.functional.linear(h, weight, bias).view(len(h), -1, self.size)

    def logits(self, query: Tensor, selected: slice = ALL) -> Tensor:
        """Return the logit of every symbol, (rows, fields, symbols); -1e9 where a field has no such symbol.

        Args:
            query: (rows, fields, size).
            selected: which fields; the last axis has as many symbols as the largest of them.
        """
        symbols = slice(None, max(self.counts[selected]))
        table = self.table[selected, symbols]
        scores = torch.bmm(query.transpose(0, 1), table.transpose(1, 2)).transpose(0, 1)
        # The bias is a small table, the scores are large ones: absent symbols are marked in the first.
        absent = self.absent[selected, symbols]
        return scores + self.bias[selected, symbols].masked_fill(absent, ABSENT_LOGIT)

    def distances(self, points: Tensor) -> Tensor:
        """Return squared distances to the embeddings, (rows, columns, size) -> (rows, columns, symbols)."""
        table = self.table
        cross = torch.bmm(points.transpose(0, 1), table.transpose(1, 2)).transpose(0, 1)
        squares = points.square().sum(-1, keepdim=True) - 2 * cross + table.square().sum(-1)
        return squares.clamp_min(0)

    def flatten(self, embedded: Tensor, selected: slice = ALL) -> Tensor:
        """Return embeddings as one vector for each row, without padding, (rows, numbers).

        Args:
            embedded: (rows, fields, size).
            selected: which fields these are.
        """
        return embedded.flatten(1) if self.one_size else embedded[:, self.used[selected]]

    def unflatten(self, flat: Tensor) -> Tensor:
        """Invert `flatten` of all fields, (rows, numbers) -> (rows, columns, size)."""
        if self.one_size:
            return flat.view(-1, self.columns, self.size)
        points = flat.new_zeros(len(flat), self.columns, self.size)
        points[:, self.used] = flat
        return points
