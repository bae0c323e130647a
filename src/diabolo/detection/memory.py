"""Remembered training rows, and the nearest of them to other rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.data.fingerprints import fingerprints
from diabolo.detection.metrics import FIELD_METRICS, MAX_ROWS, FieldMetric
from diabolo.detection.metrics.pairs import ComparedRows, RowMetric
from diabolo.utils.numerics import nearest_exact

QUERIES_AT_ONCE, MIN_QUERIES = 512, 16  # rows that are compared at once, fewer of wide ones
MAX_GATHERED = 4_000_000  # numbers that the exact pass gathers at once
# Candidates whose distance is computed exactly, beyond those wanted; those of windows are hardly ever equal.
SPARE_CANDIDATES, SPARE_WINDOW_CANDIDATES = 8, 2


class Neighbours(NamedTuple):
    """The nearest remembered rows.

    Attributes:
        rows: (rows, k) numbers of remembered rows, nearest first; -1 where there is none.
        distances: (rows, k) to each of them, for each cell that both have; infinite if there is none.
    """

    rows: np.ndarray
    distances: np.ndarray

    @property
    def distance(self) -> np.ndarray:
        """(rows,) to the nearest one."""
        return self.distances[:, 0]

    def first(self, k: int) -> Neighbours:
        """Return the `k` nearest of them."""
        return Neighbours(self.rows[:, :k], self.distances[:, :k])


class Memory:
    """Up to 10,000 remembered rows, compared by `RowMetric`.

    Args:
        batch: the remembered rows, on the CPU.
        scored: kind -> (fields,) which fields count.
        metrics: of the kinds of fields, in the order of `FIELD_METRICS`.
        positions: (rows,) their positions in time, or None.

    Attributes:
        rows: the remembered rows.
        fingerprints: (rows,) by which rows are recognised.
    """

    def __init__(
        self,
        batch: Batch,
        scored: Mapping[str, Tensor],
        metrics: Sequence[FieldMetric],
        positions: np.ndarray | None = None,
    ) -> None:
        self.rows, self.positions, self.metrics = batch, positions, tuple(metrics)
        self.fingerprints = fingerprints(batch)
        self._order = np.argsort(self.fingerprints, kind="stable")
        self._metric = RowMetric({k: v.cpu() for k, v in scored.items()}, metrics)
        self._compared = ComparedRows(self._metric.features(batch), self._metric.dense)

    @classmethod
    def fit(cls, batch: Batch, scored: Mapping[str, Tensor], positions: np.ndarray | None = None) -> Memory:
        """Remember rows; of many, evenly spaced ones in their order.

        Args:
            batch: rows, on the CPU.
            scored: kind -> (fields,) which fields count.
            positions: (rows,) their positions in time; None for a table.
        """
        kinds = [kind for kind in FIELD_METRICS if kind.kind in batch.values]
        metrics = [kind.fit(batch, scored[kind.kind].cpu(), positions) for kind in kinds]
        limit = min((kind.max_rows(batch) for kind in kinds), default=MAX_ROWS)
        picked = torch.linspace(0, len(batch) - 1, min(limit, len(batch))).round().long()
        where = positions[picked.numpy()] if positions is not None else None
        return cls(batch[picked], scored, metrics, where)

    @classmethod
    def restore(cls, batch: Batch, scored: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]) -> Memory:
        """Make a memory again from what `arrays` returned.

        Args:
            batch: the remembered rows.
            scored: kind -> (fields,) which fields count.
            arrays: name -> array.
        """
        kinds = [kind for kind in FIELD_METRICS if kind.kind in batch.values]
        metrics = [kind(arrays.get(kind.array) if kind.array else None) for kind in kinds]
        return cls(batch, scored, metrics, arrays.get("positions"))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return name -> array of what was learnt, for a model file."""
        found = {m.array: m.learnt for m in self.metrics if m.array is not None and m.learnt is not None}
        return found if self.positions is None else {**found, "positions": self.positions}

    def __len__(self) -> int:
        return len(self.rows)

    def search(
        self, batch: Batch, positions: np.ndarray | None = None, *, apart: int = 1, k: int = 1, skip: int = 0
    ) -> Neighbours:
        """Return the nearest remembered rows; a row never counts as its own neighbour.

        A remembered row with the same content is the row itself, once: its copies count. Windows that
        overlap in time (fewer than `apart` steps between their starts) are the same subsequence.

        Args:
            batch: rows, on the CPU.
            positions: (rows,) their positions in time.
            apart: steps between windows that count as different.
            k: neighbours of each row.
            skip: nearer ones that are passed over.
        """
        index = np.full((len(batch), k), -1, np.int64)
        distances = np.full((len(batch), k), np.inf)
        timed = positions is not None and self.positions is not None
        spare = SPARE_WINDOW_CANDIDATES if timed else SPARE_CANDIDATES
        # The exact pass gathers k rows for each query, so wide rows are processed in smaller chunks.
        width = max(self._compared.features.numbers.shape[1], 1)
        chunk = max(MAX_GATHERED // ((k + 2 * SPARE_CANDIDATES) * width), MIN_QUERIES)
        step = min(QUERIES_AT_ONCE, chunk)
        for start in range(0, len(batch), step):
            rows = slice(start, start + step)
            features = self._metric.features(batch[rows])
            squares = self._compared.mean_squares(features)
            where = None if positions is None else positions[rows]
            squares[self._themselves(batch[rows], where, apart)] = torch.inf
            exact = partial(self._compared.exact_mean_squares, features)
            nearest, order = nearest_exact(squares, exact, k, spare=spare, skip=skip)
            found = slice(order.shape[1])
            distances[rows, found] = np.sqrt(nearest.double().numpy())
            index[rows, found] = np.where(torch.isfinite(nearest), order.numpy(), -1)
        return Neighbours(index, distances)

    def shares(self, batch: Batch, index: np.ndarray) -> dict[str, np.ndarray]:
        """Return kind -> (rows, fields, *cell): each cell's part of the squared distance to a remembered row.

        Args:
            batch: rows, on the CPU.
            index: (rows,) the number of the remembered row.
        """
        return self._metric.parts(batch, self.rows[torch.from_numpy(np.maximum(index, 0))])

    def _themselves(self, batch: Batch, positions: np.ndarray | None, apart: int) -> Tensor:
        """Return (rows, remembered) which remembered rows are the row itself."""
        if positions is not None and self.positions is not None:
            return torch.from_numpy(np.abs(positions[:, None] - self.positions[None]) < apart)
        same = torch.zeros(len(batch), len(self), dtype=torch.bool)
        known, prints = self.fingerprints[self._order], fingerprints(batch)
        place = np.minimum(np.searchsorted(known, prints), len(known) - 1)
        rows = np.flatnonzero(known[place] == prints)
        same[torch.from_numpy(rows), torch.from_numpy(self._order[place[rows]])] = True
        return same
