"""Windows: subsequences of a series, one column for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from diabolo.data.columns.base import Column, Part, Values, require_scale
from diabolo.data.columns.scaling import count_decimals, mean_and_scale, standardize
from diabolo.data.fields import Curve
from diabolo.errors import ColumnError


@dataclass
class Window(Column):
    """`length` consecutive values of a channel.

    Attributes:
        length: the number of points in a window.
        mean, scale: the mean and the standard deviation of all finite training points.
        low, high: their range.
        decimals: digits after the point that the channel uses, or None if they are more than six.
    """

    length: int = 0
    mean: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0
    decimals: int | None = None

    kind = "window"

    @classmethod
    def claims(cls, values: Values) -> bool:
        return isinstance(values, np.ndarray) and values.ndim == 2

    def fit(self, values: Values, name: str) -> Self:
        """Learn the length of the windows, and the mean, scale, range and digits of their points.

        Args:
            values: (windows, length) consecutive windows, each a point after the one before it.
            name: the column's.

        Raises:
            ColumnError: no point is finite.
        """
        # Windows overlap: their first points and the last window hold every point once.
        points = np.concatenate([values[:, 0], values[-1, 1:]])
        points = points[np.isfinite(points)]
        if len(points) == 0:
            raise ColumnError("no finite number in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        mean, scale = mean_and_scale(points)
        return replace(
            self,
            length=values.shape[1],
            mean=mean,
            scale=scale,
            low=float(points.min()),
            high=float(points.max()),
            decimals=count_decimals(points),
        )

    @property
    def fields(self) -> tuple[Curve]:
        return (
            Curve(self.length, (self.low - self.mean) / self.scale, (self.high - self.mean) / self.scale),
        )

    def encode(self, values: Values, name: str) -> list[Part]:
        """Return windows in standard units.

        Args:
            values: (windows, length) numbers, NaN where one is missing.
            name: the column's.

        Raises:
            ColumnError: the windows are of another length.
        """
        if not isinstance(values, np.ndarray) or values.ndim != 2 or values.shape[1] != self.length:
            raise ColumnError(f"expected windows of {self.length} points", column=name)
        visible = ~np.isnan(values)
        return [(standardize(np.where(visible, values, self.mean), self.mean, self.scale), visible)]

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> np.ndarray:
        """Return windows in the units of the data.

        Args:
            parts: one array, (windows, length) in standard units.
            exact: whether to round to the digits of the channel.
        """
        x = np.asarray(parts[0], dtype=float) * self.scale + self.mean
        return x if self.decimals is None or not exact else np.round(x, self.decimals)

    def check(self) -> None:
        require_scale(self.mean, self.scale)

    def describe(self) -> str:
        return f"{self.length} points, {self.low:g} to {self.high:g}"
