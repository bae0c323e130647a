"""The last points of one series, in arrays of a fixed size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

NO_STEP = np.iinfo(np.int64).min
"""What `RingBuffer.steps` holds where there is no point yet; no point can have this step."""


@dataclass
class RingBuffer:
    """The last points of one series: the point of step s is kept at index s % size.

    Attributes:
        steps: (size,) the step whose point is stored at each index; `NO_STEP` for none.
        times: (size,) time of each point, in seconds or in the unit of a numeric time column.
        values: (channels, size) values of the channels; NaN for missing values.
        counts: (size,) number of points that were averaged because they share a step.
        context: (size,) values of the other columns, as they were read.
        first: step of the first point of the series.
        newest: largest step so far.
    """

    steps: np.ndarray
    times: np.ndarray
    values: np.ndarray
    counts: np.ndarray
    context: list[dict[str, Any]]
    first: int
    newest: int

    @classmethod
    def empty(cls, channels: int, size: int, step: int) -> RingBuffer:
        """Return a buffer without points.

        Args:
            channels: number of channels.
            size: number of points to keep.
            step: step of the first point that will be added.
        """
        return cls(
            np.full(size, NO_STEP),
            np.zeros(size),
            np.full((channels, size), np.nan),
            np.zeros(size, np.int64),
            [{} for _ in range(size)],
            step,
            step,
        )

    def has(self, step: int) -> bool:
        """Return whether the buffer holds a point of this step."""
        return bool(self.steps[step % len(self.steps)] == step)

    def add(self, step: int, time: float, values: np.ndarray, context: dict[str, Any]) -> None:
        """Add a point; the values of points that share a step are averaged, as in a batch.

        Args:
            step: its position in the series.
            time: its time.
            values: (channels,) its values; NaN for missing values.
            context: values of the other columns; ignored if the step has a point already.
        """
        index = step % len(self.steps)
        if self.steps[index] != step:
            self.steps[index], self.times[index], self.counts[index] = step, time, 0
            self.values[:, index], self.context[index] = np.nan, context
        old, count = self.values[:, index], self.counts[index]
        mean = (np.where(np.isnan(old), 0, old) * count + values) / (count + 1)
        self.values[:, index] = np.where(np.isnan(values), old, np.where(np.isnan(old), values, mean))
        self.counts[index] = count + 1
        self.newest = max(self.newest, step)

    def to_json(self) -> dict[str, Any]:
        """Return the points as plain JSON values."""
        return {
            "first": self.first,
            "newest": self.newest,
            "points": [
                {
                    "at": int(self.steps[i]),
                    "time": float(self.times[i]),
                    "count": int(self.counts[i]),
                    "values": [None if math.isnan(v) else float(v) for v in self.values[:, i]],
                    "context": self.context[i],
                }
                for i in np.flatnonzero(self.steps != NO_STEP).tolist()
            ],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any], channels: int, size: int) -> RingBuffer:
        """Return the buffer that `to_json` described.

        Args:
            state: what `to_json` returned; "beside", the older name of "context", is read too.
            channels: number of channels.
            size: number of points to keep; the oldest points are dropped if the state holds more.

        Raises:
            KeyError, TypeError, ValueError: the state does not have the form that `to_json` writes.
        """
        buffer = cls.empty(channels, size, int(state["first"]))
        buffer.newest = int(state["newest"])
        for point in sorted(state["points"], key=lambda p: int(p["at"])):
            index = int(point["at"]) % size
            buffer.steps[index], buffer.times[index] = point["at"], point["time"]
            buffer.counts[index] = point["count"]
            buffer.values[:, index] = [math.nan if v is None else v for v in point["values"]]
            buffer.context[index] = dict(point["context"] if "context" in point else point["beside"])
        return buffer
