"""Series: every row is a point in time and is read with the points around it, as windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.stride_tricks import sliding_window_view

from diabolo.data.columns import Column, Values, Window
from diabolo.data.columns.convert import (
    find_date_formats,
    from_seconds,
    to_float,
    to_moments,
    to_seconds,
    to_text,
)
from diabolo.data.columns.number import Number
from diabolo.data.sources.base import Frame, Source
from diabolo.data.sources.channels import find_channels
from diabolo.data.sources.grid import (
    grid_step,
    lay_out_windows,
    mean_at_points,
    notes_on_times,
    rows_by_series,
    split_positions,
)
from diabolo.data.splitting import Fold, Split, split_in_time, split_windows
from diabolo.data.user_table import UserTable
from diabolo.errors import ColumnError, DataError, OptionError
from diabolo.utils.checks import is_finite_number, is_text_list, require

DEFAULT_LENGTH = 128  # points of a window, if the series is long enough; a choice
PEAK_SHARE = 0.8  # of the highest bits of an episode; points above belong to its peak
MAX_TRAINING_WINDOWS = 20_000  # evenly spaced; windows overlap, so that more add little
MIN_SERIES_LENGTH = 8  # points of the longest series; a choice
MIN_LENGTH = 4  # of a window whose length is chosen from the data


@dataclass
class Series(Source):
    """Windows of one series or several, each with one or more channels.

    Args:
        time: name of the time column; None if the rows are equally spaced in their order.
        by: name of the column that tells which series a row belongs to; None if there is one series.
        window: points in a window; None for a length that suits the data (128, less for short series).
        extra_columns: names of columns that are no channels: read at the middle of each window.

    Attributes:
        step: seconds (or units of a numeric time column) from one point to the next; 0 if the times are
            too irregular for a grid, and the points simply follow each other.
        length: points in a window.
        channels: names of the columns that windows are made of.
        types: their arrow types.
        series_names: names of the series of the fit; each has its own place in time.
        form: the date format of times that are text; empty for others.
        end: the step after the last one of the fit.
        notes: what the user should know about the times.
    """

    time: str | None = None
    by: str | None = None
    window: int | None = None
    extra_columns: tuple[str, ...] = ()
    step: float = 1.0
    length: int = 0
    channels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    series_names: tuple[str, ...] = ()
    form: str = ""
    end: int = 0
    notes: tuple[str, ...] = ()

    kind = "series"
    unit = "point"
    max_training_rows = MAX_TRAINING_WINDOWS

    def __post_init__(self) -> None:
        for name in ("extra_columns", "channels", "types", "series_names", "notes"):
            setattr(self, name, tuple(getattr(self, name)))

    @classmethod
    def claims(cls, options: Mapping[str, Any]) -> bool:
        if options.get("by") is not None and options.get("time") is None and options.get("window") is None:
            raise OptionError(
                f"by={options['by']!r} needs a series", hint='name its time column too: time="..."'
            )
        return options.get("time") is not None or options.get("window") is not None

    @classmethod
    def from_options(cls, options: Mapping[str, Any], extra_columns: Sequence[str] = ()) -> Self:
        """Return a series with the requested time, key and window, not yet fitted.

        Args:
            options: name -> value of every option of `Autoencoder`.
            extra_columns: names of columns that are no channels.

        Raises:
            OptionError: the window is no number of points.
        """
        window = options["window"]
        if isinstance(window, str) and window != "auto":
            raise OptionError(
                f"window={window!r}: expected a number of points", hint='window=64, or window="auto"'
            )
        points = None if isinstance(window, str) else window
        return cls(options["time"], options["by"], points, tuple(extra_columns))

    @property
    def reserved_columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.time, self.by) if name is not None)

    @property
    def calendar(self) -> str | None:
        return self.time

    def fit(self, user_table: UserTable) -> Self:
        columns = user_table.columns()
        for option, name in (("time", self.time), ("by", self.by)):
            if name is not None and name not in columns:
                shown = ", ".join(list(columns)[:20])
                raise OptionError(
                    f"{option}={name!r} is not a column of the data", hint=f"the columns are: {shown}"
                )
        channels = find_channels(columns, self.reserved_columns, self.extra_columns)
        forms = find_date_formats(columns[self.time]) if self.time is not None else []
        form = forms[0] if forms else ""
        times, series_of_row = replace(self, form=form)._times(columns), self._series_of_rows(columns)
        longest = max(len(rows) for _, rows in rows_by_series(series_of_row))
        if longest < MIN_SERIES_LENGTH:
            raise DataError(
                f"the longest series has {longest} points; at least {MIN_SERIES_LENGTH} are needed",
                hint="more points, or no time=... to read it as a table",
            )
        length = (
            self.window
            if self.window is not None
            else int(np.clip(longest // (3 * len(channels)), MIN_LENGTH, DEFAULT_LENGTH))
        )
        if not 2 <= length <= longest:
            raise OptionError(
                f"window={length} does not fit a series of {longest} points",
                hint=f"window={min(max(longest // 3, 2), DEFAULT_LENGTH)}",
            )
        step = grid_step(times, series_of_row)
        last = len(times) - 1 if not step else round(float(times.max()) / step)
        return replace(
            self,
            step=step,
            end=int(last) + 1,
            length=length,
            channels=channels,
            types=tuple(str(columns[name].type) for name in channels),
            series_names=tuple(np.unique(series_of_row).tolist()),
            form=form,
            notes=notes_on_times(self.time, self.by, forms, times, series_of_row),
        )

    def extend(self, user_table: UserTable) -> Self:
        """Return the source with newer rows after those of the fit.

        Raises:
            DataError: the spacing of the newer rows differs.
        """
        columns = user_table.columns()
        times, series_of_row = self._times(columns), self._series_of_rows(columns)
        step = grid_step(times, series_of_row)
        if abs(step - self.step) > 0.1 * self.step:
            raise DataError(
                f"the newer rows have a step of {step:g}, those of the fit {self.step:g}",
                hint="resample them to the step of the fit, or fit a new model on them",
            )
        end = self.end + len(times) if self.has_no_clock else round(float(times.max()) / self.step) + 1
        return replace(
            self,
            end=max(self.end, end),
            series_names=tuple(dict.fromkeys([*self.series_names, *np.unique(series_of_row).tolist()])),
        )

    @property
    def overlaps(self) -> bool:
        return True

    def split(self, frame: Frame, seed: int) -> Split:
        """Set blocks of neighbouring windows aside.

        Args:
            frame: windows.
            seed: not used: blocks lie evenly.
        """
        assert frame.positions is not None
        return split_windows(frame.positions, self.length)

    def folds(self, frame: Frame, *, solved: bool) -> list[Fold]:
        return split_in_time(frame.layout.start, self.length, len(self.channels), solved=solved)

    def narrow(self, frame: Frame, rows: np.ndarray) -> tuple[Frame, np.ndarray]:
        """Return the windows within a window's length of the rows.

        Args:
            frame: windows.
            rows: the user's rows.
        """
        return frame.only(frame.layout.near(rows, self.length)), rows

    def covering(self, frame: Frame, rows: np.ndarray) -> np.ndarray:
        """Return the windows that cover the rows.

        Args:
            frame: windows.
            rows: the user's rows.
        """
        return np.asarray(frame.layout.covering(rows, self.length))

    def thin(self, frame: Frame, every: int) -> np.ndarray:
        """Return windows that are `every` points apart, and the first and last window of each series.

        Args:
            frame: windows.
            every: points from one window to the next.
        """
        return np.asarray(frame.layout.thin(every))

    @property
    def has_no_clock(self) -> bool:
        """Whether rows have no times that determine their positions: newer ones then simply follow."""
        return self.time is None or not self.step

    def read(self, user_table: UserTable) -> Frame:
        columns = user_table.columns()
        for name in (self.time, self.by, *self.channels):
            if name is not None and name not in columns:
                raise DataError(
                    f"the series has no column {name!r}", hint=f"it has {', '.join(list(columns)[:20])}"
                )
        times, series_of_row = self._times(columns), self._series_of_rows(columns)
        layout, positions, middle_times = lay_out_windows(
            times, series_of_row, self.series_names, self.step, self.length
        )
        frame: dict[str, Values] = {}
        for name in self.channels:
            values = mean_at_points(to_float(columns[name], name), layout.point, layout.points)
            windows = sliding_window_view(values, self.length)
            frame[name] = windows if len(windows) == len(layout.start) else windows[layout.start]
        row_at = np.full(layout.points, -1, np.int64)
        row_at[layout.point] = np.arange(user_table.rows)
        middle = row_at[layout.start + self.length // 2]
        taken = pa.array(middle, mask=middle < 0)
        for name, column in columns.items():
            if name == self.time:
                if not Number.claims(column):
                    frame[name] = from_seconds(middle_times, getattr(column.type, "tz", None))
            elif name not in self.channels:
                frame[name] = column.take(taken)
        return Frame(frame, len(layout.start), user_table, positions, layout)

    def fold(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """Return (user rows,): the mean of the answers of the windows that cover each point.

        Args:
            frame: windows.
            answers: (windows,) or (windows, length); those that are not finite are left out.
        """
        return np.asarray(frame.layout.fold(answers, self.length))

    def at_centre(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """Return (user rows, ...): the answer of the window centred on each point, or of the nearest one.

        Args:
            frame: windows.
            answers: (windows, ...).
        """
        return np.asarray(answers[frame.layout.centred(self.length)])

    def starts(self, positions: np.ndarray, frame: Frame) -> dict[str, Any]:
        """Return the times of the first points of windows, under the names of the time and key columns.

        Args:
            positions: (windows,) positions in time.
            frame: the data; its columns say how times are written.
        """
        number, step = split_positions(positions, self.by is not None)
        names = dict(enumerate(self.series_names))
        columns: dict[str, Any] = {}
        if self.by is not None:
            columns[self.by] = pa.array([names.get(int(n)) for n in number], pa.string())
        if self.time is None or not self.step:
            # Points that simply follow each other are numbered.
            columns["point"] = pa.array(step)
        elif Number.claims(frame.user_table.columns()[self.time]):
            columns[self.time] = pa.array(step * self.step)
        else:
            columns[self.time] = from_seconds(step * self.step)
        return columns

    def in_time(self, frame: Frame) -> list[np.ndarray]:
        return list(frame.layout.rows_in_time())

    @property
    def can_drift(self) -> bool:
        return len(self.channels) == 1  # several sensors of a test bench have faults as long as the fit

    def group_alarms(self, frame: Frame, alarms: np.ndarray) -> list[np.ndarray]:
        """Return the user rows of each episode: alarms less than half a window apart belong together.

        Args:
            frame: windows.
            alarms: (user rows,) flags.
        """
        return list(frame.layout.group(np.flatnonzero(alarms), max(self.length // 2, 1)))

    def peaks(self, frame: Frame, bits: np.ndarray, threshold: float) -> np.ndarray:
        """Return (windows, length) which points lie at the top of an alarm.

        A single anomalous point raises the score of its neighbours for a window's length, in a triangle.

        Args:
            frame: windows.
            bits: (user rows,) anomaly scores; NaN where there is none.
            threshold: bits above which a point is an alarm.
        """
        layout = frame.layout
        top = np.zeros(layout.points, bool)
        for episode in self.group_alarms(frame, np.nan_to_num(bits) > threshold):
            top[layout.point[episode[bits[episode] >= PEAK_SHARE * bits[episode].max()]]] = True
        return np.asarray(top[layout.start[:, None] + np.arange(self.length)])

    @property
    def groups(self) -> int:
        return len(self.series_names) if self.by is not None else 1

    def group_of(self, positions: np.ndarray | None, rows: int) -> np.ndarray:
        assert positions is not None
        return np.asarray(np.minimum(split_positions(positions, self.by is not None)[0], self.groups))

    def present_values(self, frame: Frame) -> np.ndarray:
        columns, order = frame.user_table.columns(), np.argsort(frame.layout.point, kind="stable")
        return np.stack([np.isfinite(to_float(columns[n], n))[order] for n in self.channels], 1)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    def fits(self, name: str, column: Column) -> bool:
        """Return whether a stored column can be a channel with windows of this length, or context.

        Args:
            name: of the column.
            column: what was learnt of it.
        """
        if not isinstance(column, Window):
            return True
        return name in self.channels and column.length == self.length

    def check(self) -> None:
        require(
            all(v is None or isinstance(v, str) for v in (self.time, self.by)), "time column or series column"
        )
        require(is_finite_number(self.step) and self.step >= 0, "step of the series")
        require(type(self.end) is int, "end of the series")
        require(type(self.length) is int and self.length >= 2, "length of the windows")
        names = (self.extra_columns, self.channels, self.types, self.series_names)
        require(all(is_text_list(v) for v in names), "channels of the series")

    def _times(self, columns: Mapping[str, pa.Array]) -> np.ndarray:
        """Return (rows,) the times as numbers; without a time column, the numbers of the rows."""
        if self.time is None:
            return np.arange(len(next(iter(columns.values()))), dtype=float)
        return self.seconds(columns[self.time])

    def seconds(self, values: pa.Array) -> np.ndarray:
        """Return (rows,) the values of a time column as numbers; for dates, the seconds since 1970.

        Raises:
            ColumnError: a value is missing or is not a time.
        """
        name = str(self.time)
        seconds = (
            to_float(values, name)
            if Number.claims(values)
            else to_seconds(to_moments(values, name, self.form))
        )
        if not np.isfinite(seconds).all():
            row = int(np.flatnonzero(~np.isfinite(seconds))[0])
            raise ColumnError(
                "a point without a time", column=name, row=row, hint="drop the rows without a time"
            )
        return seconds

    def _series_of_rows(self, columns: Mapping[str, pa.Array]) -> np.ndarray:
        """Return (rows,) the name of the series that each row belongs to; empty without `by`."""
        if self.by is None:
            return np.full(len(next(iter(columns.values()))), "")
        return np.asarray(pc.fill_null(to_text(columns[self.by], self.by), ""), dtype=str)
