"""Whether a few points of a series are odd by themselves, which a window of a hundred would blur."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from diabolo.data.fields import Batch, Curve
from diabolo.data.sources import Frame
from diabolo.utils.sampling import evenly_spaced

LENGTH = 16  # points of a stretch
REMEMBERED = 512
STRETCHES = 20_000  # that are learnt from
NUMBERS = 4_000_000  # of them together
QUERIES = 2048
RIDGE = 0.01  # of their variance, to whiten stretches
FINE = 1e-4  # to guess a point from others: channels that hardly differ are told apart
BEYOND = 1.25  # times the largest in training, from where on a point is odd
ODD = (0.02, 20)  # of the training rows at most: a share, and how many
HIGHEST = 6.0
FARTHEST = 50.0  # beyond, all is alike: powers stay finite
FINEST = 1e-6
UNKNOWN = 1e30  # of a channel that training does not show: nothing is beyond
POINTS = 16_384  # that are judged at once
KEPT = 16  # sets of channels whose solution is kept
MIN_STEP = 1e-3  # deviations from one point to the next; less is nothing


class CoveredPoints:
    """The points that windows cover, each once, in the order of time.

    Args:
        starts: (windows,) where they start, in any order; some may be the same.
        positions: (windows,) the same in time.
        length: points of a window.
        channels: of them.

    Attributes:
        values: (cells, channels) in standard units, NaN in holes; runs of points lie a cell apart.
        at: (cells,) what place a cell has, counted as `starts` are; -1 between runs.
        positions: (cells,) what position.
    """

    def __init__(self, starts: np.ndarray, positions: np.ndarray, length: int, channels: int) -> None:
        order = np.argsort(starts, kind="stable")
        steps = np.diff(starts[order], prepend=starts[order[:1]])
        cells = np.cumsum(np.minimum(steps, length + 1))
        self._first = np.empty(len(starts), np.int64)
        self._first[order] = cells
        self.values = np.full((int(cells[-1]) + length, channels), np.nan, np.float32)
        self.at, self.positions = (np.full(len(self.values), -1, np.int64) for _ in range(2))
        self._windows, self._offsets = (starts, positions), np.arange(length)

    @classmethod
    def of(cls, frame: Frame, length: int, channels: int, rows: slice | np.ndarray = slice(None)) -> Self:
        """A place for the points of windows, all or some."""
        assert frame.positions is not None
        return cls(frame.layout.start[rows], frame.positions[rows], length, channels)

    def take(self, windows: slice | np.ndarray, batch: Batch) -> None:
        """Take in some of the windows."""
        values, seen = batch.values[Curve.kind], batch.visible[Curve.kind]
        cells = self._first[windows][:, None] + self._offsets
        self.values[cells] = torch.where(seen, values, torch.nan).transpose(1, 2).numpy()
        for places, first in zip((self.at, self.positions), self._windows, strict=True):
            places[cells] = first[windows][:, None] + self._offsets

    def fold(self, frame: Frame, found: np.ndarray) -> np.ndarray:
        """(cells, channels) -> (user rows, channels); 0 for those that no window covers."""
        table = np.zeros((frame.layout.points + 1, found.shape[1]))  # the last place is of cells between runs
        table[self.at] = found
        return np.asarray(table[frame.layout.point])

    def runs(self) -> Iterator[slice]:
        """Cells that follow each other."""
        edges = np.flatnonzero(np.diff(self.at >= 0, prepend=False, append=False))
        for first, end in edges.reshape(-1, 2).tolist():
            yield slice(first, end)


class Joint:
    """The joint normal distribution of a stretch's points, all channels together.

    Attributes:
        mean, covariance: (points,) and (points, points), as they are kept.
    """

    def __init__(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        self.mean, self.covariance = mean, covariance
        self._solved: dict[bytes, Tensor] = {}

    @classmethod
    def fit(cls, flat: np.ndarray) -> Joint:
        """Learn from stretches (rows, points)."""
        mean, covariance = _moments(flat, FINE)
        return cls(mean.astype(np.float32), covariance.astype(np.float32))

    def errors(self, flat: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """(stretches, points) how far each point is from what the others say, in deviations; NaN if unknown.

        Of the channels that count in a stretch: one that is not there says nothing of the others.
        """
        found = np.full(flat.shape, np.nan)
        patterns, which = np.unique(whole, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            points = np.flatnonzero(np.repeat(pattern, flat.shape[1] // whole.shape[1]))
            if len(points):
                at = np.ix_(np.flatnonzero(which.ravel() == number), points)
                table = self._precision(points)
                away = torch.from_numpy(flat[at] - self.mean[points]).double()
                found[at] = ((away @ table).abs() / table.diagonal().sqrt()).numpy()
        return found

    def _precision(self, points: np.ndarray) -> Tensor:
        """The inverse covariance of some points; of the last ones asked for it is kept."""
        key = points.tobytes()
        if key not in self._solved:
            if len(self._solved) >= KEPT:
                self._solved.clear()
            covariance = torch.from_numpy(self.covariance[np.ix_(points, points)]).double()
            self._solved[key] = torch.linalg.inv(covariance)
        return self._solved[key]


class SubsequenceEvidence:
    """What single points and short stretches of a series are like.

    Three questions are asked of a point. Does it lie where the other points of 16 say, all channels together,
    by their joint normal distribution? Are the stretches of 16 points of its channel that cover it like
    remembered ones, after whitening? And do they move as much, from point to point? Sensors that are stuck do
    not, nor does a series without its rhythm. An error, a distance, or one over the movement, e, counts in
    units of 1.25 times the largest that is to be expected of training rows, as evidence of `(1 + e^8)^(1/8)`:
    from 1, for all that is usual, up to 6. Of all questions and channels the largest counts.

    The largest error or distance of n is read off the median and the highest tenth, as of an exponential
    tail: odd points among the training rows do not hide those to come. But no more than a fiftieth of the
    training rows, and no more than 20, are odd: where more lie beyond, it is the tail that is heavier.

    Attributes:
        arrays: of stretches over all channels: mean (points,), covariance (points, points), and error
            (points,), the largest; by channel: whitening (channels, length, length), stretches
            (channels, kept, length) whitened, positions (kept,), and distance and calm (channels,), the
            largest.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = dict(arrays)
        self.channels, self.length = self.arrays["stretches"].shape[::2]
        self._joint = Joint(self.arrays["mean"], self.arrays["covariance"])

    @classmethod
    def fit(cls, batch: Batch, positions: np.ndarray) -> SubsequenceEvidence:
        """Learn from training windows.

        Args:
            batch: windows.
            positions: (windows,) their places in time.
        """
        pieces, whole, where, count = _sample(batch, positions)
        _, channels, length = pieces.shape
        flat = pieces.reshape(len(pieces), -1).astype(np.float64)
        kept = evenly_spaced(len(pieces), REMEMBERED)
        centred = pieces - pieces.mean(2, keepdims=True)
        whitening = np.stack([_root(_moments(centred[:, c].astype(np.float64))[1]) for c in range(channels)])
        joint = Joint.fit(flat)
        made = cls(
            {
                "mean": joint.mean,
                "covariance": joint.covariance,
                "error": np.ones_like(joint.mean),
                "whitening": whitening,
                "stretches": np.matmul(pieces[kept].transpose(1, 0, 2), whitening),
                "positions": where[kept],
                "distance": np.ones(channels, np.float32),
                "calm": _max_stillness(pieces, whole),
            }
        )
        # Each half by the other one: their own moments guess few stretches of many channels too well.
        halves = [slice(0, len(flat) // 2), slice(len(flat) // 2, None)]
        judged = [Joint.fit(flat[b]).errors(flat[a], whole[a]) for a, b in (halves, halves[::-1])]
        made.arrays["error"] = _largest(np.concatenate(judged), count, count)
        distances = np.where(whole, made._distances(pieces, where), np.nan)
        made.arrays["distance"] = _largest(distances, count / length, count)
        return made

    def allow_stillness(self, *calm: np.ndarray) -> None:
        """Take the stillest of these for usual; (channels,) each, as `max_stillness` has it."""
        most = np.max([np.where(c < UNKNOWN, c, 0.0) for c in calm], axis=0)
        self.arrays["calm"] = np.where(most > 0, most, UNKNOWN).astype(np.float32)

    def evidence(self, course: CoveredPoints, at: int | None = None) -> np.ndarray:
        """(cells, channels) the logarithm of the evidence; 0 where there is none.

        Args:
            course: points.
            at: the place of the only point that is asked for.
        """
        found = np.zeros(course.values.shape)
        for run in course.runs():
            values, positions = course.values[run], course.positions[run]
            bridged = _bridged(values, self.length)
            wanted = range(0, len(values), POINTS)
            if at is not None:
                here = at - int(course.at[run.start])
                wanted = range(here, here + 1) if 0 <= here < len(values) else range(0)
            for first in wanted:
                end = min(first + (POINTS if at is None else 1), len(values))
                near = slice(max(first - self.length + 1, 0), end + self.length - 1)
                log = self._evidence(values[near], bridged[near], positions[near])
                found[run.start + first : run.start + end] = log[first - near.start : end - near.start]
        return found

    def _evidence(self, values: np.ndarray, bridged: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """(points, channels) of points that follow each other."""
        if len(values) < self.length:
            return np.zeros(values.shape)
        pieces, whole = _cut(values, bridged, self.length)
        nearest = self._distances(pieces, positions[: len(pieces)]) / self.arrays["distance"]
        calm = _stillness(pieces) / self.arrays["calm"]
        log = np.where(whole, np.maximum(_log(nearest), _log(calm)), 0.0)
        total, covers = np.zeros(values.shape), np.zeros(values.shape)
        for offset in range(self.length):
            total[offset : offset + len(log)] += log
            covers[offset : offset + len(log)] += whole
        point = np.arange(len(values))
        piece = np.clip(point - self.length // 2, 0, len(pieces) - 1)
        flat = pieces.reshape(len(pieces), -1)
        errors = self._joint.errors(flat, whole) / self.arrays["error"]
        errors = errors.reshape(pieces.shape)[piece, :, point - piece]
        alone = np.where(np.isfinite(values), _log(errors), 0.0)
        return np.asarray(np.maximum(total / np.maximum(covers, 1), alone))

    def _distances(self, pieces: np.ndarray, where: np.ndarray) -> np.ndarray:
        """(stretches, channels) to the nearest remembered stretch that does not overlap; NaN for none."""
        found = np.full(pieces.shape[:2], np.nan)
        for channel in range(self.channels):
            whitening = self.arrays["whitening"][channel].astype(np.float64)
            white = torch.from_numpy(pieces[:, channel].astype(np.float64) @ whitening)
            kept = torch.from_numpy(self.arrays["stretches"][channel])
            for start in range(0, len(white), QUERIES):
                rows = slice(start, start + QUERIES)
                found[rows, channel] = _nearest(white[rows], kept, where[rows], self.arrays["positions"])
        return found


def _sample(batch: Batch, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """An even choice of the stretches of windows, which count, their positions; and how many there are."""
    _, channels, points = batch.values[Curve.kind].shape
    course, length = CoveredPoints(positions, positions, points, channels), min(LENGTH, points // 2)
    course.take(slice(None), batch)
    runs = [course.values[run] for run in course.runs()]
    cut = [_cut(run, _bridged(run, length), length) for run in runs]
    ends = np.cumsum([len(pieces) for pieces, _ in cut])
    picked = evenly_spaced(int(ends[-1]), min(STRETCHES, NUMBERS // (channels * length)))
    chosen = []
    for (pieces, whole), run, end in zip(cut, course.runs(), ends, strict=True):
        mine = picked[(picked < end) & (picked >= end - len(pieces))] - (end - len(pieces))
        chosen.append((pieces[mine], whole[mine], course.positions[run][mine]))
    pieces, whole, positions = (np.concatenate(part) for part in zip(*chosen, strict=True))
    return pieces, whole, positions, int(ends[-1])


def max_stillness(batch: Batch, positions: np.ndarray) -> np.ndarray:
    """(channels,) how still the stillest stretches of these windows are: one over their movement."""
    pieces, whole, *_ = _sample(batch, positions)
    return _max_stillness(pieces, whole)


def _max_stillness(pieces: np.ndarray, whole: np.ndarray) -> np.ndarray:
    # A series that ever stood so still does so again: no tail is cut here.
    calm = np.where(whole, _stillness(pieces), 0.0).max(0)
    return np.asarray(np.where(calm > 0, calm, UNKNOWN).astype(np.float32))


def _stillness(pieces: np.ndarray) -> np.ndarray:
    """(stretches, channels) one over the root mean squared step from a point to the next, in deviations."""
    steps = np.sqrt(np.mean(np.diff(pieces.astype(np.float64)) ** 2, axis=2))
    return np.asarray(1 / np.maximum(steps, MIN_STEP))


def _nearest(white: Tensor, kept: Tensor, where: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(stretches,) root mean squared difference to the nearest one that does not overlap."""
    squares = torch.addmm(kept.square().sum(1)[None], white.float(), kept.T, alpha=-2)
    overlap = np.abs(where[:, None] - positions[None]) < white.shape[1]
    squares[torch.from_numpy(overlap)] = torch.inf
    least, nearest = squares.min(1)
    # The product that compares all pairs rounds, by how many rows there are: the one that counts is measured.
    exact = (white - kept[nearest]).square().mean(1).sqrt()
    return np.asarray(torch.where(torch.isfinite(least), exact, torch.nan).numpy())


def _bridged(values: np.ndarray, length: int) -> np.ndarray:
    """Points with straight lines across short holes, and the nearest value in long ones; 0 if there is none.

    What stands in a hole is known from fewer points than a stretch has, so that streams have it like batches.
    """
    bridged, there = values.copy(), np.isfinite(values)
    for channel in np.flatnonzero(~there.all(0)):
        known, holes = (np.flatnonzero(there[:, channel] == seen) for seen in (True, False))
        if len(known) == 0:
            bridged[:, channel] = 0.0
            continue
        after = np.searchsorted(known, holes)
        left, right = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
        nearest = np.where(np.abs(holes - left) <= np.abs(right - holes), left, right)
        line = np.interp(holes, known, values[known, channel])
        short = right - left <= length // 2
        bridged[holes, channel] = np.where(short, line, values[nearest, channel])
    return bridged


def _cut(values: np.ndarray, bridged: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """All stretches of a run (stretches, channels, length), and which count (stretches, channels).

    One does in a channel of which half of its points are there, or more.
    """
    points, channels = values.shape
    if points < length:
        return np.zeros((0, channels, length), np.float32), np.zeros((0, channels), bool)
    there = sliding_window_view(np.isfinite(values), length, axis=0).sum(-1)
    return sliding_window_view(bridged, length, axis=0), there >= length / 2


def _log(errors: np.ndarray) -> np.ndarray:
    """The logarithm of the evidence, of errors in units of the largest in training."""
    excess = np.minimum(np.nan_to_num(errors) / BEYOND, FARTHEST)
    return np.asarray(np.log(np.minimum((1 + excess**8) ** 0.125, HIGHEST)))


def _largest(values: np.ndarray, apart: float, rows: int) -> np.ndarray:
    """(columns,) the largest of a sample that is no odd one.

    Args:
        values: (sample, columns).
        apart: how many there are that do not overlap.
        rows: how many there are.
    """
    there = np.isfinite(values).any(0)
    known = np.where(there, values, 0.0)
    middle, high = np.nanquantile(known, [0.5, 0.9], axis=0)
    expected = middle + (high - middle) * np.log(max(apart, 10) / 2) / np.log(5)
    least = np.nanquantile(known, 1 - min(ODD[0], ODD[1] / rows), axis=0)
    largest = np.maximum(np.clip(expected, least, np.nanmax(known, axis=0)), FINEST)
    return np.asarray(np.where(there, largest, UNKNOWN).astype(np.float32))


def _moments(flat: np.ndarray, ridge: float = RIDGE) -> tuple[np.ndarray, np.ndarray]:
    """(points,) mean and (points, points) covariance, with a share of the mean variance added to each."""
    mean = flat.mean(0)
    away = flat - mean
    covariance = away.T @ away / max(len(flat), 1)
    added = ridge * float(np.diagonal(covariance).mean()) + 1e-9
    return mean, covariance + added * np.eye(len(covariance))


def _root(covariance: np.ndarray) -> np.ndarray:
    """Its inverse square root, for stretches that are first brought to a mean of 0."""
    values, vectors = np.linalg.eigh(covariance)
    whitening = (vectors * values**-0.5) @ vectors.T
    return np.asarray((whitening - whitening.mean(0)).astype(np.float32))
