"""Windows: stretches of a series, one column for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from diabolo.columns.base import Column, Part, Values
from diabolo.columns.number import centre, standard
from diabolo.errors import ColumnError
from diabolo.fields import Curve


@dataclass
class Window(Column):
    """`length` consecutive values of a channel.

    Attributes:
        length: points in a window.
        mean, scale: of all finite training points.
        low, high: their range.
    """

    length: int = 0
    mean: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0

    kind = "window"

    @classmethod
    def claims(cls, values: Values) -> bool:
        return isinstance(values, np.ndarray) and values.ndim == 2

    def fit(self, values: Values, name: str) -> Self:
        # Windows overlap: their first points and the last window hold every point once.
        points = np.concatenate([values[:, 0], values[-1, 1:]])
        points = points[np.isfinite(points)]
        if len(points) == 0:
            raise ColumnError("no finite number in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        mean, scale = centre(points)
        low, high = float(points.min()), float(points.max())
        return replace(self, length=values.shape[1], mean=mean, scale=scale, low=low, high=high)

    @property
    def fields(self) -> tuple[Curve]:
        return (
            Curve(self.length, (self.low - self.mean) / self.scale, (self.high - self.mean) / self.scale),
        )

    def encode(self, values: Values, name: str) -> list[Part]:
        if not isinstance(values, np.ndarray) or values.ndim != 2 or values.shape[1] != self.length:
            raise ColumnError(f"expected windows of {self.length} points", column=name)
        visible = ~np.isnan(values)
        return [(standard(np.where(visible, values, self.mean), self.mean, self.scale), visible)]

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> np.ndarray:
        return np.asarray(parts[0], dtype=float) * self.scale + self.mean

    def describe(self) -> str:
        return f"{self.length} points, {self.low:g} to {self.high:g}"
