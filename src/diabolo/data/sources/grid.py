"""The grid of points of one series or several, and the windows on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from diabolo.data.columns.convert import format_in_words
from diabolo.errors import DataError

# Series of one table are this many steps apart, so that their windows are never neighbours in time.
SERIES_OFFSET = 1 << 40
MAX_STEP_ERROR, MIN_GRID_SHARE = 0.1, 0.9  # in steps, and share of the distances within it; choices
# A grid has at most this many points for each observed one, and some more; choices.
MAX_SPARSITY, MAX_SPARE_POINTS = 5, 1_000
MAX_SPARSITY_OF_NEW, MAX_SPARE_POINTS_OF_NEW = 20, 10_000  # the same for new data on the grid of the fit


MAX_SHARED_TIMES = 0.05  # share of rows with the time of another row, above which a note says so


@dataclass(frozen=True)
class WindowLayout:
    """Where the user's rows lie on the grid of points, and where the windows start.

    Attributes:
        point: (user rows,) the point of each row.
        start: (windows,) the first point of each window.
        points: the number of points, those of gaps and of padding included.
    """

    point: np.ndarray
    start: np.ndarray
    points: int

    def only(self, windows: np.ndarray) -> WindowLayout:
        """Return the layout of some of the windows."""
        return replace(self, start=self.start[windows])

    def fold(self, answers: np.ndarray, length: int) -> np.ndarray:
        """Return (user rows,): the mean of the finite answers about each row's point; NaN if there is none.

        Args:
            answers: (windows,) or (windows, length).
            length: points of a window.
        """
        answers = np.asarray(answers, dtype=float)
        total, count = np.zeros(self.points + 1), np.zeros(self.points + 1)
        if answers.ndim == 1:
            known = np.isfinite(answers)
            value, one = np.where(known, answers, 0.0), known.astype(float)
            for sums, part in ((total, value), (count, one)):
                sums[self.start] += part
                sums[self.start + length] -= part
            total, count = np.cumsum(total), np.cumsum(count)
        else:
            for offset in range(length):
                part = answers[:, offset]
                known = np.isfinite(part)
                total[self.start[known] + offset] += part[known]
                count[self.start[known] + offset] += 1
        mean = np.divide(total, count, out=np.full(self.points + 1, np.nan), where=count > 0.5)
        return np.asarray(mean[self.point])

    def centred(self, length: int) -> np.ndarray:
        """Return (user rows,) the window centred on each row, or the nearest one at the ends of a series."""
        start, wanted = self.start, self.point - length // 2
        after = np.clip(np.searchsorted(start, wanted), 0, len(start) - 1)
        before = np.maximum(after - 1, 0)
        return np.where(np.abs(start[before] - wanted) < np.abs(start[after] - wanted), before, after)

    def near(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Return the windows within a window's length of some of the user's rows.

        Args:
            rows: the user's rows.
            length: points of a window.
        """
        near = np.zeros(self.points + length, bool)
        for point in np.unique(self.point[rows]):
            near[max(point - 2 * length + 1, 0) : point + length] = True
        return np.flatnonzero(near[self.start])

    def covering(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Return the windows that cover some of the user's rows.

        Args:
            rows: the user's rows.
            length: points of a window.
        """
        wanted = np.zeros(self.points + length, bool)
        wanted[self.point[rows]] = True
        reach = np.convolve(wanted, np.ones(length), mode="full")[length - 1 :]
        return np.flatnonzero(reach[self.start] > 0.5)

    def thin(self, every: int) -> np.ndarray:
        """Return windows that are `every` points apart, and the first and last window of each series."""
        ends = np.flatnonzero(np.diff(self.start) > 1)
        return np.unique(np.r_[np.arange(0, len(self.start), every), ends, ends + 1, len(self.start) - 1])

    def rows_in_time(self) -> list[np.ndarray]:
        """Return the user's rows of each series, in the order of time."""
        first = self.start[np.flatnonzero(np.diff(self.start, prepend=-2) > 1)]
        order = np.argsort(self.point, kind="stable")
        return np.split(order, np.searchsorted(self.point[order], first[1:]))

    def group(self, rows: np.ndarray, gap: int) -> list[np.ndarray]:
        """Return some of the user's rows in groups, in the order of time.

        Args:
            rows: the user's rows.
            gap: points between two rows of a group, at most.
        """
        if len(rows) == 0:
            return []
        points = self.point[rows]
        order = np.argsort(points, kind="stable")
        return np.split(rows[order], np.flatnonzero(np.diff(points[order]) > gap) + 1)


def rows_by_series(series_of_row: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return the names of the series in ascending order, each with the numbers of its rows."""
    names, start = np.unique(np.sort(series_of_row), return_index=True)
    rows = np.split(np.argsort(series_of_row, kind="stable"), start[1:])
    return list(zip(names.tolist(), rows, strict=True))


def grid_step(times: np.ndarray, series_of_row: np.ndarray) -> float:
    """Return the distance of neighbouring points of the grid, or 0 if the times do not lie on one.

    Args:
        times: (rows,) numbers.
        series_of_row: (rows,) names.
    """
    gaps = np.concatenate([np.diff(np.sort(times[rows])) for _, rows in rows_by_series(series_of_row)])
    gaps = gaps[gaps > 0]
    if len(gaps) == 0:
        return 0.0
    step = float(np.median(gaps))
    error = np.abs(gaps / step - np.round(gaps / step))
    on_grid = float((error < MAX_STEP_ERROR).mean())
    points = float(np.minimum(gaps / step, 1e6).sum())
    sparse = points > MAX_SPARSITY * len(gaps) + MAX_SPARE_POINTS
    return step if on_grid >= MIN_GRID_SHARE and not sparse else 0.0


def split_positions(positions: np.ndarray, has_several: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the series of each position in time, and its step on the grid.

    Args:
        positions: (windows,) as `lay_out_windows` returns them.
        has_several: whether there can be more than one series.
    """
    # Steps before 1970 are negative, and in milliseconds those of today exceed the offset.
    if not has_several:
        return np.zeros_like(positions), positions
    number = (positions + SERIES_OFFSET // 4) // SERIES_OFFSET
    return number, positions - number * SERIES_OFFSET


def mean_at_points(values: np.ndarray, point: np.ndarray, points: int) -> np.ndarray:
    """Return (points,) the mean of the finite values at each point; NaN where there is none.

    Args:
        values: (rows,) numbers.
        point: (rows,) the point of each row.
        points: their number.
    """
    known = np.isfinite(values)
    total = np.bincount(point[known], weights=values[known], minlength=points)
    count = np.bincount(point[known], minlength=points)
    return np.asarray(np.divide(total, count, out=np.full(points, np.nan), where=count > 0))


def lay_out_windows(
    times: np.ndarray, series_of_row: np.ndarray, series_names: Sequence[str], step: float, length: int
) -> tuple[WindowLayout, np.ndarray, np.ndarray]:
    """Put the rows on a grid of points and windows on each series.

    Args:
        times: (rows,) numbers.
        series_of_row: (rows,) names.
        series_names: series that are known already, in the order of their places in time.
        step: distance of neighbouring points; 0 if the points simply follow each other.
        length: points of a window.

    Returns:
        the layout; (windows,) their positions in time; and (windows,) the times of their middle points.

    Raises:
        DataError: the rows are far too sparse for the step.
    """
    point = np.empty(len(times), np.int64)
    starts, positions, middle_times, total = [], [], [], 0
    parts = rows_by_series(series_of_row)
    known = {name: number for number, name in enumerate(series_names)}
    for name, rows in parts:
        number = known.setdefault(name, len(known))
        order = rows[np.argsort(times[rows], kind="stable")]
        if step:
            tick = np.round(times[order] / step).astype(np.int64)
            index, first = tick - tick[0], int(tick[0])
        else:
            index, first = np.arange(len(order)), 0
        size = max(int(index[-1]) + 1, length)
        if size > MAX_SPARSITY_OF_NEW * len(order) + MAX_SPARE_POINTS_OF_NEW:
            raise DataError(
                f"at a step of {step:g} the series would have {size} points; {len(order)} are present",
                hint="fit on data that is spaced like this, or cut the series at its longest gap",
            )
        point[order] = total + index
        offset = np.arange(size - length + 1)
        starts.append(total + offset)
        positions.append(number * SERIES_OFFSET + first + offset)
        middle_times.append(np.interp(offset + length // 2, index, times[order]))
        # Series of one table lie a window apart, so that no window runs from one into the next.
        total += size + length * (len(parts) > 1)
    layout = WindowLayout(point, np.concatenate(starts), total)
    return layout, np.concatenate(positions), np.concatenate(middle_times)


def notes_on_times(
    time: str | None, by: str | None, forms: Sequence[str], times: np.ndarray, series_of_row: np.ndarray
) -> tuple[str, ...]:
    """Return notes on date formats that are ambiguous, and on rows that share their time.

    Args:
        time: name of the time column; None if there is none.
        by: name of the column that tells series apart; None if there is none.
        forms: the date formats that the times fit.
        times: (rows,) as numbers.
        series_of_row: (rows,) the name of the series of each row.
    """
    notes = []
    if len(forms) > 1:
        first, other = format_in_words(forms[0]), format_in_words(forms[1])
        notes.append(f"the times in {time!r} are read as {first}; {other} would fit too")
    shared = len(times) - sum(len(np.unique(times[rows])) for _, rows in rows_by_series(series_of_row))
    if shared > MAX_SHARED_TIMES * len(times):
        hint = "" if by else '; by="..." names the column that distinguishes several series'
        note = f"{shared:,} of {len(times):,} rows have the time of another, and are read as their mean"
        notes.append(note + hint)
    return tuple(notes)
