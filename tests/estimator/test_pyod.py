"""PyOD's vocabulary."""

from __future__ import annotations

import numpy as np
from pyod.models.knn import KNN

from diabolo import Autoencoder

RNG = np.random.default_rng(0)
ROWS, NEW = RNG.normal(size=(200, 3)), np.vstack([np.zeros(3), np.full(3, 9.0)])


def test_speaks_as_a_detector_of_pyod_does() -> None:
    ours, theirs = Autoencoder(epochs=1).to_pyod().fit(ROWS), KNN().fit(ROWS)
    for name in ("decision_scores_", "labels_", "threshold_"):
        assert np.shape(getattr(ours, name)) == np.shape(getattr(theirs, name))
    for name in ("decision_function", "predict", "predict_proba"):
        mine, other = getattr(ours, name)(NEW), getattr(theirs, name)(NEW)
        assert mine.shape == other.shape
        assert np.ravel(mine)[-1] > np.ravel(mine)[0] or name == "predict_proba"
    assert set(ours.labels_) <= {0, 1} and ours.predict(NEW).tolist() == [0, 1]
    assert np.allclose(ours.predict_proba(NEW).sum(1), 1)


def test_a_fitted_model_can_be_turned() -> None:
    model = Autoencoder(epochs=1).fit(ROWS)
    detector = model.to_pyod(ROWS)
    assert np.array_equal(detector.decision_scores_, model.anomaly_score(ROWS))
    assert np.array_equal(detector.labels_, detector.predict(ROWS))
