"""What a source is, and the frame that it reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Values
from diabolo.data.user_table import UserTable


@dataclass(frozen=True)
class Frame:
    """Named columns of equal length: the rows of a table, or the windows of a series.

    Attributes:
        columns: name -> an arrow array, or (rows, length) numbers.
        rows: how many.
        native: the user's own table.
        positions: (rows,) places in time, where rows close in time are alike; None for a table.
        place: what the source needs to give answers back.
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
        """A frame of some of the rows."""
        where = None if self.positions is None else self.positions[rows]
        place = self.layout.only(rows) if self.layout is not None else None
        return Frame(self[rows], len(rows), self.user_table, where, place)

    def chunks(self, rows: int) -> Iterator[slice]:
        """Consecutive slices of at most so many rows."""
        for start in range(0, self.rows, rows):
            yield slice(start, min(start + rows, self.rows))


class Source(ABC):
    """Reads data as a frame, and folds what was said of the frame's rows back onto the user's."""

    kind: ClassVar[str]
    length: int = 1
    """Points in a row of the frame."""
    notes: tuple[str, ...] = ()
    """What `fit` saw that is worth knowing."""

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
        """Learn what does not change from one data set to the next; returns a fitted copy."""

    @abstractmethod
    def read(self, user_table: UserTable) -> Frame:
        """The user's rows as a frame."""

    @abstractmethod
    def fold(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """(frame rows, ...) -> (user rows, ...); for windows, (frame rows, length) -> (user rows,)."""

    @abstractmethod
    def at_centre(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """(frame rows, ...) -> (user rows, ...): from the frame's row that each user row is the middle of."""

    @abstractmethod
    def group_alarms(self, frame: Frame, chosen: np.ndarray) -> list[np.ndarray]:
        """(user rows,) flags -> the chosen rows that belong together, each stretch in its order."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Options and what was learnt, as plain values, under the kind's name."""
