"""How similar images of different people are, measured on pairs whose people were left out of the fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np

from diabolo.errors import OptionError, UnsupportedError
from diabolo.images.recognition.grouping import group
from diabolo.images.recognition.whitening import Whitening
from diabolo.utils.checks import is_finite_number, require
from diabolo.utils.progress import Progress

N_BLOCKS = 8  # of people; any two of them are left out of one fit, 28 in all, a quarter of the people of each
MIN_PEOPLE = 4  # with labels, so that a fit without two of them has two to learn from
N_BINS = 4_000  # of similarities from -1 to 1: steps of .0005
# Similarity of images of one fit, above which they are of one person. Of the pairs of different people, 1 %
# exceed .18 in the fit that has whitened them (measured as in `whitening.py`); of people never seen, .42.
SAME_IN_FIT = 0.25
MIN_PAIRS = 100  # of different people: one of them is accepted at a rate of 1 %
TAIL_SHARE = 0.01  # the most similar pairs of different people, from which rarer ones are extrapolated
MIN_TAIL_PAIRS = 10  # above a threshold that is read from the pairs; a higher one is extrapolated
MAX_PAIRS = 10**12  # that a model file may claim


@dataclass(frozen=True)
class PairCalibration:
    """Numbers of pairs of images by their similarity, in equal steps from -1 to 1.

    Attributes:
        different: (bins,) pairs of different people.
        same: (bins,) pairs with the same label; all 0 if few labels are known.
        people: how many people were compared.
        labelled: whether enough labels are known. If not, images that are alike are taken to be of one
            person. That some people are taken for several makes thresholds higher, on the safe side: at 1 %,
            .2 to .4 % false accepts were measured, and .81 true accepts (with labels .5 % and .88).
    """

    different: np.ndarray
    same: np.ndarray
    people: int
    labelled: bool

    @classmethod
    def fit(
        cls, views: np.ndarray, groups: np.ndarray, labelled: np.ndarray, progress: Progress | None = None
    ) -> Self:
        """Compare images by whitenings that were fitted without the people on them.

        Args:
            views: (images, views, size) descriptions of the views of each image.
            groups: (images,) the number of the person of each image.
            labelled: (images,) whether an image has a label.
            progress: called with the progress.
        """
        known = len(np.unique(groups[labelled])) >= MIN_PEOPLE
        vectors = Whitening.fit(views, groups).apply(views)
        compared = labelled if known else np.ones(len(groups), bool)
        people = groups if known else group(vectors, SAME_IN_FIT)
        numbers = np.unique(people[compared])
        blocks = [np.flatnonzero(compared & np.isin(people, b)) for b in _blocks(numbers)]
        different, same = (np.zeros(N_BINS, np.int64) for _ in range(2))
        fits = list(combinations(range(len(blocks)), 2)) if len(blocks) >= MIN_PEOPLE else []
        for done, (one, other) in enumerate(fits):
            out = np.concatenate([blocks[one], blocks[other]])
            kept = _unlike(vectors, out, ~labelled)
            if len(kept) == 0:
                continue
            found = Whitening.fit(views[kept], groups[kept]).apply(views[out])
            first = len(blocks[one])
            for rows, columns in _pairs_of(one, other, first, len(out), len(blocks)):
                similar = found[rows] @ found[columns].T
                alike = people[out][rows, None] == people[out][None, columns]
                wanted = np.triu(np.ones_like(alike), 1) if rows == columns else np.ones_like(alike)
                different += _histogram(similar[wanted & ~alike])
                same += _histogram(similar[wanted & alike])
            if progress is not None:
                progress("comparing images", (done + 1) / len(fits), None)
        return cls(different, same if known else np.zeros_like(same), len(numbers), known)

    @property
    def pairs(self) -> int:
        """The number of pairs of different people."""
        return int(self.different.sum())

    def threshold(self, rate: float) -> float:
        """Return the similarity that a share of the pairs of different people exceeds.

        With k pairs above it of n, the share is k / (n + 1), the rank among the pairs as in conformal
        prediction. Where fewer than `MIN_TAIL_PAIRS` would lie above, the tail is taken to be exponential
        with the mean excess of the most similar pairs; the tail of cosines is lighter.

        Args:
            rate: the share, between 0 and 1.

        Raises:
            OptionError: `rate` is not between 0 and 1.
            UnsupportedError: there were too few images.
        """
        if not is_finite_number(rate) or not 0 < rate < 1:
            raise OptionError(
                f"false_accept_rate={rate!r}: expected a number between 0 and 1",
                hint="false_accept_rate=0.01",
            )
        if self.pairs < MIN_PAIRS:
            raise UnsupportedError(
                f"a threshold needs {MIN_PAIRS} pairs of different people; the fit had {self.pairs}",
                hint="fit at least 5 people with 4 images each, or 15 images without labels",
            )
        least = MIN_TAIL_PAIRS / (self.pairs + 1)
        if rate >= least:
            return self._quantile(rate)
        excess = self._mean_excess(self._quantile(max(least, TAIL_SHARE)))
        return float(min(self._quantile(least) + excess * np.log(least / rate), 1.0))

    def true_accept_rate(self, threshold: float) -> float | None:
        """Return the share of the pairs of the same person above a threshold; None if there are none.

        Args:
            threshold: a similarity.
        """
        total = self.same.sum()
        return float(self.same[_edges()[1:] > threshold].sum() / total) if total else None

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was measured, as arrays for a model file."""
        return {"different": self.different, "same": self.same}

    def state(self) -> dict[str, Any]:
        """Return the rest of it, as plain values."""
        return {"people": self.people, "labelled": self.labelled}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> Self:
        """Return the inverse of `arrays` and `state`.

        Args:
            arrays: name -> array.
            state: plain values.

        Raises:
            ValueError: no fit can have left this.
        """
        for name in ("different", "same"):
            counts = arrays[name]
            require(counts.shape == (N_BINS,) and counts.dtype == np.int64, "pairs of images")
            require(bool((counts >= 0).all() and (counts <= MAX_PAIRS).all()), "pairs of images")
        people, labelled = state["people"], state["labelled"]
        require(type(people) is int and people >= 0 and type(labelled) is bool, "people of pairs")
        return cls(arrays["different"], arrays["same"], people, labelled)

    def _quantile(self, share: float) -> float:
        """Return the lowest edge of a bin above which at most a share of the pairs of different people is."""
        above = self.different[::-1].cumsum()[::-1]
        return float(_edges()[:-1][above <= share * (self.pairs + 1)].min(initial=1.0))

    def _mean_excess(self, start: float) -> float:
        """Return the mean similarity above a start of the pairs above it, at least one step."""
        centres, above = (_edges()[1:] + _edges()[:-1]) / 2, _edges()[:-1] >= start
        counts = self.different[above]
        step = 2 / N_BINS
        return max(float(((centres[above] - start) * counts).sum()) / max(int(counts.sum()), 1), step)


