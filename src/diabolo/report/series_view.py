"""What a report shows of a series."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.convert import to_float, to_moments, to_seconds
from diabolo.data.columns.number import Number
from diabolo.data.sources import Series
from diabolo.report.cards import Card
from diabolo.report.drawing import timeline
from diabolo.report.drawing.axes import format_time
from diabolo.report.episodes import episode_cards
from diabolo.report.expected import series_segment
from diabolo.report.formatting import approximate, count, count_of, duration, format_number
from diabolo.report.view import Overview, View
from diabolo.utils.text import shorten

MAX_SERIES = 6  # of one table that are drawn: a choice
MAX_CHANNELS = 8  # of a series that are drawn: a choice
MAX_LINE_POINTS = 40_000  # of all observed lines together: a page of 2 MB can hold them
SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class SeriesRows:
    """One series of the data.

    Attributes:
        label: the value of the `by` column; empty if there is one series only.
        rows: the numbers of its rows, in the order of time.
        x: their times: seconds since 1970, or the numbers that the data has for a time.
    """

    label: str
    rows: np.ndarray
    x: np.ndarray


class SeriesView(View):
    """One or more series with one or more channels: points are scored by the windows that cover them."""

    kind = "series"
    unit = "point"
    max_sampled = 500  # windows: a choice

    @property
    def source(self) -> Series:
        """The source of the fit."""
        source = self.engine.source
        assert isinstance(source, Series)
        return source

    @cached_property
    def channels(self) -> list[str]:
        """The names of the scored channels."""
        return [n for n in self.engine.schema.scored if n in self.source.channels]

    @cached_property
    def dates(self) -> bool:
        """Whether times are dates rather than numbers."""
        time = self.source.time
        return time is not None and not Number.claims(self.columns[time])

    @cached_property
    def times(self) -> np.ndarray:
        """(rows,) seconds since 1970, or numeric times; the row's number without a time column."""
        source = self.source
        if source.time is None:
            return np.arange(self.user_table.rows, dtype=float)
        values = self.columns[source.time]
        if not self.dates:
            return to_float(values, source.time)
        return to_seconds(to_moments(values, source.time, source.form))

    @cached_property
    def series(self) -> list[SeriesRows]:
        """The series of the data, the one with the most anomalous point first."""
        groups: dict[str, np.ndarray] = {"": np.arange(self.user_table.rows)}
        if self.source.by is not None:
            coded = pc.fill_null(self.columns[self.source.by].cast(pa.string()), "(none)").dictionary_encode()
            index = coded.indices.to_numpy(zero_copy_only=False)
            order = np.argsort(index, kind="stable")
            parts = np.split(order, np.cumsum(np.bincount(index, minlength=len(coded.dictionary)))[:-1])
            groups = {f"{label.as_py()}": part for label, part in zip(coded.dictionary, parts, strict=True)}
        series = []
        for label, rows in groups.items():
            ordered = rows[np.argsort(self.times[rows], kind="stable")]
            series.append(SeriesRows(shorten(label), ordered, self.times[ordered]))
        return sorted(series, key=lambda s: -float(self.bits[s.rows].max()))

    @cached_property
    def positions(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows,) the number of each row's series, and its position in that series."""
        number = np.zeros(self.user_table.rows, np.int64)
        position = np.zeros(self.user_table.rows, np.int64)
        for i, series in enumerate(self.series):
            number[series.rows], position[series.rows] = i, np.arange(len(series.rows))
        return number, position

    @cached_property
    def days(self) -> float | None:
        """The number of days that all series cover together; None without dates."""
        if not self.dates:
            return None
        return sum(float(s.x[-1] - s.x[0]) for s in self.series) / SECONDS_A_DAY or None

    @property
    def expected_by_chance(self) -> float | None:
        return self.engine.calibration.false_episodes(self.user_table.rows, self.scores.threshold)

    @property
    def size(self) -> str:
        series = f", {len(self.series)} series" if len(self.series) > 1 else ""
        return super().size + series + (f", {_about(self.days)}" if self.days else "")

    @cached_property
    def frame_bits(self) -> np.ndarray:
        """(windows,) the anomaly score of the point in the middle of each window, in bits."""
        layout = self.frame.layout
        at_point = np.zeros(layout.points)
        np.maximum.at(at_point, layout.point, self.bits)
        return np.asarray(at_point[layout.start + self.source.length // 2])

    def when(self, row: int) -> str:
        if self.dates:
            seconds = float(self.times[row])
            return format_time(seconds, show_seconds=seconds % 60 > 0)
        time = self.source.time
        return f"row {row:,}" if time is None else f"{time} {format_number(self.times[row])}"

    def headline(self, number: int, first: Card) -> str:
        """Return the number of anomalies and the most anomalous of them, in one sentence.

        Args:
            number: how many episodes there are, at least 1.
            first: the card of the most anomalous one.
        """
        span = f"in {_about(self.days)}" if self.days else f"in {count_of(self.user_table.rows, 'point')}"
        finding, cell = first.title.replace(": ", ", ", 1), first.main_cell()
        if cell is not None:
            finding += f", with {cell.column} at {cell.observed} instead of {cell.expected}"
        if number == 1:
            return f"One anomalous episode {span}, {finding}."
        return f"{count(number)} anomalous episodes {span}; the most anomalous is {finding}."

    def cards(self) -> list[Card]:
        return episode_cards(self)

    def overview(self, n_cards: int) -> Overview:
        """Return the first series with their expected values and episodes, one drawing each."""
        series, channels = self.series[:MAX_SERIES], self.channels[:MAX_CHANNELS]
        most = MAX_LINE_POINTS // (len(series) * len(channels))
        drawings = []
        for number, one in enumerate(series):
            segment = series_segment(self, number, channels)
            drawing = timeline.draw(f"series{number}", segment, self.scores.threshold, max_points=most)
            description = (
                f"{len(segment.x)} points; {len(segment.spans)} shaded episodes; "
                "below, the anomaly score in bits."
            )
            drawings.append((one.label, drawing.svg(f"The series {one.label}".strip(), description, "wide")))
        left_out = []
        if len(self.series) > MAX_SERIES:
            left_out.append(f"the {MAX_SERIES} most anomalous of {count(len(self.series))} series are drawn")
        if len(self.channels) > MAX_CHANNELS:
            left_out.append(f"the first {MAX_CHANNELS} of {count(len(self.channels))} channels are drawn")
        return Overview(drawings, "; ".join(left_out))

    def key_figures(self) -> list[tuple[str, str, str]]:
        number, chance = len(self.scores.episodes), self.expected_by_chance
        days, unit = (self.days, " a day") if self.days else (1, "")
        remarks = [f"{approximate(number / days)} a day"] if self.days else []
        if chance is not None:
            remarks.append(f"about {approximate(chance / days)}{unit} by chance")
        return [("Episodes", count(number), "; ".join(remarks))]

    def episodes_above(self, levels: np.ndarray) -> list[int]:
        return [len(self.source.group_alarms(self.frame, self.bits > level)) for level in levels]

    def alarm_caveats(self) -> list[str]:
        return ["Neighbouring points share windows, so alarms come in episodes rather than one by one."]

    def caveats(self) -> list[str]:
        """Return what is irregular in the times of the series, and how far the windows reach."""
        source, point = self.source, self.frame.layout.point
        sentences = []
        shared = len(point) - len(np.unique(point))
        if shared:
            sentences.append(
                f"{count_of(shared, 'row shares its', 'rows share their')} time with another row; "
                "the values were averaged."
            )
        if not source.step:
            sentences.append(
                "The times do not lie on a grid: points were read in their order, as equidistant."
            )
        else:
            gaps = [float(np.diff(s.x).max()) for s in self.series if len(s.x) > 1]
            if gaps and max(gaps) > 3 * source.step:
                sentences.append(
                    f"The longest gap in the times is {count(max(gaps) / source.step)} steps; "
                    "nothing is known about the values in it."
                )
        sentences.append(
            f"A window holds {source.length} points: slower changes are detected only as far as "
            "they shift the level."
        )
        return sentences


def _about(days: float) -> str:
    """A number of days, rounded."""
    return count_of(round(days), "day") if days >= 3 else duration(days * SECONDS_A_DAY)
