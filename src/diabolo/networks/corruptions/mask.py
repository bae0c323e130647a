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
    a hidden cell is cells / hidden cells of its row: every row counts the same. Of a window segments are
    hidden, of an image rectangles: a single point could be copied from its neighbours.
    """

    masks = True

    def forward(self, batch: Batch, scored: Mapping[str, Tensor]) -> Corrupted:
        """Return rows with hidden cells, and the weights of those.

        Args:
            batch: clean rows.
            scored: kind -> (fields,) which may be damaged and are predicted.
        """
        hidden = {}
        flat = {k: v for k, v in batch.values.items() if v.dim() == 2}
        if flat:
            hidden = self._cells(flat, scored)
        for kind, value in batch.values.items():
            if value.dim() > 2:
                hidden[kind] = self._blocks(value) & broadcast_fields(scored[kind], value)
        weights = {k: (h & batch.visible[k]).float() for k, h in hidden.items()}
        present = {
            k: (batch.visible[k] & broadcast_fields(scored[k], v)).flatten(1).sum(1)
            for k, v in batch.values.items()
        }
        total = sum(present.values())
        n_hidden = sum(w.flatten(1).sum(1) for w in weights.values())
        factor = total / n_hidden.clamp_min(1)  # type: ignore[union-attr]
        weights = {k: w * factor.view(-1, *[1] * (w.dim() - 1)) for k, w in weights.items()}
        return Corrupted(batch.hide(hidden), weights)

    def _cells(self, flat: Mapping[str, Tensor], scored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a random subset of the scored fields of each row, over all kinds together."""
        eligible = torch.cat([scored[k] for k in flat])
        rows, fields = len(next(iter(flat.values()))), int(eligible.sum())
        if fields == 0:
            return {k: torch.zeros_like(v, dtype=torch.bool) for k, v in flat.items()}
        rank = torch.rand(rows, fields, device=eligible.device).argsort(1).argsort(1)
        drawn = torch.zeros(rows, len(eligible), dtype=torch.bool, device=eligible.device)
        drawn[:, eligible] = rank >= torch.randint(0, fields, (rows, 1), device=eligible.device)
        widths = [v.shape[1] for v in flat.values()]
        return dict(zip(flat, torch.split(drawn, widths, 1), strict=True))

    def _blocks(self, value: Tensor) -> Tensor:
        """Return a random block of each window or image, half the time the same in all channels.

        A segment of a window, (rows, channels, length), is a sixteenth to all of it; the rectangle of an
        image, (rows, images, channels, height, width), spans as much of its height and of its width.
        """
        rows, channels = value.shape[:2]
        hidden = torch.ones_like(value, dtype=torch.bool)
        for dim in range(2, 3) if value.dim() == 3 else range(3, 5):
            length = value.shape[dim]
            size = torch.rand(rows, channels, 1, device=value.device)
            start = torch.rand(rows, channels, 1, device=value.device)
            same = torch.rand(rows, 1, 1, device=value.device) < 0.5
            size = torch.where(same, size[:, :1], size).mul(1 - 1 / 16).add(1 / 16).mul(length).ceil()
            start = (torch.where(same, start[:, :1], start) * (length - size + 1)).floor()
            position = torch.arange(length, device=value.device)
            shape = [rows, channels, *(length if d == dim else 1 for d in range(2, value.dim()))]
            hidden &= ((position >= start) & (position < start + size)).view(shape)
        return hidden

    def options(self) -> dict[str, Any]:
        return {}
