"""Predictions of the cells of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diabolo.data.fields import Batch


@dataclass
class CellPredictions:
    """Prediction of each cell from the other cells of its row; kind -> (rows, fields, *cell).

    Attributes:
        expected, low, high: mean (or most likely symbol) and 5 % and 95 % quantiles, in codes.
        nats: log q(value) - log p(value): evidence that the cell is wrong; NaN where it has no value.
        surprise: -log p(value); 0 where it has no value.
    """

    expected: dict[str, np.ndarray]
    low: dict[str, np.ndarray]
    high: dict[str, np.ndarray]
    nats: dict[str, np.ndarray]
    surprise: dict[str, np.ndarray]

    @classmethod
    def empty(cls, batch: Batch) -> CellPredictions:
        """Return predictions for a batch that are not known yet: NaN, and a surprise of 0."""

        def table(value: float) -> dict[str, np.ndarray]:
            return {k: np.full(tuple(v.shape), value) for k, v in batch.values.items()}

        return cls(table(np.nan), table(np.nan), table(np.nan), table(np.nan), table(0.0))

    def head(self, rows: int) -> CellPredictions:
        """Return the predictions of the first rows."""
        return CellPredictions(*({k: v[:rows] for k, v in table.items()} for table in self.__dict__.values()))

    def update(self, other: CellPredictions, rows: np.ndarray) -> None:
        """Overwrite the predictions of some rows.

        Args:
            other: predictions of these rows, in their order.
            rows: (rows of `other`,) the numbers of the rows to overwrite.
        """
        for own, new in zip(self.__dict__.values(), other.__dict__.values(), strict=True):
            for kind in own:
                own[kind][rows] = new[kind]
