"""Images in memory: arrays, tensors, images of Pillow, bytes and text; and pixels in other units."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import torch
from PIL import Image

from diabolo.errors import ColumnError, DataError
from tests.inputs.checks import ANSWERED, SAME, SAME_FIT
from tests.inputs.image_files import ROWS, saved
from tests.inputs.kinds import (
    Answer,
    Asked,
    Kind,
    Refusal,
    Stages,
    image_pixels,
    kind,
    plain,
    plain_model,
    refused,
)

MEMORY, UNITS = "Images in memory", "Pixels"
FITS = Answer("fitted")
SMALL, LARGE, ALL = "pixels", "large", 60


def files() -> list[bytes]:
    return [saved(pixels) for pixels in image_pixels(ROWS)]


def pillow(mode: str | None = None) -> list[Any]:
    images = [Image.fromarray(pixels) for pixels in image_pixels(ROWS)]
    return images if mode is None else [image.convert(mode) for image in images]


def sizes() -> list[np.ndarray]:
    return [pixels[: 24 - row % 3] for row, pixels in enumerate(image_pixels(ROWS))]


def same(name: str, make: Callable[[Path], Any], base: str = SMALL) -> Kind:
    return kind(MEMORY, name, make, SAME_FIT, SAME, base=base, rows=ALL)


def good(name: str, make: Callable[[Path], Any], rows: int = ROWS, base: str = "images", **more: Any) -> Kind:
    return kind(MEMORY, name, make, FITS, ANSWERED, base=base, rows=rows, **more)


def both(
    name: str, make: Callable[[Path], Any], *words: str, error: Any = DataError, base: str = "images"
) -> Kind:
    return kind(MEMORY, name, make, Refusal(error, words), refused(error, *words), base=base)


def units(name: str, make: Callable[[Path], Any], asked: Stages, base: str = SMALL, fit: Any = FITS) -> Kind:
    return kind(UNITS, name, make, fit, asked, base=base, rows=ALL)


def alike(asked: Asked) -> None:
    """The answer is that of the plain data, whatever the units are."""
    base = plain(asked.base)
    assert np.allclose(asked.answer.bits, plain_model(asked.base).anomaly_score(base), atol=0.3)


READ_ALIKE: Stages = {**ANSWERED, "score": Answer("as the plain data", alike)}
DIFFER = refused(ColumnError, "the units differ")


def holed(value: float, base: str) -> np.ndarray:
    pixels = plain(base).astype(np.float32)
    side = 4 if base == SMALL else 40
    pixels[3, 2 : 2 + side, 1 : 1 + side] = value
    return pixels


def filled_in(asked: Asked) -> None:
    table = asked.answer.to_array()
    assert np.isfinite(table).all()
    kept = np.isfinite(np.asarray(asked.data))
    assert np.array_equal(table[kept], np.asarray(asked.data)[kept])


FILLED: Stages = {**ANSWERED, "repair": Answer("filled", filled_in)}


def first_is_odd(asked: Asked) -> None:
    assert asked.answer.bits[3] > np.median(asked.answer.bits)


ODD: Stages = {**ANSWERED, "score": Answer("the image is anomalous", first_is_odd)}
CHANNELS = "give (n, height, width)"

IMAGE_VALUES: list[Kind] = [
    same("an array of images", lambda _: plain(SMALL)),
    same("a list of arrays", lambda _: list(plain(SMALL))),
    same("a tensor of images", lambda _: torch.from_numpy(plain(SMALL))),
    same("a column of arrays in pandas", lambda _: pd.DataFrame({"image": list(plain(SMALL))})),
    same(
        "a column of arrays in polars",
        lambda _: pl.from_arrow(pa.table({"image": plain("images")["image"]})),
        "images",
    ),
    good("images of Pillow", lambda _: pillow()),
    good("one image of Pillow", lambda _: pillow()[0], 1),
    good("images of Pillow in CMYK", lambda _: pillow("CMYK")),
    good("images of Pillow with a palette", lambda _: pillow("P")),
    good("images of Pillow with opacity", lambda _: pillow("LA")),
    good("images of Pillow in several modes", lambda _: [*pillow()[:6], *pillow("L")[6:]]),
    good("arrays of several sizes", lambda _: sizes()),
    good("arrays of several sizes, one missing (None)", lambda _: [*sizes()[:-1], None]),
    good("arrays of one size, one missing (None)", lambda _: [*image_pixels(ROWS)[:-1], None]),
    good("the bytes of files", lambda _: files()),
    good("the bytes of files, one missing (None)", lambda _: [*files()[:-1], None]),
    good("the bytes of files in polars", lambda _: pl.DataFrame({"image": files()})),
    good("the bytes of files in pandas", lambda _: pd.DataFrame({"image": files()}, index=[7] * ROWS)),
    good(
        "the bytes of a broken file among others",
        lambda _: [*files()[:-1], files()[-1][:-60]],
        warned=("read as missing", "row 11", "cannot be decoded"),
    ),
    good("the same image in every row", lambda _: [image_pixels(1)[0]] * ROWS),
    good("images that are black", lambda _: np.zeros((ROWS, 24, 20, 3), np.uint8)),
    good("images that are white", lambda _: np.full((ROWS, 24, 20, 3), 255, np.uint8)),
    good("flags", lambda _: image_pixels(ROWS) > 128),
    good("channels first", lambda _: np.ascontiguousarray(np.moveaxis(image_pixels(ROWS), 3, 1))),
    good("four channels", lambda _: np.concatenate([image_pixels(ROWS), image_pixels(ROWS)[..., :1]], 3)),
    good("one channel", lambda _: image_pixels(ROWS)[..., :1]),
    good("an npy file", lambda f: np.save(f / "x.npy", image_pixels(ROWS)) or f / "x.npy"),
    good("an npz file with one array", lambda f: np.savez(f / "x.npz", a=image_pixels(ROWS)) or f / "x.npz"),
    both(
        "an npz file with Python objects",
        lambda f: np.savez(f / "x.npz", a=np.array([{}, []], object)) or f / "x.npz",
        "x.npz cannot be read",
    ),
    both(
        "an npz file that is none",
        lambda f: (f / "x.npz").write_bytes(b"PK\x03\x04none") and f / "x.npz",
        "x.npz cannot be read",
    ),
    both(
        "an npy file of 0 bytes",
        lambda f: (f / "x.npy").write_bytes(b"") or f / "x.npy",
        "x.npy cannot be read",
    ),
    both(
        "an npz file with arrays of several lengths",
        lambda f: np.savez(f / "x.npz", a=np.zeros(3), b=np.zeros(4)) or f / "x.npz",
        "several lengths",
    ),
    both("two channels", lambda _: np.zeros((ROWS, 24, 20, 2), np.uint8), CHANNELS, error=ColumnError),
    both("five channels", lambda _: np.zeros((ROWS, 24, 20, 5), np.uint8), CHANNELS, error=ColumnError),
    both("five dimensions", lambda _: np.zeros((3, 2, 24, 20, 3), np.uint8), "two dimensions, got 5"),
    both("complex pixels", lambda _: np.zeros((3, 24, 20), complex), "omplex"),
    both("pixels that are text", lambda _: np.full((3, 24, 20), "a"), "numbers", error=ColumnError),
    both("an array of objects", lambda _: np.full((3, 24, 20), None, object), "numbers", error=ColumnError),
    both(
        "images of no pixels", lambda _: np.zeros((3, 0, 20), np.uint8), "expected images", error=ColumnError
    ),
    both("a generator of images", lambda _: (pixels for pixels in image_pixels(3)), "generator"),
    both("a list of nothing (None)", lambda _: [None, None], "two dimensions"),
    both(
        "images as text in base64",
        lambda _: {"image": [base64.b64encode(raw).decode() for raw in files()]},
        "as text in base64",
        error=ColumnError,
    ),
    both(
        "images as data URIs",
        lambda _: {"image": ["data:image/png;base64," + base64.b64encode(raw).decode() for raw in files()]},
        "as text in base64",
        error=ColumnError,
    ),
    both(
        "a column of addresses",
        lambda _: {"image": ["https://example.org/x.png"] * 5},
        "is an address",
        error=ColumnError,
    ),
    both(
        "bytes that are no image",
        lambda _: {"image": [b"\x89PNG none"] * 5},
        "is no image",
        error=ColumnError,
    ),
    kind(
        MEMORY,
        "images in columns of two sizes",
        lambda _: {"image": image_pixels(ROWS), "other": image_pixels(ROWS)[:, :10]},
        Refusal(DataError, ("'other' holds pixels",)),
        ANSWERED,
        base="images",
        rows=ROWS,
    ),
    units("NaN", lambda _: holed(np.nan, SMALL), FILLED),
    units("NaN in large images", lambda _: holed(np.nan, LARGE), FILLED, LARGE),
    units("infinite pixels", lambda _: holed(np.inf, SMALL), ODD),
    units("infinite pixels in large images", lambda _: holed(np.inf, LARGE), ODD, LARGE),
    units("pixels below 0", lambda _: holed(-100, SMALL), ODD),
    units("masked pixels", lambda _: np.ma.masked_invalid(holed(np.nan, SMALL)), ANSWERED),
    units("0 to 1 in place of 0 to 255", lambda _: plain(SMALL) / 255, DIFFER),
    units("16 bits in place of 8", lambda _: plain(SMALL).astype(np.uint16) * 257, DIFFER),
    units("0 to 255 in place of 0 to 1", lambda _: plain(LARGE) * 255, DIFFER, LARGE),
    units("floats of 16 bits in place of 0 to 1", lambda _: plain(LARGE) * 65_535, DIFFER, LARGE),
    units(
        "8 bits in place of 0 to 1",
        lambda _: np.round(plain(LARGE) * 255).astype(np.uint8),
        READ_ALIKE,
        LARGE,
    ),
    units("double in place of single precision", lambda _: plain(LARGE).astype(float), READ_ALIKE, LARGE),
    units(
        "another size",
        lambda _: plain(SMALL)[:, :20],
        refused(ColumnError, "expected images of 24 x 20 x 3, got 20 x 20 x 3"),
    ),
    units("another size of large images", lambda _: np.repeat(plain(LARGE), 2, 1), ANSWERED, LARGE),
]
