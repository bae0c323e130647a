"""Evidence from single points and 16-point subsequences, which scores of 128-point windows average away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve
from diabolo.data.interpolation import interpolate_gaps
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source
from diabolo.data.sources.points import CoveredPoints
from diabolo.detection.base import Arrays, Evidence, PointEvidence, Shapes, TrainingRows, of_channel
from diabolo.detection.excess import log_evidence
from diabolo.detection.joint_normal import JointNormal
from diabolo.detection.parts import ModelParts
from diabolo.detection.pieces import LENGTH, Pieces, cut, sample_pieces
from diabolo.utils.checks import require
from diabolo.utils.numerics import moments, nearest_exact, square_roots
from diabolo.utils.sampling import evenly_spaced
from diabolo.utils.torch_state import torch_threads

MAX_REMEMBERED = 512  # subsequences
QUERIES = 2048  # subsequences that are compared with the remembered ones at once
POINTS = 16_384  # points that are scored at once
WHITENING_RIDGE = 0.01  # of the variance of subsequences
# Times the largest error of training rows, from where on a point is anomalous (measured).
TOLERANCE = 1.25
MAX_ANOMALOUS_SHARE, MAX_ANOMALOUS_ROWS = 0.02, 20  # of the training rows
MIN_SCALE = 1e-6  # of an error
UNKNOWN = 1e30  # the scale of a channel that training does not show: nothing exceeds it
MIN_STEP = 1e-3  # standard deviations from one point to the next; smaller ones count as this
WORDS_FROM = np.log(2)  # evidence from which on a report mentions it


@dataclass(frozen=True)
class Subsequences(PointEvidence):
    """What single points and short subsequences of a series are like.

    Three quantities are computed for a point: its error given the other points of a subsequence of 16, all
    channels together, by their joint normal distribution; the distance of the subsequences of its channel
    that cover it to the nearest remembered ones, after whitening; and their stillness, one over the root mean
    squared step from point to point. Stuck sensors stand still, and so does a series that lost its rhythm.
    Each of these, e, counts in units of 1.25 times the largest that is to be expected of training rows, as
    evidence of `(1 + e^8)^(1/8)`: from 1, for all that is usual, up to 6. The largest over all quantities and
    channels counts.

    The largest error or distance of n is estimated from the median and the highest tenth, as of an
    exponential tail: anomalous points among the training rows do not hide those to come. But no more than a
    fiftieth of the training rows, and no more than 20, are anomalous: where more lie beyond, it is the tail
    that is heavier.

    Attributes:
        joint: of subsequences over all channels.
        error: (points,) the largest usual error of each point.
        whitening: (channels, length, length) of subsequences of each channel.
        remembered: (channels, subsequences, length) whitened ones.
        positions: (subsequences,) of the remembered ones in time.
        distance, stillness: (channels,) the largest usual distance and stillness.
        threads: of torch.
    """

    joint: JointNormal
    error: np.ndarray
    whitening: np.ndarray
    remembered: np.ndarray
    positions: np.ndarray
    distance: np.ndarray
    stillness: np.ndarray
    threads: int | None = 1

    name = "subsequences"

    @property
    def channels(self) -> int:
        """The number of channels."""
        return int(self.remembered.shape[0])

    @property
    def length(self) -> int:
        """Points of a subsequence."""
        return int(self.remembered.shape[2])

    @classmethod
    def fit(cls, parts: ModelParts, training: TrainingRows, fitted: Sequence[Evidence]) -> Self | None:
        """Learn from training windows; a subsequence of two points needs windows of four.

        Args:
            parts: of the model.
            training: the rows of the fit.
            fitted: not used.
        """
        if training.positions is None or parts.source.length < 4:
            return None
        with torch_threads(parts.threads):
            return cls.of_pieces(sample_pieces(training.batch, training.positions), parts.threads)

    @classmethod
    def of_pieces(cls, pieces: Pieces, threads: int | None = 1) -> Self:
        """Learn from subsequences.

        Args:
            pieces: of the training windows.
            threads: of torch.
        """
        _, channels, length = pieces.values.shape
        flat = pieces.values.reshape(len(pieces.values), -1).astype(np.float64)
        kept = evenly_spaced(len(flat), MAX_REMEMBERED)
        centred = pieces.values - pieces.values.mean(2, keepdims=True)
        whitening = np.stack([_whitening(centred[:, channel]) for channel in range(channels)])
        # Each half by the other one: their own moments predict few subsequences of many channels too well.
        halves = [slice(0, len(flat) // 2), slice(len(flat) // 2, None)]
        errors = [
            JointNormal.fit(flat[b]).errors(flat[a], pieces.complete[a]) for a, b in (halves, halves[::-1])
        ]
        made = cls(
            joint=JointNormal.fit(flat),
            error=_largest_usual(np.concatenate(errors), pieces.total, pieces.total),
            whitening=whitening,
            remembered=np.matmul(pieces.values[kept].transpose(1, 0, 2), whitening),
            positions=pieces.positions[kept],
            distance=np.ones(channels, np.float32),
            stillness=_max_stillness(pieces),
            threads=threads,
        )
        distances = np.where(
            pieces.complete, made._nearest_distances(pieces.values, pieces.positions), np.nan
        )
        return replace(made, distance=_largest_usual(distances, pieces.total / length, pieces.total))

    @classmethod
    def restore(cls, parts: ModelParts, arrays: Arrays, state: Mapping[str, Any]) -> Self:
        """Make the evidence again.

        Args:
            parts: of the model.
            arrays: as `arrays` returns them.
            state: empty.

        Raises:
            ValueError: a scale is not above 0, or the covariance is none.
        """
        for name in ("error", "distance", "stillness"):
            require(bool((arrays[name] > 0).all()), "scales of subsequences")
        covariance = torch.from_numpy(arrays["covariance"]).double()
        require(bool(torch.linalg.cholesky_ex(covariance).info == 0), "covariance of subsequences")
        rest = {name: array for name, array in arrays.items() if name not in ("mean", "covariance")}
        return cls(JointNormal(arrays["mean"], arrays["covariance"]), **rest, threads=parts.threads)

    @classmethod
    def check(cls, shapes: Shapes, schema: Schema, source: Source) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return the shapes of the arrays, as the number of remembered subsequences has it.

        Args:
            shapes: of the arrays in the file.
            schema: of the model.
            source: of the model.

        Raises:
            ValueError: the model is none of windows, or remembers no subsequence or too many.
        """
        require(source.overlaps, "subsequences")
        channels, length = len(schema.fields[Curve.kind]), min(LENGTH, source.length // 2)
        kept, points = shapes["positions"][0], channels * length
        require(1 <= kept <= MAX_REMEMBERED and length >= 2, "subsequences")
        return {
            "mean": ("F32", (points,)),
            "covariance": ("F32", (points, points)),
            "error": ("F32", (points,)),
            "whitening": ("F32", (channels, length, length)),
            "remembered": ("F32", (channels, kept, length)),
            "positions": ("I64", (kept,)),
            "distance": ("F32", (channels,)),
            "stillness": ("F32", (channels,)),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        names = ("error", "whitening", "remembered", "positions", "distance", "stillness")
        moments = {"mean": self.joint.mean, "covariance": self.joint.covariance}
        return moments | {name: getattr(self, name) for name in names}

    def updated(self, previous: Evidence, batch: Batch, positions: np.ndarray | None) -> Self:
        """Return the evidence that tolerates the stillness of both the past and the newer rows.

        Remembered windows have predictions in place of missing values, which are stiller than the series.

        Args:
            previous: before the update.
            batch: the newer windows that were learnt.
            positions: (windows,) their positions in time.
        """
        if positions is None or len(batch) == 0:
            return self
        past, newer = cast(Self, previous).stillness, _max_stillness(sample_pieces(batch, positions))
        most = np.max([np.where(s < UNKNOWN, s, 0.0) for s in (past, newer)], axis=0)
        return replace(self, stillness=np.where(most > 0, most, UNKNOWN).astype(np.float32))

    def words(self, parts: ModelParts, frame: Frame, row: int) -> str:
        """Return that single points or short subsequences are anomalous at a row.

        Args:
            parts: of the model.
            frame: windows.
            row: the user's row.
        """
        length, layout = parts.source.length, frame.layout
        point = layout.point[row]
        near = np.flatnonzero((layout.start > point - length) & (layout.start <= point))
        points = CoveredPoints.of(frame, length, self.channels, near)
        points.take(slice(None), parts.schema.encode(frame[near]))
        evidence = points.fold(frame, self.score(points))[row]
        if evidence.max() < WORDS_FROM:
            return ""
        channel = of_channel(parts, int(evidence.argmax()))
        return f"single points or short subsequences{channel} are anomalous"

    def score(self, points: CoveredPoints, at: int | None = None) -> np.ndarray:
        """Return (cells, channels) the logarithm of the evidence; 0 where there is none.

        Args:
            points: points of a series.
            at: the only point to score, counted as `points.at`; None for all.
        """
        scores = np.zeros(points.values.shape)
        with torch_threads(self.threads):
            for run in points.runs():
                values, positions = points.values[run], points.positions[run]
                bridged = interpolate_gaps(values, self.length)
                wanted = range(0, len(values), POINTS)
                if at is not None:
                    here = at - int(points.at[run.start])
                    wanted = range(here, here + 1) if 0 <= here < len(values) else range(0)
                for first in wanted:
                    end = min(first + (POINTS if at is None else 1), len(values))
                    near = slice(max(first - self.length + 1, 0), end + self.length - 1)
                    log = self._score(values[near], bridged[near], positions[near])
                    scores[run.start + first : run.start + end] = log[first - near.start : end - near.start]
        return scores

    def _score(self, values: np.ndarray, bridged: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return (points, channels) log evidence of consecutive points."""
        if len(values) < self.length:
            return np.zeros(values.shape)
        pieces, complete = cut(values, bridged, self.length)
        nearest = self._nearest_distances(pieces, positions[: len(pieces)]) / self.distance
        still = _stillness(pieces) / self.stillness
        log = np.where(complete, np.maximum(_log(nearest), _log(still)), 0.0)
        total, covers = np.zeros(values.shape), np.zeros(values.shape)
        for offset in range(self.length):
            total[offset : offset + len(log)] += log
            covers[offset : offset + len(log)] += complete
        point = np.arange(len(values))
        piece = np.clip(point - self.length // 2, 0, len(pieces) - 1)
        flat = pieces.reshape(len(pieces), -1)
        errors = self.joint.errors(flat, complete) / self.error
        errors = errors.reshape(pieces.shape)[piece, :, point - piece]
        alone = np.where(np.isfinite(values), _log(errors), 0.0)
        return np.asarray(np.maximum(total / np.maximum(covers, 1), alone))

    def _nearest_distances(self, pieces: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Return (subsequences, channels) to the nearest remembered one that does not overlap, or NaN."""
        distances = np.full(pieces.shape[:2], np.nan)
        for channel in range(self.channels):
            whitening = self.whitening[channel].astype(np.float64)
            white = torch.from_numpy(pieces[:, channel].astype(np.float64) @ whitening)
            kept = torch.from_numpy(self.remembered[channel])
            for start in range(0, len(white), QUERIES):
                rows = slice(start, start + QUERIES)
                distances[rows, channel] = _nearest(white[rows], kept, where[rows], self.positions)
        return distances


def _max_stillness(pieces: Pieces) -> np.ndarray:
    """Return (channels,) the stillness of the stillest subsequences.

    A series that once stood so still does so again: no tail is cut here.
    """
    still = np.where(pieces.complete, _stillness(pieces.values), 0.0).max(0)
    return np.asarray(np.where(still > 0, still, UNKNOWN).astype(np.float32))


def _stillness(pieces: np.ndarray) -> np.ndarray:
    """Return (subsequences, channels) one over the root mean squared step, in standard deviations."""
    steps = np.sqrt(np.mean(np.diff(pieces.astype(np.float64)) ** 2, axis=2))
    return np.asarray(1 / np.maximum(steps, MIN_STEP))


def _nearest(white: Tensor, kept: Tensor, where: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return (subsequences,) root mean squared difference to the nearest one that does not overlap."""
    squares = torch.addmm(kept.square().sum(1)[None], white.float(), kept.T, alpha=-2)
    overlap = np.abs(where[:, None] - positions[None]) < white.shape[1]
    squares[torch.from_numpy(overlap)] = torch.inf
    exact, _ = nearest_exact(squares, lambda c: (white[:, None] - kept[c]).square().mean(2), 1)
    return np.asarray(torch.where(torch.isfinite(exact), exact.sqrt(), torch.nan).squeeze(1).numpy())


def _log(errors: np.ndarray) -> np.ndarray:
    """Return the logarithm of the evidence, of errors in units of the largest usual one."""
    return log_evidence(np.nan_to_num(errors) / TOLERANCE)


def _largest_usual(values: np.ndarray, apart: float, rows: int) -> np.ndarray:
    """Return (columns,) the largest of a sample that is not anomalous.

    Args:
        values: (sample, columns).
        apart: how many do not overlap.
        rows: how many there are.
    """
    there = np.isfinite(values).any(0)
    known = np.where(there, values, 0.0)
    middle, high = np.nanquantile(known, [0.5, 0.9], axis=0)
    expected = middle + (high - middle) * np.log(max(apart, 10) / 2) / np.log(5)
    usual = 1 - min(MAX_ANOMALOUS_SHARE, MAX_ANOMALOUS_ROWS / rows)
    least = np.nanquantile(known, usual, axis=0)
    largest = np.maximum(np.clip(expected, least, np.nanmax(known, axis=0)), MIN_SCALE)
    return np.asarray(np.where(there, largest, UNKNOWN).astype(np.float32))


def _whitening(centred: np.ndarray) -> np.ndarray:
    """Return the matrix that whitens subsequences and first brings each to a mean of 0, (length, length).

    Args:
        centred: (subsequences, length) of one channel, each with a mean of 0.
    """
    _, covariance = moments(torch.from_numpy(centred).double())
    inverse_root, _ = square_roots(covariance, WHITENING_RIDGE)
    return np.asarray((inverse_root - inverse_root.mean(0)).float().numpy())
