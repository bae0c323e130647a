"""Series sampled from a mixture over windows, a block of points at a time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Values
from diabolo.data.fields import Curve
from diabolo.errors import UnsupportedError
from diabolo.generation.base import Fitted, Request
from diabolo.generation.context import context_features
from diabolo.generation.series import SegmentStart, SeriesSampler, time_columns
from diabolo.generation.window_mixture import WindowMixture

_BLOCKS_PER_WINDOW = 8  # an eighth of a window is sampled at a time; a choice
_MAX_SEGMENTS = 1_024  # segments that are sampled at once


class WindowMixtureSampler(SeriesSampler):
    """Samples each block of points given the window before it and the context.

    The context is the calendar, the name of the series, and the columns that are given.

    Attributes:
        mixture: the distribution of windows and their context.
    """

    name = "window mixture"

    def __init__(self, fitted: Fitted, request: Request) -> None:
        super().__init__(fitted, request)
        self.mixture = _mixture_of(fitted)

    @classmethod
    def serves(cls, fitted: Fitted) -> bool:
        return fitted.source.overlaps and not fitted.samples_latents

    @classmethod
    def accepts(cls, fitted: Fitted, request: Request) -> None:
        """Refuse what is an option of tables, and a model that has learnt no mixture.

        Args:
            fitted: a model that the sampler serves.
            request: what is asked for.

        Raises:
            UnsupportedError: constraints are asked of a series, or there is no mixture.
            OptionError: rows are to be kept, or `given` names no context column or an unknown value.
        """
        super().accepts(fitted, request)
        _mixture_of(fitted)

    def sample_segments(self, start: SegmentStart, total: int) -> np.ndarray:
        """Sample segments block after block.

        Args:
            start: where they begin.
            total: points of each, with those that are known.

        Returns:
            (segments, channels, total) values in standard units.
        """
        segments = len(start.step)
        parts = np.array_split(np.arange(segments), -(-segments // _MAX_SEGMENTS))
        return np.concatenate([self._sample_blocks(start, part, total) for part in parts])

    def sample_missing(self, segments: int, points: int) -> np.ndarray:
        """Sample which values are missing, as often and for as long as in the series of the fit.

        Args:
            segments: their number.
            points: of each segment.

        Returns:
            (segments, points, channels) True where a value is missing.
        """
        return self.mixture.sample_missing(segments, points, self.random)

    def _sample_blocks(self, start: SegmentStart, chosen: np.ndarray, total: int) -> np.ndarray:
        """Sample (segments, channels, total) the chosen segments: a window, then block after block."""
        length = self.source.length
        size = max(length // _BLOCKS_PER_WINDOW, 1)
        context, is_known = self._context(start, chosen, total, size)
        channels, windows = len(self.fitted.schema.fields[Curve.kind]), context.shape[1]
        values = np.zeros((len(chosen), channels, length + (windows - 1) * size))
        points = np.zeros((channels, length), bool)
        if start.window is None:
            whole = self.mixture.condition_on(points, is_known)
            values[..., :length] = self.mixture.sample(
                whole, values[..., :length], context[:, 0], self.random
            )
        else:
            values[..., :length] = start.window.numpy()
        if windows > 1:
            points[:, :-size] = True
            following = self.mixture.condition_on(points, is_known)
            for number in range(1, windows):
                part = values[..., number * size : number * size + length]
                sampled = self.mixture.sample(following, part, context[:, number], self.random)
                part[..., -size:] = sampled[..., -size:]
        return values[..., :total]

    def _context(
        self, start: SegmentStart, chosen: np.ndarray, total: int, size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the context of each window, (segments, windows, numbers), and (numbers,) what is known."""
        source, schema, given = self.source, self.fitted.schema, self.request.given
        windows = max(-(-(total - source.length) // size), 0) + 1
        rows = len(chosen) * windows
        if set(schema.fields) == {Curve.kind}:
            return np.zeros((len(chosen), windows, 0)), np.zeros(0, bool)
        centre = start.step[chosen, None] + np.arange(windows) * size + source.length // 2
        times = time_columns(source, schema, np.repeat(start.group[chosen], windows), centre.ravel())
        columns: dict[str, Values] = {}
        for entry in schema.used:
            if entry.name in source.channels:
                columns[entry.name] = np.zeros((rows, source.length))
            elif entry.name in given:
                columns[entry.name] = pa.array([given[entry.name]] * rows)
            else:
                columns[entry.name] = times.get(entry.name, pa.nulls(rows))
        numbers, known = context_features(schema.encode(columns), schema.fields, schema.scored_fields)
        # One pattern of known numbers serves all windows: those that are known in every one of them.
        return numbers.reshape(len(chosen), windows, -1), np.asarray(known.all(0))


def _mixture_of(fitted: Fitted) -> WindowMixture:
    if fitted.window_mixture is None:
        raise UnsupportedError(
            "the model was written by a version whose models of series without a bottleneck cannot sample",
            hint="fit it again",
        )
    return fitted.window_mixture
