"""The interface of fields, and how likely a wrong cell holds each value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise, product
from typing import ClassVar

import numpy as np


class Field(ABC):
    """One quantity that networks read and predict: the part of a column that has one value in each row.

    Subclasses are dataclasses of numbers, strings and numpy arrays, so that they can be stored.
    """

    kind: ClassVar[str]
    follows_time: ClassVar[bool] = False
    """Whether its cell holds one value for each point of a window."""

    @property
    def cell(self) -> tuple[int, ...]:
        """The shape of the value of one row: () for a single number."""
        return ()

    @property
    def blocks(self) -> list[tuple[slice, ...]]:
        """Parts of a cell; each is hidden in turn and predicted from the others."""
        return [()]

    @abstractmethod
    def check(self) -> None:
        """Raise `ValueError` if what was read from a model file cannot be a field of this kind."""

    @abstractmethod
    def log_prob_if_wrong(self, values: np.ndarray, alone: bool = True) -> np.ndarray:
        """Return log q(value), the log probability of each value in a cell that is wrong.

        Args:
            values: encoded values.
            alone: whether the field is the only one of its column: then a wrong cell holds another value than
                the right one; as one field of several it may hold the same.

        Returns:
            (error types, *values.shape) in nats, in the measure of `diabolo.networks.likelihoods.log_mass`.
        """


def split_blocks(*lengths: int, count: int = 4) -> list[tuple[slice, ...]]:
    """Return blocks of equal size, as far as possible: each axis is cut into `count` parts.

    Args:
        *lengths: the size of each axis.
        count: parts of each axis; an axis that is shorter has as many parts as it is long.

    Example:
        >>> split_blocks(8)
        [(slice(0, 2, None),), (slice(2, 4, None),), (slice(4, 6, None),), (slice(6, 8, None),)]
        >>> len(split_blocks(28, 28))
        16
    """
    parts = []
    for length in lengths:
        ends = np.linspace(0, length, min(count, length) + 1).round().astype(int)
        parts.append([slice(a, b) for a, b in pairwise(ends.tolist())])
    return list(product(*parts))


def smoothed_frequencies(counts: np.ndarray) -> np.ndarray:
    """Return the relative frequencies of values, (values,); each value counts half a time more."""
    return np.asarray((counts + 0.5) / (counts + 0.5).sum())


def log_prob_by_error_type(
    counts: np.ndarray, transitions: Sequence[np.ndarray | float]
) -> dict[bool, np.ndarray]:
    """Return log q of each of a finite set of values, in a cell that is wrong.

    Args:
        counts: (values,) how often each value occurred.
        transitions: for each error type, how likely an error turns a value into each other one: (values,
            values), by the right value and the wrong one, (values,) by the wrong one, or a number; up to a
            factor for each row.

    Returns:
        alone (as in `Field.log_prob_if_wrong`) -> (error types, values).
    """
    return {
        alone: np.log(np.stack([_distribution_if_wrong(counts, matrix, alone) for matrix in transitions]))
        for alone in (True, False)
    }


def _distribution_if_wrong(counts: np.ndarray, transition: np.ndarray | float, alone: bool) -> np.ndarray:
    """Return the distribution of a wrong cell over the values, (values,)."""
    frequencies = smoothed_frequencies(counts)
    moves = transition * (1 - alone * np.eye(len(frequencies)))
    probabilities = (frequencies / np.maximum(moves.sum(1), 1e-12)) @ moves
    return np.asarray(probabilities + 1e-12)


MAX_SYMBOLS = 4096  # of one field, or bins; no kind of column makes more than a tenth of them


def is_finite_table(table: np.ndarray) -> bool:
    """Return whether an array has one dimension and finite numbers."""
    return table.ndim == 1 and bool(np.isfinite(table).all())
