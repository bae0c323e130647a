"""One of a finite set of symbols: a category, a flag, a part of a date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from diabolo.data.fields.base import Base, Field, Head, Reading, Stem, log_prob_by_error_type
from diabolo.networks.layers import FieldEmbedding
from diabolo.networks.layers.embedding import ALL, ask
from diabolo.networks.likelihoods import Categorical
from diabolo.networks.stems.rebuilt import FlatSymbols


@dataclass
class Symbol(Field):
    """One of `len(counts)` symbols; symbol 0 stands for whatever was not seen in fitting.

    Attributes:
        counts: (symbols,) how often each occurred.
        circular: whether the last symbol is next to the first one (symbol 0 aside).
        size: numbers in its embedding; None for as many as the network gives every field.
    """

    counts: np.ndarray
    circular: bool = False
    size: int | None = None

    kind = "symbol"

    @staticmethod
    def stem(fields: Sequence[Symbol], reading: Reading) -> Stem:
        alphabet = FieldEmbedding(
            [f.counts for f in fields],
            [f.size or reading.embedding for f in fields],
            [f.circular for f in fields],
        )
        if reading.rebuild:
            seen = ~alphabet.absent
            for row, one in zip(seen, fields, strict=True):
                row[: len(one.counts)] = torch.as_tensor(one.counts > 0)
            return FlatSymbols(alphabet, seen, reading)
        return SymbolStem(alphabet)

    @staticmethod
    def head(fields: Sequence[Symbol], width: int, stem: Stem, reading: Reading) -> Head:
        assert isinstance(stem, SymbolStem)
        return SymbolHead(width, stem.alphabet)

    def log_prob_if_wrong(self, values: np.ndarray, alone: bool = True) -> np.ndarray:
        return self._ways[alone][:, values]

    @cached_property
    def _ways(self) -> dict[bool, np.ndarray]:
        """Alone -> (ways, symbols) log q: the label of another row, and any label at all."""
        return log_prob_by_error_type(self.counts, (self.counts + 0.5, 1.0))


class SymbolStem(Stem):
    """The embedding of each symbol, and which are hidden."""

    def __init__(self, alphabet: FieldEmbedding) -> None:
        super().__init__()
        self.alphabet = alphabet
        self.width = sum(alphabet.sizes) + alphabet.columns

    def forward(self, values: Tensor, visible: Tensor, some: slice = ALL) -> Tensor:
        embedded = self.alphabet.look_up(values, some)
        seen = visible.to(embedded.dtype)
        return torch.cat([self.alphabet.flat(embedded * seen.unsqueeze(-1), some), 1 - seen], 1)

    def places(self, field: int) -> Tensor:
        sizes = self.alphabet.sizes
        start = sum(sizes[:field])
        return torch.tensor([*range(start, start + sizes[field]), sum(sizes) + field])


class SymbolHead(Head):
    """The probability of every symbol, scored against the embeddings that the stem reads with."""

    def __init__(self, width: int, alphabet: FieldEmbedding) -> None:
        super().__init__()
        self.alphabet = alphabet
        self.query = nn.Linear(width, alphabet.columns * alphabet.size)

    def forward(self, h: Tensor, base: Base | None = None, some: slice = ALL) -> Categorical:
        return Categorical(self.alphabet.logits(ask(self.query, self.alphabet, h, some), some))
