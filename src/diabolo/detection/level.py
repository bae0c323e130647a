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
PRIOR_WINDOWS = 4  # windows of a series that say as much of its range as those of all series; a choice
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

    Several series have a range each, estimated with the help of the others where it is short: a machine at
    the level of another one is anomalous. A series that the fit has not seen has the range of all of them.

    Args:
        low, high: (series + 1, channels) quartiles of the means of each series, and of all of them.
        fence: likewise, the width of the fence.
        parts: of the model.
    """

    name = "level"
    shares_are_relative = False

    def __init__(self, low: np.ndarray, high: np.ndarray, fence: np.ndarray, parts: ModelParts) -> None:
        self.low, self.high, self.fence, self.parts = low, high, fence, parts

    @classmethod
    def fit(cls, parts: ModelParts, training: TrainingRows, fitted: Sequence[Evidence]) -> Self | None:
        """Learn the quartiles of the means of training windows.

        Args:
            parts: of the model.
            training: the rows of the fit.
            fitted: not used.
        """
        source = parts.source
        if not source.overlaps:
            return None
        means = _means(training.batch)
        # Nothing is known of a channel without a value.
        means = np.where(np.isfinite(means).any(0), means, 0.0)
        low, high = np.nanquantile(means, [0.25, 0.75], axis=0)[:, None]
        if source.groups > 1:
            group = source.group_of(training.positions, len(means))
            own = _quartiles_by_group(means, group, source.groups, source.length)
            low, high = (
                np.concatenate([part, of_all]) for part, of_all in zip(own, (low, high), strict=True)
            )
        else:
            low, high = np.repeat(low, 2, axis=0), np.repeat(high, 2, axis=0)
        return cls(low, high, FENCE * (high - low + MIN_RANGE), parts)

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
        # Models of older versions have one range for all series.
        groups = parts.source.groups + 1
        return cls(
            **{name: np.array(np.broadcast_to(a, (groups, a.shape[-1]))) for name, a in arrays.items()},
            parts=parts,
        )

    @classmethod
    def check(cls, shapes: Shapes, schema: Schema, source: Source) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return the shapes of the three arrays: one number for each series and channel.

        Args:
            shapes: of the arrays in the file.
            schema: of the model.
            source: of the model.

        Raises:
            ValueError: the model is none of windows.
        """
        require(source.overlaps, "range of the levels")
        shape: tuple[int, ...] = (len(schema.fields[Curve.kind]),)
        if len(shapes["low"]) > 1:
            shape = (source.groups + 1, *shape)
        return {name: ("F64", shape) for name in ("low", "high", "fence")}

    def arrays(self) -> dict[str, np.ndarray]:
        arrays = {"low": self.low, "high": self.high, "fence": self.fence}
        return arrays if self.parts.source.groups > 1 else {name: a[-1] for name, a in arrays.items()}

    def score(self, rows: EncodedRows) -> np.ndarray:
        return self.of_excess(self.excess(rows))

    def shares(self, rows: EncodedRows) -> dict[str, np.ndarray]:
        nats, excess = shape_of_cells(rows.batch), self.excess(rows)
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
        encoded = EncodedRows(parts, parts.schema.encode(frame[window]), frame.positions_of(window))
        excess = self.excess(encoded)[0]
        farthest = int(excess.argmax())
        if excess[farthest] < 1:
            return ""
        group = parts.source.group_of(encoded.positions, 1)[0]
        side = "lower" if _means(encoded.complete)[0, farthest] < self.low[group, farthest] else "higher"
        return f"the level{of_channel(parts, farthest)} is {side} than usual"

    def excess(self, rows: EncodedRows) -> np.ndarray:
        """Return (rows, channels) how far each mean lies beyond the quartiles, in fences; 0 between them.

        The mean of few points moves more than that of a whole window: missing ones are predicted.

        Args:
            rows: rows of the frame.
        """
        means = _means(rows.complete)
        group = self.parts.source.group_of(rows.positions, len(means))
        low, high, fence = (part[group] for part in (self.low, self.high, self.fence))
        return np.asarray(np.nan_to_num(np.maximum(np.maximum(low - means, means - high), 0) / fence))

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
        return np.asarray(self.excess(rows).max(1, initial=0.0) > FAR_OUT)


def _means(batch: Batch) -> np.ndarray:
    """Return (rows, channels) mean of the points that are present; NaN where there is none."""
    curve: Tensor = batch.values[Curve.kind].double()
    seen = batch.visible[Curve.kind].double()
    count = seen.sum(-1)
    mean = torch.where(count > 0, (curve * seen).sum(-1) / count.clamp_min(1), torch.nan)
    return mean.cpu().numpy()


def _quartiles_by_group(means: np.ndarray, group: np.ndarray, groups: int, length: int) -> np.ndarray:
    """Return (2, groups, channels) quartiles of the means of each series, estimated with the others' help.

    The middle of a series is drawn towards that of all by how little the series differ, over how little is
    known of it (empirical Bayes: Efron and Morris, "Stein's estimation rule and its competitors", 1973); its
    quartiles about the middle towards those of all series about theirs.

    Args:
        means: (windows, channels) of training windows; NaN where there is none.
        group: (windows,) the number of the series of each.
        groups: their number.
        length: points of a window.
    """
    overall = np.nanmedian(means, axis=0)
    middle, windows = np.tile(overall, (groups, 1)), np.zeros((groups, 1))
    for number in range(groups):
        own = means[group == number]
        known = np.isfinite(own).any(0) if len(own) else np.zeros(means.shape[1], bool)
        middle[number, known] = np.nanmedian(own[:, known], axis=0)
        windows[number] = len(own) / length
    away = means - middle[group]
    between, within = middle.var(0), np.nanvar(away, axis=0)
    weight = windows * between / np.maximum(windows * between + within, 1e-12)
    of_all = np.nanquantile(away, [0.25, 0.75], axis=0)
    quartiles = np.repeat(of_all[:, None], groups, axis=1)
    for number in range(groups):
        own = away[group == number]
        known = np.isfinite(own).any(0) if len(own) else np.zeros(means.shape[1], bool)
        share = windows[number] / (windows[number] + PRIOR_WINDOWS)
        found = np.nanquantile(own[:, known], [0.25, 0.75], axis=0) if known.any() else of_all[:, known]
        quartiles[:, number, known] += share * (found - quartiles[:, number, known])
    return np.asarray(overall + weight * (middle - overall) + quartiles)
