"""Remembered training rows, and the nearest of them to other rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve, Picture, Real
from diabolo.data.fingerprints import fingerprints
from diabolo.detection.metric import ComparedRows, RowMetric
from diabolo.utils.numerics import soft_log

MAX_ROWS = 10_000  # that are remembered
MAX_WINDOWS = 512  # the same, of windows, which overlap
MAX_PIXELS = 4_000_000  # of remembered images together; 5 bytes each in a model file, 17 in memory
MIN_IMAGES = 64  # that are remembered, however large they are
QUERIES_AT_ONCE, MIN_QUERIES = 512, 16  # rows that are compared at once, fewer of wide ones
# Candidates whose distance is computed exactly, beyond those wanted; those of windows are hardly ever equal.
SPARE_CANDIDATES, SPARE_WINDOW_CANDIDATES = 8, 2
MAX_REPEATED_MINIMA = 4  # smallest values that are found one after the other, five times faster than sorting
OUTLIERS_PER_END = 1000  # one in so many values is left out at each end of a column's inner range
# Whitening ridge as a share of the mean variance: this, or one over twice the number of independent windows.
MIN_RIDGE = 0.01


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
        positions: (rows,) their positions in time, or None.
        whitening: (points, points) for windows, or None.
        number_weights: (numbers,) the weight of each column of numbers, or None.

    Attributes:
        rows: the remembered rows.
        fingerprints: (rows,) by which rows are recognised.
    """

    def __init__(
        self,
        batch: Batch,
        scored: Mapping[str, Tensor],
        positions: np.ndarray | None = None,
        whitening: np.ndarray | None = None,
        number_weights: np.ndarray | None = None,
    ) -> None:
        self.rows, self.positions = batch, positions
        self.whitening, self.number_weights = whitening, number_weights
        self.fingerprints = fingerprints(batch)
        self._order = np.argsort(self.fingerprints, kind="stable")
        self._metric = RowMetric({k: v.cpu() for k, v in scored.items()}, whitening, number_weights)
        self._compared = ComparedRows(self._metric.features(batch), Curve.kind in batch.values)

    @classmethod
    def fit(cls, batch: Batch, scored: Mapping[str, Tensor], positions: np.ndarray | None = None) -> Memory:
        """Remember rows; of many, evenly spaced ones in their order.

        Args:
            batch: rows, on the CPU.
            scored: kind -> (fields,) which fields count.
            positions: (rows,) their positions in time; None for a table.
        """
        limit = MAX_WINDOWS if Curve.kind in batch.values else MAX_ROWS
        if Picture.kind in batch.values:
            limit = min(limit, max(MAX_PIXELS // batch.values[Picture.kind][0].numel(), MIN_IMAGES))
        whitening = number_weights = None
        if Curve.kind in batch.values:
            length = batch.values[Curve.kind].shape[-1]
            whitening = _whitening(batch, _independent_windows(positions, length))
        if Real.kind in batch.values:
            number_weights = _number_weights(batch, scored[Real.kind].cpu())
        picked = torch.linspace(0, len(batch) - 1, min(limit, len(batch))).round().long()
        where = positions[picked.numpy()] if positions is not None else None
        return cls(batch[picked], scored, where, whitening, number_weights)

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
        chunk = max(MAX_PIXELS // ((k + 2 * SPARE_CANDIDATES) * width), MIN_QUERIES)
        step = min(QUERIES_AT_ONCE, chunk)
        for start in range(0, len(batch), step):
            rows = slice(start, start + step)
            features = self._metric.features(batch[rows])
            squares = self._compared.mean_squares(features)
            where = None if positions is None else positions[rows]
            squares[self._themselves(batch[rows], where, apart)] = torch.inf
            # The matrix product rounds; the few pairs that matter are computed again.
            squared, nearby = _smallest(squares, min(skip + k + spare, len(self)))
            spared = max(skip - spare, 0)
            squared, nearby = squared[:, spared:], nearby[:, spared:]
            exact = self._compared.exact_mean_squares(features, nearby)
            nearest, order = torch.where(torch.isfinite(squared), exact, torch.inf).sort(dim=1, stable=True)
            wanted = slice(skip - spared, skip - spared + k)
            nearest, order = nearest[:, wanted], nearby.gather(1, order)[:, wanted]
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


def _smallest(table: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return (rows, count) the smallest numbers of each row, ascending, and their columns."""
    if count > MAX_REPEATED_MINIMA:
        return table.topk(count, largest=False)
    left, values, columns = table.clone(), [], []
    for _ in range(count):
        value, column = left.min(1, keepdim=True)
        left.scatter_(1, column, torch.inf)
        values.append(value)
        columns.append(column)
    return torch.cat(values, 1), torch.cat(columns, 1)


def _independent_windows(positions: np.ndarray | None, length: int) -> float:
    """Return how many windows that do not overlap would cover the points that these cover."""
    if positions is None or len(positions) == 0:
        return np.inf
    return float(np.minimum(np.diff(np.unique(positions)), length).sum() / length + 1)


def _whitening(batch: Batch, independent: float) -> np.ndarray:
    """Return (points, points) the whitening of windows: directions in which they hardly vary count more.

    Each channel is brought to a mean of 0 first: its level is evidence of its own, and as one of the
    directions a slow drift would count as an anomalous shape. Of few windows that do not overlap, directions
    in which they hardly vary are not known: the fewer, the more alike all directions are taken to be.
    """
    curve = (batch.values[Curve.kind] * batch.visible[Curve.kind]).double()
    flat = (curve - curve.mean(2, keepdim=True)).flatten(1)
    flat = flat - flat.mean(0)
    covariance = flat.T @ flat / max(len(flat), 1)
    size = float(torch.diagonal(covariance).mean())
    ridge = max(MIN_RIDGE, 0.5 / independent) * size + 1e-9
    values, vectors = torch.linalg.eigh(covariance + ridge * torch.eye(len(covariance)))
    whitening = (vectors * values.clamp_min(1e-12) ** -0.5) @ vectors.T
    by_channel = whitening.view(*curve.shape[1:], -1)
    centred = by_channel - by_channel.mean(1, keepdim=True)
    return np.asarray(centred.reshape(whitening.shape).float().numpy())


def _number_weights(batch: Batch, scored: Tensor) -> np.ndarray:
    """Return (numbers,) one over the range of each column, so that scored numbers have a mean variance of 1.

    A column that is nearly constant has a small deviation: in its units, one row that differs would be far
    from all others, whatever else it holds. The range is the geometric mean of that of all values and of that
    without the farthest thousandth at each end: a single extreme value does not hide itself.
    """
    logs, seen = soft_log(batch.values[Real.kind]).numpy(), batch.visible[Real.kind].numpy()
    ranges, variances = np.ones(logs.shape[1]), np.zeros(logs.shape[1])
    for field in range(len(ranges)):
        values = np.sort(logs[seen[:, field], field]).astype(float)
        if len(values) and values[-1] > values[0]:
            ends = min(math.ceil(len(values) / OUTLIERS_PER_END), (len(values) - 1) // 2)
            full, inner = values[-1] - values[0], values[-1 - ends] - values[ends]
            ranges[field] = math.sqrt(full * (inner if inner > 0 else full))
            variances[field] = values.var()
    usual = (variances / ranges**2)[scored.numpy()]
    scale = math.sqrt(usual.mean()) if usual.sum() > 0 else 1.0
    return (1 / (ranges * scale)).astype(np.float32)
