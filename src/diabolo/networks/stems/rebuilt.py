"""Fields as one plain vector: embeddings and values side by side, to be rebuilt as they are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from diabolo.data.fields.base import Reading, Stem
from diabolo.errors import OptionError
from diabolo.networks.layers import FieldEmbedding
from diabolo.networks.likelihoods import Categorical, Normal


class FlatStem(Stem):
    """A stem that can be read backwards: from a vector like its own to what that vector stands for.

    Nothing tells a hole from an average value here: holes read as 0.
    """

    @abstractmethod
    def forward(self, values: Tensor, visible: Tensor | None) -> Tensor:
        """Holes read as 0; `visible` may be None if there are none."""

    @abstractmethod
    def back(self, vector: Tensor) -> Distribution:
        """(rows, width) -> a distribution of shape (rows, fields, *cell)."""

    @abstractmethod
    def widen(self, weights: Tensor) -> Tensor:
        """(rows, fields, *cell) -> (rows, width): the weight of each element of the vector."""

    @abstractmethod
    def settle(self, vector: Tensor, values: Tensor, visible: Tensor) -> None:
        """Learn the size of the errors from rebuilt vectors: the loss does not say how sure they are."""


class FlatNumbers(FlatStem):
    """Numbers as they are; with `reading.unit` brought from their range to 0..1.

    Args:
        low, high: (fields, *cell) the range of the training values.
        reading: how they are read.
    """

    def __init__(self, low: Tensor, high: Tensor, reading: Reading) -> None:
        super().__init__()
        self.shape, self.unit = tuple(low.shape), reading.unit
        self.width = low.numel()
        self.low: Tensor
        self.span: Tensor
        # They follow from the fields: a model file need not repeat them.
        self.register_buffer("low", low.float(), persistent=False)
        self.register_buffer("span", (high - low).float().clamp_min(1e-6), persistent=False)
        self.scale = nn.Parameter(torch.ones(self.shape), requires_grad=False)

    def forward(self, values: Tensor, visible: Tensor | None) -> Tensor:
        if self.unit:
            values = ((values - self.low) / self.span).clamp(0, 1)
        return (values if visible is None else values * visible).flatten(1)

    def back(self, vector: Tensor) -> Normal:
        mean = vector.view(-1, *self.shape)
        if self.unit:
            mean = self.low + self.span * mean.sigmoid()
        return Normal(mean, self.scale.expand_as(mean))

    def widen(self, weights: Tensor) -> Tensor:
        return weights.flatten(1)

    def settle(self, vector: Tensor, values: Tensor, visible: Tensor) -> None:
        errors = (values - self.back(vector).mean).square() * visible
        self.scale.copy_((errors.sum(0) / visible.sum(0).clamp_min(1)).sqrt().clamp_min(1e-3))


class FlatSymbols(FlatStem):
    """The embedding of each symbol; a vector stands for the symbol whose embedding is nearest.

    Args:
        alphabet: the embeddings.
        seen: (fields, symbols) which symbols can be meant.
    """

    def __init__(self, alphabet: FieldEmbedding, seen: Tensor, reading: Reading) -> None:
        super().__init__()
        if reading.unit:
            raise OptionError(
                "binary cross-entropy compares numbers between 0 and 1; embeddings of labels are none",
                hint='objective="likelihood", which gives labels a probability each; or objective="huber"',
            )
        self.alphabet = alphabet
        self.alphabet.bias.requires_grad_(False)  # how often a symbol occurs does not count here
        self.width = sum(alphabet.sizes)
        self.seen: Tensor
        self.register_buffer("seen", seen, persistent=False)
        self.scale = nn.Parameter(torch.ones(alphabet.columns), requires_grad=False)

    def forward(self, values: Tensor, visible: Tensor | None) -> Tensor:
        embedded = self.alphabet.look_up(values)
        return self.alphabet.flat(embedded if visible is None else embedded * visible.unsqueeze(-1))

    def back(self, vector: Tensor) -> Categorical:
        # Normal errors around an embedding make the nearest one the likeliest, and say how likely.
        distance = self.alphabet.distances(self.alphabet.spread(vector))
        logits = -0.5 * distance / self.scale.square()[:, None]
        return Categorical(logits.masked_fill(~self.seen, -1e9))

    def widen(self, weights: Tensor) -> Tensor:
        return self.alphabet.flat(weights.unsqueeze(-1).expand(-1, -1, self.alphabet.size))

    def settle(self, vector: Tensor, values: Tensor, visible: Tensor) -> None:
        own = self.alphabet.distances(self.alphabet.spread(vector)).gather(-1, values.unsqueeze(-1))
        errors = (own.squeeze(-1) * visible).sum(0) / visible.sum(0).clamp_min(1)
        sizes = torch.tensor(self.alphabet.sizes, device=errors.device)
        # An embedding that has shrunk to nothing still answers: errors are measured in its own size.
        self.scale.copy_((errors / sizes).sqrt().clamp_min(1e-12))


def flat_numbers(
    low: Sequence[float], high: Sequence[float], cell: Sequence[int], reading: Reading
) -> FlatNumbers:
    """The stem of fields that are numbers, from the range of each."""
    shape = (-1, *[1] * len(cell))
    lowest, highest = (torch.tensor(end, dtype=torch.float32).view(shape) for end in (low, high))
    whole = (len(low), *cell)
    return FlatNumbers(lowest.expand(whole).clone(), highest.expand(whole).clone(), reading)
