"""A series that arrives point by point."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Values
from diabolo.data.columns.convert import from_seconds
from diabolo.data.sources import Series
from diabolo.data.sources.series import SERIES_OFFSET
from diabolo.detection.calibration import severity
from diabolo.detection.subsequences import CoveredPoints
from diabolo.engine import Engine
from diabolo.errors import ColumnError, DataError, ModelFileError, UnsupportedError
from diabolo.tasks import Model
from diabolo.utils.files import write_atomic
from diabolo.utils.torch_state import torch_threads

NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Point:
    """What is said of a point when it arrives.

    Attributes:
        status: "new"; "late" for one before the newest; "repeated" for one that was there; "too late" for one
            more than a window behind, which has no answer.
        bits, severity, alarm: as of a batch of all points so far; None without an answer.
    """

    status: str
    bits: float | None = None
    severity: float | None = None
    alarm: bool | None = None


@dataclass
class RingBuffer:
    """The last points of one series, two windows of them or more, in a ring.

    Attributes:
        at: (ring,) the step whose point a place holds; `NEVER` for none.
        times: (ring,) when it was.
        values: (channels, ring).
        counts: (ring,) points that share a step.
        beside: (ring,) the other columns, raw.
        first, newest: steps.
    """

    at: np.ndarray
    times: np.ndarray
    values: np.ndarray
    counts: np.ndarray
    beside: list[dict[str, Any]]
    first: int
    newest: int

    @classmethod
    def begin(cls, channels: int, size: int, step: int) -> RingBuffer:
        """A series whose first point is at this step."""
        return cls(
            np.full(size, NEVER),
            np.zeros(size),
            np.full((channels, size), np.nan),
            np.zeros(size, np.int64),
            [{} for _ in range(size)],
            step,
            step,
        )

    def has(self, step: int) -> bool:
        """Whether a point of this step is there."""
        return bool(self.at[step % len(self.at)] == step)

    def put(self, step: int, time: float, values: np.ndarray, beside: dict[str, Any]) -> None:
        """Take a point in; points of one step are averaged, as in a batch."""
        place = step % len(self.at)
        if self.at[place] != step:
            self.at[place], self.times[place], self.counts[place] = step, time, 0
            self.values[:, place], self.beside[place] = np.nan, beside
        old, count = self.values[:, place], self.counts[place]
        mean = (np.where(np.isnan(old), 0, old) * count + values) / (count + 1)
        self.values[:, place] = np.where(np.isnan(values), old, np.where(np.isnan(old), values, mean))
        self.counts[place] = count + 1
        self.newest = max(self.newest, step)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a file."""
        known = np.flatnonzero(self.at != NEVER)
        return {
            "first": self.first,
            "newest": self.newest,
            "points": [
                {
                    "at": int(self.at[p]),
                    "time": float(self.times[p]),
                    "count": int(self.counts[p]),
                    "values": [None if math.isnan(v) else float(v) for v in self.values[:, p]],
                    "beside": self.beside[p],
                }
                for p in known.tolist()
            ],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any], channels: int, size: int) -> RingBuffer:
        """The inverse of `to_json`."""
        made = cls.begin(channels, size, int(state["first"]))
        made.newest = int(state["newest"])
        for point in sorted(state["points"], key=lambda p: int(p["at"])):  # the ring may have been longer
            place = int(point["at"]) % size
            made.at[place], made.times[place], made.counts[place] = point["at"], point["time"], point["count"]
            made.values[:, place] = [math.nan if v is None else v for v in point["values"]]
            made.beside[place] = dict(point["beside"])
        return made


