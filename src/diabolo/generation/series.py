"""What all samplers of series share: where segments begin, their times, and columns besides the channels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from diabolo.data.columns import Datetime
from diabolo.data.columns.convert import from_seconds
from diabolo.data.fields import Curve
from diabolo.data.schema import Schema
from diabolo.data.sources import Series
from diabolo.data.sources.grid import split_positions
from diabolo.errors import OptionError, UnsupportedError
from diabolo.generation.base import Fitted, Request, Sampler, Table
from diabolo.generation.sampling import decode_batch, sampling_mode

_MAX_NAMES_SHOWN = 20


@dataclass(frozen=True)
class SegmentStart:
    """Where segments begin.

    Attributes:
        group: (segments,) which series of the fit each is like.
        step: (segments,) the time step of their first point.
        window: (channels, length) the first points of all segments; None if these are sampled too.
        n_known: points at their beginning that are not new.
    """

    group: np.ndarray
    step: np.ndarray
    window: Tensor | None
    n_known: int


class SeriesSampler(Sampler):
    """Samples segments of a series: points that follow the fit, or new series.

    Columns that are scored besides the channels are those of the most similar remembered window.

    Attributes:
        source: how the series is read.
        random: generator of what torch does not sample.
    """

    def __init__(self, fitted: Fitted, request: Request) -> None:
        super().__init__(fitted, request)
        self.source = series_of(fitted)
        self.random = np.random.default_rng(request.seed)

    @classmethod
    def accepts(cls, fitted: Fitted, request: Request) -> None:
        """Refuse what is an option of tables, or names no context.

        Args:
            fitted: a model that the sampler serves.
            request: what is asked for.

        Raises:
            UnsupportedError: constraints are asked of a series.
            OptionError: rows are to be kept, or `given` names no context column or an unknown value.
        """
        if request.like is not None:
            raise OptionError(
                "like, keep: rows are kept of a table, not of a series", hint="model.generate(288)"
            )
        if request.where or request.observed:
            raise UnsupportedError("where, observed: constraints are for tables", hint="model.generate(288)")
        source = series_of(fitted)
        context = [e.name for e in fitted.schema.used if e.role == "context" and e.name != source.time]
        for name, value in request.given.items():
            if name not in context:
                raise OptionError(
                    f"given names {name!r}, which is no context column of the series",
                    hint=f"one of {', '.join(context)}" if context else "fit with context=[...]",
                )
            if request.series is not None and name == source.by and str(value) not in source.series_names:
                raise OptionError(
                    f"given: {value!r} does not occur in column {name!r} of the data of the fit",
                    hint=f"one of {', '.join(source.series_names[:_MAX_NAMES_SHOWN])}",
                )

    @abstractmethod
    def sample_segments(self, start: SegmentStart, total: int) -> np.ndarray:
        """Sample the channels of segments.

        Args:
            start: where they begin.
            total: points of each, with those that are known.

        Returns:
            (segments, channels, total) values in standard units.
        """

    def sample_missing(self, segments: int, points: int) -> np.ndarray:
        """Sample which values are missing: none, unless a subclass has learnt how they are.

        Args:
            segments: their number.
            points: of each segment.

        Returns:
            (segments, points, channels) True where a value is missing.
        """
        channels = len(self.fitted.schema.fields[Curve.kind])
        return np.zeros((segments, points, channels), bool)

    def batches(self) -> Iterator[Table]:
        with sampling_mode(self.fitted, self.request.seed):
            table = self.sample(self.request.n or 0)
        yield table

    def sample(self, n: int) -> Table:
        source, schema = self.source, self.fitted.schema
        besides = [name for name in schema.scored if name not in source.channels]
        # Labels are read at the centre of windows: half a window is sampled before and after what is wanted.
        half = source.length // 2 if besides else 0
        new_series = self.request.series
        start = self._after_the_fit() if new_series is None else self._new_series(new_series, half)
        total = max(start.n_known + n + half, source.length)
        sampled = self.sample_segments(start, total)
        new = slice(start.n_known, start.n_known + n)
        table: Table = {}
        if new_series is not None:
            table[_free_name("series", schema)] = pa.array(np.repeat(np.arange(new_series), n))
        steps = start.step[:, None] + np.arange(total)[new]
        table |= time_columns(source, schema, np.repeat(start.group, n), steps.ravel())
        table |= self._channel_columns(sampled[..., new])
        return table | self._similar_columns(sampled, new, besides)

    def _after_the_fit(self) -> SegmentStart:
        """Begin with the last window of the fit, whose points are known."""
        positions = _positions(self.fitted)
        latest = int(positions.argmax())
        group, begin = split_positions(positions[latest : latest + 1], self.source.by is not None)
        window = self.fitted.memory.rows.values[Curve.kind][latest]
        return SegmentStart(group, begin, window, max(self.source.end - int(begin[0]), self.source.length))

    def _new_series(self, count: int, before: int) -> SegmentStart:
        """Begin so many points before the times of remembered windows, picked at random."""
        by = self.source.by
        group, step = split_positions(self.random.choice(_positions(self.fitted), count), by is not None)
        if by is not None and by in self.request.given:
            group = np.full_like(group, self.source.series_names.index(str(self.request.given[by])))
        return SegmentStart(group, step - before, None, before)

    def _channel_columns(self, sampled: np.ndarray) -> Table:
        """Return the channels as columns, from (segments, channels, points) values in standard units."""
        segments, _, points = sampled.shape
        missing = self.sample_missing(segments, points)
        schema, types = self.fitted.schema, dict(zip(self.source.channels, self.source.types, strict=False))
        table: Table = {}
        for number, slot in enumerate(s for s in schema.slots if s.kind == Curve.kind):
            values = schema[slot.name].decode([sampled[:, number].reshape(1, -1)])[0]
            is_missing = missing[..., number].ravel()
            column = pa.array(values, mask=is_missing) if is_missing.any() else pa.array(values)
            is_integer = types.get(slot.name, "").strip("u").startswith("int")
            table[slot.name] = column.cast(pa.int64()) if is_integer else column
        return table

    def _similar_columns(self, sampled: np.ndarray, new: slice, names: list[str]) -> Table:
        """Return columns besides the channels, as at the centre of the most similar remembered windows."""
        if not names:
            return {}
        length, total = self.source.length, sampled.shape[2]
        first = np.clip(np.arange(total)[new] - length // 2, 0, total - length)
        memory = self.fitted.memory.rows
        remembered = memory.values[Curve.kind].flatten(1)
        nearest = []
        for segment in torch.from_numpy(sampled).to(remembered.dtype):
            windows = segment.unfold(1, length, 1)[:, first].transpose(0, 1).flatten(1)
            # By value: of two windows of one shape, the label is that of the one at the same height.
            nearest.append(torch.cdist(windows, remembered).argmin(1))
        return decode_batch(self.fitted, memory[torch.cat(nearest)], names)


def series_of(fitted: Fitted) -> Series:
    """Return the source of a model of a series.

    Raises:
        UnsupportedError: the model is not one of a series.
    """
    if not isinstance(fitted.source, Series):
        raise UnsupportedError("this model is not one of a series", hint='Autoencoder(time="...")')
    return fitted.source


def time_columns(source: Series, schema: Schema, group: np.ndarray, steps: np.ndarray) -> Table:
    """Return the names of the series and the times of points, under the names of these columns.

    Args:
        source: the series.
        schema: its columns.
        group: (points,) index of each point's series.
        steps: (points,) time step of each point.
    """
    columns: Table = {}
    if source.by is not None:
        columns[source.by] = pa.array(np.array(source.series_names)[group])
    if source.time is not None:
        seconds = steps * (source.step or 1.0)
        known = {e.name: e.column for e in schema.used}
        is_date = isinstance(known.get(source.time), Datetime) or bool(source.form)
        columns[source.time] = from_seconds(seconds) if is_date else pa.array(seconds)
    return columns


def _positions(fitted: Fitted) -> np.ndarray:
    """Return (rows,) where the remembered windows lie in time."""
    positions = fitted.memory.positions
    assert positions is not None  # the memory of a series has them
    return positions


def _free_name(name: str, schema: Schema) -> str:
    """Return a name that no column has."""
    taken = {e.name for e in schema.entries}
    while name in taken:
        name = f"new_{name}"
    return name
