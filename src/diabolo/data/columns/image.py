"""Images: one for each row, all of one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa

from diabolo.data.columns.base import Column, Part, Values, require_scale
from diabolo.data.columns.convert import to_array
from diabolo.data.columns.scaling import mean_and_scale, standardize
from diabolo.data.fields import Pixels
from diabolo.errors import ColumnError
from diabolo.utils.checks import require

# Layout -> the names of its axes, as arrow keeps them.
LAYOUTS = {
    "HW": ("height", "width"),
    "HWC": ("height", "width", "channels"),
    "CHW": ("channels", "height", "width"),
}
CHANNEL_COUNTS = (1, 3, 4)  # grey, colour, colour with opacity: tells channels from rows of pixels
N_SCALE_SAMPLE = 2_000  # images' worth of pixels that the mean and the deviation are taken from: a choice
# Pixels this many times as large, or as small, as in the fit are in other units: 1, 255 and 65,535 are usual
# for white, and an image is rarely so dark in floats (a choice).
RANGE_FACTOR = 50.0
N_ENCODED = 1_000  # images that are encoded at once: a choice
MAX_SIDE = 65_536  # pixels of a side, and channels, of an image that is read from a model file
# The arrow name of a pixel's type -> its numpy name.
PIXEL_TYPES = {
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
}
ARRAY_SHAPES = (
    "(n, height, width), (n, height, width, channels) or (n, channels, height, width), channels 1, 3 or 4"
)


@dataclass
class Image(Column):
    """An image in standard units: one mean and one scale for all its pixels.

    Attributes:
        shape: channels, height, width.
        layout: the order of the axes in the user's data: "HW", "HWC" or "CHW".
        type: the arrow type of a pixel, restored in answers.
        mean, scale: the mean and the standard deviation of the finite training pixels.
        low, high: their range, to which answers are clipped.
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
        return isinstance(values, pa.Array) and stored_layout(values.type) is not None

    def fit(self, values: Values, name: str) -> Self:
        """Learn the size, layout and type of the images, and the mean, scale and range of their pixels.

        Args:
            values: (rows,) images.
            name: the column's.

        Raises:
            ColumnError: no pixel is finite.
        """
        values = to_array(values)
        pixels, present = channels_first(values, name)
        known = pixels[np.isfinite(pixels) & present[:, None, None, None]]
        if len(known) == 0:
            raise ColumnError("no finite pixel in it", column=name, hint=f"ignore it: ignore=[{name!r}]")
        every = max(len(known) // (N_SCALE_SAMPLE * pixels[0].size), 1)
        mean, scale = mean_and_scale(known[::every].astype(float))
        layout = stored_layout(values.type)
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
    def fields(self) -> tuple[Pixels]:
        low, high = ((end - self.mean) / self.scale for end in (self.low, self.high))
        channels, height, width = self.shape
        return (Pixels((channels, height, width), low, high),)

    def encode(self, values: Values, name: str) -> list[Part]:
        """Return images in standard units, channels first.

        Args:
            values: (rows,) images.
            name: the column's.

        Raises:
            ColumnError: they are of another size.
        """
        pixels, present = channels_first(values, name)
        if list(pixels.shape[1:]) != self.shape:
            observed, expected = (_size(shape) for shape in (pixels.shape[1:], self.shape))
            raise ColumnError(
                f"expected images of {expected}, got {observed}",
                column=name,
                hint=f"resize them to {expected}",
            )
        self._check_range(pixels, present, name)
        codes = np.empty(pixels.shape, np.float32)
        visible = np.empty(pixels.shape, bool)
        # In parts: all images at once would be in memory three times more.
        for start in range(0, len(pixels), N_ENCODED):
            part = slice(start, start + N_ENCODED)
            visible[part] = ~np.isnan(pixels[part]) & present[part, None, None, None]
            # Single precision holds every whole number of 16 bits: no need for twice the memory.
            kind = pixels.dtype if pixels.dtype.itemsize > 4 else np.float32
            known = np.where(visible[part], self._within_reach(pixels[part].astype(kind)), self.mean)
            codes[part] = standardize(known, self.mean, self.scale)
        return [(codes, visible)]

    def _within_reach(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels with infinite ones as far beyond the range of the fit as that is wide."""
        if np.isfinite(pixels).all():
            return pixels
        span = self.high - self.low
        found: np.ndarray = np.nan_to_num(pixels, nan=np.nan, posinf=self.high + span, neginf=self.low - span)
        return found

    def _check_range(self, pixels: np.ndarray, present: np.ndarray, name: str) -> None:
        """Check that new pixels are of the range of the fit: 0 to 1, to 255 or to 65,535.

        Args:
            pixels: (rows, channels, height, width) of all new images.
            present: (rows,) which of them there are.
            name: the column's.

        Raises:
            ColumnError: they are 50 times as large, or as small, at their largest.
        """
        if self.high <= 0 or not present.any():
            return
        if pixels.dtype.kind == "f":
            finite = np.isfinite(pixels) & present[:, None, None, None]
            top = float(pixels.max(initial=-np.inf, where=finite))
        else:
            top = float(pixels.max(initial=0, where=present[:, None, None, None]))
        if top <= 0 or 1 / RANGE_FACTOR < top / self.high < RANGE_FACTOR:
            return
        # Dark images are dark in whole numbers too.
        if top < self.high and pixels.dtype.kind in "iu" and self.type.lstrip("u").startswith("int"):
            return
        factor = self.high / top
        change = f"images * {factor:.4g}" if factor > 1 else f"images / {1 / factor:.4g}"
        raise ColumnError(
            f"its largest pixel is {top:g}, that of the fit {self.high:g}: the units differ",
            column=name,
            hint=change,
        )

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        """Return images in the layout of the fit.

        Args:
            parts: one array, (rows, channels, height, width) in standard units.
            exact: whether to clip pixels to the range of the fit and restore their type; else float64.
        """
        pixels = parts[0].astype(float) * self.scale + self.mean
        if exact:
            pixels = np.clip(pixels, self.low, self.high)
            kind = np.dtype(PIXEL_TYPES[self.type])
            if kind.kind in "iu":
                # The largest whole number of 64 bits has no float of its own.
                top = float(np.iinfo(kind).max)
                pixels = np.minimum(np.round(pixels), top if kind.itemsize < 8 else np.nextafter(top, 0))
            pixels = pixels.astype(kind)
        return to_images(in_layout(pixels, self.layout), "", self.layout)

    def missing(self, values: Values) -> np.ndarray:
        """Return which pixels are missing: (rows, channels, height, width)."""
        pixels, present = channels_first(values, "")
        return np.asarray(np.isnan(pixels) | ~present[:, None, None, None])

    def replace_cells(self, old: Values, new: Values, replaced: np.ndarray) -> pa.Array:
        """Return the pixels of `new` where replaced, else those of `old`, in the layout of `old`.

        Args:
            old: (rows,) the images of the user.
            new: (rows,) images of the same size.
            replaced: (rows, channels, height, width) flags.
        """
        old = to_array(old)
        (old_pixels, _), (new_pixels, _) = (channels_first(v, "") for v in (old, new))
        layout = stored_layout(old.type)
        assert layout is not None
        pixels = np.where(replaced, new_pixels, old_pixels)
        if old_pixels.dtype.kind == "f":
            pixels = pixels.astype(old_pixels.dtype)
        return to_images(in_layout(pixels, layout), "", layout)

    def to_display(self, values: Values) -> pa.Array:
        """Return the size and the mean of each image, as text."""
        pixels, present = channels_first(values, "")
        known = np.isfinite(pixels) & present[:, None, None, None]
        total = np.where(known, pixels, 0).sum((1, 2, 3), dtype=float)
        means = total / np.maximum(known.sum((1, 2, 3)), 1)
        size = _size(pixels.shape[1:])
        words = [
            f"{size}, mean {m:.4g}" if k else None for m, k in zip(means, known.any((1, 2, 3)), strict=True)
        ]
        return pa.array(words, pa.string())

    def check(self) -> None:
        """Check the size, the layout and the type of the images.

        Raises:
            ValueError: one of them cannot have been learnt.
        """
        sizes = self.shape
        require(len(sizes) == 3 and all(type(v) is int and 0 < v <= MAX_SIDE for v in sizes), "image size")
        require(self.layout in LAYOUTS and self.type in PIXEL_TYPES, "layout or type of images")
        require(self.layout != "HW" or sizes[0] == 1, "number of channels")
        require_scale(self.mean, self.scale)

    def describe(self) -> str:
        return f"{_size(self.shape)}, {self.low:g} to {self.high:g}, mean {self.mean:.4g}"


def to_images(pixels: Any, name: str, layout: str | None = None) -> pa.Array:
    """Return images as an arrow column of tensors of one shape, which keeps the names of the axes.

    Args:
        pixels: an array of one of the `ARRAY_SHAPES`; flags become 0 and 1.
        name: the column's, for the message of an error.
        layout: "HW", "HWC" or "CHW"; inferred from the shape if not given.

    Raises:
        ColumnError: the array does not hold images.
    """
    if isinstance(pixels, np.ma.MaskedArray):
        pixels = np.where(np.ma.getmaskarray(pixels), np.nan, np.ma.getdata(pixels).astype(float))
    layout = layout or _infer_layout(pixels.shape[1:])
    if layout is None or 0 in pixels.shape:
        raise ColumnError(
            f"expected images, got shape {pixels.shape}", column=name, hint=f"give {ARRAY_SHAPES}"
        )
    if pixels.dtype.kind not in "biuf":
        raise ColumnError(
            f"expected pixels that are numbers, got {pixels.dtype}", column=name, hint="pixels.astype(float)"
        )
    kind = np.dtype(np.uint8 if pixels.dtype.kind == "b" else pixels.dtype).newbyteorder("=")
    if kind.kind == "f" and kind.itemsize > 8:
        kind = np.dtype(float)  # arrow knows no longer floats
    flat = pa.array(np.ascontiguousarray(pixels, dtype=kind).reshape(-1))
    shape = pixels.shape[1:]
    type_ = pa.fixed_shape_tensor(flat.type, shape, dim_names=LAYOUTS[layout])
    return pa.ExtensionArray.from_storage(type_, pa.FixedSizeListArray.from_arrays(flat, int(np.prod(shape))))


def to_pixels(values: pa.Array) -> np.ndarray:
    """Return images as an array in their own layout, (rows, ...); pixels of missing ones are undefined."""
    storage, shape = values.storage, values.type.shape
    size = int(np.prod(shape))
    flat = storage.values.slice(storage.offset * size, len(storage) * size)
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(storage), *shape)


def is_image(kind: pa.DataType) -> bool:
    """Return whether values of this arrow type are images."""
    return stored_layout(kind) is not None


def channels_first(values: Values, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, channels, height, width) pixels, and (rows,) which images are present."""
    values = to_array(values)
    layout = stored_layout(values.type)
    if layout is None:
        raise ColumnError(f"expected images, got {values.type} values", column=name)
    pixels = to_pixels(values)
    if layout == "HW":
        pixels = pixels[:, None]
    elif layout == "HWC":
        pixels = np.moveaxis(pixels, 3, 1)
    return pixels, values.is_valid().to_numpy(zero_copy_only=False)


def in_layout(pixels: np.ndarray, layout: str) -> np.ndarray:
    """Return (rows, channels, height, width) pixels with their axes in the order of a layout."""
    return pixels[:, 0] if layout == "HW" else np.moveaxis(pixels, 1, 3) if layout == "HWC" else pixels


def stored_layout(kind: pa.DataType) -> str | None:
    """Return the layout of images of this arrow type; None if the type is another."""
    if not isinstance(kind, pa.FixedShapeTensorType) or kind.permutation is not None:
        return None
    if not (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)):
        return None
    names = tuple(kind.dim_names or ())
    return next((k for k, v in LAYOUTS.items() if v == names), None) or _infer_layout(kind.shape)


def _infer_layout(shape: Sequence[int]) -> str | None:
    """Return the layout of images of this shape; None if it cannot be told."""
    if len(shape) == 2:
        return "HW"
    if len(shape) != 3:
        return None
    return "HWC" if shape[2] in CHANNEL_COUNTS else "CHW" if shape[0] in CHANNEL_COUNTS else None


def _size(shape: Sequence[int]) -> str:
    """Return the size of an image in words."""
    channels, height, width = shape
    return f"{height} x {width}" + (f" x {channels}" if channels > 1 else "")
