"""Scores for a series that arrives point by point."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Values
from diabolo.data.columns.convert import from_seconds
from diabolo.data.fields import Curve
from diabolo.data.sources import Series, read_user_table
from diabolo.data.sources.grid import SERIES_OFFSET, split_positions
from diabolo.detection import EncodedRows
from diabolo.detection.calibration import severity
from diabolo.detection.following import AlarmLevel
from diabolo.detection.shifts import WINDOWS, ShiftDetector, describe_shift, shift_level
from diabolo.engine import Engine
from diabolo.errors import ColumnError, DataError, ModelFileError, UnsupportedError
from diabolo.streaming.point import Point
from diabolo.streaming.ring_buffer import NO_STEP, RingBuffer
from diabolo.tasks import Model, follows
from diabolo.utils.files import write_atomic


@dataclass
class Stream:
    """Scores points that arrive one by one; see `Autoencoder.stream`.

    Args:
        model: a fitted model of a series.
        alarm_rate: share of normal points that may be alarms; None for the model's own rate.
        keep: number of points of each series to keep for `recent`; at least two windows are kept.
        follow: whether the alarm level follows the share of alarms; None for the model's choice.
        history: rows before the first point, a table or a list of points, which get no answer but are context
            of the first ones; None for the end of the fit, if the first point follows on it.

    Attributes:
        engine: the fitted engine of the model.
        threshold: bits above which a point is an alarm, as long as the level is that of the fit.
        levels: name of a series -> its alarm level.
        seen: number of points accepted so far ("repeated" and "too late" points are not counted).
        buffers: name of a series -> its last points; the name is "" if there is one series only.

    Raises:
        UnsupportedError: the model is not a model of a series.
        OptionError: the alarm rate is not one that the model can hold.
    """

    model: Model
    alarm_rate: float | None = None
    keep: int = 0
    follow: bool | None = None
    history: Any = None
    engine: Engine = field(init=False)
    threshold: float = field(init=False)
    seen: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.buffers: dict[str, RingBuffer] = {}
        self.levels: dict[str, AlarmLevel] = {}
        self.shifts: dict[str, ShiftDetector] = {}
        self.zone: str | None = None
        self._use_model(self.model)
        if self.history is not None:
            is_list = isinstance(self.history, list)
            for row in self.history if is_list else read_user_table(self.history).table.to_pylist():
                self._insert(row)
            self.seen = 0

    def _use_model(self, model: Model) -> None:
        engine = model.engine_
        if not isinstance(engine.source, Series):
            raise UnsupportedError(
                "only a model of a series can be streamed; rows of a table are scored independently",
                hint="model.score_rows(row), or fit a model with time=...",
            )
        rate = self.alarm_rate if self.alarm_rate is not None else model.alarm_rate
        self.rate, self.threshold = engine.calibration.alarm(rate)
        for name, level in self.levels.items():
            self.levels[name] = self._new_level(model, level.offset)
            self.shifts[name] = self._new_detector(engine)
        self.model, self.engine, self.source = model, engine, engine.source
        self.size = max(2 * self.source.length, self.keep)
        self.names = [e.name for e in engine.schema.used if e.name not in self.source.channels]

    def _new_level(self, model: Model, offset: float = 0.0) -> AlarmLevel:
        """Return the alarm level of a series."""
        level = AlarmLevel.of(
            model.engine_.calibration, self.rate, self.threshold, follow=follows(model, self.follow)
        )
        return replace(level, offset=offset)

    @staticmethod
    def _new_detector(engine: Engine) -> ShiftDetector:
        """Return what watches whether a series leaves what the fit calls normal."""
        return ShiftDetector(shift_level(engine.calibration), WINDOWS * engine.source.length)

    def refresh(self, model: Model) -> Self:
        """Replace the model by one that was updated with newer points; the points so far are kept.

        `model.partial_fit(...)` alone does not change the answers of a stream: they come from the model as it
        was when the stream was created or last refreshed. A state that is saved afterwards belongs to the
        new model.

        Args:
            model: a fitted model with the same time column, series column, step, window and channels.

        Returns:
            The stream itself.

        Raises:
            UnsupportedError: the model differs in one of these.
        """
        now, new = self.source, model.engine_.source
        names = ("time", "by", "step", "length", "channels")
        if not isinstance(new, Series) or any(getattr(now, n) != getattr(new, n) for n in names):
            raise UnsupportedError(
                "the stream cannot continue with a model whose time, series column, step, window or channels "
                "differ",
                hint="model.stream()",
            )
        self._use_model(model)
        return self

    def recent(self) -> dict[str, Values]:
        """Return the points that are kept as columns, one series after the other, each in time order."""
        source, series = self.source, []
        for name, buffer in self.buffers.items():
            kept = np.flatnonzero(buffer.steps > buffer.newest - self.size)
            series.append((name, buffer, kept[np.argsort(buffer.steps[kept])]))
        columns: dict[str, Values] = {
            channel: pa.array(np.concatenate([buffer.values[number][kept] for _, buffer, kept in series]))
            for number, channel in enumerate(source.channels)
        }
        for name in self.names:
            if name not in (source.time, source.by):
                values = [buffer.context[i].get(name) for _, buffer, kept in series for i in kept]
                columns[name] = _to_array(values, name)
        if source.by is not None:
            columns[source.by] = pa.array([name for name, _, kept in series for _ in kept])
        if source.time is not None:
            seconds = np.concatenate([buffer.times[kept] for _, buffer, kept in series])
            is_datetime = source.time in self.names
            columns[source.time] = from_seconds(seconds, self.zone) if is_datetime else pa.array(seconds)
        return columns

    def push(self, point: Mapping[str, Any]) -> Point:
        """Add one point, and return its anomaly score: that of the last point of a batch of all so far.

        Args:
            point: column -> value. The time column, if the model has one, is required; a channel that is
                absent, None or empty is a missing value.

        Raises:
            DataError: the point has no time.
            ColumnError: a value cannot be read; the stream is unchanged then.
        """
        place = self._insert(point)
        if isinstance(place, Point):
            return place
        return self._answer(*place)

    def _insert(self, point: Mapping[str, Any]) -> Point | tuple[str, RingBuffer, int, str | None, str]:
        """Put a point where it belongs; return its series, the points of that, its step, zone and status.

        A point that has no place is answered at once.
        """
        source = self.source
        time, zone = self._read_time(point)
        group = "" if source.by is None else str(point.get(source.by) or "")
        buffer = self.buffers.get(group)
        # Without a regular step, points are numbered in the order of arrival.
        next_step = 0 if buffer is None else buffer.newest + 1
        step = round(time / source.step) if source.step else next_step
        values = np.array([self._channel_value(point, name) for name in source.channels])
        context = {n: self._context_value(point, n) for n in self.names if n not in (source.time, source.by)}
        if buffer is None:
            buffer = self._new_buffer(group, step)
            self.buffers[group], self.levels[group] = buffer, self._new_level(self.model)
            self.shifts[group] = self._new_detector(self.engine)
        behind = buffer.newest - step
        if behind >= source.length or step < buffer.first:
            return Point("too late")
        if buffer.has(step) and buffer.times[step % len(buffer.steps)] == time:
            return Point("repeated")
        buffer.add(step, time, values, context)
        self.seen, self.zone = self.seen + 1, zone
        return group, buffer, step, zone, "late" if behind > 0 else "new"

    def _new_buffer(self, group: str, step: int) -> RingBuffer:
        """Return the points before the first one of a series: the last remembered window, if it is near.

        Args:
            group: name of the series.
            step: of its first point.
        """
        source, memory, length = self.source, self.engine.memory, self.source.length
        buffer = RingBuffer.empty(len(source.channels), self.size, step)
        if self.history is not None or not source.step or memory.positions is None:
            return buffer
        number = source.series_names.index(group) if group in source.series_names else -1
        numbers, starts = split_positions(memory.positions, source.by is not None)
        own = np.flatnonzero(numbers == number) if source.by is not None else np.arange(len(starts))
        if len(own) == 0:
            return buffer
        last = int(own[np.argmax(starts[own])])
        first = int(starts[last])
        if not 0 < step - (first + length - 1) <= length:
            return buffer
        buffer = RingBuffer.empty(len(source.channels), self.size, first)
        curves = memory.rows.values[Curve.kind][last].numpy()
        values = np.stack(
            [self.engine.schema[n].decode([curves[None, i]])[0] for i, n in enumerate(source.channels)]
        )
        for offset in range(length):
            at = first + offset
            buffer.add(at, at * source.step, values[:, offset], {})
        return buffer

    def _answer(self, group: str, buffer: RingBuffer, step: int, zone: str | None, status: str) -> Point:
        """As a batch has it: the mean over the windows that cover the point."""
        length, engine = self.source.length, self.engine
        latest = max(buffer.newest - length + 1, buffer.first)
        starts = np.arange(max(step - length + 1, buffer.first), min(step, latest) + 1)
        columns, positions = self._windows(group, buffer, starts, zone)
        batch = engine.schema.encode(columns)
        total = engine.rows.total_of_point(EncodedRows(engine.parts, batch, positions), starts, step)
        bits = float(engine.calibration.bits(np.array([total]))[0])
        alarm, detector, note = self.levels[group].add(total), self.shifts[group], ""
        if detector.add(total):
            steps_ago = detector.seen - 1 - (detector.since or 0)
            begin = self._time_in_words(max(step - steps_ago, buffer.first))
            note = (f"{group}: " if group else "") + describe_shift(begin, None, detector.share)
        return Point(status, bits, float(severity(np.array(bits))), alarm, note)

    def _time_in_words(self, step: int) -> str:
        """Return the time of a step as text; its number where times lie on no grid."""
        if self.source.time is None or not self.source.step:
            return f"point {step:,}"
        seconds = step * self.source.step
        # A time that is a date is context of the windows; a number is not.
        is_datetime = self.source.time in self.names
        return str(from_seconds(np.array([seconds]))[0].as_py()) if is_datetime else f"{seconds:.12g}"

    def _windows(
        self, group: str, buffer: RingBuffer, starts: np.ndarray, zone: str | None
    ) -> tuple[dict[str, Values], np.ndarray]:
        """Return the columns of the windows that start at these steps, and the positions of the windows."""
        source, size = self.source, len(buffer.steps)
        steps = starts[:, None] + np.arange(source.length)
        present = buffer.steps[steps % size] == steps
        columns: dict[str, Values] = {}
        for number, name in enumerate(source.channels):
            columns[name] = np.where(present, buffer.values[number][steps % size], np.nan)
        middle = starts + source.length // 2
        held = [bool(buffer.has(m)) for m in middle.tolist()]
        for name in self.names:
            if name == source.time:
                columns[name] = self._middle_times(buffer, middle, zone)
            elif name == source.by:
                columns[name] = pa.array([group if h else None for h in held], pa.string())
            else:
                raw = [buffer.context[m % size].get(name) for m in middle.tolist()]
                columns[name] = _to_array([v if h else None for v, h in zip(raw, held, strict=True)], name)
        numbers = {name: number for number, name in enumerate(source.series_names)}
        offset = numbers.get(group, len(numbers)) * SERIES_OFFSET
        return columns, offset + starts

    def _middle_times(self, buffer: RingBuffer, middle: np.ndarray, zone: str | None) -> pa.Array:
        """Return the times of the middles of windows, interpolated between the points around them."""
        held = np.flatnonzero(buffer.steps != NO_STEP)
        order = held[np.argsort(buffer.steps[held])]
        return from_seconds(np.interp(middle, buffer.steps[order], buffer.times[order]), zone)

    def _read_time(self, point: Mapping[str, Any]) -> tuple[float, str | None]:
        """Return the time of a point in seconds, or in the unit of a numeric column, and its time zone."""
        if self.source.time is None:
            return float(self.seen), None
        value = point.get(self.source.time)
        if value is None or value == "":
            raise DataError(
                f"a point without a time: it has {', '.join(map(repr, list(point)[:10]))}",
                hint=f"give each point a value of {self.source.time!r}",
            )
        if isinstance(value, str):
            with suppress(ValueError):  # in csv a number is text too
                value = float(value)
        values = _to_array([value], self.source.time)
        return float(self.source.seconds(values)[0]), getattr(values.type, "tz", None)

    def _channel_value(self, point: Mapping[str, Any], name: str) -> float:
        value = point.get(name)
        if value is None or value == "":
            return math.nan
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ColumnError(
                f"expected a number, got {str(value)[:60]!r}", column=name, hint="leave a missing value empty"
            ) from error

    def _context_value(self, point: Mapping[str, Any], name: str) -> Any:
        """Return a context value as it is; encode it once, so that an error is raised now and not later."""
        value = point.get(name)
        if value is None or value == "":
            return None
        column = self.engine.schema[name]
        column.encode(_to_array([value], name), name)
        return value

    def save(self, path: str | Path, **extra: Any) -> Path:
        """Write the state of the stream to a file; if the write fails, an older file is left as it was.

        Args:
            path: the file to write.
            extra: JSON values to store with the state; `load` returns them.

        Raises:
            DataError: the file cannot be written.
        """
        state = {
            "model": self._fingerprint(),
            "seen": self.seen,
            "series": {name: buffer.to_json() for name, buffer in self.buffers.items()},
            "level_offsets": {name: level.offset for name, level in self.levels.items()},
            "shifts": {name: detector.to_json() for name, detector in self.shifts.items()},
            "more": extra,
        }
        path = Path(path)
        write_atomic(path, json.dumps(state, default=str).encode())
        return path

    def load(self, path: str | Path) -> dict[str, Any]:
        """Restore the state of a stream from a file that `save` wrote.

        Files of older versions, which have "strands" in place of "series", are read too.

        Returns:
            The JSON values that were stored with the state.

        Raises:
            ModelFileError: the file is no state of a stream, or of a stream of another model.
        """
        try:
            state = json.loads(Path(path).read_bytes())
            fingerprint, extra = state["model"], dict(state["more"])
            series = state["series"] if "series" in state else state["strands"]
            channels = len(self.source.channels)
            buffers = {name: RingBuffer.from_json(s, channels, self.size) for name, s in series.items()}
            seen = int(state["seen"])
            offsets = state.get("level_offsets", {})
            levels = {n: self._new_level(self.model, float(offsets.get(n, 0.0))) for n in buffers}
            shifts = {n: self._new_detector(self.engine) for n in buffers}
            shifts |= {n: shifts[n].restored(s) for n, s in state.get("shifts", {}).items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"{path} is not a state file of a stream: {str(error)[:100]}") from error
        if fingerprint != self._fingerprint():
            raise ModelFileError(f"{path} is the state of a stream of another model", hint=f"rm {path}")
        self.buffers, self.levels, self.shifts, self.seen = buffers, levels, shifts, seen
        return extra

    def _fingerprint(self) -> list[Any]:
        """Return plain values that tell this model from others."""
        scores = self.engine.calibration.scores
        return [len(scores), float(scores.sum()), list(self.source.channels), self.source.length]


def _to_array(values: list[Any], name: str) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise ColumnError(
            f"expected a value as in the fit, got {str(values[0])[:60]}",
            column=name,
            hint="leave a missing value empty",
        ) from error
