"""Level evidence: how far the mean of a window lies outside the usual range of its channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source
from diabolo.detection.base import (
    Arrays,
    EncodedRows,
    Evidence,
    RowEvidence,
    Shapes,
    TrainingRows,
    of_channel,
    shape_of_cells,
)
from diabolo.detection.excess import MAX_EVIDENCE, MAX_EXCESS
from diabolo.detection.parts import ModelParts
from diabolo.utils.checks import require
from diabolo.utils.numerics import in_shares

FENCE = 1.5  # Tukey's factor, in units of the distance between the quartiles
MIN_RANGE = 0.05  # of the channel's standard deviation: a level that never moves still gets a fence
FAR_OUT = 2.0  # fences; what lies beyond is "far out" in Tukey's words
# Power of the evidence beyond its bound: with 0 no level can be an alarm once a level in the calibration has
# reached the bound; from .25 on, a lasting level hides anomalous shapes (measured on 51 series and SKAB).
POWER_BEYOND = 0.1


class Level(RowEvidence):
    """The usual range of the mean of a window, for each channel, and how far outside it others lie.

    The shape of a window says little of its level: in the distance between windows the mean is one
    direction of very many. So it is evidence of its own. Means within Tukey's fences, 1.5 times the
    distance between the quartiles beyond them (Tukey, "Exploratory data analysis", 1977), are no evidence;
    beyond, the evidence grows with the square of the excess, `(1 + e^8)^(1/4)`, up to 6, and then with its
    power of .1: a series that has left its range for good can still be anomalous in shape.

    Args:
        low, high: (channels,) quartiles of the means.
        fence: (channels,) the width of the fence.
    """

    name = "level"
    shares_are_relative = False

    def __init__(self, low: np.ndarray, high: np.ndarray, fence: np.ndarray) -> None:
        self.low, self.high, self.fence = low, high, fence

    @classmethod
    def fit(cls, parts: ModelParts, training: TrainingRows, fitted: Sequence[Evidence]) -> Self | None:
        """Learn the quartiles of the means of training windows.

        Args:
            parts: of the model.
            training: the rows of the fit.
            fitted: not used.
        """
        if not parts.source.overlaps:
            return None
        means = _means(training.batch)
        # Nothing is known of a channel without a value.
        means = np.where(np.isfinite(means).any(0), means, 0.0)
        low, high = np.nanquantile(means, [0.25, 0.75], axis=0)
        return cls(low, high, FENCE * (high - low + MIN_RANGE))

    @classmethod
    def restore(cls, parts: ModelParts, arrays: Arrays, state: Mapping[str, Any]) -> Self:
        """Make the evidence again.

        Args:
            parts: of the model.
            arrays: `low`, `high` and `fence`.
            state: empty.

        Raises:
            ValueError: a fence has no width.
        """
        require(bool((arrays["fence"] > 0).all()), "range of the levels")
        return cls(**arrays)

    @classmethod
    def check(cls, shapes: Shapes, schema: Schema, source: Source) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return the shapes of the three arrays: one number for each channel.

        Args:
            shapes: not used.
            schema: of the model.
            source: of the model.

        Raises:
            ValueError: the model is none of windows.
        """
        require(source.overlaps, "range of the levels")
        return {name: ("F64", (len(schema.fields[Curve.kind]),)) for name in ("low", "high", "fence")}

    def arrays(self) -> dict[str, np.ndarray]:
        return {"low": self.low, "high": self.high, "fence": self.fence}

    def score(self, rows: EncodedRows) -> np.ndarray:
        # The mean of few points moves more than that of a whole window: missing ones are predicted.
        return self.of_excess(self.excess(rows.complete))

    def shares(self, rows: EncodedRows) -> dict[str, np.ndarray]:
        nats, excess = shape_of_cells(rows.batch), self.excess(rows.complete)
        nats[Curve.kind] += (in_shares(excess**2) * np.log(self.of_excess(excess))[:, None])[:, :, None]
        return nats

    def words(self, parts: ModelParts, frame: Frame, row: int) -> str:
        """Return that the level is anomalous where a row lies in the middle of a window, and to which side.

        Each value by itself may then be a usual one.

        Args:
            parts: of the model.
            frame: windows.
            row: the user's row.
        """
        window = parts.source.at_centre(frame, np.arange(frame.rows))[[row]]
        batch = parts.complete_windows(parts.schema.encode(frame[window]))
        excess = self.excess(batch)[0]
        farthest = int(excess.argmax())
        if excess[farthest] < 1:
            return ""
        side = "lower" if _means(batch)[0, farthest] < self.low[farthest] else "higher"
        return f"the level{of_channel(parts, farthest)} is {side} than usual"

    def excess(self, batch: Batch) -> np.ndarray:
        """Return (rows, channels) how far each mean lies beyond the quartiles, in fences; 0 between them."""
        means = _means(batch)
        beyond = np.maximum(np.maximum(self.low - means, means - self.high), 0) / self.fence
        return np.asarray(np.nan_to_num(beyond))

    @staticmethod
    def of_excess(excess: np.ndarray) -> np.ndarray:
        """Return (rows,) the evidence of the channel that is farthest out, from 1 on.

        Args:
            excess: (rows, channels) as `excess` returns it.
        """
        farthest = np.minimum(excess.max(1, initial=0.0), MAX_EXCESS)
        evidence = (1 + farthest**8) ** 0.25
        beyond = np.maximum(evidence / MAX_EVIDENCE, 1) ** POWER_BEYOND
        return np.asarray(np.minimum(evidence, MAX_EVIDENCE) * beyond)

    def unfit_for_calibration(self, rows: EncodedRows) -> np.ndarray:
        """Return (rows,) which means lie two fences beyond the quartiles, or more.

        Who fits on a whole series fits on its anomalies too. Left in, one of them would set the threshold for
        all others.

        Args:
            rows: rows of the frame.
        """
        return np.asarray(self.excess(rows.complete).max(1, initial=0.0) > FAR_OUT)


def _means(batch: Batch) -> np.ndarray:
    """Return (rows, channels) mean of the points that are present; NaN where there is none."""
    curve: Tensor = batch.values[Curve.kind].double()
    seen = batch.visible[Curve.kind].double()
    count = seen.sum(-1)
    mean = torch.where(count > 0, (curve * seen).sum(-1) / count.clamp_min(1), torch.nan)
    return mean.cpu().numpy()
