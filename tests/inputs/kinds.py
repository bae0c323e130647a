"""What a kind of input is, and what is expected of it: the lists are in the files beside this one.

A kind says how the input is made, and what happens when a model is fitted on it, and when a model of the
plain data is asked to score, explain and repair it: an answer (with a check of that answer) or a typed error
(with the words that it must contain).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image as PillowImage

from diabolo import Autoencoder
from diabolo.errors import DiaboloError
from tests import made
from tests.fits import fitted

STAGES = ("fit", "score", "explain", "repair")
ROWS = 60
# Two small networks for a moment: what is looked at is what is read and answered, not how well.
QUICK: dict[str, Any] = {"epochs": 1, "layers": (16,)}
IMAGE_BASES = ("images", "pixels", "large")


@dataclass(frozen=True)
class Asked:
    """What was asked and answered.

    Attributes:
        stage: "fit", "score", "explain" or "repair".
        base: the name of the plain data, and of the model fitted on it.
        data: the input.
        answer: a fitted model, or the answer of a task.
    """

    stage: str
    base: str
    data: Any
    answer: Any


@dataclass(frozen=True)
class Answer:
    """An answer is right: what the page says of it, and what is checked beyond what holds for all answers."""

    says: str
    check: Callable[[Asked], None] | None = None


@dataclass(frozen=True)
class Refusal:
    """A typed error is right: its class, and the words that its text must contain."""

    error: type[DiaboloError]
    words: tuple[str, ...]


Expected = Answer | Refusal
Stages = dict[str, Expected]


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
        group: the heading it is listed under.
        name: what it is.
        make: makes it; it may put files into the folder given.
        expected: what happens at each stage.
        base: the plain data that the asked model was fitted on: a name in `PLAIN`.
        rows: how many rows it has, where it is answered.
        options: of the fit.
        warned: words of the warnings that come with its answers; without any, there must be none.
    """

    group: str
    name: str
    make: Callable[[Path], Any]
    expected: Stages
    base: str = "table"
    rows: int = ROWS
    options: Mapping[str, Any] = field(default_factory=dict)
    warned: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def kind(
    group: str, name: str, make: Callable[[Path], Any], fit: Expected, asked: Stages, **more: Any
) -> Kind:
    """A kind from what happens at the fit and what happens when asked."""
    return Kind(group, name, make, {"fit": fit, **asked}, **more)


def refused(error: type[DiaboloError], *words: str) -> Stages:
    """Score, explain and repair all refuse in the same words."""
    return dict.fromkeys(STAGES[1:], Refusal(error, words))


@cache
def image_pixels(rows: int = ROWS) -> np.ndarray:
    """(rows, 24, 20, 3) bytes: a wave in three colours, whose length differs from image to image."""
    rng = np.random.default_rng(0)
    length, phase = rng.uniform(2, 6, (2, rows, 1, 1, 1))
    y, x = np.mgrid[:24, :20][:, None, :, :, None]
    wave = 128 + 100 * np.sin(x / length + y / 5 + phase + np.arange(3))
    return np.clip(wave + rng.normal(0, 4, wave.shape), 0, 255).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """An image file."""
    out = io.BytesIO()
    PillowImage.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@cache
def plain(base: str) -> Any:
    """Data with nothing odd in it, but one hole in every column of the table."""
    rng = np.random.default_rng(0)
    if base == "array":
        x = rng.normal(size=(ROWS, 1))
        # Eighths of small numbers are the same number in every type of number.
        return np.round(8 * (np.hstack([x, 2 * x, -x]) + 0.3 * rng.normal(size=(ROWS, 3)))) / 8
    if base == "images":
        return pa.table({"image": pa.array([png(pixels) for pixels in image_pixels()], pa.large_binary())})
    if base == "pixels":
        return image_pixels()
    if base == "large":
        grey = image_pixels()[..., 0].repeat(4, 1).repeat(4, 2)
        return (grey / 255).astype(np.float32)
    if base == "series":
        return made.wave(240, start="2024-03-30T18:00")
    a = np.round(rng.normal(size=ROWS) * 2, 2)
    n = rng.integers(0, 10, ROWS)
    hours = rng.integers(0, 24 * 40, ROWS)
    t = np.datetime64("2024-01-08", "us") + hours * np.timedelta64(3_600_000_000, "us")
    table = pa.table(
        {
            "a": pa.array(a),
            "n": pa.array(n),
            "c": pa.array(np.where(a > 0, "up", "down").tolist()),
            "d": pa.array(n > 4),
            "t": pa.array(t),
        }
    )
    for row, name in enumerate(table.column_names, start=5):
        table = made.with_cell(table, name, row, None)
    return table.select(["a"]) if base == "one" else table


OPTIONS: dict[str, dict[str, Any]] = {
    "series": {"time": "time", "window": 16},
    **{key: {"recipe": "vanilla"} for key in IMAGE_BASES},
}


@cache
def plain_model(base: str) -> Autoencoder:
    """A model of the plain data."""
    return fitted(plain(base), **QUICK, **OPTIONS.get(base, {}))


def whole(name: str) -> list[Any]:
    """One column of the plain table as a list."""
    return list(plain("table")[name].to_pylist())


def column(name: str, values: Any) -> pa.Table:
    """The plain table with other values in one column."""
    table = plain("table")
    return table.set_column(table.column_names.index(name), name, values)


def cell(name: str, row: int, value: Any) -> pa.Table:
    """The plain table with another value in one cell."""
    return made.with_cell(plain("table"), name, row, value)


def pandas() -> Any:
    """The plain table in pandas."""
    return plain("table").to_pandas()


def polars() -> Any:
    """The plain table in polars."""
    return made.as_library(plain("table"), "polars")
