"""Series: every row is a point in time, and what counts is the stretch around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.stride_tricks import sliding_window_view

from diabolo.data.columns import Values
from diabolo.data.columns.convert import (
    find_date_formats,
    format_in_words,
    from_seconds,
    is_text,
    to_float,
    to_moments,
    to_seconds,
    to_text,
)
from diabolo.data.columns.number import Number
from diabolo.data.sources.base import Frame, Source
from diabolo.data.splitting import Split, split_windows
from diabolo.data.user_table import UserTable
from diabolo.errors import ColumnError, DataError, OptionError
from diabolo.utils.checks import is_finite_number, is_text_list, require

DEFAULT_LENGTH = 128
PEAK_SHARE = 0.8  # of the highest bits of an episode: points above are its peak
MAX_TRAINING_WINDOWS = 20_000  # of very many, which overlap, evenly spaced ones are enough
# Series of one table are this many steps apart, so that their windows are never neighbours in time.
SERIES_OFFSET = 1 << 40


@dataclass(frozen=True)
class WindowLayout:
    """Where the user's rows lie on the grid of points, and where the windows start.

    Attributes:
        point: (user rows,) each row's point.
        start: (windows,) the first point of each window.
        points: how many points there are, with those of gaps and of padding.
    """

    point: np.ndarray
    start: np.ndarray
    points: int

    def only(self, windows: np.ndarray) -> WindowLayout:
        """The place of some of the windows."""
        return replace(self, start=self.start[windows])


@dataclass
class Series(Source):
    """Windows of a series with one channel or more, one series or several.

    Args:
        time: the name of the time column; None if the rows are equally spaced as they stand.
        by: the name of the column that says which series a row belongs to.
        window: points in a window; None for a length that suits the data (128, less for short series).
        beside: channels that are not windows: read as they are at the middle of each window.

    Attributes:
        step: seconds (or units of a numeric time column) from one point to the next; 0 where the
            times are too irregular for a grid, and the points simply follow each other.
        length: points in a window.
        channels: the names of the columns that windows are made of.
        types: their arrow types.
        groups: the names of the series that were seen; each has its own place in time.
        form: how the times are written, where they are text.
        end: the step after the last one that was seen.
        notes: what is worth knowing about the times.
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
        beside = {self.time, self.by, *self.extra_columns}
        channels = tuple(
            n for n, v in columns.items() if n not in beside and Number.claims(v) and v.null_count < len(v)
        )
        if not channels:
            text = [n for n, v in columns.items() if n not in beside and is_text(v.type)]
            left = [n for n in self.extra_columns if n in columns and Number.claims(columns[n])]
            hint = "a series needs a value column beside its time"
            raise DataError(
                "the series has no column of numbers"
                + (f"; {text[0]!r} is text" if text else "")
                + (f"; {left[0]!r} is an id, or was left out" if left else ""),
                hint=hint + (f"; scored=[{left[0]!r}] makes it one" if left else ""),
            )
        forms = find_date_formats(columns[self.time]) if self.time is not None else []
        form = forms[0] if forms else ""
        times, groups = replace(self, form=form)._times(columns), self._series_of_rows(columns)
        longest = max(len(rows) for _, rows in _rows_by_series(groups))
        if longest < 8:
            raise DataError(
                f"the longest series has {longest} points; at least 8 are needed",
                hint="more points, or no time=... to read it as a table",
            )
        length = self.window if self.window is not None else int(np.clip(longest // 3, 4, DEFAULT_LENGTH))
        if not 2 <= length <= longest:
            raise OptionError(
                f"window={length} does not fit a series of {longest} points",
                hint=f"window={min(max(longest // 3, 2), DEFAULT_LENGTH)}",
            )
        seen, step = tuple(np.unique(groups).tolist()), _grid_step(times, groups)
        last = len(times) - 1 if not step else round(float(times.max()) / step)
        return replace(
            self,
            step=step,
            end=int(last) + 1,
            length=length,
            channels=channels,
            types=tuple(str(columns[name].type) for name in channels),
            series_names=seen,
            form=form,
            notes=tuple(self._notes(forms, times, groups)),
        )

    def extend(self, user_table: UserTable) -> Self:
        """The same series, with newer rows behind those that were seen.

        Raises:
            DataError: they have another spacing.
        """
        columns = user_table.columns()
        times, groups = self._times(columns), self._series_of_rows(columns)
        step = _grid_step(times, groups)
        if abs(step - self.step) > 0.1 * self.step:
            raise DataError(
                f"the newer rows lie {step:g} apart, those of the fit {self.step:g}",
                hint="bring them to the spacing of the fit, or fit a new model on them",
            )
        end = self.end + len(times) if self.has_no_clock else round(float(times.max()) / self.step) + 1
        return replace(
            self,
            end=max(self.end, end),
            series_names=tuple(dict.fromkeys([*self.series_names, *np.unique(groups).tolist()])),
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

    def narrow(self, frame: Frame, rows: np.ndarray) -> tuple[Frame, np.ndarray]:
        """Take the windows that cover the rows, and those a window around them.

        Args:
            frame: windows.
            rows: the user's rows.
        """
        layout, length = frame.layout, self.length
        near = np.zeros(layout.points + length, bool)
        for point in np.unique(layout.point[rows]):
            near[max(point - 2 * length + 1, 0) : point + length] = True
        return frame.only(np.flatnonzero(near[layout.start])), rows

    def covering(self, frame: Frame, rows: np.ndarray) -> np.ndarray:
        """Return the windows that cover the rows.

        Args:
            frame: windows.
            rows: the user's rows.
        """
        layout, length = frame.layout, self.length
        wanted = np.zeros(layout.points + length, bool)
        wanted[layout.point[rows]] = True
        reach = np.convolve(wanted, np.ones(length), mode="full")[length - 1 :]
        return np.flatnonzero(reach[layout.start] > 0.5)

    def thin(self, frame: Frame, every: int) -> np.ndarray:
        """Return windows that are `every` points apart, and the first and last window of each series.

        Args:
            frame: windows.
            every: points from one window to the next.
        """
        start = frame.layout.start
        ends = np.flatnonzero(np.diff(start) > 1)
        return np.unique(np.r_[np.arange(0, len(start), every), ends, ends + 1, len(start) - 1])

    @property
    def has_no_clock(self) -> bool:
        """Whether rows have no times that tell their places: then newer ones simply follow."""
        return self.time is None or not self.step

    def read(self, user_table: UserTable) -> Frame:
        columns = user_table.columns()
        for name in (self.time, self.by, *self.channels):
            if name is not None and name not in columns:
                raise DataError(
                    f"the series has no column {name!r}", hint=f"it has {', '.join(list(columns)[:20])}"
                )
        times, groups = self._times(columns), self._series_of_rows(columns)
        point = np.empty(user_table.rows, np.int64)
        starts, positions, clocks, total = [], [], [], 0
        parts = _rows_by_series(groups)
        several = len(parts) > 1
        known = {name: number for number, name in enumerate(self.series_names)}
        for group, rows in parts:
            number = known.setdefault(group, len(known))
            order = rows[np.argsort(times[rows], kind="stable")]
            if self.step:
                tick = np.round(times[order] / self.step).astype(np.int64)
                index, first = tick - tick[0], int(tick[0])
            else:
                index, first = np.arange(len(order)), 0
            size = max(int(index[-1]) + 1, self.length)
            if size > 20 * len(order) + 10_000:
                raise DataError(
                    f"at a step of {self.step:g} the series would have {size} points; {len(order)} are there",
                    hint="fit on data that is spaced like this, or cut the series at its longest gap",
                )
            point[order] = total + index
            start = total + np.arange(size - self.length + 1)
            starts.append(start)
            positions.append(number * SERIES_OFFSET + first + start - total)
            clocks.append(np.interp(start - total + self.length // 2, index, times[order]))
            # Series of one table lie a window apart, so that no stretch runs from one into the next.
            total += size + self.length * several
        start = np.concatenate(starts)
        frame: dict[str, Values] = {}
        for name in self.channels:
            windows = sliding_window_view(
                _mean_at_points(to_float(columns[name], name), point, total), self.length
            )
            frame[name] = windows[start] if several else windows
        row_at = np.full(total, -1, np.int64)
        row_at[point] = np.arange(user_table.rows)
        middle = row_at[start + self.length // 2]
        taken = pa.array(middle, mask=middle < 0)
        for name, values in columns.items():
            if name == self.time:
                if not Number.claims(values):
                    frame[name] = from_seconds(np.concatenate(clocks), getattr(values.type, "tz", None))
            elif name not in self.channels:
                frame[name] = values.take(taken)
        return Frame(
            frame, len(start), user_table, np.concatenate(positions), WindowLayout(point, start, total)
        )

    def fold(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        """The mean over the windows that cover a point: (windows,) or (windows, length) -> (user rows,)."""
        place: WindowLayout = frame.layout
        answers = np.asarray(answers, dtype=float)
        total, count = np.zeros(place.points + 1), np.zeros(place.points + 1)
        if answers.ndim == 1:
            known = np.isfinite(answers)
            value, one = np.where(known, answers, 0.0), known.astype(float)
            for sums, part in ((total, value), (count, one)):
                sums[place.start] += part
                sums[place.start + self.length] -= part
            total, count = np.cumsum(total), np.cumsum(count)
        else:
            for offset in range(self.length):
                part = answers[:, offset]
                known = np.isfinite(part)
                total[place.start[known] + offset] += part[known]
                count[place.start[known] + offset] += 1
        mean = np.divide(total, count, out=np.full(place.points + 1, np.nan), where=count > 0.5)
        return np.asarray(mean[place.point])

    def at_centre(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        # The nearest window, at the ends of a series.
        start = frame.layout.start
        wanted = frame.layout.point - self.length // 2
        after = np.clip(np.searchsorted(start, wanted), 0, len(start) - 1)
        before = np.maximum(after - 1, 0)
        nearest = np.where(np.abs(start[before] - wanted) < np.abs(start[after] - wanted), before, after)
        return np.asarray(answers[nearest])

    def starts(self, positions: np.ndarray, frame: Frame) -> dict[str, Any]:
        """When windows at these positions start, under the names of the time and key columns of a frame."""
        number, step = np.divmod(positions, SERIES_OFFSET)
        names = dict(enumerate(self.series_names))
        found: dict[str, Any] = {}
        if self.by is not None:
            found[self.by] = pa.array([names.get(int(n)) for n in number], pa.string())
        if self.time is None or not self.step:
            # Points that simply follow each other are counted.
            found["point"] = pa.array(step)
        elif Number.claims(frame.user_table.columns()[self.time]):
            found[self.time] = pa.array(step * self.step)
        else:
            found[self.time] = from_seconds(step * self.step)
        return found

    def group_alarms(self, frame: Frame, chosen: np.ndarray) -> list[np.ndarray]:
        rows = np.flatnonzero(chosen)
        if len(rows) == 0:
            return []
        points = frame.layout.point[rows]
        order = np.argsort(points, kind="stable")
        # Alarms less than half a window apart are one event: a window sees both.
        breaks = np.flatnonzero(np.diff(points[order]) > max(self.length // 2, 1)) + 1
        return np.split(rows[order], breaks)

    def peaks(self, frame: Frame, bits: np.ndarray, threshold: float) -> np.ndarray:
        """Return (windows, length) which points lie at the top of an alarm.

        A single anomalous point raises the score of its neighbours for a window's length, in a triangle.

        Args:
            frame: windows.
            bits: (user rows,) anomaly scores; NaN where they are not known.
            threshold: bits above which a point is an alarm.
        """
        layout = frame.layout
        top = np.zeros(layout.points, bool)
        for episode in self.group_alarms(frame, np.nan_to_num(bits) > threshold):
            top[layout.point[episode[bits[episode] >= PEAK_SHARE * bits[episode].max()]]] = True
        return np.asarray(top[layout.start[:, None] + np.arange(self.length)])

    def present_values(self, frame: Frame) -> np.ndarray:
        columns, order = frame.user_table.columns(), np.argsort(frame.layout.point, kind="stable")
        return np.stack([np.isfinite(to_float(columns[n], n))[order] for n in self.channels], 1)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

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
        if self.time is None:
            return np.arange(len(next(iter(columns.values()))), dtype=float)
        return self.seconds(columns[self.time])

    def seconds(self, values: pa.Array) -> np.ndarray:
        """(rows,) what a time column says, as a number: of moments, the seconds since 1970.

        Raises:
            ColumnError: a value is no time, or is not there.
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

    def _notes(self, forms: list[str], times: np.ndarray, groups: np.ndarray) -> list[str]:
        notes = []
        if len(forms) > 1:
            first, other = format_in_words(forms[0]), format_in_words(forms[1])
            notes.append(f"the times in {self.time!r} are read as {first}; {other} would fit too")
        shared = len(times) - sum(len(np.unique(times[rows])) for _, rows in _rows_by_series(groups))
        if shared > len(times) / 20:
            hint = "" if self.by else '; by="..." names the column that tells several series apart'
            said = f"{shared:,} of {len(times):,} rows have the time of another, and are read as their mean"
            notes.append(said + hint)
        return notes

    def _series_of_rows(self, columns: Mapping[str, pa.Array]) -> np.ndarray:
        if self.by is None:
            return np.full(len(next(iter(columns.values()))), "")
        return np.asarray(pc.fill_null(to_text(columns[self.by], self.by), ""), dtype=str)


def _rows_by_series(groups: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The series' names, and the rows of each."""
    names, start = np.unique(np.sort(groups), return_index=True)
    rows = np.split(np.argsort(groups, kind="stable"), start[1:])
    return list(zip(names.tolist(), rows, strict=True))


def _grid_step(times: np.ndarray, groups: np.ndarray) -> float:
    """The spacing of the grid, or 0 if the times do not lie on one."""
    gaps = np.concatenate([np.diff(np.sort(times[rows])) for _, rows in _rows_by_series(groups)])
    gaps = gaps[gaps > 0]
    if len(gaps) == 0:
        return 0.0
    step = float(np.median(gaps))
    off = np.abs(gaps / step - np.round(gaps / step))
    on_grid = float((off < 0.1).mean())
    sparse = float(np.minimum(gaps / step, 1e6).sum()) > 5 * len(gaps) + 1_000
    return step if on_grid >= 0.9 and not sparse else 0.0


def _mean_at_points(values: np.ndarray, point: np.ndarray, points: int) -> np.ndarray:
    """The mean of the values at each point; NaN where there is none."""
    known = np.isfinite(values)
    total = np.bincount(point[known], weights=values[known], minlength=points)
    count = np.bincount(point[known], minlength=points)
    return np.asarray(np.divide(total, count, out=np.full(points, np.nan), where=count > 0))
