"""The base class of sources, and the frames that they read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Column, Values, Window
from diabolo.data.columns.convert import to_array
from diabolo.data.images.sequence import PixelRange
from diabolo.data.splitting import Fold, Split
from diabolo.data.user_table import UserTable


@dataclass(frozen=True)
class Frame:
    """Named columns of equal length: the rows of a table, or the windows of a series.

    Attributes:
        columns: name -> an arrow array, or (rows, length) numbers.
        rows: the number of rows.
        user_table: the user's own table.
        positions: (rows,) positions in time, if neighbours in time are similar; None for a table.
        layout: what the source needs to give answers back on the user's rows.
    """

    columns: Mapping[str, Values]
    rows: int
    user_table: UserTable
    positions: np.ndarray | None = None
    layout: Any = None

    def __getitem__(self, rows: slice | np.ndarray) -> dict[str, Values]:
        if isinstance(rows, slice):
            return {k: v[rows] for k, v in self.columns.items()}
        taken = pa.array(rows)
        return {k: v[rows] if isinstance(v, np.ndarray) else v.take(taken) for k, v in self.columns.items()}

    def only(self, rows: np.ndarray) -> Frame:
        """Return a frame of some of the rows."""
        where = self.positions_of(rows)
        layout = self.layout.only(rows) if self.layout is not None else None
        return Frame(self[rows], len(rows), self.user_table, where, layout)

    def positions_of(self, rows: slice | np.ndarray) -> np.ndarray | None:
        """Return (rows,) positions in time of some rows; None for a table."""
        return None if self.positions is None else self.positions[rows]

    def present(self, name: str) -> np.ndarray:
        """Return (rows,) which rows have a value: of images, those that can be decoded.

        Args:
            name: of a column that is no window.
        """
        return np.asarray(to_array(self.columns[name]).is_valid().to_numpy(zero_copy_only=False))

    def chunks(self, rows: int) -> Iterator[slice]:
        """Yield consecutive slices of at most this number of rows."""
        for start in range(0, self.rows, rows):
            yield slice(start, min(start + rows, self.rows))


class Source(ABC):
    """Reads the user's data as a frame, and folds answers about its rows back onto the user's rows."""

    kind: ClassVar[str]
    unit: ClassVar[str]
    """What one of the user's rows is called in messages and reports: "row" or "point"."""
    max_training_rows: ClassVar[int | None] = None
    """Rows of the frame that networks are trained on at most; None for all."""
    length: int = 1
    """Points in a row of the frame."""
    images: Mapping[str, Sequence[int]] = MappingProxyType({})
    """Column -> height, width and channels that networks read its images at, where that is not their own."""
    notes: tuple[str, ...] = ()
    """What the user should know about the data of the fit."""

    @property
    def overlaps(self) -> bool:
        """Whether rows of the frame are windows, which share points with their neighbours."""
        return False

    @classmethod
    def from_options(cls, options: Mapping[str, Any], extra_columns: Sequence[str] = ()) -> Self:
        """Return a source as the options of a fit request it, not yet fitted.

        Args:
            options: name -> value of every option of `Autoencoder`.
            extra_columns: names of columns that are read as they are, whatever the source.

        Raises:
            OptionError: an option cannot be met.
        """
        return cls()

    @classmethod
    @abstractmethod
    def claims(cls, options: Mapping[str, Any]) -> bool:
        """Whether data with these options (`time`, `by`, `window`) is of this kind."""

    def pixel_range(self, name: str) -> PixelRange | None:
        """Return what black and white are in the images of a column of `images`; None of other columns.

        Args:
            name: of the column.
        """
        return None

    @property
    def reserved_columns(self) -> tuple[str, ...]:
        """Names of the columns that say which series and time a row belongs to; they are not coarsened."""
        return ()

    @property
    def calendar(self) -> str | None:
        """The name of the reserved column that holds the times of the rows, if there is one."""
        return None

    @abstractmethod
    def fit(self, user_table: UserTable) -> Self:
        """Return a copy fitted to the data: with all that stays the same from one data set to the next."""

    @abstractmethod
    def read(self, user_table: UserTable) -> Frame:
        """Read the user's rows as a frame."""

    @abstractmethod
    def split(self, frame: Frame, seed: int) -> Split:
        """Split the rows of a frame into those for training, for choosing weights and for calibration.

        Args:
            frame: the data.
            seed: of random splits.
        """

    def folds(self, frame: Frame, *, solved: bool) -> list[Fold]:
        """Return how parts of the data are learnt to judge the others; empty if rows are split once.

        Args:
            frame: the data.
            solved: whether networks are solved in closed form, not trained.
        """
        return []

    @abstractmethod
    def narrow(self, frame: Frame, rows: np.ndarray) -> tuple[Frame, np.ndarray]:
        """Return the part of a frame that is needed for some of the user's rows, neighbours included.

        Args:
            frame: the data.
            rows: the user's rows, counted from 0.

        Returns:
            a smaller frame, and (rows,) the numbers of these rows among the user rows of that frame.
        """

    @abstractmethod
    def covering(self, frame: Frame, rows: np.ndarray) -> np.ndarray:
        """Return the rows of the frame that answers about some of the user's rows come from.

        Args:
            frame: the data.
            rows: the user's rows, counted from 0.
        """

    @abstractmethod
    def thin(self, frame: Frame, every: int) -> np.ndarray:
        """Return as few rows of the frame as cover all user rows, at most `every` points apart.

        Args:
            frame: the data.
            every: points from one window to the next.
        """

    def independent(self, rows: int) -> float:
        """Return the number of independent rows among user rows: overlapping windows are not independent."""
        return rows / self.length

    @abstractmethod
    def fold(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """Return (user rows, ...): the mean of the answers of the frame rows that cover each user row.

        Args:
            frame: the data.
            answers: (frame rows, ...); for windows, (frame rows,) or (frame rows, length).
        """

    @abstractmethod
    def at_centre(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """Return (user rows, ...): for each user row, the answer of the frame row centred on it.

        Args:
            frame: the data.
            answers: (frame rows, ...).
        """

    def in_time(self, frame: Frame) -> list[np.ndarray]:
        """Return the user rows of each series, in the order of time; of a table, all rows.

        Args:
            frame: the data.
        """
        return [np.arange(frame.user_table.rows)]

    @property
    def can_drift(self) -> bool:
        """Whether an alarm level follows the share of alarms, unless the user says otherwise."""
        return False

    @abstractmethod
    def group_alarms(self, frame: Frame, alarms: np.ndarray) -> list[np.ndarray]:
        """Return the user rows of each episode, in its order.

        Args:
            frame: the data.
            alarms: (user rows,) flags.
        """

    @abstractmethod
    def starts(self, positions: np.ndarray, frame: Frame) -> dict[str, Any]:
        """Return the times of the first points of rows, under the names of the time and key columns.

        Args:
            positions: (rows,) positions in time.
            frame: the data; its columns say how times are written.
        """

    def peaks(self, frame: Frame, bits: np.ndarray, threshold: float) -> np.ndarray | None:
        """Return (frame rows, length) which points lie at the top of an alarm; None for a table.

        Args:
            frame: the data.
            bits: (user rows,) anomaly scores; NaN where there is none.
            threshold: bits above which a point is an alarm.
        """
        return None

    @property
    def groups(self) -> int:
        """How many series the fit told apart; 1 for a table."""
        return 1

    def group_of(self, positions: np.ndarray | None, rows: int) -> np.ndarray:
        """Return (rows,) the number of the series that each row of a frame belongs to; `groups` for others.

        Args:
            positions: (rows,) positions in time; None for a table.
            rows: the number of rows.
        """
        return np.zeros(rows, np.int64)

    def present_values(self, frame: Frame) -> np.ndarray:
        """Return (points, channels) which values of a series are present, in the order of time."""
        return np.ones((frame.rows, 0), bool)

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the options and the fitted values as plain values, with the name of the kind."""

    def fits(self, name: str, column: Column) -> bool:
        """Return whether a stored column can belong to a frame of this source.

        Args:
            name: of the column.
            column: what was learnt of it.
        """
        return not isinstance(column, Window)

    def check(self) -> None:  # noqa: B027  # a kind without options has nothing to check
        """Raise `ValueError` if the values from a model file are invalid for a source of this kind."""
