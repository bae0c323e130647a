"""The interfaces of stems, which read the fields of a kind, and of heads, which predict them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

Guess = tuple[Tensor, Tensor | None]
"""A prediction that a head starts from: what is added to the mean, and to the log of the scale if any."""


@dataclass(frozen=True)
class StemOptions:
    """How a network reads and predicts its fields.

    Attributes:
        embedding: numbers in the embedding of a symbol or of a bin.
        full_distribution: predict the whole distribution of a number (by bins, or with a scale of its own for
            every prediction) instead of its mean with one learnt scale for each field.
        reconstruct_embeddings: read embeddings and values as one flat vector, which the decoder reconstructs.
        unit_range: with `reconstruct_embeddings`, bring numbers from their range to 0..1.
        convolution: read images by convolutions, if they are large enough for that.
    """

    embedding: int = 16
    full_distribution: bool = False
    reconstruct_embeddings: bool = False
    unit_range: bool = False
    convolution: bool = False


class Stem(nn.Module, ABC):
    """Reads all fields of a kind, (values, visible) -> (rows, width).

    Attributes:
        kinds: the kinds of fields that it can read.
        reconstructs: whether it is for networks that reconstruct what they read.
        width: numbers that it makes of a row.
    """

    kinds: ClassVar[tuple[str, ...]]
    reconstructs: ClassVar[bool]
    width: int

    @classmethod
    def reads(cls, fields: Sequence[Any], options: StemOptions) -> bool:
        """Return whether it reads these fields for such a network; the first stem listed that does is used.

        Args:
            fields: all fields of one kind.
            options: how the network reads and predicts.
        """
        return fields[0].kind in cls.kinds and cls.reconstructs == options.reconstruct_embeddings

    @classmethod
    @abstractmethod
    def from_fields(cls, fields: Sequence[Any], options: StemOptions) -> Stem:
        """Return a new stem; weights are drawn from torch's default generator.

        Args:
            fields: all fields of one kind.
            options: how they are read.
        """


class InputStem(Stem):
    """A stem for networks whose heads predict a distribution for every cell."""

    reconstructs = False

    @abstractmethod
    def forward(self, values: Tensor, visible: Tensor) -> Tensor:
        """Return what the encoder reads of these fields, (rows, width).

        A hidden cell contributes nothing but the fact that it is hidden.

        Args:
            values: (rows, fields, *cell).
            visible: the same shape, False where a value is missing or hidden.
        """

    @abstractmethod
    def make_head(self, width: int) -> Head:
        """Return a new head for the same fields, which may share weights with the stem.

        Args:
            width: of the decoder's last layer.
        """


class Head(nn.Module, ABC):
    """Predicts all fields of a kind from the decoder's last layer."""

    @abstractmethod
    def forward(self, h: Tensor, guess: Guess | None = None) -> Distribution:
        """Return a distribution for every cell, (rows, fields, *cell).

        Args:
            h: (rows, width) the decoder's last layer.
            guess: a prediction to start from, if any.
        """

    def begin_with_guess(self) -> None:
        """Make the first prediction the guess alone; the default does nothing, for heads without one."""

    def set_log_scale(self, log_scale: Tensor) -> None:
        """Set the logarithm of the learnt scales; the default does nothing, for heads without them."""
