"""The distance between rows, so that one matrix product compares many pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Symbol, broadcast_fields
from diabolo.detection.metrics.base import FieldMetric

MAX_ONE_HOT_SYMBOLS = 64  # up to which a field is compared by one-hot codes
# The squared distance of two unlike symbols: that of two independent numbers.
MISMATCH = 2.0
MAX_NUMBER = 1e6  # larger ones are clipped, so that squares stay finite


class Features(NamedTuple):
    """Rows as distances are measured between them.

    Attributes:
        numbers: (rows, numbers) all numbers side by side, 0 where one is missing.
        seen: (rows, numbers) 1 where a number is present.
        labels: (rows, labels) symbols; symbol 0 is unlike everything.
        known: (rows, labels) where a label is present.
    """

    numbers: Tensor
    seen: Tensor
    labels: Tensor
    known: Tensor


class RowMetric:
    """The root of the mean squared difference over the cells that two rows both have; unlike symbols count 2.

    Args:
        scored: kind -> (fields,) which fields count.
        metrics: of the kinds of fields that are numbers, in the order of `FIELD_METRICS`.
    """

    def __init__(self, scored: Mapping[str, Tensor], metrics: Sequence[FieldMetric]) -> None:
        self.scored, self.metrics = scored, {metric.kind: metric for metric in metrics}

    @property
    def dense(self) -> bool:
        """Whether some kind of field has numbers that are never missing."""
        return any(metric.dense for metric in self.metrics.values())

    def features(self, batch: Batch) -> Features:
        """Return rows as distances are measured between them."""
        found = [
            metric.features(batch.values[kind], batch.visible[kind], self.scored[kind])
            for kind, metric in self.metrics.items()
        ]
        labels = torch.zeros(len(batch), 0, dtype=torch.long), torch.zeros(len(batch), 0, dtype=torch.bool)
        if Symbol.kind in batch.values:
            scored = self.scored[Symbol.kind]
            labels = batch.values[Symbol.kind][:, scored], batch.visible[Symbol.kind][:, scored]
        if not found:
            return Features(torch.zeros(len(batch), 0), torch.zeros(len(batch), 0), *labels)
        numbers, present = (torch.cat(part, 1) for part in zip(*found, strict=True))
        clipped = numbers.clamp(-MAX_NUMBER, MAX_NUMBER)
        return Features(torch.where(present, clipped, 0.0), present.float(), *labels)

    def parts(self, batch: Batch, others: Batch) -> dict[str, np.ndarray]:
        """Return kind -> (rows, fields, *cell): each cell's part of the squared distance.

        Args:
            batch: rows.
            others: a row for each of them.
        """
        parts = {}
        for kind, value in batch.values.items():
            other = others.values[kind]
            both = batch.visible[kind] & others.visible[kind]
            both = both & broadcast_fields(self.scored[kind], value)
            if kind in self.metrics:
                part = self.metrics[kind].parts(value, other, both)
            else:
                part = MISMATCH * (value != other).float()
            parts[kind] = torch.where(both, part, 0.0).numpy().astype(np.float64)
        return parts


class ComparedRows:
    """Rows that many others are compared with.

    Args:
        features: of the rows.
        dense: whether numbers are usually present: then rows without missing ones take a shorter way.
    """

    def __init__(self, features: Features, dense: bool) -> None:
        self.features = features
        self._sizes = (features.labels.amax(0) + 1).tolist()
        self._small = (features.labels < MAX_ONE_HOT_SYMBOLS).all(0)
        numbers, known = features.numbers, features.known
        hot = self._one_hot(features.labels, known)
        self._right = torch.cat([features.seen, numbers, numbers.square(), known.float(), hot], 1)
        self._lengths = numbers.square().sum(1)
        self._complete = bool(features.seen.all()) and bool(known.all())
        self._dense = dense and self._complete

    def mean_squares(self, rows: Features) -> Tensor:
        """Return (rows, compared rows) mean squared distance over the cells that both have, up to rounding.

        Squares, products and matches are all sums over fields, so that one matrix product compares all
        pairs: over cells that both have, sum (a - b)^2 = a^2 . present - 2 a . b + seen . b^2.

        Args:
            rows: features of other rows.
        """
        numbers, seen, labels, known = rows
        if self._is_dense(rows):
            squares = numbers.square().sum(1)[:, None] + self._lengths
            squares = torch.addmm(squares, numbers, self.features.numbers.T, alpha=-2).clamp_min(0)
            return squares / numbers.shape[1]
        left = [
            numbers.square(),
            -2 * numbers,
            seen,
            MISMATCH * known.float(),
            -MISMATCH * self._one_hot(labels, known),
        ]
        total = torch.cat(left, 1) @ self._right.T
        for field in torch.nonzero(~self._small).flatten().tolist():
            same = labels[:, field, None] == self.features.labels[None, :, field]
            same &= (labels[:, field, None] > 0) & known[:, field, None] & self.features.known[None, :, field]
            total -= MISMATCH * same
        cells = torch.cat([seen, known.float()], 1)
        if self._complete and bool(cells.all()):
            return total / cells.shape[1]
        count = cells @ torch.cat([self.features.seen, self.features.known.float()], 1).T
        return torch.where(count > 0, total / count.clamp_min(1), torch.inf)

    def exact_mean_squares(self, rows: Features, index: Tensor) -> Tensor:
        """Return (rows, k) the same distance to some of the compared rows, without rounding of products.

        Args:
            rows: features of other rows.
            index: (rows, k) numbers of compared rows.
        """
        numbers, seen, labels, known = rows
        gaps = (numbers[:, None] - self.features.numbers[index]).square()
        if self._is_dense(rows):
            return gaps.sum(2) / numbers.shape[1]
        both = seen[:, None] * self.features.seen[index]
        total = (gaps * both).sum(2)
        shared = known[:, None] & self.features.known[index]
        unlike = (labels[:, None] != self.features.labels[index]) | (labels[:, None] == 0)
        total = total + MISMATCH * (unlike & shared).sum(2)
        return total / (both.sum(2) + shared.sum(2)).clamp_min(1)

    def _is_dense(self, rows: Features) -> bool:
        """Whether the rows have no labels, and nothing is missing."""
        return self._dense and rows.labels.shape[1] == 0 and bool(rows.seen.all())

    def _one_hot(self, labels: Tensor, known: Tensor) -> Tensor:
        hot = [torch.zeros(len(labels), 0)]
        for field in torch.nonzero(self._small).flatten().tolist():
            size = self._sizes[field]
            # Symbols that no compared row has are like none of them.
            label = torch.where(known[:, field] & (labels[:, field] < size), labels[:, field], 0)
            hot.append(torch.nn.functional.one_hot(label, size)[:, 1:].float())
        return torch.cat(hot, 1)
