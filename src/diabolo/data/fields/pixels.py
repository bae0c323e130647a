"""An image: the pixels of one column, in standard units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diabolo.data.fields.base import Field, split_blocks
from diabolo.utils.checks import is_finite_number, require


@dataclass
class Pixels(Field):
    """The pixels of an image.

    Attributes:
        shape: channels, height, width.
        low, high: the range of the training pixels, in standard units.
    """

    shape: tuple[int, int, int]
    low: float = -3.0
    high: float = 3.0

    kind = "pixels"

    @property
    def cell(self) -> tuple[int, ...]:
        return tuple(self.shape)

    @property
    def blocks(self) -> list[tuple[slice, ...]]:
        """Sixteen patches: a pixel could be copied from its neighbours, so they are hidden together."""
        _, height, width = self.shape
        return [(slice(None), *patch) for patch in split_blocks(height, width)]

    def check(self) -> None:
        require(is_finite_number(self.low) and is_finite_number(self.high), "the range of a field")

    def log_prob_if_wrong(self, values: np.ndarray, alone: bool = True) -> np.ndarray:
        """Return log q of each value: uniform, over the training range or ten times it.

        Args:
            values: (...) pixels.
            alone: unused.
        """
        span = max(self.high - self.low, 1e-3)
        inside = (values >= self.low - 1e-3) & (values <= self.high + 1e-3)
        return np.asarray(np.where(inside, -np.log(span), -np.log(10 * span)))[None]
