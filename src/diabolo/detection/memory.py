"""Remembered training rows, and how far other rows are from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve, Picture, Real, Symbol, broadcast_fields
from diabolo.utils.numerics import soft_log

LIMIT = 10_000
WINDOWS = 512
PIXELS = 4_000_000  # of remembered pictures together; 5 bytes each in a model file, 17 in memory
QUERIES = 512
SMALL = 64  # symbols up to which a field is compared by one-hot codes
SPARE = 8  # candidates measured again beyond those wanted
SPARE_WINDOWS = 2  # of windows, whose distances hardly ever are as good as equal
MISMATCH = 2.0  # the squared distance of two unlike symbols: that of two independent numbers


class Neighbours(NamedTuple):
    """The nearest remembered rows.

    Attributes:
        places: (rows, k) rows of the memory, nearest first; -1 where there is none.
        distances: (rows, k) to each of them, for each cell that both have; infinite if there is none.
    """

    places: np.ndarray
    distances: np.ndarray

    @property
    def distance(self) -> np.ndarray:
        """(rows,) to the nearest one."""
        return self.distances[:, 0]

    def first(self, k: int) -> Neighbours:
        """Return the `k` nearest of them."""
        return Neighbours(self.places[:, :k], self.distances[:, :k])


class Memory:
    """Up to 10,000 remembered rows, in the space where their distance means most.

    Numbers count in standard units, their tails by the logarithm (`soft_log`), and the less the wider the
    range of their column (`reach`); pixels as they are; unlike symbols count 2; windows count after
    whitening: directions in which training windows hardly vary count more. The distance is the root of the
    mean over the cells that both rows have.

    Attributes:
        codes: the remembered rows, on the CPU.
        positions: (rows,) their places in time, or None.
        whitening: (points, points) for windows, or None.
        reach: (numbers,) what each column of numbers counts, or None.
        prints: (rows,) a fingerprint of each row, by which it is known again.
    """

    def __init__(
        self,
        batch: Batch,
        scored: Mapping[str, Tensor],
        positions: np.ndarray | None = None,
        whitening: np.ndarray | None = None,
        reach: np.ndarray | None = None,
    ) -> None:
        self.rows, self.scored = batch, {k: v.cpu() for k, v in scored.items()}
        self.positions, self.whitening, self.reach = positions, whitening, reach
        self.fingerprints = fingerprints(batch)
        self._numbers, self._known = self._features(batch)
        self._label_values, self._label_known = self._labels(batch)
        self._sizes = (self._label_values.amax(0) + 1).tolist()
        self._small = (self._label_values < SMALL).all(0)
        numbers, known = self._numbers, self._label_known
        hot = self._one_hot(self._label_values, known)
        self._right = torch.cat([self._known, numbers, numbers.square(), known.float(), hot], 1)
        self._lengths = numbers.square().sum(1)
        self._whole = bool(self._known.all()) and bool(known.all())

    @classmethod
    def fit(cls, batch: Batch, scored: Mapping[str, Tensor], positions: np.ndarray | None = None) -> Memory:
        """Remember rows; of many, an even choice in their order."""
        limit = WINDOWS if Curve.kind in batch.values else LIMIT
        if Picture.kind in batch.values:
            limit = min(limit, max(PIXELS // batch.values[Picture.kind][0].numel(), 64))
        whitening = None
        if Curve.kind in batch.values:
            whitening = _whitening(batch, _apart(positions, batch.values[Curve.kind].shape[-1]))
        picked = torch.linspace(0, len(batch) - 1, min(limit, len(batch))).round().long()
        where = positions[picked.numpy()] if positions is not None else None
        reach = _reach(batch, scored[Real.kind].cpu()) if Real.kind in batch.values else None
        return cls(batch[picked], scored, where, whitening, reach)

    def __len__(self) -> int:
        return len(self.rows)

    def search(
        self, batch: Batch, positions: np.ndarray | None = None, *, apart: int = 1, k: int = 1, skip: int = 0
    ) -> Neighbours:
        """The nearest remembered rows; a row never counts as its own neighbour.

        A remembered row with the same content is the row itself, once: its copies count. Windows that
        overlap in time (fewer than `apart` steps between their starts) are the same stretch.

        Args:
            batch: rows, on the CPU.
            positions: (rows,) their places in time.
            apart: steps between windows that count as different.
            k: neighbours wanted.
            skip: nearer ones that are passed over.
        """
        index = np.full((len(batch), k), -1, np.int64)
        distances = np.full((len(batch), k), np.inf)
        timed = positions is not None and self.positions is not None
        prints = None if timed else fingerprints(batch)
        first = {} if timed else {p: i for i, p in reversed(list(enumerate(self.fingerprints.tolist())))}
        spare = SPARE_WINDOWS if timed else SPARE
        # Measuring again takes every wanted row apart: of wide rows, fewer at once.
        step = min(QUERIES, max(PIXELS // ((k + 2 * SPARE) * max(self._numbers.shape[1], 1)), 16))
        for start in range(0, len(batch), step):
            chunk = batch[start : start + step]
            mine = *self._features(chunk), *self._labels(chunk)
            squares = self._squares(mine)
            if prints is None:
                assert positions is not None and self.positions is not None
                here = positions[start : start + step, None]
                squares[torch.from_numpy(np.abs(here - self.positions[None]) < apart)] = torch.inf
            else:
                own = [
                    (i, first[p]) for i, p in enumerate(prints[start : start + step].tolist()) if p in first
                ]
                if own:
                    rows, places = zip(*own, strict=True)
                    squares[list(rows), list(places)] = torch.inf
            # The matrix product that compares all pairs rounds; the few that matter are measured again.
            squared, nearby = _smallest(squares, min(skip + k + spare, len(self)))
            spared = max(skip - spare, 0)
            squared, nearby = squared[:, spared:], nearby[:, spared:]
            exact = torch.where(torch.isfinite(squared), self._measure(mine, nearby), torch.inf)
            nearest, order = exact.sort(dim=1, stable=True)
            wanted = slice(skip - spared, skip - spared + k)
            nearest, order = nearest[:, wanted], nearby.gather(1, order)[:, wanted]
            distances[start : start + step, : order.shape[1]] = np.sqrt(nearest.double().numpy())
            index[start : start + step, : order.shape[1]] = np.where(
                torch.isfinite(nearest), order.numpy(), -1
            )
        return Neighbours(index, distances)

    def shares(self, batch: Batch, index: np.ndarray) -> dict[str, np.ndarray]:
        """Kind -> (rows, fields, *cell): each cell's part of the squared distance to the row `index`."""
        nearest = self.rows[torch.from_numpy(np.maximum(index, 0))]
        found = {}
        for kind, value in batch.values.items():
            there = batch.visible[kind] & nearest.visible[kind]
            there = there & broadcast_fields(self.scored[kind], value)
            if kind == Symbol.kind:
                part = MISMATCH * (value != nearest.values[kind]).float()
            elif kind == Curve.kind and self.whitening is not None:
                gap = ((value - nearest.values[kind]) * there).flatten(1)
                part = (gap @ torch.from_numpy(self.whitening)).square().view_as(value)
            else:
                part = (self._near(kind, value) - self._near(kind, nearest.values[kind])).square()
            found[kind] = torch.where(there, part, 0.0).numpy().astype(np.float64)
        return found

    def _features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Everything that is a number, side by side, and what is there."""
        numbers, known = [], []
        for kind in (Real.kind, Picture.kind):
            if kind in batch.values:
                scored = self.scored[kind]
                numbers.append(self._near(kind, batch.values[kind])[:, scored].flatten(1))
                known.append(batch.visible[kind][:, scored].flatten(1))
        if Curve.kind in batch.values and self.whitening is not None:
            curve = (batch.values[Curve.kind] * batch.visible[Curve.kind]).flatten(1)
            numbers.append(curve @ torch.from_numpy(self.whitening))
            known.append(torch.ones_like(numbers[-1], dtype=torch.bool))
        if not numbers:
            return torch.zeros(len(batch), 0), torch.zeros(len(batch), 0)
        seen = torch.cat(known, 1)
        # Clipped, so that squares of infinities stay finite.
        return torch.where(seen, torch.cat(numbers, 1).clamp(-1e6, 1e6), 0.0), seen.float()

    def _near(self, kind: str, values: Tensor) -> Tensor:
        """Numbers as distances are measured between them."""
        if kind != Real.kind or self.reach is None:
            return values
        return soft_log(values) * torch.from_numpy(self.reach)

    def _squares(self, mine: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        """(rows, remembered) mean squared distance over the cells that both have, up to rounding.

        Squares, products and matches are all sums over fields, so that one matrix product compares all
        pairs: over cells that both have, sum (a - b)^2 = a^2 . there - 2 a . b + seen . b^2.
        """
        numbers, seen, labels, known = mine
        if self._plain(mine):
            squares = numbers.square().sum(1)[:, None] + self._lengths
            return torch.addmm(squares, numbers, self._numbers.T, alpha=-2).clamp_min(0) / numbers.shape[1]
        left = [
            numbers.square(),
            -2 * numbers,
            seen,
            MISMATCH * known.float(),
            -MISMATCH * self._one_hot(labels, known),
        ]
        total = torch.cat(left, 1) @ self._right.T
        for field in torch.nonzero(~self._small).flatten().tolist():
            same = labels[:, field, None] == self._label_values[None, :, field]
            same &= (labels[:, field, None] > 0) & known[:, field, None] & self._label_known[None, :, field]
            total -= MISMATCH * same
        cells = torch.cat([seen, known.float()], 1)
        if self._whole and bool(cells.all()):
            return total / cells.shape[1]
        count = cells @ torch.cat([self._known, self._label_known.float()], 1).T
        return torch.where(count > 0, total / count.clamp_min(1), torch.inf)

    def _plain(self, mine: tuple[Tensor, Tensor, Tensor, Tensor]) -> bool:
        """Whether rows and remembered rows are windows, and nothing is missing."""
        return (
            Curve.kind in self.rows.values and self._whole and mine[2].shape[1] == 0 and bool(mine[1].all())
        )

    def _measure(self, mine: tuple[Tensor, Tensor, Tensor, Tensor], index: Tensor) -> Tensor:
        """(rows, k) the same distance to the remembered rows `index`, exactly."""
        numbers, seen, labels, known = mine
        if self._plain(mine):
            return (numbers[:, None] - self._numbers[index]).square().sum(2) / numbers.shape[1]
        both = seen[:, None] * self._known[index]
        total = ((numbers[:, None] - self._numbers[index]).square() * both).sum(2)
        shared = known[:, None] & self._label_known[index]
        unlike = (labels[:, None] != self._label_values[index]) | (labels[:, None] == 0)
        total = total + MISMATCH * (unlike & shared).sum(2)
        return total / (both.sum(2) + shared.sum(2)).clamp_min(1)

    def _labels(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The symbols of the scored fields, and which are there; symbol 0 is unlike everything."""
        if Symbol.kind not in batch.values:
            return torch.zeros(len(batch), 0, dtype=torch.long), torch.zeros(len(batch), 0, dtype=torch.bool)
        scored = self.scored[Symbol.kind]
        return batch.values[Symbol.kind][:, scored], batch.visible[Symbol.kind][:, scored]

    def _one_hot(self, labels: Tensor, known: Tensor) -> Tensor:
        hot = [torch.zeros(len(labels), 0)]
        for field in torch.nonzero(self._small).flatten().tolist():
            size = self._sizes[field]
            # Symbols that no remembered row has are like none of them.
            label = torch.where(known[:, field] & (labels[:, field] < size), labels[:, field], 0)
            hot.append(torch.nn.functional.one_hot(label, size)[:, 1:].float())
        return torch.cat(hot, 1)


