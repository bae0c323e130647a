"""A number, in standard units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from diabolo.data.fields.base import Base, Field, Head, Reading, Stem, log_prob_by_error_type
from diabolo.networks.layers import FieldEmbedding
from diabolo.networks.layers.embedding import ALL, ask
from diabolo.networks.likelihoods import Binned, Bins, Normal
from diabolo.networks.stems.rebuilt import flat_numbers

MOVED = 2.0  # standard units by which a wrong value may have been moved
PIECES, FINEST = 16, 65_535  # in which the values of a bin lie, and how finely that is kept
BEYOND = 1.0  # standard units beyond the range seen up to which values are read as they are


@dataclass
class Real(Field):
    """A number in standard units, and the bins that its values fall into.

    Attributes:
        edges: (bins + 1,) ascending.
        low, high, centres: (bins,) smallest, largest and mean value in each bin.
        counts: (bins,) training values in each bin.
        shares: (bins, 15) where the training values of each bin part into sixteen equal heaps, from 0, its
            smallest value, to 65,535, its largest one; no rows if every bin is one value.
    """

    edges: np.ndarray
    low: np.ndarray
    high: np.ndarray
    centres: np.ndarray
    counts: np.ndarray
    shares: np.ndarray = field(default_factory=lambda: np.zeros((0, PIECES - 1), np.int64))

    kind = "real"

    @staticmethod
    def stem(fields: Sequence[Real], reading: Reading) -> Stem:
        if reading.rebuild:
            return flat_numbers([f.edges[0] for f in fields], [f.edges[-1] for f in fields], (), reading)
        return RealStem(fields, reading)

    @staticmethod
    def head(fields: Sequence[Real], width: int, stem: Stem, reading: Reading) -> Head:
        if reading.full:
            assert isinstance(stem, RealStem) and stem.alphabet is not None
            return BinnedHead(fields, width, stem.alphabet)
        return NormalHead(len(fields), width)

    def log_prob_if_wrong(self, values: np.ndarray, alone: bool = True) -> np.ndarray:
        found = np.searchsorted(self.edges[1:-1], values, side="right")
        return self._ways[alone][:, np.minimum(found, len(self.counts) - 1)]

    def settle(self, values: Tensor) -> Tensor:
        """Values that were drawn evenly within their bins, as values lie there: many sums are round."""
        if not len(self.shares):
            return values
        edges, low, high, knots = (t.to(values.device) for t in self._knots)
        found = torch.searchsorted(edges, values.double().contiguous(), right=True)
        low, high = low[found], high[found]
        share = ((values - low) / (high - low).clamp_min(1e-12)).clamp(0, 1) * PIECES
        piece = share.floor().clamp_max(PIECES - 1).long()
        left, right = knots[found, piece], knots[found, piece + 1]
        return (low + (high - low) * torch.lerp(left, right, share - piece)).to(values.dtype)

    @cached_property
    def _knots(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        knots = np.pad(self.shares, ((0, 0), (1, 1)), constant_values=((0, 0), (0, FINEST))) / FINEST
        return (
            torch.tensor(self.edges[1:-1], dtype=torch.double),
            torch.tensor(self.low, dtype=torch.double),
            torch.tensor(self.high, dtype=torch.double),
            torch.tensor(knots, dtype=torch.double),
        )

    @cached_property
    def _ways(self) -> dict[bool, np.ndarray]:
        """Alone -> (ways, bins) log q: the value of another row, a right one moved, any bin at all."""
        walls = np.concatenate([[-np.inf], self.edges[1:-1], [np.inf]])
        steps = torch.from_numpy((walls - self.centres[:, None]) / MOVED)
        reaches = (self.counts + 0.5, np.diff(torch.special.ndtr(steps).numpy(), axis=1), 1.0)
        return log_prob_by_error_type(self.counts, reaches)

    def log_prob(self, likelihood: Distribution, values: Tensor) -> Tensor:
        if isinstance(likelihood, Binned):
            # Beyond the range that was seen, the end bin's mass falls exponentially, as fast as the
            # values inside that bin suggest.
            ends, reach = self.edges, 0.02 * float(self.edges[-1] - self.edges[0]) + 1e-6
            low = max(float(self.high[0] - self.centres[0]), reach)
            high = max(float(self.centres[-1] - self.low[-1]), reach)
            beyond = (float(ends[0]) - values).clamp_min(0) / low
            beyond = beyond + (values - float(ends[-1])).clamp_min(0) / high
            log_p: Tensor = likelihood.log_prob(values) - beyond
            return log_p
        # The mass that a density puts into the value's bin; the end bins reach to infinity.
        inner = torch.as_tensor(self.edges[1:-1], dtype=values.dtype, device=values.device).contiguous()
        walls = torch.cat([inner.new_tensor([-torch.inf]), inner, inner.new_tensor([torch.inf])])
        found = torch.searchsorted(inner, values.contiguous(), right=True)
        mass = likelihood.cdf(walls[found + 1]) - likelihood.cdf(walls[found])
        return mass.clamp_min(1e-30).log()


class RealStem(Stem):
    """Values as they are; with `full` also the embeddings of the two nearest bins, interpolated."""

    def __init__(self, fields: Sequence[Real], reading: Reading) -> None:
        super().__init__()
        self.alphabet = (
            FieldEmbedding([f.counts for f in fields], reading.embedding, ordered=True)
            if reading.full
            else None
        )
        self.width = len(fields) * (2 + (reading.embedding if reading.full else 0))
        widest = max(len(f.centres) for f in fields)
        self.centres: Tensor
        self.last: Tensor
        self.register_buffer("centres", _padded([f.centres for f in fields], widest, 1e9))
        self.register_buffer("last", torch.tensor([len(f.centres) - 1 for f in fields]))
        self.low: Tensor
        self.high: Tensor
        self.register_buffer("low", torch.tensor([f.edges[0] - BEYOND for f in fields], dtype=torch.float32))
        self.register_buffer(
            "high", torch.tensor([f.edges[-1] + BEYOND for f in fields], dtype=torch.float32)
        )

    def forward(self, values: Tensor, visible: Tensor, some: slice = ALL) -> Tensor:
        seen = visible.to(values.dtype)
        # A value far outside is read as one at the edge: else it would mislead what is said of all others.
        values = values.clamp(self.low[some], self.high[some])
        parts = [values * seen, 1 - seen]
        if self.alphabet is not None:
            columns, centres = values.T.contiguous(), self.centres[some]
            upper = torch.searchsorted(centres, columns, right=True)
            lower = (upper - 1).clamp_min(0)
            upper = torch.minimum(upper, self.last[some, None])
            left, right = centres.gather(1, lower), centres.gather(1, upper)
            share = (
                torch.where(upper > lower, (columns - left) / (right - left).clamp_min(1e-9), 0.0)
                .clamp(0, 1)
                .T
            )
            a, b = self.alphabet.look_up(lower.T, some), self.alphabet.look_up(upper.T, some)
            parts.append((torch.lerp(a, b, share.unsqueeze(-1)) * seen.unsqueeze(-1)).flatten(1))
        return torch.cat(parts, 1)

    def places(self, field: int) -> Tensor:
        fields, size = len(self.last), self.alphabet.size if self.alphabet is not None else 0
        embedded = 2 * fields + field * size + torch.arange(size)
        return torch.cat([torch.tensor([field, fields + field]), embedded])


class NormalHead(Head):
    """A mean for every number, and one scale for each column."""

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.mean = nn.Linear(width, columns)
        self.log_scale = nn.Parameter(torch.zeros(columns))

    def forward(self, h: Tensor, base: Base | None = None, some: slice = ALL) -> Normal:
        mean = self.mean(h)[:, some]
        # Below a thousandth of the column's spread a smaller error says nothing about the data.
        return Normal(mean, self.log_scale[some].clamp(-7, 4).exp().expand_as(mean))


class BinnedHead(Head):
    """The mass of every bin of every number."""

    def __init__(self, fields: Sequence[Real], width: int, alphabet: FieldEmbedding) -> None:
        super().__init__()
        self.alphabet = alphabet
        self.query = nn.Linear(width, len(fields) * alphabet.size)
        widest = alphabet.symbols
        top = [f.edges[-1] for f in fields]
        for name in ("low", "high", "centres"):
            self.register_buffer(name, _padded([getattr(f, name) for f in fields], widest, top))
        self.register_buffer("edges", _padded([f.edges for f in fields], widest + 1, top))
        self.register_buffer("counts", torch.tensor([len(f.centres) for f in fields]))

    def forward(self, h: Tensor, base: Base | None = None, some: slice = ALL) -> Binned:
        logits = self.alphabet.logits(ask(self.query, self.alphabet, h, some), some)
        return Binned(
            logits, Bins(*(self.get_buffer(name)[some] for name in Bins._fields)).upto(logits.shape[-1])
        )


def _padded(rows: Sequence[np.ndarray], width: int, by: float | Sequence[float]) -> Tensor:
    fill = [by] * len(rows) if isinstance(by, float) else by
    table = [np.concatenate([r, np.full(width - len(r), f)]) for r, f in zip(rows, fill, strict=True)]
    return torch.tensor(np.stack(table), dtype=torch.float32)