@dataclass
class Stream:
    """Answers for points that arrive one by one; see `Autoencoder.stream`.

    Args:
        model: a fitted model of a series.
        alarm_rate: the share of normal points that may be alarms; the model's own if not given.
        keep: points of each series to keep, if more than two windows: for `recent`.

    Attributes:
        engine: what was fitted.
        threshold: bits above which a point is an alarm.
        seen: points that were taken in.
    """

    model: Model
    alarm_rate: float | None = None
    keep: int = 0
    engine: Engine = field(init=False)
    threshold: float = field(init=False)
    seen: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.strands: dict[str, RingBuffer] = {}
        self.zone: str | None = None
        self._use_model(self.model)

    def _use_model(self, model: Model) -> None:
        engine = model.engine_
        if not isinstance(engine.source, Series):
            raise UnsupportedError(
                "only a series arrives point by point; rows of a table are scored one at a time as they are",
                hint="model.score_rows(row), or a model fitted with time=...",
            )
        rate = self.alarm_rate if self.alarm_rate is not None else model.alarm_rate
        _, self.threshold = engine.calibration.alarm(rate)
        self.model, self.engine, self.source = model, engine, engine.source
        self.size = max(2 * self.source.length, self.keep)
        self.names = [e.name for e in engine.schema.used if e.name not in self.source.channels]

    def refresh(self, model: Model) -> Self:
        """Go on with a model that has learnt from newer points, `model.partial_fit(...)`: no point is lost.

        Until then the stream answers as its model was when it began. What `save` writes is of the new model.

        Raises:
            UnsupportedError: the model reads other points.
        """
        now, new = self.source, model.engine_.source
        names = ("time", "by", "step", "length", "channels")
        if not isinstance(new, Series) or any(getattr(now, n) != getattr(new, n) for n in names):
            raise UnsupportedError(
                "the stream cannot go on with a model that reads other points", hint="model.stream()"
            )
        self._use_model(model)
        return self

    def recent(self) -> dict[str, Values]:
        """Column -> values of the points that are kept, series by series, in the order of their times."""
        source, found = self.source, []
        for group, strand in self.strands.items():
            held = np.flatnonzero(strand.at > strand.newest - self.size)
            found.append((group, strand, held[np.argsort(strand.at[held])]))
        columns: dict[str, Values] = {
            name: pa.array(np.concatenate([strand.values[number][held] for _, strand, held in found]))
            for number, name in enumerate(source.channels)
        }
        for name in self.names:
            if name not in (source.time, source.by):
                columns[name] = _column([s.beside[p].get(name) for _, s, held in found for p in held], name)
        if source.by is not None:
            columns[source.by] = pa.array([group for group, _, held in found for _ in held])
        if source.time is not None:
            seconds = np.concatenate([strand.times[held] for _, strand, held in found])
            dated = source.time in self.names
            columns[source.time] = from_seconds(seconds, self.zone) if dated else pa.array(seconds)
        return columns

    def push(self, point: Mapping[str, Any]) -> Point:
        """Take one point in, and say how odd it is: as the last of a batch of all points so far.

        Args:
            point: column -> value; the time column must be there, a channel that is not is a hole.

        Raises:
            DataError: the point has no time, or a value cannot be read.
        """
        source = self.source
        time, zone = self._time(point)
        group = "" if source.by is None else str(point.get(source.by) or "")
        strand = self.strands.get(group)
        # Where times lie on no grid, points follow each other.
        after = 0 if strand is None else strand.newest + 1
        step = round(time / source.step) if source.step else after
        values = np.array([self._value(point, name) for name in source.channels])
        beside = {n: self._beside(point, n) for n in self.names if n not in (source.time, source.by)}
        if strand is None:
            strand = RingBuffer.begin(len(source.channels), self.size, step)
            self.strands[group] = strand
        behind = strand.newest - step
        if behind >= source.length or step < strand.first:
            return Point("too late")
        if strand.has(step) and strand.times[step % len(strand.at)] == time:
            return Point("repeated")
        strand.put(step, time, values, beside)
        self.seen, self.zone = self.seen + 1, zone
        return self._answer(group, strand, step, zone, "late" if behind > 0 else "new")

    def _answer(self, group: str, strand: RingBuffer, step: int, zone: str | None, status: str) -> Point:
        """As a batch has it: the mean over the windows that cover the point."""
        length, engine = self.source.length, self.engine
        latest = max(strand.newest - length + 1, strand.first)
        starts = np.arange(max(step - length + 1, strand.first), min(step, latest) + 1)
        columns, positions = self._windows(group, strand, starts, zone)
        batch = engine.schema.encode(columns)
        odd = engine.calibration.join(engine.evidence(batch, positions)).mean(keepdims=True)
        if engine.subsequences is not None:
            course = CoveredPoints(starts, positions, length, len(self.source.channels))
            course.take(slice(None), batch)
            with torch_threads(engine.threads):
                odd = odd + engine.subsequences.evidence(course, step).max()
        bits = float(engine.calibration.bits(odd)[0])
        return Point(status, bits, float(severity(np.array(bits))), bits > self.threshold)

    def _windows(
        self, group: str, strand: RingBuffer, starts: np.ndarray, zone: str | None
    ) -> tuple[dict[str, Values], np.ndarray]:
        """The columns of the windows that start at these steps, and their places in time."""
        source, size = self.source, len(strand.at)
        steps = starts[:, None] + np.arange(source.length)
        there = strand.at[steps % size] == steps
        columns: dict[str, Values] = {}
        for number, name in enumerate(source.channels):
            columns[name] = np.where(there, strand.values[number][steps % size], np.nan)
        middle = starts + source.length // 2
        held = [bool(strand.has(m)) for m in middle.tolist()]
        for name in self.names:
            if name == source.time:
                columns[name] = self._clock(strand, middle, zone)
            elif name == source.by:
                columns[name] = pa.array([group if h else None for h in held], pa.string())
            else:
                raw = [strand.beside[m % size].get(name) for m in middle.tolist()]
                columns[name] = _column([v if h else None for v, h in zip(raw, held, strict=True)], name)
        known = {name: number for number, name in enumerate(source.series_names)}
        place = known.get(group, len(known)) * SERIES_OFFSET
        return columns, place + starts

    def _clock(self, strand: RingBuffer, middle: np.ndarray, zone: str | None) -> pa.Array:
        """When the middles of windows are: between the points around them."""
        held = np.flatnonzero(strand.at != NEVER)
        order = held[np.argsort(strand.at[held])]
        return from_seconds(np.interp(middle, strand.at[order], strand.times[order]), zone)

    def _time(self, point: Mapping[str, Any]) -> tuple[float, str | None]:
        """When it is, and in which time zone."""
        if self.source.time is None:
            return float(self.seen), None
        value = point.get(self.source.time)
        if value is None or value == "":
            raise DataError(f"a point without a time: it has {', '.join(map(repr, list(point)[:10]))}")
        if isinstance(value, str):
            with suppress(ValueError):  # of csv, all is text
                value = float(value)
        values = _column([value], self.source.time)
        return float(self.source.seconds(values)[0]), getattr(values.type, "tz", None)

    def _value(self, point: Mapping[str, Any], name: str) -> float:
        value = point.get(name)
        if value is None or value == "":
            return math.nan
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ColumnError(
                f"expected a number, got {str(value)[:60]!r}", column=name, hint="leave a hole empty"
            ) from error

    def _beside(self, point: Mapping[str, Any], name: str) -> Any:
        """A value that is read as it is; it is tried now, so that no window stumbles over it later."""
        value = point.get(name)
        if value is None or value == "":
            return None
        column = self.engine.schema[name]
        column.encode(_column([value], name), name)
        return value

    def save(self, path: str | Path, **more: Any) -> Path:
        """Write where the stream is to a file, whole or not at all; `more` is kept with it."""
        state = {
            "model": self._mark(),
            "seen": self.seen,
            "strands": {group: strand.to_json() for group, strand in self.strands.items()},
            "more": more,
        }
        path = Path(path)
        write_atomic(path, json.dumps(state, default=str).encode())
        return path

    def load(self, path: str | Path) -> dict[str, Any]:
        """Go on from a file that `save` wrote; returns what was kept with it.

        Raises:
            ModelFileError: it is no such file, or of a stream of another model.
        """
        try:
            state = json.loads(Path(path).read_bytes())
            mark, more = state["model"], dict(state["more"])
            channels = len(self.source.channels)
            strands = {g: RingBuffer.from_json(s, channels, self.size) for g, s in state["strands"].items()}
            seen = int(state["seen"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"{path} is no state of a stream: {str(error)[:100]}") from error
        if mark != self._mark():
            raise ModelFileError(f"{path} is the state of a stream of another model", hint=f"rm {path}")
        self.strands, self.seen = strands, seen
        return more

    def _mark(self) -> list[Any]:
        """What tells this model from others."""
        oddness = self.engine.calibration.oddness
        return [len(oddness), float(oddness.sum()), list(self.source.channels), self.source.length]


def _column(values: list[Any], name: str) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise ColumnError(
            f"expected a value as in the fit, got {str(values[0])[:60]}",
            column=name,
            hint="leave a hole empty",
        ) from error
