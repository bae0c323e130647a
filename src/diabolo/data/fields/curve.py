"""A stretch of a series: many numbers of one column, in standard units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diabolo.data.fields.base import Field, Head, Reading, Stem
from diabolo.networks.stems.grid import GridHead, GridStem, split_blocks
from diabolo.networks.stems.rebuilt import flat_numbers

FINEST = -7.0  # a thousandth of the channel's spread: a smaller error says nothing about the data


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
    follows_time = True

    @property
    def cell(self) -> tuple[int, ...]:
        return (self.length,)

    @property
    def blocks(self) -> list[tuple[slice, ...]]:
        """Four stretches: a point's neighbours give it away, so they are hidden together."""
        return split_blocks(self.length)

    @staticmethod
    def stem(fields: Sequence[Curve], reading: Reading) -> Stem:
        if reading.rebuild:
            lows, highs = [f.low for f in fields], [f.high for f in fields]
            return flat_numbers(lows, highs, fields[0].cell, reading)
        return GridStem(fields)

    @staticmethod
    def head(fields: Sequence[Curve], width: int, stem: Stem, reading: Reading) -> Head:
        return GridHead(fields, width, reading, scales=fields[0].cell, finest=FINEST)

    def log_prob_if_wrong(self, values: np.ndarray, alone: bool = True) -> np.ndarray:
        # A wrong point lies anywhere in three times the range seen.
        return np.full((1, *values.shape), -np.log(3 * max(self.high - self.low, 1e-3)))
