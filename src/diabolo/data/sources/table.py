"""Tables: every row is independent of the others. Folders of images are tables of one column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Column, Image, Window
from diabolo.data.columns.image import MAX_SIDE, is_image
from diabolo.data.images.reduction import check_no_base64, find_encoded_images, read_at_size, working_shape
from diabolo.data.images.sequence import PixelRange
from diabolo.data.sources.base import Frame, Source
from diabolo.data.splitting import Split, split_rows
from diabolo.data.user_table import UserTable
from diabolo.errors import ColumnError, DataError
from diabolo.utils.checks import require


@dataclass
class Table(Source):
    """The rows of a table, as they are, but for images.

    Attributes:
        images: column -> height, width and channels that its images are read at: images in files, and larger
            ones than networks read.
        ranges: column -> the stored values of black and white of its images; empty for files of 8 bits.
        unread: names of columns that are not read as images, since an option ignores them or calls them
            labels.
    """

    images: dict[str, list[int]] = field(default_factory=dict)
    ranges: dict[str, list[float]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    kind = "table"
    unit = "row"

    @classmethod
    def claims(cls, options: Mapping[str, Any]) -> bool:
        return options.get("time") is None and options.get("window") is None and options.get("by") is None

    @classmethod
    def from_options(cls, options: Mapping[str, Any], extra_columns: Sequence[str] = ()) -> Self:
        unread = {name for option in ("ignore", "categorical") for name in options.get(option) or ()}
        return cls(unread=tuple(sorted({*unread, *(options.get("columns") or ())})))

    def fit(self, user_table: UserTable) -> Self:
        columns = {n: v for n, v in user_table.columns().items() if n not in self.unread}
        check_no_base64(columns)
        encoded = find_encoded_images(columns)
        arrays = [name for name, values in columns.items() if is_image(values.type)]
        learnt = {name: _learn(columns[name], name) for name in encoded + arrays}
        images = {name: shape for name, (shape, _) in learnt.items() if shape is not None}
        return replace(self, images=images, ranges={name: learnt[name][1] for name in images})

    def pixel_range(self, name: str) -> PixelRange | None:
        return _range_from(self.ranges[name], self.images[name][2]) if name in self.images else None

    def read(self, user_table: UserTable) -> Frame:
        columns = user_table.columns()
        reduced = {
            name: read_at_size(columns[name], shape, name, _range_from(self.ranges[name], shape[2]))
            for name, shape in self.images.items()
            if name in columns
        }
        return Frame({**columns, **reduced}, user_table.rows, user_table)

    def split(self, frame: Frame, seed: int) -> Split:
        """Split the rows at random.

        Args:
            frame: the rows.
            seed: of the permutation.
        """
        return split_rows(frame.rows, seed)

    def narrow(self, frame: Frame, rows: np.ndarray) -> tuple[Frame, np.ndarray]:
        """Take the rows out of the table.

        Args:
            frame: the table.
            rows: the user's rows.
        """
        whole = frame.user_table
        table = pa.table(whole.columns()).take(pa.array(rows))
        index = None if whole.index is None else whole.index[rows]
        # Not read again: images would be decoded a second time.
        own = UserTable(table, whole.library, index, whole.named)
        return Frame(frame[rows], len(rows), own), np.arange(len(rows))

    def covering(self, frame: Frame, rows: np.ndarray) -> np.ndarray:
        """Return all rows: after `narrow` there are no others.

        Args:
            frame: the table.
            rows: the user's rows.
        """
        return np.arange(frame.rows)

    def thin(self, frame: Frame, every: int) -> np.ndarray:
        """Return all rows: each is independent of the others.

        Args:
            frame: the table.
            every: not used.
        """
        return np.arange(frame.rows)

    def fold(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """Return the answers as they are.

        Args:
            frame: the table.
            answers: (rows, ...).
        """
        return answers

    def at_centre(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """Return the answers as they are.

        Args:
            frame: the table.
            answers: (rows, ...).
        """
        return answers

    def group_alarms(self, frame: Frame, alarms: np.ndarray) -> list[np.ndarray]:
        """Return every alarm as an episode of its own.

        Args:
            frame: the table.
            alarms: (rows,) flags.
        """
        return [np.array([row]) for row in np.flatnonzero(alarms)]

    def starts(self, positions: np.ndarray, frame: Frame) -> dict[str, Any]:
        """Return the numbers of the rows.

        Args:
            positions: (rows,) row numbers.
            frame: the table.
        """
        return {"remembered_row": positions}

    def fits(self, name: str, column: Column) -> bool:
        return not isinstance(column, Window) and (name not in self.images or isinstance(column, Image))

    def check(self) -> None:
        require(isinstance(self.images, dict), "size of images")
        for shape in self.images.values():
            sizes = [type(v) is int and 0 < v <= MAX_SIDE for v in shape]
            require(len(sizes) == 3 and all(sizes), "size of images")
        require(isinstance(self.ranges, dict), "range of images")
        require(set(self.ranges) == set(self.images), "range of images")
        for ends in self.ranges.values():
            _range_from(ends, 1).check()

    def to_json(self) -> dict[str, Any]:
        images = {"images": self.images, "ranges": self.ranges} if self.images else {}
        return {"kind": self.kind, **images}


def _learn(values: pa.Array, name: str) -> tuple[list[int] | None, list[float]]:
    """Return the size that images are read at, None for their own, and their black and white.

    Args:
        values: (rows,) images.
        name: of the column.

    Raises:
        ColumnError: none of those that are looked at can be read.
    """
    try:
        shape = working_shape(values)
        return shape, [] if shape is None else list(PixelRange.of(values).limits or ())
    except ColumnError:
        raise
    except DataError as error:
        raise ColumnError(error.message, column=name, hint=error.hint) from error


def _range_from(ends: Sequence[float], channels: int) -> PixelRange:
    """Return what black and white are: the two values, or without them what the type of each image says.

    Args:
        ends: black and white, or empty.
        channels: of the images.
    """
    if not ends:
        return PixelRange(channels=channels)
    black, white = ends
    return PixelRange(black, white, channels, by_type=False)
