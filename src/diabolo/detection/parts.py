"""The fitted parts that every question to a model is answered with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from diabolo.data.fields import CHUNK_ROWS, Batch
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source
from diabolo.detection.memory import Memory, Neighbours
from diabolo.networks.completion import complete_windows, fill_missing
from diabolo.networks.network import Network
from diabolo.utils.torch_state import torch_threads

CHUNK_NUMBERS = 4_000_000  # numbers of wide rows, windows or images, that are in memory at once


@dataclass(frozen=True)
class ModelParts:
    """Source, schema, networks and memory of a fit, and where they compute.

    Attributes:
        source, schema: how data is read.
        networks: name -> network; the first one answers for rows, the last one for cells.
        memory: remembered rows.
        device: of the networks.
        threads: of torch; None for its own choice.
    """

    source: Source
    schema: Schema
    networks: Mapping[str, Network]
    memory: Memory
    device: str = "cpu"
    threads: int | None = 1

    @property
    def row_network(self) -> Network:
        """The network that answers for rows."""
        return next(iter(self.networks.values()))

    @property
    def cell_network(self) -> Network:
        """The network that answers for cells."""
        return list(self.networks.values())[-1]

    @property
    def channels(self) -> int:
        """The number of channels of a series; 0 for a table."""
        return sum(len(fields) for fields in self.schema.fields.values() if fields[0].follows_time)

    @property
    def rows_are_solved(self) -> bool:
        """Whether the network that answers for rows predicts the points of windows from the others.

        Where nothing of a window is hidden, it has seen all of it: its error says nothing of the window.
        """
        return self.source.overlaps and self.row_network.corruption.masks

    def chunks(self, frame: Frame) -> Iterator[tuple[slice, Batch]]:
        """Yield the rows of a frame as batches, with their numbers."""
        wide = max(math.prod(f[0].cell) for f in self.schema.fields.values())
        size = max(CHUNK_ROWS // wide, min(512, CHUNK_NUMBERS // wide), 64)
        for rows in frame.chunks(size):
            yield rows, self.schema.encode(frame[rows])

    def to_user_rows(
        self, frame: Frame, kind: str, values: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the values of one field on the user's rows.

        The points of windows are averaged over the windows that cover them; a field with one value for each
        window was read at the middle of it, and belongs there.

        Args:
            frame: what was read.
            kind: of the field.
            values: (frame rows, *cell).
            weights: of the points in that mean; None for equal ones.
        """
        if not self.schema.fields[kind][0].follows_time:
            return self.source.at_centre(frame, values)
        if weights is None:
            return self.source.fold(frame, values)
        known = np.where(np.isfinite(values), weights, np.nan)
        return np.asarray(self.source.fold(frame, values * known) / self.source.fold(frame, known))

    def by_column(
        self, frame: Frame, table: Mapping[str, np.ndarray], wanted: np.ndarray, join: np.ufunc = np.add
    ) -> np.ndarray:
        """Return (wanted rows, scored columns): the cells of each column joined, on the user's rows.

        Args:
            frame: what was read.
            table: kind of field -> (frame rows, fields, *cell).
            wanted: the user's rows.
            join: how the numbers of one field, the pixels of an image say, become one.
        """
        columns = []
        for name in self.schema.scored:
            parts = (
                self.to_user_rows(frame, s.kind, table[s.kind][:, s.index])[wanted]
                for s in self.schema.slots_of(name)
            )
            columns.append(sum(join.reduce(part.reshape(len(wanted), -1), axis=1) for part in parts))
        return np.stack(columns, axis=1)

    def neighbours(self, batch: Batch, positions: np.ndarray | None = None, k: int = 1) -> Neighbours:
        """Return the nearest remembered rows.

        Args:
            batch: rows without missing points of windows: see `complete_windows`.
            positions: (rows,) positions in time.
            k: neighbours for each row.
        """
        with torch_threads(self.threads):
            return self.memory.search(batch, positions, apart=self.source.length, k=k)

    def fill_missing(self, batch: Batch) -> Batch:
        """Return the rows with the expected value in place of every missing one."""
        with torch_threads(self.threads):
            return fill_missing(self.cell_network, batch, self.device)

    def complete_windows(self, batch: Batch) -> Batch:
        """Return the rows with the missing points of their windows filled, as rows are remembered."""
        with torch_threads(self.threads):
            return complete_windows(self.cell_network, batch, self.device)

    def scored_cells(self, batch: Batch, kind: str) -> np.ndarray:
        """Return (rows, fields, *cell) whether each cell is scored and has a value.

        Args:
            batch: rows.
            kind: of the fields.
        """
        visible = batch.visible[kind].numpy()
        return np.asarray(visible & self.schema.scored_fields[kind].reshape(1, -1, *[1] * (visible.ndim - 2)))

    def no_cells(self, kind: str) -> torch.Tensor:
        """Return (1, fields, *cell) flags, all False."""
        fields = self.schema.fields[kind]
        return torch.zeros((1, len(fields), *fields[0].cell), dtype=torch.bool)
