"""A batch of rows, as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK_ROWS = 64  # rows: see `Batch.padded`


@dataclass(frozen=True)
class Batch:
    """Rows as one tensor for each kind of field.

    Attributes:
        values: kind -> (rows, fields, *cell); a hole holds 0.
        visible: kind -> the same shape, False where there is a hole or the cell is hidden.
        whole: every cell is known to be there and to be scored, so that nobody needs to look.
        absent: kind -> the same shape, True where the row is known to have no value; a hole that is not
            known to be one could be anything. None: nothing is known to be absent.
    """

    values: Mapping[str, Tensor]
    visible: Mapping[str, Tensor]
    whole: bool = False
    absent: Mapping[str, Tensor] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def __getitem__(self, rows: slice | Tensor) -> Batch:
        values, visible = ({k: v[rows] for k, v in part.items()} for part in (self.values, self.visible))
        absent = self.absent and {k: v[rows] for k, v in self.absent.items()}
        return Batch(values, visible, self.whole, absent)

    def replace(
        self, values: Mapping[str, Tensor] | None = None, visible: Mapping[str, Tensor] | None = None
    ) -> Batch:
        """The same rows with the given kinds exchanged."""
        whole = self.whole and not visible
        new = {**self.values, **(values or {})}, {**self.visible, **(visible or {})}
        return Batch(*new, whole, self.absent)

    def checked(self, scored: Mapping[str, Tensor]) -> Batch:
        """The same rows, looked through for cells that are not there or not scored."""
        whole = all(bool(v.all()) and bool(scored[k].all()) for k, v in self.visible.items())
        return Batch(self.values, self.visible, whole)

    def hide(self, hidden: Mapping[str, Tensor]) -> Batch:
        """The same rows with more cells hidden; `hidden` is broadcast to the rows."""
        return self.replace(visible={k: self.visible[k] & ~h for k, h in hidden.items()})

    def fill(self, values: Mapping[str, Tensor]) -> Batch:
        """The same rows with every hole filled from `values`, and nothing hidden."""
        filled = {k: torch.where(self.visible[k], v, values[k].to(v.dtype)) for k, v in self.values.items()}
        return Batch(filled, {k: torch.ones_like(v) for k, v in self.visible.items()})

    def put(self, rows: Tensor, other: Batch) -> Batch:
        """The same with some rows exchanged."""
        values = {k: v.index_copy(0, rows, other.values[k]) for k, v in self.values.items()}
        return Batch(values, {k: v.index_copy(0, rows, other.visible[k]) for k, v in self.visible.items()})

    def to(self, device: torch.device | str) -> Batch:
        """The same rows on another device."""
        return Batch(
            {k: v.to(device) for k, v in self.values.items()},
            {k: v.to(device) for k, v in self.visible.items()},
            absent=self.absent and {k: v.to(device) for k, v in self.absent.items()},
        )

    def padded(self) -> Batch:
        """The rows and copies of the first one, up to a multiple of 64.

        A matrix product takes other paths through few rows than through many, and rounds differently. In
        whole blocks every row is computed alike, so that a prediction does not depend on its company.
        """
        more = -len(self) % BLOCK_ROWS
        if more == 0:
            return self
        return self[torch.cat([torch.arange(len(self)), torch.zeros(more, dtype=torch.long)])]

    def chunks(self, rows: int) -> Iterator[Batch]:
        """Consecutive pieces of at most so many rows."""
        for start in range(0, max(len(self), 1), rows):
            yield self[start : start + rows]

    @staticmethod
    def concatenate(parts: list[Batch]) -> Batch:
        """One batch after the other."""
        first = parts[0]
        return Batch(
            {k: torch.cat([p.values[k] for p in parts]) for k in first.values},
            {k: torch.cat([p.visible[k] for p in parts]) for k in first.visible},
        )


def broadcast_fields(scored: Tensor, like: Tensor) -> Tensor:
    """(fields,) -> a shape that broadcasts against (rows, fields, *cell)."""
    return scored.view(1, -1, *[1] * (like.dim() - 2))
