"""What a piece of evidence that a row is anomalous can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch

from diabolo.data.fields import Batch
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source
from diabolo.data.sources.points import CoveredPoints
from diabolo.detection.memory import Neighbours
from diabolo.detection.parts import ModelParts
from diabolo.utils.text import shorten

Arrays = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass
class EncodedRows:
    """Rows of a frame as tensors, with what several kinds of evidence need to look up once only.

    Attributes:
        parts: of the model.
        batch: the rows.
        positions: (rows,) positions in time; None for a table.
    """

    parts: ModelParts
    batch: Batch
    positions: np.ndarray | None = None
    _found: dict[int, Neighbours] = field(default_factory=dict, repr=False)
    _complete: Batch | None = field(default=None, repr=False)

    @property
    def complete(self) -> Batch:
        """The rows without missing points in their windows."""
        if self._complete is None:
            self._complete = self.parts.complete_windows(self.batch)
        return self._complete

    def neighbours(self, k: int = 1) -> Neighbours:
        """Return the `k` nearest remembered rows of each row."""
        known = next((n for size, n in self._found.items() if size >= k), None)
        if known is None:
            known = self._found[k] = self.parts.neighbours(self.complete, self.positions, k)
        return known.first(k)

    def __getitem__(self, rows: np.ndarray) -> EncodedRows:
        where = None if self.positions is None else self.positions[rows]
        return EncodedRows(self.parts, self.batch[torch.from_numpy(rows)], where)


@dataclass(frozen=True)
class TrainingRows:
    """What evidence is fitted on.

    Attributes:
        frame: all rows of the fit.
        batch: (rows) those that networks were trained on.
        positions: (rows,) their positions in time; None for a table.
        sample: an even choice of `batch`, small enough to be read by a network.
    """

    frame: Frame
    batch: Batch
    positions: np.ndarray | None
    sample: Batch


class Evidence(ABC):
    """One kind of evidence that a row is anomalous; `RowEvidence` and `PointEvidence` say of what.

    A kind is fitted once, in the order of `EVIDENCE`, and then only read.

    Attributes:
        name: under which it is calibrated and stored.
    """

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, parts: ModelParts, training: TrainingRows, fitted: Sequence[Evidence]) -> Self | None:
        """Learn what is usual; return None if the kind says nothing about such data.

        Args:
            parts: of the model.
            training: the rows of the fit.
            fitted: the kinds that were fitted before.
        """

    @classmethod
    @abstractmethod
    def restore(cls, parts: ModelParts, arrays: Arrays, state: Mapping[str, Any]) -> Self:
        """Make the evidence again from what `arrays` and `state` gave.

        Args:
            parts: of the model.
            arrays: name -> array.
            state: plain values.

        Raises:
            ValueError: the values cannot be right.
        """

    @classmethod
    @abstractmethod
    def check(cls, shapes: Shapes, schema: Schema, source: Source) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return name -> (type, shape) that the arrays in a model file must have.

        Args:
            shapes: name -> shape, as the header of the file has it.
            schema: of the model.
            source: of the model.

        Raises:
            ValueError: a shape is implausible, or such a model has no evidence of this kind.
        """

    def arrays(self) -> dict[str, np.ndarray]:
        """Return name -> array of what was learnt, for a model file."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return what was learnt and is no array as plain values, for a model file."""
        return {}

    def words(self, parts: ModelParts, frame: Frame, row: int) -> str:
        """Return what this evidence says about one of the user's rows, for a report; empty if nothing.

        Args:
            parts: of the model.
            frame: what was read.
            row: the user's row, counted from 0.
        """
        return ""

    def updated(self, previous: Evidence, batch: Batch, positions: np.ndarray | None) -> Self:
        """Return the evidence after an update of the model, with what only its predecessor can know.

        Args:
            previous: the same kind before the update.
            batch: the newer rows that were learnt.
            positions: (rows,) their positions in time.
        """
        return self


class RowEvidence(Evidence):
    """Evidence about rows of the frame: rows of a table, windows of a series."""

    shares_are_relative: ClassVar[bool] = True
    """Whether `shares` only compares cells; then each row's are scaled to a sum of 1. Else they are nats."""

    compares_with_memory: ClassVar[bool] = False
    """Whether it compares rows with remembered ones, which explaining rows can do without."""

    @abstractmethod
    def score(self, rows: EncodedRows) -> np.ndarray:
        """Return (rows,) the evidence, larger for more anomalous rows; infinite where it is not known.

        Args:
            rows: rows of the frame.
        """

    @abstractmethod
    def shares(self, rows: EncodedRows) -> dict[str, np.ndarray]:
        """Return kind of field -> (rows, fields, *cell): each cell's part of the evidence.

        Args:
            rows: rows of the frame.
        """

    def unfit_for_calibration(self, rows: EncodedRows) -> np.ndarray:
        """Return (rows,) which rows must not calibrate, as they are anomalous beyond doubt.

        Args:
            rows: rows of the frame.
        """
        return np.zeros(len(rows.batch), bool)


class PointEvidence(Evidence):
    """Evidence about single points of a series and each channel, which a score of windows averages away."""

    @abstractmethod
    def score(self, points: CoveredPoints, at: int | None = None) -> np.ndarray:
        """Return (cells, channels) the logarithm of the evidence; 0 where there is none.

        It is added to the logarithm of the evidence of windows, after that is averaged over the windows that
        cover a point.

        Args:
            points: points of a series.
            at: the only point to score, counted as `points.at`; None for all.
        """


def shape_of_cells(batch: Batch) -> dict[str, np.ndarray]:
    """Return kind of field -> (rows, fields, *cell) zeros."""
    return {kind: np.zeros(tuple(values.shape)) for kind, values in batch.values.items()}


def of_channel(parts: ModelParts, channel: int) -> str:
    """Return " of NAME" for a channel of a series with several channels, else an empty string.

    Args:
        parts: of the model.
        channel: its number.
    """
    kind = next((k for k, fields in parts.schema.fields.items() if fields[0].follows_time), None)
    channels = [slot.name for slot in parts.schema.slots if slot.kind == kind]
    return f" of {shorten(channels[channel], 40)}" if len(channels) > 1 else ""
