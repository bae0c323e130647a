"""What a kind of field contributes to the distance between rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from torch import Tensor

from diabolo.data.fields import Batch

MAX_ROWS = 10_000  # that are remembered, of any kind


class FieldMetric(ABC):
    """Turns the values of one kind of field into numbers between which distances are measured."""

    kind: ClassVar[str]
    array: ClassVar[str | None] = None
    """The name of what was learnt, in a model file; None if nothing is."""

    dense: ClassVar[bool] = False
    """Whether its numbers are never missing."""

    def __init__(self, learnt: np.ndarray | None = None) -> None:
        self.learnt = learnt

    @classmethod
    def fit(cls, batch: Batch, scored: Tensor, positions: np.ndarray | None) -> Self:
        """Learn from the rows of a fit.

        Args:
            batch: rows, on the CPU.
            scored: (fields,) which fields of the kind count.
            positions: (rows,) their positions in time; None for a table.
        """
        return cls()

    @classmethod
    def max_rows(cls, batch: Batch) -> int:
        """Return how many of such rows are remembered at most."""
        return MAX_ROWS

    @abstractmethod
    def features(self, values: Tensor, visible: Tensor, scored: Tensor) -> tuple[Tensor, Tensor]:
        """Return (rows, numbers) numbers, and (rows, numbers) which of them are present.

        Args:
            values: (rows, fields, *cell).
            visible: likewise, which are present.
            scored: (fields,) which fields count.
        """

    @abstractmethod
    def parts(self, values: Tensor, others: Tensor, both: Tensor) -> Tensor:
        """Return (rows, fields, *cell) each cell's part of the squared distance to other rows.

        Args:
            values: (rows, fields, *cell).
            others: likewise.
            both: likewise, which cells both rows have; parts of the others do not matter.
        """
