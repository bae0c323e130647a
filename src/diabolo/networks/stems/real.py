"""Stems and heads of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from diabolo.data.fields import Real
from diabolo.networks.layers import FieldEmbedding
from diabolo.networks.layers.embedding import ALL
from diabolo.networks.likelihoods import Binned, Bins, Normal
from diabolo.networks.stems.base import Guess, Head, InputStem, StemOptions

RANGE_MARGIN = (
    1.0  # standard units beyond the training range up to which values are read as they are; a choice
)
MAX_CENTRE = 1e9  # pads the centres of bins: beyond every value, which are clamped
# A thousandth of the deviation of the column: a smaller error says nothing about the data.
MIN_LOG_SCALE, MAX_LOG_SCALE = -7, 4


class RealStem(InputStem):
    """Reads values as they are; for full distributions also the interpolated embeddings of the nearest bins.

    Attributes:
        embedding: of the bins; None if distributions are not predicted in full.
    """

    kinds = (Real.kind,)

    def __init__(self, fields: Sequence[Real], options: StemOptions) -> None:
        super().__init__()
        self.fields = tuple(fields)
        self.embedding = (
            FieldEmbedding([f.counts for f in fields], options.embedding, ordered=True)
            if options.full_distribution
            else None
        )
        self.width = len(fields) * (2 + (options.embedding if options.full_distribution else 0))
        widest = max(len(f.centres) for f in fields)
        self.centres: Tensor
        self.last: Tensor
        self.register_buffer("centres", _padded([f.centres for f in fields], widest, MAX_CENTRE))
        self.register_buffer("last", torch.tensor([len(f.centres) - 1 for f in fields]))
        self.low: Tensor
        self.high: Tensor
        low, high = [f.edges[0] - RANGE_MARGIN for f in fields], [f.edges[-1] + RANGE_MARGIN for f in fields]
        self.register_buffer("low", torch.tensor(low, dtype=torch.float32))
        self.register_buffer("high", torch.tensor(high, dtype=torch.float32))

    @classmethod
    def from_fields(cls, fields: Sequence[Real], options: StemOptions) -> RealStem:
        """Return a new stem.

        Args:
            fields: all numbers.
            options: how they are read.
        """
        return cls(fields, options)

    def forward(self, values: Tensor, visible: Tensor, selected: slice = ALL) -> Tensor:
        """Return values, hidden cells and embeddings, (rows, width).

        Args:
            values: (rows, fields).
            visible: (rows, fields).
            selected: which fields these are.
        """
        seen = visible.to(values.dtype)
        # A value far outside is read as one at the edge: it would mislead the prediction of all others.
        values = values.clamp(self.low[selected], self.high[selected])
        parts = [values * seen, 1 - seen]
        if self.embedding is not None:
            columns, centres = values.T.contiguous(), self.centres[selected]
            upper = torch.searchsorted(centres, columns, right=True)
            lower = (upper - 1).clamp_min(0)
            upper = torch.minimum(upper, self.last[selected, None])
            left, right = centres.gather(1, lower), centres.gather(1, upper)
            share = (
                torch.where(upper > lower, (columns - left) / (right - left).clamp_min(1e-9), 0.0)
                .clamp(0, 1)
                .T
            )
            below, above = (self.embedding.look_up(bins.T, selected) for bins in (lower, upper))
            parts.append((torch.lerp(below, above, share.unsqueeze(-1)) * seen.unsqueeze(-1)).flatten(1))
        return torch.cat(parts, 1)

    def input_columns(self, field: int) -> Tensor:
        """Return which of the `width` numbers belong to a field."""
        fields, size = len(self.last), self.embedding.size if self.embedding is not None else 0
        embedded = 2 * fields + field * size + torch.arange(size)
        return torch.cat([torch.tensor([field, fields + field]), embedded])

    def make_head(self, width: int) -> Head:
        if self.embedding is None:
            return NormalHead(len(self.fields), width)
        return BinnedHead(self.fields, width, self.embedding)


class NormalHead(Head):
    """Predicts a mean for every number; one scale is learnt for each field.

    Args:
        fields: number of fields.
        width: of the input.
    """

    def __init__(self, fields: int, width: int) -> None:
        super().__init__()
        self.mean = nn.Linear(width, fields)
        self.log_scale = nn.Parameter(torch.zeros(fields))

    def forward(self, h: Tensor, guess: Guess | None = None, selected: slice = ALL) -> Normal:
        """Return normal distributions, (rows, fields).

        Args:
            h: (rows, width).
            guess: unused.
            selected: which fields.
        """
        mean = self.mean(h)[:, selected]
        log_scale = self.log_scale[selected].clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)
        return Normal(mean, log_scale.exp().expand_as(mean))


class BinnedHead(Head):
    """Predicts the mass of every bin of every number.

    Args:
        fields: all numbers.
        width: of the input.
        embedding: of their bins, as the stem reads them.
    """

    def __init__(self, fields: Sequence[Real], width: int, embedding: FieldEmbedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.query = nn.Linear(width, len(fields) * embedding.size)
        widest = embedding.symbols
        top = [f.edges[-1] for f in fields]
        for name in ("low", "high", "centres"):
            self.register_buffer(name, _padded([getattr(f, name) for f in fields], widest, top))
        self.register_buffer("edges", _padded([f.edges for f in fields], widest + 1, top))
        self.register_buffer("counts", torch.tensor([len(f.centres) for f in fields]))

    def forward(self, h: Tensor, guess: Guess | None = None, selected: slice = ALL) -> Binned:
        """Return distributions over bins, (rows, fields).

        Args:
            h: (rows, width).
            guess: unused.
            selected: which fields.
        """
        logits = self.embedding.logits(self.embedding.queries(self.query, h, selected), selected)
        bins = Bins(*(self.get_buffer(name)[selected] for name in Bins._fields))
        return Binned(logits, bins.truncate(logits.shape[-1]))


def _padded(rows: Sequence[np.ndarray], width: int, padding: float | Sequence[float]) -> Tensor:
    """Return rows of different lengths as one table, padded with one number or with one for each row."""
    fill = [padding] * len(rows) if isinstance(padding, float) else padding
    table = [np.concatenate([r, np.full(width - len(r), f)]) for r, f in zip(rows, fill, strict=True)]
    return torch.tensor(np.stack(table), dtype=torch.float32)
