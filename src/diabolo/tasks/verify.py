"""Verify images: say whether two show the same person, at a chosen rate of false accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.data.sources import UserTable
from diabolo.errors import DataError
from diabolo.tasks.base import Answer, Model
from diabolo.tasks.recognition import needed_recognizer, needed_vectors, or_missing


@dataclass
class Verified(Answer):
    """Which pairs of images show the same person.

    Attributes:
        similarity: (rows,) cosine of the vectors of the two images, -1 to 1.
        threshold: the similarity that pairs of the same person exceed.
        same: (rows,) whether it is exceeded.
        present: (rows,) whether both images can be read; the answers about others are missing.
        false_accept_rate: the share of pairs of different people that exceed the threshold.
        calibration_pairs: the pairs of different people on which the threshold was measured; none of these
            people was in the fit that compared them.
        calibration_people: how many people they were.
        true_accept_rate: the share of pairs of the same person that exceeded it there; None if unknown.
    """

    user_table: UserTable
    similarity: np.ndarray
    threshold: float
    same: np.ndarray
    present: np.ndarray
    false_accept_rate: float
    calibration_pairs: int
    calibration_people: int
    true_accept_rate: float | None

    def columns(self) -> dict[str, Any]:
        """Return the similarity, the threshold, and whether both images show the same person."""
        return {
            "similarity": or_missing(self.similarity, self.present),
            "threshold": np.full(len(self.similarity), self.threshold),
            "same": or_missing(self.same, self.present),
        }


def verify(model: Model, data: Any, other: Any, *, false_accept_rate: float = 0.01) -> Verified:
    """Say whether each image and the one in its place in other data show the same person or thing.

    The threshold was measured in the fit, on pairs of people that were left out; the answer says how many.
    People who look alike, as relatives do, exceed it more often than others.

    Args:
        model: a model that was fitted to images with labels.
        data: rows with the columns of the fit.
        other: as many rows, to compare them with; or one, with which all are compared.
        false_accept_rate: the share of pairs of different people that may be taken for the same, 0 to 1.

    Returns:
        The similarities, the threshold, and which pairs are the same.

    Raises:
        UnsupportedError: the model was not fitted with labels, or to too few images for a threshold.
        OptionError: the rate is not between 0 and 1.
        DataError: the data cannot be read, or the numbers of rows differ.
    """
    engine = model.engine_
    recognizer = needed_recognizer(engine, "verify", instead="model.match(data, gallery=other)")
    threshold = recognizer.threshold(false_accept_rate)
    one, two = needed_vectors(engine, data), needed_vectors(engine, other)
    rows = len(one.vectors)
    if len(two.vectors) not in (1, rows):
        raise DataError(
            f"{rows} rows to verify, and {len(two.vectors)} to compare them with",
            hint="give as many, or one with which all are compared",
        )
    similarity = pair_similarity(one.vectors, two.vectors)
    calibration = recognizer.calibration
    return Verified(
        one.user_table,
        similarity,
        threshold,
        similarity > threshold,
        one.present & two.present,
        false_accept_rate,
        calibration.pairs,
        calibration.people,
        calibration.true_accept_rate(threshold),
    )


def pair_similarity(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return (rows,) the cosines of pairs of unit vectors.

    Args:
        one: (rows, size).
        other: the same number, or a single one.
    """
    # Summed row by row: the bits of a matrix product would depend on the number of rows.
    return np.asarray((one.astype(float) * other).sum(1).clip(-1, 1))