def _edges() -> np.ndarray:
    return np.linspace(-1, 1, N_BINS + 1)


def _blocks(people: np.ndarray) -> list[np.ndarray]:
    return np.array_split(people, min(N_BLOCKS, max(len(people), 1)))


def _unlike(vectors: np.ndarray, out: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Return the images that may be fitted: not those left out, nor unknown ones of the same people.

    Args:
        vectors: (images, size) by the fit to all of them.
        out: the images that are left out.
        unknown: (images,) whether an image has no label.
    """
    kept = np.ones(len(vectors), bool)
    kept[out] = False
    rows = np.flatnonzero(kept & unknown)
    if len(rows):
        kept[rows] = (vectors[rows] @ vectors[out].T).max(1) <= SAME_IN_FIT
    return np.flatnonzero(kept)


def _pairs_of(one: int, other: int, first: int, total: int, blocks: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of the pairs that count in a fit; over all fits, every pair counts once.

    Args:
        one: a block that is left out.
        other: another one, behind it.
        first: number of images in the block `one`, which come first.
        total: number of images in both.
        blocks: number of blocks.
    """
    own, others = slice(0, first), slice(first, total)
    yield own, others
    if other == one + 1:
        yield own, own
        if other == blocks - 1:
            yield others, others


def _histogram(similarities: np.ndarray) -> np.ndarray:
    """Return (bins,) how many similarities lie in each step."""
    bins = ((similarities.astype(float) + 1) * (N_BINS / 2)).astype(np.int64).clip(0, N_BINS - 1)
    return np.bincount(bins, minlength=N_BINS).astype(np.int64)
