"""A window of a series: consecutive numbers of one channel, in standard units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diabolo.data.fields.base import Field, split_blocks
from diabolo.utils.checks import is_finite_number, require


@dataclass
class Curve(Field):
    """`length` consecutive values of one channel.

    Attributes:
        length: number of points.
        low, high: the range of the training values, in standard units.
    """

    length: int
    low: float = -3.0
    high: float = 3.0

    kind = "curve"
    follows_time = True

    @property
    def cell(self) -> tuple[int, ...]:
        return (self.length,)

    @property
    def blocks(self) -> list[tuple[slice, ...]]:
        """Four segments: a point could be copied from its neighbours, so they are hidden together."""
        return split_blocks(self.length)

    def check(self) -> None:
        require(is_finite_number(self.low) and is_finite_number(self.high), "the range of a field")

    def log_prob_if_wrong(self, values: np.ndarray, alone: bool = True) -> np.ndarray:
        """Return log q of each value: uniform, over three times the range of the training values.

        Args:
            values: (...) points.
            alone: unused: two points are never equal.
        """
        return np.full((1, *values.shape), -np.log(3 * max(self.high - self.low, 1e-3)))
