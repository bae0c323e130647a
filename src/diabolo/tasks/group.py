"""Group images of unknown people: give those of the same person the same number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.data.sources import UserTable
from diabolo.images.recognition.grouping import group as group_vectors
from diabolo.tasks.base import Answer, Model
from diabolo.tasks.recognition import ImageVectors, needed_recognizer, needed_vectors, or_missing


@dataclass
class Groups(Answer):
    """Which images show the same person, whoever it is.

    Attributes:
        group: (rows,) number of the person on each image, 0, 1, ... in the order of appearance; -1 where
            there is no image that can be read.
        threshold: the mean similarity that two groups exceed if they are joined.
    """

    user_table: UserTable
    group: np.ndarray
    threshold: float

    def columns(self) -> dict[str, Any]:
        """Return the group of each image."""
        return {"group": or_missing(self.group, self.group >= 0)}


def group(model: Model, data: Any, *, false_accept_rate: float = 0.01) -> Groups:
    """Put images into groups that show the same person or thing, whoever it is.

    Args:
        model: a model that was fitted to images with labels; the people need not be those of the fit.
        data: rows with the columns of the fit.
        false_accept_rate: the share of pairs of different people that exceed the similarity from which on two
            groups are joined; the larger it is, the fewer groups there are.

    Returns:
        The number of the group of each image.

    Raises:
        UnsupportedError: the model was not fitted with labels, or to too few images for a threshold.
        OptionError: the rate is not between 0 and 1.
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    recognizer = needed_recognizer(engine, "group", instead="model.embed(data) for coordinates to cluster")
    threshold = recognizer.threshold(false_accept_rate)
    read = needed_vectors(engine, data)
    return Groups(read.user_table, grouped(read, threshold), threshold)


def grouped(read: ImageVectors, threshold: float) -> np.ndarray:
    """Return (rows,) the number of the group of each image, -1 where there is none.

    Args:
        read: the images.
        threshold: the least mean similarity of groups that are joined.
    """
    numbers = np.full(len(read.present), -1)
    numbers[read.present] = group_vectors(read.vectors[read.present], threshold)
    return numbers
