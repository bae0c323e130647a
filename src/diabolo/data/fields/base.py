"""What a kind of field is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn
from torch.distributions import Distribution


@dataclass(frozen=True)
class Reading:
    """How a network reads and predicts its fields.

    Attributes:
        embedding: numbers in the embedding of a symbol or of a bin.
        full: predict a number's whole distribution (by bins, or with a scale of its own for every
            prediction) rather than its mean with one learnt scale a column.
        rebuild: read embeddings and values as one plain vector, which the decoder rebuilds.
        unit: with `rebuild`, read numbers in their range, from 0 to 1.
    """

    embedding: int = 16
    full: bool = False
    rebuild: bool = False
    unit: bool = False


class Stem(nn.Module, ABC):
    """Reads all fields of a kind: (values, visible) -> (rows, width)."""

    width: int

    @abstractmethod
    def forward(self, values: Tensor, visible: Tensor) -> Tensor:
        """A hidden cell contributes nothing but the fact that it is hidden."""


Base = tuple[Tensor, Tensor | None]
"""A linear guess: what is added to the mean, and to the logarithm of the deviation."""


class Head(nn.Module, ABC):
    """Predicts all fields of a kind from the decoder's last layer."""

    @abstractmethod
    def forward(self, h: Tensor, base: Base | None = None) -> Distribution:
        """(rows, width) -> a distribution of shape (rows, fields, *cell), on top of a linear guess if any."""


class Field(ABC):
    """One thing that a network reads and predicts: what a column gives it to hold.

    Subclasses are dataclasses of numbers, strings and numpy arrays, so that they can be stored.
    """

    kind: ClassVar[str]
    follows_time: ClassVar[bool] = False
    """Whether its cell holds one value for each point of a window."""

    @property
    def cell(self) -> tuple[int, ...]:
        """The shape of what it holds for one row: () for one value."""
        return ()

    @property
    def blocks(self) -> list[tuple[slice, ...]]:
        """Parts of the cell that are hidden in turn, to be told from the others."""
        return [()]

    @staticmethod
    @abstractmethod
    def stem(fields: Sequence[Any], reading: Reading) -> Stem:
        """The module that reads all fields of this kind; a `PlainStem` if the reading asks for one."""

    @staticmethod
    @abstractmethod
    def head(fields: Sequence[Any], width: int, stem: Stem, reading: Reading) -> Head:
        """The module that predicts all fields of this kind; it may share weights with the stem."""

    @abstractmethod
    def log_prob_if_wrong(self, values: np.ndarray, alone: bool = True) -> np.ndarray:
        """(ways, *values.shape) log q(value): how likely the value is where the cell is wrong in one way.

        Alone, a wrong cell holds another value than the right one; as one field of several of its column, it
        may hold the same.
        """

    def log_prob(self, likelihood: Distribution, values: Tensor) -> Tensor:
        """Log p(value), in the measure of `log_prob_if_wrong`: the two can be subtracted."""
        log_p: Tensor = likelihood.log_prob(values)
        return log_p


def smoothed_frequencies(counts: np.ndarray) -> np.ndarray:
    """(values,) how often each occurs; one that was not seen, as half a time."""
    return np.asarray((counts + 0.5) / (counts + 0.5).sum())


def log_prob_by_error_type(
    counts: np.ndarray, reaches: Sequence[np.ndarray | float]
) -> dict[bool, np.ndarray]:
    """Alone (as in `Field.log_prob_if_wrong`) -> (ways, values) log q of each of a finite set of values.

    Args:
        counts: (values,) how often each occurred.
        reaches: for each way, (values, values) how likely each, by row, becomes each; up to a factor for
            each row.
    """
    return {
        alone: np.log(np.stack([_changed(counts, reach, alone) for reach in reaches]))
        for alone in (True, False)
    }


def _changed(counts: np.ndarray, reach: np.ndarray | float, alone: bool) -> np.ndarray:
    share = smoothed_frequencies(counts)
    moves = reach * (1 - alone * np.eye(len(share)))
    found = (share / np.maximum(moves.sum(1), 1e-12)) @ moves
    return np.asarray(found + 1e-12)
