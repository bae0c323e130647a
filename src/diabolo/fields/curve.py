"""A stretch of a series: many numbers of one column, in standard units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from diabolo.fields.base import Field, Head, Reading, Stem
from diabolo.fields.plain import plain_numbers
from diabolo.likelihoods import Normal


@dataclass
class Curve(Field):
    """`length` consecutive values of one channel.

    Attributes:
        length: points.
        low, high: the range of the training values, in standard units.
    """

    length: int
    low: float = -3.0
    high: float = 3.0

    kind = "curve"

    @staticmethod
    def stem(fields: Sequence[Curve], reading: Reading) -> Stem:
        if reading.rebuild:
            cell = (fields[0].length,)
            return plain_numbers([f.low for f in fields], [f.high for f in fields], cell, reading)
        return CurveStem(fields, reading)

    @staticmethod
    def head(fields: Sequence[Curve], width: int, stem: Stem, reading: Reading) -> Head:
        return CurveHead(fields, width, reading)

    def anything(self, values: np.ndarray) -> np.ndarray:
        # A wrong point lies anywhere in three times the range seen.
        return np.full(values.shape, -np.log(3 * max(self.high - self.low, 1e-3)))


class CurveStem(Stem):
    """All points as they are, and which are hidden."""

    def __init__(self, fields: Sequence[Curve], reading: Reading) -> None:
        super().__init__()
        self.width = 2 * sum(f.length for f in fields)

    def forward(self, values: Tensor, visible: Tensor) -> Tensor:
        seen = visible.to(values.dtype)
        return torch.cat([(values * seen).flatten(1), (1 - seen).flatten(1)], 1)


class CurveHead(Head):
    """A mean for every point; a scale for every point, learnt once or (`full`) predicted each time."""

    def __init__(self, fields: Sequence[Curve], width: int, reading: Reading) -> None:
        super().__init__()
        self.shape = (len(fields), fields[0].length)
        points = len(fields) * fields[0].length
        self.mean = nn.Linear(width, points)
        # The first prediction is the base alone (a linear one, where there is one), so that training
        # starts from the linear optimum and can only improve on it.
        nn.init.zeros_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)
        self.spread = nn.Linear(width, points) if reading.full else None
        self.log_scale = nn.Parameter(torch.zeros(self.shape))

    def forward(self, h: Tensor, base: Tensor | None = None) -> Normal:
        mean = self.mean(h).view(-1, *self.shape)
        if base is not None:
            mean = mean + base
        log_scale = self.log_scale.expand_as(mean)
        if self.spread is not None:
            log_scale = log_scale + self.spread(h).view(-1, *self.shape)
        return Normal(mean, log_scale.clamp(-7, 4).exp())
