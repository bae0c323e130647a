"""A model with the methods of PyOD's detectors, for code that is written for PyOD."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np


class OutlierModel(Protocol):
    """The methods of a model that `Detector` calls."""

    @property
    def threshold_(self) -> float:
        """The anomaly score above which a row is an alarm."""

    def fit(self, X: Any) -> Any:
        """Fit the model to the rows of X."""

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Return the anomaly score of each row in bits, (rows,)."""

    def predict(self, X: Any) -> np.ndarray:
        """Return +1 for each normal row and -1 for each alarm, (rows,)."""


class Detector:
    """A model as a PyOD detector: higher scores are more anomalous, and alarms are 1.

    Args:
        model: an `Autoencoder`, fitted or not.

    Attributes:
        decision_scores_: (rows,) anomaly scores of the rows of the fit, in bits.
        labels_: (rows,) 1 for the alarms among them, else 0.
        threshold_: bits above which a row is an alarm.
    """

    def __init__(self, model: OutlierModel) -> None:
        self.model = model

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the model to the rows of X, and score them.

        Args:
            X: the data.
            y: not used; PyOD passes it.
        """
        self.model.fit(X)
        return self.set_fit_rows(X)

    def set_fit_rows(self, X: Any) -> Self:
        """Score the rows of the fit, for a model that was fitted before it became a detector."""
        self.decision_scores_ = self.model.anomaly_score(X)
        self.threshold_ = self.model.threshold_
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the anomaly score of each row in bits, (rows,)."""
        return self.model.anomaly_score(X)

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for each alarm and 0 for each other row, (rows,)."""
        return np.where(self.model.predict(X) == -1, 1, 0)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return p and 1 - p, (rows, 2): p is the share of normal rows that are at least as anomalous."""
        p_anomaly = 1 - np.exp2(-self.model.anomaly_score(X))
        return np.stack([1 - p_anomaly, p_anomaly], axis=1)
