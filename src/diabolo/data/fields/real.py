"""A number, in standard units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields.base import MAX_SYMBOLS, Field, is_finite_table, log_prob_by_error_type
from diabolo.utils.checks import require

SHIFT_STDEV = 2.0  # standard units: deviation of the error of a shifted value; a choice
N_QUANTILES = 16  # equal parts of the training values of a bin, whose ends are kept
MAX_SHARE = 65_535  # these ends are whole numbers from 0 (the smallest value) to this (the largest one)


@dataclass
class Real(Field):
    """A number in standard units, and the bins of its training values.

    Attributes:
        edges: (bins + 1,) ascending.
        low, high, centres: (bins,) smallest, largest and mean value in each bin.
        counts: (bins,) training values in each bin.
        shares: (bins, 15) the inner sixteenth-quantiles of the training values of each bin, from 0, its
            smallest value, to 65,535, its largest one; no rows if every bin is one value.
    """

    edges: np.ndarray
    low: np.ndarray
    high: np.ndarray
    centres: np.ndarray
    counts: np.ndarray
    shares: np.ndarray = field(default_factory=lambda: np.zeros((0, N_QUANTILES - 1), np.int64))

    kind = "real"

    def check(self) -> None:
        bins = len(self.centres)
        tables = (self.centres, self.low, self.high, self.counts)
        require(all(is_finite_table(t) and len(t) == bins for t in tables), "the bins of a number")
        require(1 <= bins <= MAX_SYMBOLS and self.counts.min() >= 0, "the bins of a number")
        require(is_finite_table(self.edges) and len(self.edges) == bins + 1, "the edges of a number")
        ascending = bool((np.diff(self.edges) >= 0).all())
        require(ascending and len(self.shares) in (0, bins), "the edges of a number")
        require(bool(((self.shares >= 0) & (self.shares <= MAX_SHARE)).all()), "the quantiles of a number")

    def log_prob_if_wrong(self, values: np.ndarray, alone: bool = True) -> np.ndarray:
        """Return log q of each value's bin: the value of another row, a shifted value, a value of any bin.

        Args:
            values: (...) in standard units.
            alone: as in `Field.log_prob_if_wrong`.
        """
        bins = np.searchsorted(self.edges[1:-1], values, side="right")
        return self._log_mass_if_wrong[alone][:, np.minimum(bins, len(self.counts) - 1)]

    def redistribute(self, values: Tensor) -> Tensor:
        """Return values that were drawn uniformly within their bins, moved to where the data lie in them.

        The bins of sums, for example, hold many round numbers. Values keep their bin and their order.
        """
        if not len(self.shares):
            return values
        edges, low, high, knots = (t.to(values.device) for t in self._quantiles)
        bins = torch.searchsorted(edges, values.double().contiguous(), right=True)
        low, high = low[bins], high[bins]
        position = ((values - low) / (high - low).clamp_min(1e-12)).clamp(0, 1) * N_QUANTILES
        piece = position.floor().clamp_max(N_QUANTILES - 1).long()
        left, right = knots[bins, piece], knots[bins, piece + 1]
        return (low + (high - low) * torch.lerp(left, right, position - piece)).to(values.dtype)

    @cached_property
    def _quantiles(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inner edges; low, high (bins,); and (bins, 17) quantiles from 0 to 1, in double precision."""
        padding = ((0, 0), (1, 1))
        knots = np.pad(self.shares, padding, constant_values=((0, 0), (0, MAX_SHARE))) / MAX_SHARE
        return (
            torch.tensor(self.edges[1:-1], dtype=torch.double),
            torch.tensor(self.low, dtype=torch.double),
            torch.tensor(self.high, dtype=torch.double),
            torch.tensor(knots, dtype=torch.double),
        )

    @cached_property
    def _log_mass_if_wrong(self) -> dict[bool, np.ndarray]:
        """Alone -> (error types, bins) log q: the value of another row, a shifted value, any bin."""
        edges = np.concatenate([[-np.inf], self.edges[1:-1], [np.inf]])
        steps = torch.from_numpy((edges - self.centres[:, None]) / SHIFT_STDEV)
        shifted = np.diff(torch.special.ndtr(steps).numpy(), axis=1)
        transitions: Sequence[np.ndarray | float] = (self.counts + 0.5, shifted, 1.0)
        return log_prob_by_error_type(self.counts, transitions)
