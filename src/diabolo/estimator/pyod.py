"""The vocabulary of PyOD, for code that is written for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from diabolo.estimator.autoencoder import Autoencoder


class Detector:
    """An `Autoencoder` that speaks as PyOD's detectors do: scores are higher for odder rows, alarms are 1.

    Args:
        model: fitted or not.

    Attributes:
        decision_scores_: (rows,) bits of the rows of the fit.
        labels_: (rows,) 1 for alarms among them, else 0.
        threshold_: bits above which a row is an alarm.
    """

    def __init__(self, model: Autoencoder) -> None:
        self.model = model

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what the rows look like, and score them."""
        self.model.fit(X)
        return self.refer(X)

    def refer(self, X: Any) -> Self:
        """Take these rows for those of the fit."""
        self.decision_scores_ = self.model.anomaly_score(X)
        self.threshold_ = self.model.threshold_
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """(rows,) bits."""
        return self.model.anomaly_score(X)

    def predict(self, X: Any) -> np.ndarray:
        """(rows,) 1 for alarms, else 0."""
        return np.where(self.model.predict(X) == -1, 1, 0)

    def predict_proba(self, X: Any) -> np.ndarray:
        """(rows, 2) one minus the share of normal rows that are at least as odd, and its complement first."""
        rare = 1 - np.exp2(-self.model.anomaly_score(X))
        return np.stack([1 - rare, rare], axis=1)
