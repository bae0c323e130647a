"""The first-layer activations of rows whose cells become known one column after the other."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.networks.network import Network


class IncrementalEncoder:
    """Rows as a masked network reads them, updated as cells become known.

    What a cell adds to the first layer is added when the cell becomes known, and only the next column is
    predicted: a step costs a fraction of reading the rows again.

    Args:
        network: a masked network, every field of which holds one value.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.starts = dict(zip(network.kinds, accumulate(network.widths, initial=0), strict=False))
        first = accumulate(network.presence_fields.values(), initial=0)
        self.presence_inputs = {
            kind: [start + int(flags[:index].sum()) if flag else None for index, flag in enumerate(flags)]
            for (kind, flags), start in zip(network.can_be_missing.items(), first, strict=False)
        }
        self.inputs: dict[tuple[str, int], Tensor] = {}
        self.weights: dict[tuple[str, int], Tensor] = {}
        self.read = self.sums = torch.empty(0)

    def begin(self, batch: Batch) -> None:
        """Read new rows, and what is known of them already."""
        self.read = self.network.embed_inputs(batch)
        self.sums = self.network.encoder.first(self.read)

    def select(self, rows: Tensor) -> None:
        """Keep some of the rows, each as often as its index occurs."""
        self.read, self.sums = self.read[rows], self.sums[rows]

    def decode(self) -> Tensor:
        """Return what the heads read, (rows, width), given all that is known."""
        network = self.network
        latent, _ = network.bottleneck(network.encoder.after_first(self.sums, self.read))
        h: Tensor = network.decoder(latent)
        return h

    def likelihood(self, h: Tensor, kind: str, index: int) -> Any:
        """Return the predicted distribution of a field, (rows, 1).

        Args:
            h: (rows, width) from `decode`.
            kind: of the field.
            index: of the field among those of its kind.
        """
        head: Any = self.network.heads[kind]
        return head(h, selected=slice(index, index + 1))

    def presence(self, h: Tensor, kind: str, index: int) -> Tensor | None:
        """Return (rows,) the probability that a field has a value; None if it always has one.

        Args:
            h: (rows, width) from `decode`.
            kind: of the field.
            index: of the field among those of its kind.
        """
        presence_input, head = self._presence_input(kind, index), self.network.presence
        if presence_input is None or head is None:
            return None
        return torch.sigmoid(h @ head.weight[presence_input] + head.bias[presence_input])

    def reveal(self, kind: str, index: int, values: Tensor, present: Tensor) -> None:
        """Make a field known that was hidden in all rows so far.

        Args:
            kind: of the field.
            index: of the field among those of its kind.
            values: (rows,) encoded values.
            present: (rows,) whether there is a value.
        """
        stem: Any = self.network.stems[kind]
        some, presence_input = slice(index, index + 1), self._presence_input(kind, index)
        hidden = stem(values[:1, None], torch.zeros_like(present[:1, None]), some)
        new = stem(values[:, None], present[:, None], some) - hidden
        if presence_input is not None:
            new = torch.cat([new, (~present).to(new.dtype)[:, None]], 1)
        if (kind, index) not in self.weights:
            inputs = stem.input_columns(index) + self.starts[kind]
            if presence_input is not None:
                inputs = torch.cat([inputs, torch.tensor([sum(self.network.widths) + presence_input])])
            self.weights[kind, index] = self.network.encoder.first.weight[:, inputs].T.contiguous()
            self.inputs[kind, index] = inputs
        self.sums.addmm_(new, self.weights[kind, index])
        if self.network.encoder.residual[0]:
            self.read[:, self.inputs[kind, index]] += new

    def _presence_input(self, kind: str, index: int) -> int | None:
        """Return which of the network's presence inputs belongs to the field."""
        return self.presence_inputs[kind][index] if kind in self.presence_inputs else None
