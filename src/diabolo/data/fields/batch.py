"""A batch of rows, as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK_ROWS = 65_536  # rows that are in memory as tensors at once
BLOCK_ROWS = 64  # rows: see `Batch.padded`


@dataclass(frozen=True)
class Batch:
    """Rows as one tensor for each kind of field.

    Attributes:
        values: kind -> (rows, fields, *cell); a missing value is stored as 0.
        visible: kind -> the same shape, False where a value is missing or hidden from the network.
        whole: every cell is known to have a value and to be scored, so that no check is needed.
        absent: kind -> the same shape, True where the row is known to have no value; a missing value that
            is not known to be absent could be anything. None: no value is known to be absent.
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
        """Return the same rows with the tensors of the given kinds replaced.

        Args:
            values: kind -> (rows, fields, *cell).
            visible: kind -> the same shape.
        """
        whole = self.whole and not visible
        new = {**self.values, **(values or {})}, {**self.visible, **(visible or {})}
        return Batch(*new, whole, self.absent)

    def checked(self, scored: Mapping[str, Tensor]) -> Batch:
        """Return the same rows, with `whole` set if no cell is missing and every field is scored."""
        whole = all(bool(v.all()) and bool(scored[k].all()) for k, v in self.visible.items())
        return Batch(self.values, self.visible, whole)

    def hide(self, hidden: Mapping[str, Tensor]) -> Batch:
        """Return the same rows with more cells hidden; `hidden` is broadcast to the rows."""
        return self.replace(visible={k: self.visible[k] & ~h for k, h in hidden.items()})

    def fill(self, values: Mapping[str, Tensor]) -> Batch:
        """Return the same rows with every missing or hidden value taken from `values`, and all visible."""
        filled = {k: torch.where(self.visible[k], v, values[k].to(v.dtype)) for k, v in self.values.items()}
        return Batch(filled, {k: torch.ones_like(v) for k, v in self.visible.items()})

    def put(self, rows: Tensor, other: Batch) -> Batch:
        """Return the same batch with some rows replaced.

        Args:
            rows: (n,) their numbers.
            other: n rows to put there.
        """
        values = {k: v.index_copy(0, rows, other.values[k]) for k, v in self.values.items()}
        return Batch(values, {k: v.index_copy(0, rows, other.visible[k]) for k, v in self.visible.items()})

    def to(self, device: torch.device | str) -> Batch:
        """Return the same rows on another device."""
        return Batch(
            {k: v.to(device) for k, v in self.values.items()},
            {k: v.to(device) for k, v in self.visible.items()},
            absent=self.absent and {k: v.to(device) for k, v in self.absent.items()},
        )

    def padded(self) -> Batch:
        """Return the rows followed by copies of the first one, up to a multiple of `BLOCK_ROWS`.

        A matrix product takes other paths through few rows than through many, and rounds differently. In
        blocks of one size every row is computed in the same way, so that a prediction does not depend on the
        other rows of its batch.
        """
        n_padding = -len(self) % BLOCK_ROWS
        if n_padding == 0:
            return self
        return self[torch.cat([torch.arange(len(self)), torch.zeros(n_padding, dtype=torch.long)])]

    def chunks(self, rows: int) -> Iterator[Batch]:
        """Yield consecutive batches of at most `rows` rows each."""
        for start in range(0, max(len(self), 1), rows):
            yield self[start : start + rows]

    @staticmethod
    def concatenate(parts: list[Batch]) -> Batch:
        """Return the rows of all batches, one batch after the other."""
        first = parts[0]
        return Batch(
            {k: torch.cat([p.values[k] for p in parts]) for k in first.values},
            {k: torch.cat([p.visible[k] for p in parts]) for k in first.visible},
        )


def broadcast_fields(scored: Tensor, like: Tensor) -> Tensor:
    """Return a tensor of fields in a shape that broadcasts against values.

    Args:
        scored: (fields,).
        like: (rows, fields, *cell).

    Returns:
        (1, fields, 1, ...).
    """
    return scored.view(1, -1, *[1] * (like.dim() - 2))
