"""Stems and heads of symbols."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diabolo.data.fields import Symbol
from diabolo.networks.layers import FieldEmbedding
from diabolo.networks.layers.embedding import ALL
from diabolo.networks.likelihoods import Categorical
from diabolo.networks.stems.base import Guess, Head, InputStem, StemOptions


def symbol_embedding(fields: Sequence[Symbol], options: StemOptions) -> FieldEmbedding:
    """Return a new embedding of symbols.

    Args:
        fields: all fields of symbols.
        options: these give the size of embeddings whose field has none of its own.
    """
    return FieldEmbedding(
        [f.counts for f in fields],
        [f.size or options.embedding for f in fields],
        [f.circular for f in fields],
    )


class SymbolStem(InputStem):
    """Reads the embedding of each symbol, and which cells are hidden.

    Args:
        embedding: of the symbols of all fields.
    """

    kinds = (Symbol.kind,)

    def __init__(self, embedding: FieldEmbedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.width = sum(embedding.sizes) + embedding.columns

    @classmethod
    def from_fields(cls, fields: Sequence[Symbol], options: StemOptions) -> SymbolStem:
        """Return a new stem.

        Args:
            fields: all fields of symbols.
            options: how they are read.
        """
        return cls(symbol_embedding(fields, options))

    def forward(self, values: Tensor, visible: Tensor, selected: slice = ALL) -> Tensor:
        """Return embeddings and hidden cells, (rows, width).

        Args:
            values: (rows, fields) symbols.
            visible: (rows, fields).
            selected: which fields these are.
        """
        embedded = self.embedding.look_up(values, selected)
        seen = visible.to(embedded.dtype)
        return torch.cat([self.embedding.flatten(embedded * seen.unsqueeze(-1), selected), 1 - seen], 1)

    def input_columns(self, field: int) -> Tensor:
        """Return which of the `width` numbers belong to a field."""
        sizes = self.embedding.sizes
        start = sum(sizes[:field])
        return torch.tensor([*range(start, start + sizes[field]), sum(sizes) + field])

    def make_head(self, width: int) -> Head:
        return SymbolHead(width, self.embedding)


class SymbolHead(Head):
    """Predicts the probability of every symbol, scored against the embeddings that the stem reads with.

    Args:
        width: of the input.
        embedding: of the symbols of all fields.
    """

    def __init__(self, width: int, embedding: FieldEmbedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.query = nn.Linear(width, embedding.columns * embedding.size)

    def forward(self, h: Tensor, guess: Guess | None = None, selected: slice = ALL) -> Categorical:
        """Return distributions over symbols, (rows, fields).

        Args:
            h: (rows, width).
            guess: unused.
            selected: which fields.
        """
        queries = self.embedding.queries(self.query, h, selected)
        return Categorical(self.embedding.logits(queries, selected))
