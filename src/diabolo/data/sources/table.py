"""Tables: every row is independent of the others. Folders of images are tables of one column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Column, Image, Window
from diabolo.data.columns.image import MAX_SIDE, is_image
from diabolo.data.images.reduction import find_encoded_images, read_at_size, working_shape
from diabolo.data.sources.base import Frame, Source
from diabolo.data.splitting import Split, split_rows
from diabolo.data.user_table import UserTable
from diabolo.utils.checks import require


@dataclass
class Table(Source):
    """The rows of a table, as they are, but for images.

    Attributes:
        images: column -> height, width and channels that its images are read at: images in files, and larger
            ones than networks read.
    """

    images: dict[str, list[int]] = field(default_factory=dict)

    kind = "table"
    unit = "row"

    @classmethod
    def claims(cls, options: Mapping[str, Any]) -> bool:
        return options.get("time") is None and options.get("window") is None and options.get("by") is None

    def fit(self, user_table: UserTable) -> Self:
        columns = user_table.columns()
        encoded = find_encoded_images(columns)
        arrays = [name for name, values in columns.items() if is_image(values.type)]
        shapes = {name: working_shape(columns[name]) for name in encoded + arrays}
        return replace(self, images={name: shape for name, shape in shapes.items() if shape is not None})

    def read(self, user_table: UserTable) -> Frame:
        columns = user_table.columns()
        reduced = {n: read_at_size(columns[n], s, n) for n, s in self.images.items() if n in columns}
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
        return self.read(UserTable(table, whole.library, index, whole.named)), np.arange(len(rows))

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

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **({"images": self.images} if self.images else {})}
