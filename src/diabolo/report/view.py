"""What a report reads of data: the part that tables, series and images have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from diabolo import tasks
from diabolo.data.columns.convert import to_moments, to_seconds
from diabolo.data.fields import Batch
from diabolo.data.sources import Frame, UserTable, read_user_table
from diabolo.detection.cells import CellPredictions
from diabolo.engine import Engine
from diabolo.report.cards import Card
from diabolo.report.drawing.png import Thumbnail
from diabolo.report.formatting import count_of
from diabolo.tasks import Scores
from diabolo.tasks.base import Model
from diabolo.utils.sampling import evenly_spaced


@dataclass(frozen=True)
class Overview:
    """The drawings of all of the data.

    Attributes:
        drawings: (label, SVG) of each.
        left_out: what is not drawn, as text; empty if nothing is left out.
    """

    drawings: list[tuple[str, str]]
    left_out: str = ""


class View(ABC):
    """Data with its scores, read once; what differs between kinds of data is abstract or overridden.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.

    Attributes:
        kind: the kind of source that the view is for; also the first word of its template's name.
        unit: what is scored, in the singular.
        max_sampled: frame rows that the figures about columns are computed on.
        describes_columns: whether a report lists the columns, and how well they are predicted.
        user_table: the data.
        frame: the data as the networks read it: rows, or windows.
        scores: the anomaly score of each row.
        bits: (rows,) the same in bits; 0 where a row could not be scored.
    """

    kind: ClassVar[str]
    unit: ClassVar[str]
    max_sampled: ClassVar[int]
    describes_columns: ClassVar[bool] = True

    def __init__(self, model: Model, data: Any) -> None:
        self.model = model
        self.user_table: UserTable = read_user_table(data)
        self.frame: Frame = self.engine.read(self.user_table)
        self.scores: Scores = tasks.score(model, self.user_table)
        self.bits = np.nan_to_num(self.scores.bits)

    @classmethod
    def claims(cls, engine: Engine) -> bool:
        """Return whether the view is for the data of a model.

        Args:
            engine: the fitted model.
        """
        return engine.source.kind == cls.kind

    @property
    def engine(self) -> Engine:
        """The fitted engine of the model."""
        return self.model.engine_

    @cached_property
    def columns(self) -> dict[str, pa.Array]:
        """Name -> values of the data."""
        return self.user_table.columns()

    @cached_property
    def date_only_columns(self) -> set[str]:
        """The names of date columns whose values have no time of day."""
        names = set()
        for name, values in self.columns.items():
            if pa.types.is_date(values.type):
                names.add(name)
            elif pa.types.is_timestamp(values.type):
                seconds = to_seconds(to_moments(values, name))
                if (seconds[np.isfinite(seconds)] % 86_400 == 0).all():
                    names.add(name)
        return names

    @cached_property
    def sample(self) -> tuple[Batch, CellPredictions]:
        """Evenly spaced rows of the frame, and the predictions of their cells."""
        batch = self.engine.schema.encode(self.frame[self.evenly_spaced(self.max_sampled)])
        return batch, self.engine.cells(batch)

    def evenly_spaced(self, most: int) -> np.ndarray:
        """Return the numbers of at most `most` rows of the frame, evenly spaced."""
        return np.unique(evenly_spaced(self.frame.rows, most))

    @property
    def size(self) -> str:
        """The size of the data, as text."""
        return f"{count_of(self.user_table.rows, 'row')}, {count_of(len(self.columns), 'column')}"

    @property
    def days(self) -> float | None:
        """The number of days that the data covers; None without dates."""
        return None

    @property
    def expected_by_chance(self) -> float | None:
        """How many alarms (or episodes) are expected among data like that of the fit; None if unknown."""
        return self.scores.alarm_rate * self.user_table.rows

    @property
    @abstractmethod
    def frame_bits(self) -> np.ndarray:
        """(frame rows,) the anomaly score of each row of the frame, in bits."""

    @abstractmethod
    def when(self, row: int) -> str:
        """Return the title of a row: its number, or its time."""

    @abstractmethod
    def headline(self, number: int, first: Card) -> str:
        """Return the finding in one sentence.

        Args:
            number: how many alarms (or episodes) there are, at least 1.
            first: the card of the most anomalous one.
        """

    @abstractmethod
    def cards(self) -> list[Card]:
        """Return the cards of the most anomalous rows or episodes, the most anomalous first."""

    @abstractmethod
    def overview(self, n_cards: int) -> Overview:
        """Return the drawings of all of the data.

        Args:
            n_cards: how many cards the page has.
        """

    def key_figures(self) -> list[tuple[str, str, str]]:
        """Return (label, value, remark) of figures that only this kind of data has."""
        return []

    def thumbnails(self, rows: list[int]) -> dict[int, Thumbnail]:
        """Return row -> what is drawn in place of its dot on the map; empty where dots say as much.

        Args:
            rows: numbers of rows of the frame.
        """
        return {}

    @property
    def files(self) -> list[str]:
        """The files that hold the data, where the data that was read only names them."""
        return []

    def further_content(self) -> dict[str, Any]:
        """Return variables that only the template of this kind of data has."""
        return {}

    @property
    def about_expected(self) -> str:
        """What an expected value is."""
        return (
            "“Expected” is the prediction from the other cells of a row. It does not prove that the cell is "
            "wrong, and names no cause: if two columns disagree, either may be wrong."
        )

    def episodes_above(self, levels: np.ndarray) -> list[int]:
        """Return the number of episodes above each level in bits; empty for data without episodes."""
        return []

    def alarm_caveats(self) -> list[str]:
        """Return what to know about the alarms of this kind of data, as sentences."""
        return []

    def caveats(self) -> list[str]:
        """Return what is irregular in this data, as sentences."""
        return []
