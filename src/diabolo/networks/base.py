"""The interface of bases: predictions that a network starts from, and coordinates that it works in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from diabolo.data.fields import Batch
from diabolo.networks.prediction import Prediction
from diabolo.networks.stems import Guess


class Prepared(NamedTuple):
    """Rows as the layers of a network read them.

    Attributes:
        batch: the rows, in the coordinates of the layers.
        original: the rows in their own coordinates.
        completed: (rows, points) the original windows with missing values predicted, and the log of the
            standard deviation of these predictions; None where coordinates are the same.
    """

    batch: Batch
    original: Batch
    completed: tuple[Tensor, Tensor] | None = None


class Base(nn.Module, ABC):
    """A model that is fitted before training: heads predict what it leaves over.

    Attributes:
        completes: whether it predicts missing values, before the layers read them.
        kinds: kinds of fields that `guess` predicts.
    """

    completes: bool = False
    kinds: tuple[str, ...] = ()

    @abstractmethod
    def initialise(self, batch: Batch) -> dict[str, Tensor]:
        """Fit to rows in their order; return kind -> the log of the scale that its head starts from."""

    @abstractmethod
    def prepare(self, batch: Batch) -> Prepared:
        """Return rows as the layers read them."""

    @abstractmethod
    def guess(self, batch: Batch) -> dict[str, Guess]:
        """Return kind -> the prediction that its head starts from, for rows as `prepare` returns them."""

    @abstractmethod
    def restore(self, prediction: Prediction, prepared: Prepared) -> Prediction:
        """Return a prediction in the original coordinates.

        Args:
            prediction: for prepared rows.
            prepared: these rows.
        """

    @abstractmethod
    def interpolated(self, batch: Batch) -> Batch:
        """Return rows to train on: with missing values interpolated, where predicting them is expensive."""


class NoBase(Base):
    """Networks that start from nothing and read rows as they are."""

    def initialise(self, batch: Batch) -> dict[str, Tensor]:
        return {}

    def prepare(self, batch: Batch) -> Prepared:
        return Prepared(batch, batch)

    def guess(self, batch: Batch) -> dict[str, Guess]:
        return {}

    def restore(self, prediction: Prediction, prepared: Prepared) -> Prediction:
        """Return the same prediction.

        Args:
            prediction: in the coordinates of the rows.
            prepared: unused.
        """
        return prediction

    def interpolated(self, batch: Batch) -> Batch:
        return batch
