"""What a report sees: the data as the model reads it, its scores, and its series in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo import tasks
from diabolo.data.columns.convert import to_float, to_moments, to_seconds
from diabolo.data.columns.number import Number
from diabolo.data.fields import Batch
from diabolo.data.sources import Frame, Series, UserTable, read_user_table
from diabolo.detection.cells import CellPredictions
from diabolo.engine import Engine
from diabolo.report.drawing.svg import moment
from diabolo.report.formatting import clipped, figure
from diabolo.tasks import Scores
from diabolo.utils.sampling import evenly_spaced

SAMPLE = 2_000
WINDOWS = 500


@dataclass(frozen=True)
class SeriesRows:
    """One series of the data.

    Attributes:
        label: the value of the `by` column; empty if there is one series only.
        rows: its rows, in the order of time.
        x: their times: seconds since 1970, or the numbers that the data has for a time.
    """

    label: str
    rows: np.ndarray
    x: np.ndarray


class View:
    """The data as the model reads it, read once.

    Attributes:
        native: the data.
        frame: its rows, or its windows.
        scores: how odd each row is.
        bits: (rows,) the same, 0 where a row could not be scored.
    """

    def __init__(self, model: Any, data: Any) -> None:
        self.model = model
        self.user_table: UserTable = read_user_table(data)
        self.frame: Frame = self.engine.read(self.user_table)
        self.scores: Scores = tasks.score(model, self.user_table)
        self.bits = np.nan_to_num(self.scores.bits)

    @property
    def engine(self) -> Engine:
        """What was fitted."""
        engine: Engine = self.model.engine_
        return engine

    @property
    def series(self) -> Series | None:
        """The source, if the data is a series."""
        source = self.engine.source
        return source if isinstance(source, Series) else None

    @cached_property
    def channels(self) -> list[str]:
        """The scored channels of a series."""
        source = self.series
        return [] if source is None else [n for n in self.engine.schema.scored if n in source.channels]

    @cached_property
    def columns(self) -> dict[str, pa.Array]:
        """The data's columns."""
        return self.user_table.columns()

    @cached_property
    def dates(self) -> bool:
        """Whether times are moments rather than numbers."""
        source = self.series
        return source is not None and source.time is not None and not Number.claims(self.columns[source.time])

    @cached_property
    def times(self) -> np.ndarray:
        """(rows,) seconds since 1970, or numbers that stand for a time; the row's number if there is none."""
        source = self.series
        if source is None or source.time is None:
            return np.arange(self.user_table.rows, dtype=float)
        values = self.columns[source.time]
        if not self.dates:
            return to_float(values, source.time)
        return to_seconds(to_moments(values, source.time, source.form))

    @cached_property
    def strands(self) -> list[SeriesRows]:
        """The series of the data, the one with the oddest point first."""
        source = self.series
        if source is None:
            return []
        groups: dict[str, np.ndarray] = {"": np.arange(self.user_table.rows)}
        if source.by is not None:
            coded = pc.fill_null(self.columns[source.by].cast(pa.string()), "(none)").dictionary_encode()
            index = coded.indices.to_numpy(zero_copy_only=False)
            order = np.argsort(index, kind="stable")
            parts = np.split(order, np.cumsum(np.bincount(index, minlength=len(coded.dictionary)))[:-1])
            groups = {f"{label.as_py()}": part for label, part in zip(coded.dictionary, parts, strict=True)}
        made = []
        for label, rows in groups.items():
            sort = rows[np.argsort(self.times[rows], kind="stable")]
            made.append(SeriesRows(clipped(label), sort, self.times[sort]))
        return sorted(made, key=lambda s: -float(self.bits[s.rows].max()))

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows,) the number of each row's strand, and its place in it."""
        strand_of, place_of = (
            np.zeros(self.user_table.rows, np.int64),
            np.zeros(self.user_table.rows, np.int64),
        )
        for number, strand in enumerate(self.strands):
            strand_of[strand.rows], place_of[strand.rows] = number, np.arange(len(strand.rows))
        return strand_of, place_of

    @cached_property
    def days(self) -> float | None:
        """Days that the series cover, all together; None without dates."""
        if not self.dates:
            return None
        return sum(float(s.x[-1] - s.x[0]) for s in self.strands) / 86_400 or None

    @cached_property
    def whole_days(self) -> set[str]:
        """The names of the columns of dates that hold no time of day."""
        found = set()
        for name, values in self.columns.items():
            if pa.types.is_date(values.type):
                found.add(name)
            elif pa.types.is_timestamp(values.type):
                seconds = to_seconds(to_moments(values, name))
                if (seconds[np.isfinite(seconds)] % 86_400 == 0).all():
                    found.add(name)
        return found

    def when(self, row: int) -> str:
        """The time of a row, in words."""
        if self.dates:
            seconds = float(self.times[row])
            return moment(seconds, fine=seconds % 60 > 0)
        source = self.series
        return (
            f"row {row:,}"
            if source is None or source.time is None
            else f"{source.time} {figure(self.times[row])}"
        )

    def even(self, most: int) -> np.ndarray:
        """At most so many rows of the frame, evenly chosen."""
        return np.unique(evenly_spaced(self.frame.rows, most))

    @cached_property
    def sample(self) -> tuple[Batch, CellPredictions]:
        """An even choice of the rows (or windows), and what is expected in their cells."""
        batch = self.engine.schema.encode(self.frame[self.even(WINDOWS if self.series else SAMPLE)])
        return batch, self.engine.cells(batch)

    @cached_property
    def frame_bits(self) -> np.ndarray:
        """(frame rows,) how odd each is; a window is as odd as the point in its middle."""
        if self.series is None:
            return np.asarray(self.bits)
        place = self.frame.layout
        at_point = np.zeros(place.points)
        np.maximum.at(at_point, place.point, self.bits)
        return np.asarray(at_point[place.start + self.series.length // 2])
