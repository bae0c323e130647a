"""The points of a series that windows cover, as one array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
import torch

from diabolo.data.fields import Batch, Curve
from diabolo.data.sources.base import Frame


class CoveredPoints:
    """The points that windows cover, each once, in the order of time.

    Args:
        starts: (windows,) the first point of each window, in any order; starts may repeat.
        positions: (windows,) the position in time of that point.
        length: points of a window.
        channels: the number of channels.

    Attributes:
        values: (cells, channels) in standard units, NaN where a value is missing; runs of consecutive points
            lie a cell apart.
        at: (cells,) the number of the point in each cell, in the units of `starts`; -1 between runs.
        positions: (cells,) the position of each cell in time, which is negative before 1970.
    """

    def __init__(self, starts: np.ndarray, positions: np.ndarray, length: int, channels: int) -> None:
        order = np.argsort(starts, kind="stable")
        steps = np.diff(starts[order], prepend=starts[order[:1]])
        cells = np.cumsum(np.minimum(steps, length + 1))
        self._first = np.empty(len(starts), np.int64)
        self._first[order] = cells
        self.values = np.full((int(cells[-1]) + length, channels), np.nan, np.float32)
        self.at, self.positions = (np.full(len(self.values), -1, np.int64) for _ in range(2))
        self._covered = np.zeros(len(self.values), bool)
        self._windows, self._offsets = (starts, positions), np.arange(length)

    @classmethod
    def of(cls, frame: Frame, length: int, channels: int, rows: slice | np.ndarray = slice(None)) -> Self:
        """Return empty cells for the points of all or some windows of a frame.

        Args:
            frame: windows of a series.
            length: points of a window.
            channels: the number of channels.
            rows: which windows.
        """
        assert frame.positions is not None
        return cls(frame.layout.start[rows], frame.positions[rows], length, channels)

    def take(self, windows: slice | np.ndarray, batch: Batch) -> None:
        """Copy the points of some of the windows.

        Args:
            windows: their numbers among the windows of these cells.
            batch: the same windows, encoded.
        """
        values, visible = batch.values[Curve.kind], batch.visible[Curve.kind]
        cells = self._first[windows][:, None] + self._offsets
        self._covered[cells] = True
        self.values[cells] = torch.where(visible, values, torch.nan).transpose(1, 2).numpy()
        for numbers, first in zip((self.at, self.positions), self._windows, strict=True):
            numbers[cells] = first[windows][:, None] + self._offsets

    def fold(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """Return (user rows, channels): the answers at each user row; 0 where no window covers it.

        Args:
            frame: the windows of these cells.
            answers: (cells, channels).
        """
        # The last row is for the cells between runs.
        table = np.zeros((frame.layout.points + 1, answers.shape[1]))
        table[self.at] = answers
        return np.asarray(table[frame.layout.point])

    def runs(self) -> Iterator[slice]:
        """Yield the cells of each run of consecutive points."""
        edges = np.flatnonzero(np.diff(self._covered, prepend=False, append=False))
        for first, end in edges.reshape(-1, 2).tolist():
            yield slice(first, end)
