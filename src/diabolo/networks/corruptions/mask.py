"""Hidden cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diabolo.data.fields import Batch, broadcast_fields
from diabolo.networks.corruptions.base import Corrupted, Corruption


class Mask(Corruption):
    """Hides a random subset of the scored cells; the network predicts those from the ones that are left.

    Each row shows a number of cells drawn evenly from 0 to all but one, so that the network learns every
    conditional distribution (Uria et al., "A deep and tractable density estimator", 2014). The weight of
    a hidden cell is cells / hidden cells of its row: rows count alike. A window is hidden in stretches
    and a picture in rectangles, because its neighbours give a single point away.
    """

    masks = True

    def forward(self, batch: Batch, scored: Mapping[str, Tensor]) -> Corrupted:
        hidden = {}
        flat = {k: v for k, v in batch.values.items() if v.dim() == 2}
        if flat:
            hidden = self._cells(flat, scored)
        for kind, value in batch.values.items():
            if value.dim() > 2:
                hidden[kind] = self._blocks(value) & broadcast_fields(scored[kind], value)
        weights = {k: (h & batch.visible[k]).float() for k, h in hidden.items()}
        there = {
            k: (batch.visible[k] & broadcast_fields(scored[k], v)).flatten(1).sum(1)
            for k, v in batch.values.items()
        }
        total = sum(there.values())
        gone = sum(w.flatten(1).sum(1) for w in weights.values())
        factor = total / gone.clamp_min(1)  # type: ignore[union-attr]
        weights = {k: w * factor.view(-1, *[1] * (w.dim() - 1)) for k, w in weights.items()}
        return Corrupted(batch.hide(hidden), weights)

    def _cells(self, flat: Mapping[str, Tensor], scored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A subset of the fields of each row, over all kinds together."""
        may = torch.cat([scored[k] for k in flat])
        rows, fields = len(next(iter(flat.values()))), int(may.sum())
        if fields == 0:
            return {k: torch.zeros_like(v, dtype=torch.bool) for k, v in flat.items()}
        rank = torch.rand(rows, fields, device=may.device).argsort(1).argsort(1)
        drawn = torch.zeros(rows, len(may), dtype=torch.bool, device=may.device)
        drawn[:, may] = rank >= torch.randint(0, fields, (rows, 1), device=may.device)
        widths = [v.shape[1] for v in flat.values()]
        return dict(zip(flat, torch.split(drawn, widths, 1), strict=True))

    def _blocks(self, value: Tensor) -> Tensor:
        """One block of each window or picture, half the time in all channels at once.

        A stretch of a window, (rows, channels, length), is a sixteenth to all of it; the rectangle of a
        picture, (rows, pictures, channels, height, width), spans as much of its height and of its width.
        """
        rows, channels = value.shape[:2]
        hidden = torch.ones_like(value, dtype=torch.bool)
        for dim in range(2, 3) if value.dim() == 3 else range(3, 5):
            length = value.shape[dim]
            size = torch.rand(rows, channels, 1, device=value.device)
            start = torch.rand(rows, channels, 1, device=value.device)
            alike = torch.rand(rows, 1, 1, device=value.device) < 0.5
            size = torch.where(alike, size[:, :1], size).mul(1 - 1 / 16).add(1 / 16).mul(length).ceil()
            start = (torch.where(alike, start[:, :1], start) * (length - size + 1)).floor()
            place = torch.arange(length, device=value.device)
            along = [rows, channels, *(length if d == dim else 1 for d in range(2, value.dim()))]
            hidden &= ((place >= start) & (place < start + size)).view(along)
        return hidden

    def options(self) -> dict[str, Any]:
        return {}
