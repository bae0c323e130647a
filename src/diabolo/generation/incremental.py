"""Rows that are drawn one column after the other."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from diabolo.data.fields import Batch, Symbol
from diabolo.networks.network import Network


class IncrementalEncoder:
    """Some rows as a network reads them, with more and more of their cells known.

    What a cell adds to the first layer is added when the cell becomes known, and only the column that is
    drawn next is predicted: a turn costs a fraction of reading the rows anew.

    Args:
        network: one that has learnt from hidden cells; every field holds one value.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.starts = dict(zip(network.kinds, accumulate(network.widths, initial=0), strict=False))
        gaps = accumulate(network.presence_fields.values(), initial=0)
        self.gaps = {
            kind: [start + int(holes[:index].sum()) if hole else None for index, hole in enumerate(holes)]
            for (kind, holes), start in zip(network.can_be_missing.items(), gaps, strict=False)
        }
        self.places: dict[tuple[str, int], Tensor] = {}
        self.weights: dict[tuple[str, int], Tensor] = {}
        self.read = self.sums = torch.empty(0)

    def begin(self, batch: Batch) -> None:
        """New rows, and what is known of them already."""
        self.read = self.network.embed_inputs(batch)
        self.sums = self.network.encoder.first(self.read)

    def only(self, rows: Tensor) -> None:
        """Go on with some of the rows, each as often as it is named."""
        self.read, self.sums = self.read[rows], self.sums[rows]

    def known(self) -> Tensor:
        """(rows, width) what the heads read, given all that is known."""
        network = self.network
        latent, _ = network.bottleneck(network.encoder.after_first(self.sums, self.read))
        h: Tensor = network.decoder(latent)
        return h

    def likelihood(self, h: Tensor, kind: str, index: int) -> Any:
        """The distribution of a field, (rows, 1), among the values that were seen in fitting."""
        head: Any = self.network.heads[kind]
        said = head(h, selected=slice(index, index + 1))
        if kind == Symbol.kind:
            # Symbol 0 stands for labels that were not seen: there is none to give.
            said.logits[..., 0] = -1e9
        return said

    def presence(self, h: Tensor, kind: str, index: int) -> Tensor | None:
        """(rows,) how probable it is that there is a value; None where there always is one."""
        gap, head = self._gap(kind, index), self.network.presence
        if gap is None or head is None:
            return None
        return torch.sigmoid(h @ head.weight[gap] + head.bias[gap])

    def show(self, kind: str, index: int, values: Tensor, there: Tensor) -> None:
        """A cell of every row, hidden so far: its (rows,) values, and whether there are any."""
        stem: Any = self.network.stems[kind]
        some, gap = slice(index, index + 1), self._gap(kind, index)
        hidden = stem(values[:1, None], torch.zeros_like(there[:1, None]), some)
        new = stem(values[:, None], there[:, None], some) - hidden
        if gap is not None:
            new = torch.cat([new, (~there).to(new.dtype)[:, None]], 1)
        if (kind, index) not in self.weights:
            places = stem.input_columns(index) + self.starts[kind]
            if gap is not None:
                places = torch.cat([places, torch.tensor([sum(self.network.widths) + gap])])
            self.weights[kind, index] = self.network.encoder.first.weight[:, places].T.contiguous()
            self.places[kind, index] = places
        self.sums.addmm_(new, self.weights[kind, index])
        if self.network.encoder.residual[0]:
            self.read[:, self.places[kind, index]] += new

    def _gap(self, kind: str, index: int) -> int | None:
        """Which of the network's gaps the field is."""
        return self.gaps[kind][index] if kind in self.gaps else None
