"""Numbers: integers, floats, decimals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa

from diabolo.data.columns.base import Column, Part, Values, require_scale
from diabolo.data.columns.convert import to_float
from diabolo.data.columns.scaling import count_decimals, mean_and_scale, standardize
from diabolo.data.fields import Real
from diabolo.data.fields.real import MAX_SHARE, N_QUANTILES
from diabolo.errors import ColumnError

# The bins of a number, as measured (docs/generate.md, "How good"). Each distinct value has a bin of its own
# where a column has at most 64 of them with 5 rows each on average, or at most 256 with 60 rows each. Other
# columns get bins of 20 rows each, at most 32 of them, or of 60 rows each, at most 128.
MAX_EXACT_BINS, MIN_ROWS_PER_EXACT_BIN = 64, 5
MAX_EXACT_BINS_MANY_ROWS = 256
MAX_BINS, MIN_ROWS_PER_BIN = 32, 20
MAX_BINS_MANY_ROWS, MIN_ROWS_PER_BIN_MANY_ROWS = 128, 60
MIN_BINS = 4
# A value that so large a share of the rows have, and so many rows, gets a bin of its own in any case.
HEAVY_SHARE, MIN_HEAVY_ROWS = 1 / 256, 20


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass
class Number(Column):
    """A number in standard units (mean 0, standard deviation 1), with its values sorted into bins.

    Attributes:
        mean, scale: the mean and the standard deviation of the finite training values.
        type: the arrow type of the column, restored in answers.
        decimals: digits after the point that the column uses, or None if they are more than six.
        low, high: the range of the finite training values.
        edges, lows, highs, centres, counts: the bins, in standard units.
        shares: how values are distributed within the bins, see `diabolo.data.fields.Real`.
    """

    mean: float = 0.0
    scale: float = 1.0
    type: str = "double"
    decimals: int | None = None
    low: float = 0.0
    high: float = 0.0
    edges: np.ndarray = field(default_factory=_none)
    lows: np.ndarray = field(default_factory=_none)
    highs: np.ndarray = field(default_factory=_none)
    centres: np.ndarray = field(default_factory=_none)
    counts: np.ndarray = field(default_factory=_none)
    shares: np.ndarray = field(default_factory=_none)

    kind = "number"

    def __post_init__(self) -> None:
        for name in ("edges", "lows", "highs", "centres", "counts"):
            setattr(self, name, np.asarray(getattr(self, name), dtype=float))
        self.shares = np.asarray(self.shares, dtype=np.int64).reshape(-1, N_QUANTILES - 1)

    @classmethod
    def claims(cls, values: Values) -> bool:
        return isinstance(values, pa.Array) and (
            pa.types.is_integer(values.type)
            or pa.types.is_floating(values.type)
            or pa.types.is_decimal(values.type)
        )

    def fit(self, values: Values, name: str) -> Self:
        """Learn the mean, scale, range and digits of the finite values, and sort them into bins.

        Args:
            values: (rows,) numbers, see `to_float`.
            name: the column's.

        Raises:
            ColumnError: a value is no number, or none is finite.
        """
        x = to_float(values, name)
        x = x[np.isfinite(x)]
        if len(x) == 0:
            raise ColumnError("no finite number in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        mean, scale = mean_and_scale(x)
        edges, lows, highs, centres, counts, shares = make_bins((x - mean) / scale)
        return replace(
            self,
            mean=mean,
            scale=scale,
            type=str(values.type) if isinstance(values, pa.Array) else "double",
            decimals=count_decimals(x),
            low=float(x.min()),
            high=float(x.max()),
            edges=edges,
            lows=lows,
            highs=highs,
            centres=centres,
            counts=counts,
            shares=shares,
        )

    @property
    def fields(self) -> tuple[Real]:
        return (Real(self.edges, self.lows, self.highs, self.centres, self.counts, self.shares),)

    def encode(self, values: Values, name: str) -> list[Part]:
        """Return numbers in standard units.

        Args:
            values: (rows,) numbers, see `to_float`.
            name: the column's.

        Raises:
            ColumnError: a value is no number.
        """
        x = to_float(values, name)
        visible = ~np.isnan(x)
        # An infinity is a value far outside, not a missing one.
        return [(standardize(np.where(visible, x, self.mean), self.mean, self.scale), visible)]

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        """Return numbers in the units of the data.

        Args:
            parts: one array, (rows,) in standard units.
            exact: whether to round to the digits of the column and restore its type; else float64.
        """
        x = parts[0].astype(float) * self.scale + self.mean
        if not exact:
            return pa.array(x)
        if self.decimals is not None:
            x = np.round(x, self.decimals) + 0.0  # no negative zero
        if self.type.startswith(("int", "uint")):
            info = np.iinfo(self.type)
            # The largest whole numbers have no float of their own: they are put in as they are.
            inside = np.clip(np.round(x), float(info.min), np.nextafter(float(info.max), 0)).astype(self.type)
            return pa.array(np.where(np.round(x) >= float(info.max), info.max, inside).astype(self.type))
        return pa.array(x).cast(_arrow_type(self.type), safe=False)

    def check(self) -> None:
        require_scale(self.mean, self.scale)

    def describe(self) -> str:
        return f"{self.low:g} to {self.high:g}, mean {self.mean:.4g}"


def _arrow_type(name: str) -> pa.DataType:
    """Return the arrow type of floats with this name; decimals become float64."""
    return {"double": pa.float64(), "float": pa.float32(), "halffloat": pa.float16()}.get(
        name
    ) or pa.float64()


def make_bins(
    z: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sort finite numbers into bins.

    Distinct values get bins of their own if they are few: up to 64 with 5 rows each on average, up to 256
    with 60. Otherwise bins are intervals with about equal numbers of rows, one for every 20 rows (4 to 32
    bins) or every 60 (up to 128), in which frequent values keep bins of their own.

    Returns:
        edges (bins + 1,), then (bins,) each: lows, highs, centres, counts; and shares, (bins, pieces - 1).
    """
    values, seen = np.unique(z, return_counts=True)
    rows_per_value = len(z) / len(values)
    if (len(values) <= MAX_EXACT_BINS and rows_per_value >= MIN_ROWS_PER_EXACT_BIN) or (
        len(values) <= MAX_EXACT_BINS_MANY_ROWS and rows_per_value >= MIN_ROWS_PER_BIN_MANY_ROWS
    ):
        starts = np.arange(len(values))
    else:
        bins = max(
            min(len(z) // MIN_ROWS_PER_BIN, MAX_BINS),
            min(len(z) // MIN_ROWS_PER_BIN_MANY_ROWS, MAX_BINS_MANY_ROWS),
            MIN_BINS,
        )
        mass = len(z) / bins
        heavy, first, gathered = seen > min(mass, max(len(z) * HEAVY_SHARE, MIN_HEAVY_ROWS)), [0], 0
        for i in range(len(values)):
            if i > first[-1] and (gathered >= mass or heavy[i] or heavy[i - 1]):
                first.append(i)
                gathered = 0
            gathered += seen[i]
        starts = np.array(first)
    ends = np.r_[starts[1:], len(values)]
    lows, highs = values[starts], values[ends - 1]
    counts = np.add.reduceat(seen, starts).astype(float)
    centres = np.add.reduceat(values * seen, starts) / counts
    edges = np.r_[lows[0], (highs[:-1] + lows[1:]) / 2, highs[-1]]
    return edges, lows, highs, centres, counts, _shares(values, seen, starts)


def _shares(values: np.ndarray, seen: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return (bins, pieces - 1) quantiles of each bin as shares of its width; (0, ...) if all are exact."""
    ends = np.r_[starts[1:], len(values)]
    if (ends - starts == 1).all():
        return np.zeros((0, N_QUANTILES - 1), np.int64)
    shares = np.zeros((len(starts), N_QUANTILES - 1))
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        low, high = values[start], values[end - 1]
        if low < high:
            cumulative = seen[start:end].cumsum()
            wanted = cumulative[-1] * np.arange(1, N_QUANTILES) / N_QUANTILES
            shares[row] = (values[start:end][np.searchsorted(cumulative, wanted)] - low) / (high - low)
    return np.round(shares * MAX_SHARE).astype(np.int64)
