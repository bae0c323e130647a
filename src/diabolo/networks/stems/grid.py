"""Fields of many numbers each - the points of a curve, the pixels of a picture: read and predicted flat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diabolo.data.fields.base import Base, Head, Reading, Stem
from diabolo.networks.likelihoods import Normal


class GridStem(Stem):
    """All numbers as they are, and which are hidden."""

    def __init__(self, fields: Sequence[Any]) -> None:
        super().__init__()
        self.width = 2 * len(fields) * math.prod(fields[0].cell)

    def forward(self, values: Tensor, visible: Tensor) -> Tensor:
        seen = visible.to(values.dtype)
        return torch.cat([(values * seen).flatten(1), (1 - seen).flatten(1)], 1)


class GridHead(Head):
    """A mean for every number; scales that are learnt once or (`full`) predicted for every number each time.

    Args:
        fields: all of one cell.
        width: of what is read.
        reading: how.
        scales: shape of what is learnt once: the cell for a scale for every number, ones for one of them all.
        finest: logarithm of the smallest scale.
    """

    def __init__(
        self, fields: Sequence[Any], width: int, reading: Reading, *, scales: Sequence[int], finest: float
    ) -> None:
        super().__init__()
        self.shape, self.finest = (len(fields), *fields[0].cell), finest
        numbers = math.prod(self.shape)
        self.mean = nn.Linear(width, numbers)
        # The first prediction is the base alone (a linear one, where there is one), so that training
        # starts from the linear optimum and can only improve on it.
        nn.init.zeros_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)
        self.spread = nn.Linear(width, numbers) if reading.full else None
        self.log_scale = nn.Parameter(torch.zeros(len(fields), *scales))

    def forward(self, h: Tensor, base: Base | None = None) -> Normal:
        mean = self.mean(h).view(-1, *self.shape)
        log_scale = self.log_scale.expand_as(mean)
        if base is not None:
            mean = mean + base[0]
            log_scale = log_scale if base[1] is None else log_scale + base[1]
        if self.spread is not None:
            log_scale = log_scale + self.spread(h).view(-1, *self.shape)
        return Normal(mean, log_scale.clamp(self.finest, 4).exp())


def split_blocks(*lengths: int, count: int = 4) -> list[tuple[slice, ...]]:
    """Blocks of equal size, as far as that goes: every length in four parts.

    Example:
        >>> parts(8)
        [(slice(0, 2, None),), (slice(2, 4, None),), (slice(4, 6, None),), (slice(6, 8, None),)]
        >>> len(parts(28, 28))
        16
    """
    along = []
    for length in lengths:
        ends = np.linspace(0, length, min(count, length) + 1).round().astype(int)
        along.append([slice(a, b) for a, b in pairwise(ends.tolist())])
    return list(product(*along))
