"""How far a row is from the nearest remembered one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from diabolo.data.fields import Symbol
from diabolo.data.schema import Schema
from diabolo.data.sources import Source
from diabolo.detection.base import Arrays, EncodedRows, Evidence, RowEvidence, Shapes, TrainingRows
from diabolo.detection.parts import ModelParts

NEIGHBOURS_OF_LABELS = 5  # rows of labels have few distances: the mean of five tells equal ones apart


class Distance(RowEvidence):
    """The distance to the nearest remembered row, as `Memory` measures it.

    Of rows of labels only, the mean distance to the five nearest ones.
    """

    name = "distance"
    compares_with_memory = True

    @classmethod
    def fit(cls, parts: ModelParts, training: TrainingRows, fitted: Sequence[Evidence]) -> Self:
        """Return the evidence: what it needs is the memory of the model.

        Args:
            parts: of the model.
            training: not used.
            fitted: not used.
        """
        return cls()

    @classmethod
    def restore(cls, parts: ModelParts, arrays: Arrays, state: Mapping[str, Any]) -> Self:
        """Return the evidence.

        Args:
            parts: of the model.
            arrays: none.
            state: empty.
        """
        return cls()

    @classmethod
    def check(cls, shapes: Shapes, schema: Schema, source: Source) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return nothing: there are no arrays.

        Args:
            shapes: none.
            schema: of the model.
            source: of the model.
        """
        return {}

    def score(self, rows: EncodedRows) -> np.ndarray:
        k = NEIGHBOURS_OF_LABELS if set(rows.batch.values) == {Symbol.kind} else 1
        near = rows.neighbours(k)
        finite = np.isfinite(near.distances)
        distance = np.where(finite, near.distances, 0).sum(1) / np.maximum(finite.sum(1), 1)
        return np.where(finite[:, 0], distance, np.inf)

    def shares(self, rows: EncodedRows) -> dict[str, np.ndarray]:
        return rows.parts.memory.shares(rows.complete, rows.neighbours().rows[:, 0])
