"""Pictures: one for each row, all of one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa

from diabolo.data.columns.base import Column, Part, Values, to_array
from diabolo.data.columns.number import centre, standard
from diabolo.data.fields import Picture
from diabolo.errors import ColumnError

# Layout -> the names of its axes, as arrow keeps them.
LAYOUTS = {
    "HW": ("height", "width"),
    "HWC": ("height", "width", "channels"),
    "CHW": ("channels", "height", "width"),
}
CHANNELS = (1, 3, 4)  # grey, colour, colour with opacity: what tells channels from rows of pixels
SAMPLE = 2_000  # pictures that the mean and the deviation are taken from
PIXELS = {
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
}
SHAPES = (
    "(n, height, width), (n, height, width, channels) or (n, channels, height, width), channels 1, 3 or 4"
)


@dataclass
class Image(Column):
    """A picture in standard units: one mean and one scale for all its pixels.

    Attributes:
        shape: channels, height, width.
        layout: the order in which the user has them: "HW", "HWC" or "CHW".
        type: the arrow type of a pixel, restored in answers.
        mean, scale: of the finite training pixels.
        low, high: their range, which answers keep to.
    """

    shape: list[int] = field(default_factory=list)
    layout: str = "HW"
    type: str = "uint8"
    mean: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0

    kind = "image"

    @classmethod
    def claims(cls, values: Values) -> bool:
        return isinstance(values, pa.Array) and _layout_of(values.type) is not None

    def fit(self, values: Values, name: str) -> Self:
        values = to_array(values)
        pixels, there = _channels_first(values, name)
        known = pixels[np.isfinite(pixels) & there[:, None, None, None]]
        if len(known) == 0:
            raise ColumnError("no finite pixel in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        every = max(len(known) // (SAMPLE * pixels[0].size), 1)
        mean, scale = centre(known[::every].astype(float))
        layout = _layout_of(values.type)
        assert layout is not None
        return replace(
            self,
            shape=list(pixels.shape[1:]),
            layout=layout,
            type=str(values.type.value_type),
            mean=mean,
            scale=scale,
            low=float(known.min()),
            high=float(known.max()),
        )

    @property
    def fields(self) -> tuple[Picture]:
        low, high = ((end - self.mean) / self.scale for end in (self.low, self.high))
        channels, height, width = self.shape
        return (Picture((channels, height, width), low, high),)

    def encode(self, values: Values, name: str) -> list[Part]:
        pixels, there = _channels_first(values, name)
        if list(pixels.shape[1:]) != self.shape:
            got, wanted = (_size(shape) for shape in (pixels.shape[1:], self.shape))
            raise ColumnError(f"expected pictures of {wanted}, got {got}", column=name)
        visible = ~np.isnan(pixels) & there[:, None, None, None]
        # Single precision holds every whole number of 16 bits: no need for twice the memory.
        exact = pixels if pixels.dtype.itemsize > 4 else pixels.astype(np.float32, copy=False)
        return [(standard(np.where(visible, exact, self.mean), self.mean, self.scale), visible)]

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        pixels = parts[0].astype(float) * self.scale + self.mean
        if exact:
            pixels = np.clip(pixels, self.low, self.high)
            kind = np.dtype(PIXELS[self.type])
            if kind.kind in "iu":
                # The largest whole number of 64 bits has no float of its own.
                top = float(np.iinfo(kind).max)
                pixels = np.minimum(np.round(pixels), top if kind.itemsize < 8 else np.nextafter(top, 0))
            pixels = pixels.astype(kind)
        return to_pictures(_in_layout(pixels, self.layout), "", self.layout)

    def missing(self, values: Values) -> np.ndarray:
        pixels, there = _channels_first(values, "")
        return np.asarray(np.isnan(pixels) | ~there[:, None, None, None])

    def replace_cells(self, old: Values, new: Values, replaced: np.ndarray) -> pa.Array:
        old = to_array(old)
        (mine, _), (theirs, _) = (_channels_first(v, "") for v in (old, new))
        layout = _layout_of(old.type)
        assert layout is not None
        pixels = np.where(replaced, theirs, mine)
        if mine.dtype.kind == "f":
            pixels = pixels.astype(mine.dtype)
        return to_pictures(_in_layout(pixels, layout), "", layout)

    def in_words(self, values: Values) -> pa.Array:
        pixels, there = _channels_first(values, "")
        known = np.isfinite(pixels) & there[:, None, None, None]
        total = np.where(known, pixels, 0).sum((1, 2, 3), dtype=float)
        means = total / np.maximum(known.sum((1, 2, 3)), 1)
        size = _size(pixels.shape[1:])
        words = [
            f"{size}, mean {m:.4g}" if k else None for m, k in zip(means, known.any((1, 2, 3)), strict=True)
        ]
        return pa.array(words, pa.string())

    def describe(self) -> str:
        return f"{_size(self.shape)}, {self.low:g} to {self.high:g}, mean {self.mean:.4g}"


def to_pictures(pixels: Any, name: str, layout: str | None = None) -> pa.Array:
    """Pictures as an arrow column of tensors of one shape, which keeps the names of the axes.

    Args:
        pixels: see `SHAPES`; flags become 0 and 1.
        name: the column's.
        layout: "HW", "HWC" or "CHW"; told from the shape if not given.

    Raises:
        ColumnError: it does not hold pictures.
    """
    if isinstance(pixels, np.ma.MaskedArray):
        pixels = np.where(np.ma.getmaskarray(pixels), np.nan, np.ma.getdata(pixels).astype(float))
    layout = layout or _guess(pixels.shape[1:])
    if layout is None or 0 in pixels.shape:
        raise ColumnError(f"expected pictures, got shape {pixels.shape}", column=name, hint=f"give {SHAPES}")
    if pixels.dtype.kind not in "biuf":
        raise ColumnError(f"expected pixels that are numbers, got {pixels.dtype}", column=name)
    kind = np.dtype(np.uint8 if pixels.dtype.kind == "b" else pixels.dtype).newbyteorder("=")
    if kind.kind == "f" and kind.itemsize > 8:
        kind = np.dtype(float)  # arrow knows no longer floats
    flat = pa.array(np.ascontiguousarray(pixels, dtype=kind).reshape(-1))
    shape = pixels.shape[1:]
    type_ = pa.fixed_shape_tensor(flat.type, shape, dim_names=LAYOUTS[layout])
    return pa.ExtensionArray.from_storage(type_, pa.FixedSizeListArray.from_arrays(flat, int(np.prod(shape))))


def to_pixels(values: pa.Array) -> np.ndarray:
    """Pictures as an array in their own layout, (rows, ...); what a missing one holds is not defined."""
    storage, shape = values.storage, values.type.shape
    size = int(np.prod(shape))
    flat = storage.values.slice(storage.offset * size, len(storage) * size)
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(storage), *shape)


def is_picture(kind: pa.DataType) -> bool:
    """Whether values of this arrow type are pictures."""
    return _layout_of(kind) is not None


def _channels_first(values: Values, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(rows, channels, height, width) pixels, and (rows,) which pictures are there."""
    values = to_array(values)
    layout = _layout_of(values.type)
    if layout is None:
        raise ColumnError(f"expected pictures, got {values.type} values", column=name)
    pixels = to_pixels(values)
    if layout == "HW":
        pixels = pixels[:, None]
    elif layout == "HWC":
        pixels = np.moveaxis(pixels, 3, 1)
    return pixels, values.is_valid().to_numpy(zero_copy_only=False)


def _in_layout(pixels: np.ndarray, layout: str) -> np.ndarray:
    """(rows, channels, height, width) -> as the user has it."""
    return pixels[:, 0] if layout == "HW" else np.moveaxis(pixels, 1, 3) if layout == "HWC" else pixels


def _layout_of(kind: pa.DataType) -> str | None:
    """The layout of pictures of this arrow type; None if it is no such type."""
    if not isinstance(kind, pa.FixedShapeTensorType) or kind.permutation is not None:
        return None
    if not (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)):
        return None
    names = tuple(kind.dim_names or ())
    return next((k for k, v in LAYOUTS.items() if v == names), None) or _guess(kind.shape)


def _guess(shape: Sequence[int]) -> str | None:
    if len(shape) == 2:
        return "HW"
    if len(shape) != 3:
        return None
    return "HWC" if shape[2] in CHANNELS else "CHW" if shape[0] in CHANNELS else None


def _size(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{height} x {width}" + (f" x {channels}" if channels > 1 else "")
