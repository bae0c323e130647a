"""Stems that read fields as one flat vector of embeddings and values, which the decoder reconstructs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from diabolo.data.fields import Curve, Pixels, Real, Symbol
from diabolo.errors import OptionError
from diabolo.networks.layers import FieldEmbedding
from diabolo.networks.layers.embedding import ABSENT_LOGIT
from diabolo.networks.likelihoods import Categorical, Normal
from diabolo.networks.stems.base import Stem, StemOptions
from diabolo.networks.stems.symbol import symbol_embedding


class FlatStem(Stem):
    """A stem that can be inverted: it decodes a vector like its own to distributions of its fields.

    Nothing distinguishes a missing value from an average one: missing values are read as 0.
    """

    reconstructs = True

    @abstractmethod
    def forward(self, values: Tensor, visible: Tensor | None) -> Tensor:
        """Return the flat vector of each row, (rows, width).

        Args:
            values: (rows, fields, *cell).
            visible: the same shape; missing values are read as 0. None if there are none.
        """

    @abstractmethod
    def decode(self, vector: Tensor) -> Distribution:
        """Return distributions, (rows, width) -> (rows, fields, *cell)."""

    @abstractmethod
    def expand_weights(self, weights: Tensor) -> Tensor:
        """Return the weight of each element of the vector, (rows, fields, *cell) -> (rows, width)."""

    @abstractmethod
    def fit_scales(self, vector: Tensor, values: Tensor, visible: Tensor) -> None:
        """Fit the scales of the distributions to the errors of reconstructed vectors; the loss has none.

        Args:
            vector: (rows, width) reconstructed.
            values: (rows, fields, *cell) the true values.
            visible: the same shape.
        """


class FlatNumbers(FlatStem):
    """Reads numbers as they are, or brought from their range to 0..1.

    Args:
        low, high: (fields, *cell) the range of the training values.
        unit_range: bring numbers to 0..1.
    """

    kinds = (Real.kind, Curve.kind, Pixels.kind)

    def __init__(self, low: Tensor, high: Tensor, *, unit_range: bool = False) -> None:
        super().__init__()
        self.shape, self.unit_range = tuple(low.shape), unit_range
        self.width = low.numel()
        self.low: Tensor
        self.span: Tensor
        # They follow from the fields: a model file need not repeat them.
        self.register_buffer("low", low.float(), persistent=False)
        self.register_buffer("span", (high - low).float().clamp_min(1e-6), persistent=False)
        self.scale = nn.Parameter(torch.ones(self.shape), requires_grad=False)

    @classmethod
    def from_fields(cls, fields: Sequence[Any], options: StemOptions) -> FlatNumbers:
        """Return a new stem.

        Args:
            fields: all fields of one kind.
            options: how they are read.
        """
        cell = fields[0].cell
        shape = (len(fields), *cell)
        column = (-1, *[1] * len(cell))
        ends = [(f.edges[0], f.edges[-1]) if isinstance(f, Real) else (f.low, f.high) for f in fields]
        low, high = (
            torch.tensor(end, dtype=torch.float32).view(column).expand(shape).clone()
            for end in zip(*ends, strict=True)
        )
        return cls(low, high, unit_range=options.unit_range)

    def forward(self, values: Tensor, visible: Tensor | None) -> Tensor:
        """Return the numbers side by side, (rows, width).

        Args:
            values: (rows, fields, *cell).
            visible: the same shape, or None.
        """
        if self.unit_range:
            values = ((values - self.low) / self.span).clamp(0, 1)
        return (values if visible is None else values * visible).flatten(1)

    def decode(self, vector: Tensor) -> Normal:
        mean = vector.view(-1, *self.shape)
        if self.unit_range:
            mean = self.low + self.span * mean.sigmoid()
        return Normal(mean, self.scale.expand_as(mean))

    def expand_weights(self, weights: Tensor) -> Tensor:
        return weights.flatten(1)

    def fit_scales(self, vector: Tensor, values: Tensor, visible: Tensor) -> None:
        """Set each scale to the root mean squared error.

        Args:
            vector: (rows, width) reconstructed.
            values: (rows, fields, *cell) the true values.
            visible: the same shape.
        """
        errors = (values - self.decode(vector).mean).square() * visible
        self.scale.copy_((errors.sum(0) / visible.sum(0).clamp_min(1)).sqrt().clamp_min(1e-3))


class FlatSymbols(FlatStem):
    """Reads the embedding of each symbol; a vector is decoded to the symbols whose embeddings are near.

    Args:
        embedding: of the symbols of all fields.
        possible: (fields, symbols) which symbols can be predicted.
    """

    kinds = (Symbol.kind,)

    def __init__(self, embedding: FieldEmbedding, possible: Tensor) -> None:
        super().__init__()
        self.embedding = embedding
        self.embedding.bias.requires_grad_(False)  # how often a symbol occurs does not count here
        self.width = sum(embedding.sizes)
        self.possible: Tensor
        self.register_buffer("possible", possible, persistent=False)
        self.scale = nn.Parameter(torch.ones(embedding.columns), requires_grad=False)

    @classmethod
    def from_fields(cls, fields: Sequence[Symbol], options: StemOptions) -> FlatSymbols:
        """Return a new stem.

        Args:
            fields: all fields of symbols.
            options: how they are read.

        Raises:
            OptionError: numbers are read in the range 0..1, which embeddings do not have.
        """
        embedding = symbol_embedding(fields, options)
        possible = ~embedding.absent
        for row, one in zip(possible, fields, strict=True):
            row[: len(one.counts)] = torch.as_tensor(one.counts > 0)
        if options.unit_range:
            raise OptionError(
                "binary cross-entropy compares numbers between 0 and 1; embeddings of labels are none",
                hint='objective="likelihood", which gives labels a probability each; or objective="huber"',
            )
        return cls(embedding, possible)

    def forward(self, values: Tensor, visible: Tensor | None) -> Tensor:
        """Return the embeddings side by side, (rows, width).

        Args:
            values: (rows, fields) symbols.
            visible: the same shape, or None.
        """
        embedded = self.embedding.look_up(values)
        return self.embedding.flatten(embedded if visible is None else embedded * visible.unsqueeze(-1))

    def decode(self, vector: Tensor) -> Categorical:
        # Normal errors around an embedding make the nearest one the likeliest, and give its probability.
        distance = self.embedding.distances(self.embedding.unflatten(vector))
        logits = -0.5 * distance / self.scale.square()[:, None]
        return Categorical(logits.masked_fill(~self.possible, ABSENT_LOGIT))

    def expand_weights(self, weights: Tensor) -> Tensor:
        return self.embedding.flatten(weights.unsqueeze(-1).expand(-1, -1, self.embedding.size))

    def fit_scales(self, vector: Tensor, values: Tensor, visible: Tensor) -> None:
        """Set each scale to the root mean squared distance from the right embedding, for each number in it.

        Args:
            vector: (rows, width) reconstructed.
            values: (rows, fields) the true symbols.
            visible: the same shape.
        """
        points = self.embedding.unflatten(vector)
        own = self.embedding.distances(points).gather(-1, values.unsqueeze(-1))
        errors = (own.squeeze(-1) * visible).sum(0) / visible.sum(0).clamp_min(1)
        sizes = torch.tensor(self.embedding.sizes, device=errors.device)
        # An embedding that has shrunk to nothing can still be decoded: errors are measured in its own size.
        self.scale.copy_((errors / sizes).sqrt().clamp_min(1e-12))
