"""Windows: stretches of a series, one column for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from diabolo.data.columns.base import Column, Part, Values
from diabolo.data.columns.number import centre, decimals, standard
from diabolo.data.fields import Curve
from diabolo.errors import ColumnError


@dataclass
class Window(Column):
    """`length` consecutive values of a channel.

    Attributes:
        length: points in a window.
        mean, scale: of all finite training points.
        low, high: their range.
        decimals: digits after the point that the channel uses, or None for as many as there are.
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
        # Windows overlap: their first points and the last window hold every point once.
        points = np.concatenate([values[:, 0], values[-1, 1:]])
        points = points[np.isfinite(points)]
        if len(points) == 0:
            raise ColumnError("no finite number in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        mean, scale = centre(points)
        low, high = float(points.min()), float(points.max())
        digits = decimals(points)
        return replace(
            self, length=values.shape[1], mean=mean, scale=scale, low=low, high=high, decimals=digits
        )

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
        x = np.asarray(parts[0], dtype=float) * self.scale + self.mean
        return x if self.decimals is None or not exact else np.round(x, self.decimals)

    def describe(self) -> str:
        return f"{self.length} points, {self.low:g} to {self.high:g}"