def _smallest(table: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(rows, count) the smallest numbers of each row, ascending, and where they are."""
    if count > 4:
        return table.topk(count, largest=False)
    # Looking for the smallest a few times is five times faster than sorting.
    left, values, places = table.clone(), [], []
    for _ in range(count):
        value, place = left.min(1, keepdim=True)
        left.scatter_(1, place, torch.inf)
        values.append(value)
        places.append(place)
    return torch.cat(values, 1), torch.cat(places, 1)


def _apart(positions: np.ndarray | None, length: int) -> float:
    """How many windows that do not overlap would cover the points that these cover."""
    if positions is None or len(positions) == 0:
        return np.inf
    return float(np.minimum(np.diff(np.unique(positions)), length).sum() / length + 1)


def _whitening(batch: Batch, apart: float) -> np.ndarray:
    """(points, points) what windows are multiplied by: directions in which they hardly vary count more.

    Each channel is brought to a mean of 0 first: how high it lies is the level's question, and as one of the
    directions a slow drift would count as an odd shape. Of few windows that do not overlap, directions in
    which they hardly vary are not known: the fewer, the more like each other all are held to be.
    """
    curve = (batch.values[Curve.kind] * batch.visible[Curve.kind]).double()
    flat = (curve - curve.mean(2, keepdim=True)).flatten(1)
    flat = flat - flat.mean(0)
    covariance = flat.T @ flat / max(len(flat), 1)
    size = float(torch.diagonal(covariance).mean())
    values, vectors = torch.linalg.eigh(
        covariance + (max(0.01, 0.5 / apart) * size + 1e-9) * torch.eye(len(covariance))
    )
    whitening = (vectors * values.clamp_min(1e-12) ** -0.5) @ vectors.T
    by_channel = whitening.view(*curve.shape[1:], -1)
    centred = by_channel - by_channel.mean(1, keepdim=True)
    return np.asarray(centred.reshape(whitening.shape).float().numpy())


def _reach(batch: Batch, scored: Tensor) -> np.ndarray:
    """(numbers,) one over the range of each column; so that scored numbers have a mean variance of 1.

    A column that is nearly always the same has a small deviation: in its units, one row that differs would be
    far from all others, whatever else it holds. The range is the geometric mean of that of all values and of
    that without the farthest thousandth at each end: a single wild value does not hide itself.
    """
    near_all, seen = soft_log(batch.values[Real.kind]).numpy(), batch.visible[Real.kind].numpy()
    ranges, variances = np.ones(near_all.shape[1]), np.zeros(near_all.shape[1])
    for field in range(len(ranges)):
        values = np.sort(near_all[seen[:, field], field]).astype(float)
        if len(values) and values[-1] > values[0]:
            ends = min(math.ceil(len(values) / 1000), (len(values) - 1) // 2)
            whole, inner = values[-1] - values[0], values[-1 - ends] - values[ends]
            ranges[field] = math.sqrt(whole * (inner if inner > 0 else whole))
            variances[field] = values.var()
    usual = (variances / ranges**2)[scored.numpy()]
    scale = math.sqrt(usual.mean()) if usual.sum() > 0 else 1.0
    return (1 / (ranges * scale)).astype(np.float32)


def fingerprints(batch: Batch) -> np.ndarray:
    """(rows,) one whole number for each row; equal rows have equal ones."""
    parts = []
    for kind in sorted(batch.values):
        value = torch.where(batch.visible[kind], batch.values[kind], torch.zeros_like(batch.values[kind]))
        flat = value.flatten(1).contiguous().numpy()
        parts.append(flat.view(np.uint32) if flat.dtype == np.float32 else flat.astype(np.uint32))
        parts.append(batch.visible[kind].flatten(1).numpy().astype(np.uint32))
    table = np.concatenate(parts, 1).astype(np.uint64)
    mixed = np.full(len(table), 1469598103934665603, np.uint64)
    with np.errstate(over="ignore"):
        for column in table.T:  # FNV-1a, a word at a time
            mixed = (mixed ^ column) * np.uint64(1099511628211)
            mixed ^= mixed >> np.uint64(29)
    return mixed
