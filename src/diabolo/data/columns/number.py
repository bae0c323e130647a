"""Numbers: integers, floats, decimals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from textwrap import shorten
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.base import Column, Part, Values
from diabolo.data.fields import Real
from diabolo.data.fields.real import MAX_SHARE, N_QUANTILES
from diabolo.errors import ColumnError

# An exact value is a symbol of its own where the column has few of them, each seen often enough on average:
# the more, the oftener. Other numbers are sorted into bins of so many values; fewer if they are few.
FEW_EXACT, MIN_SEEN = 64, 5
FEW_BINS, MIN_HELD = 32, 20
MANY_EXACT, MANY_BINS, MANY_SEEN = 256, 128, 60
# One that so large a share of the rows hold, and so many, has a bin of its own in any case.
HEAVY, HEAVY_ROWS = 1 / 256, 20
# Values beyond this many standard units are clipped: float32 squares must stay finite.
LIMIT = 1e6


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass
class Number(Column):
    """A number, brought to mean 0 and deviation 1, with its values sorted into bins.

    Attributes:
        mean, scale: of the finite training values.
        type: the arrow type of the column, restored in answers.
        decimals: digits after the point that the column uses, or None for as many as there are.
        low, high: the range of the finite training values.
        edges, lows, highs, centres, counts: the bins, in standard units.
        shares: how values lie within the bins, see `diabolo.data.fields.Real`.
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
        x = to_float(values, name)
        x = x[np.isfinite(x)]
        if len(x) == 0:
            raise ColumnError("no finite number in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        mean, scale = centre(x)
        edges, lows, highs, centres, counts, shares = make_bins((x - mean) / scale)
        return replace(
            self,
            mean=mean,
            scale=scale,
            type=str(values.type) if isinstance(values, pa.Array) else "double",
            decimals=decimals(x),
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
        x = to_float(values, name)
        visible = ~np.isnan(x)
        # An infinity is a value far outside, not a hole.
        return [(standard(np.where(visible, x, self.mean), self.mean, self.scale), visible)]

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        x = parts[0].astype(float) * self.scale + self.mean
        if not exact:
            return pa.array(x)
        if self.decimals is not None:
            x = np.round(x, self.decimals)
        if self.type.startswith(("int", "uint")):
            info = np.iinfo(self.type)
            # The largest whole numbers have no float of their own: they are put in as they are.
            inside = np.clip(np.round(x), float(info.min), np.nextafter(float(info.max), 0)).astype(self.type)
            return pa.array(np.where(np.round(x) >= float(info.max), info.max, inside).astype(self.type))
        return pa.array(x).cast(_arrow_type(self.type), safe=False)

    def describe(self) -> str:
        return f"{self.low:g} to {self.high:g}, mean {self.mean:.4g}"


def to_float(values: Values, name: str) -> np.ndarray:
    """Numbers as float64, holes as NaN."""
    if isinstance(values, np.ndarray):
        return values.astype(float)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        if pa.types.is_decimal(values.type) or pa.types.is_boolean(values.type):
            values = values.cast(pa.float64(), safe=False)
        elif pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            values = pc.utf8_trim_whitespace(values).cast(pa.float64())
        elif not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or _is_null(values)):
            raise pa.ArrowInvalid(f"{values.type} values")
    except pa.ArrowInvalid as error:
        row = _first_bad(values)
        got = shorten(repr(values[row].as_py()), 60) if row is not None else f"{values.type} values"
        raise ColumnError(
            f"expected a number, got {got}",
            column=name,
            row=row,
            hint=f"write a number or leave it empty; labels need a model fitted with categorical=[{name!r}]",
        ) from error
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=float)


def _is_null(values: pa.Array) -> bool:
    return bool(pa.types.is_null(values.type))


def _first_bad(values: pa.Array) -> int | None:
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return None
    for row, value in enumerate(values.to_pylist()):
        try:
            float(value or 0)
        except ValueError:
            return row
    return None


def _arrow_type(name: str) -> pa.DataType:
    return {"double": pa.float64(), "float": pa.float32(), "halffloat": pa.float16()}.get(
        name
    ) or pa.float64()


def decimals(x: np.ndarray) -> int | None:
    """Digits after the point that numbers use; None if they use more than six."""
    sample = x[:: max(1, len(x) // 1000)]
    for digits in range(7):
        # Rounding multiplies: the largest floats have no digits to count.
        with np.errstate(over="ignore"):
            rounded = np.round(sample, digits)
        if np.allclose(sample, rounded, rtol=1e-12, atol=1e-9):
            return digits
    return None


def make_bins(
    z: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sort values into bins: (edges, lows, highs, centres, counts, shares).

    Exact values where they are few: up to 64 if each is seen 5 times on average, up to 256 if 60 times.
    Otherwise intervals of about equal mass, one for every 20 values (4 to 32) or every 60 (up to 128), in
    which heavy values keep bins of their own.
    """
    values, seen = np.unique(z, return_counts=True)
    often = len(z) / len(values)
    if (len(values) <= FEW_EXACT and often >= MIN_SEEN) or (len(values) <= MANY_EXACT and often >= MANY_SEEN):
        starts = np.arange(len(values))
    else:
        bins = max(min(len(z) // MIN_HELD, FEW_BINS), min(len(z) // MANY_SEEN, MANY_BINS), 4)
        mass = len(z) / bins
        heavy, first, gathered = seen > min(mass, max(len(z) * HEAVY, HEAVY_ROWS)), [0], 0
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
    """(bins, pieces - 1) where the values of each bin part its rows evenly; none if all bins are exact."""
    ends = np.r_[starts[1:], len(values)]
    if (ends - starts == 1).all():
        return np.zeros((0, N_QUANTILES - 1), np.int64)
    shares = np.zeros((len(starts), N_QUANTILES - 1))
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        low, high = values[start], values[end - 1]
        if low < high:
            upto = seen[start:end].cumsum()
            wanted = upto[-1] * np.arange(1, N_QUANTILES) / N_QUANTILES
            shares[row] = (values[start:end][np.searchsorted(upto, wanted)] - low) / (high - low)
    return np.round(shares * MAX_SHARE).astype(np.int64)


def centre(x: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of numbers; a deviation of 1 where they do not differ."""
    # Numbers near the largest float would overflow when squared: measure them in units of the largest.
    unit = max(float(np.abs(x).max()) / 1e100, 1.0)
    mean, scale = float((x / unit).mean() * unit), float((x / unit).std() * unit)
    return mean, scale if scale > 1e-12 * max(abs(mean), 1e-300) else 1.0


def standard(x: np.ndarray, mean: float, scale: float) -> np.ndarray:
    """Numbers in standard units, in single precision."""
    with np.errstate(over="ignore"):
        return np.clip((x - mean) / scale, -LIMIT, LIMIT).astype(np.float32)
