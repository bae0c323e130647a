"""scikit-learn's own checks of an estimator, and its tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from diabolo import Autoencoder

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(80, 4))


@parametrize_with_checks([Autoencoder(epochs=1)])
@pytest.mark.filterwarnings("ignore::diabolo.DiaboloWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_contract(estimator: Autoencoder, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_tags_promise_no_exemption() -> None:
    tags = Autoencoder().__sklearn_tags__()
    assert not (tags._skip_test or tags.non_deterministic or tags.no_validation)


def test_pipeline_and_columns() -> None:
    assert make_pipeline(StandardScaler(), Autoencoder(epochs=1)).fit(ROWS).predict(ROWS).shape == (80,)
    columns = ColumnTransformer([("code", Autoencoder("vanilla", latent=2, epochs=1), [0, 1, 2])])
    assert columns.set_output(transform="pandas").fit_transform(ROWS).shape == (80, 2)


@pytest.mark.filterwarnings("ignore::diabolo.DiaboloWarning")
def test_grid_search_over_sizes() -> None:
    def score(model: Autoencoder, X: Any, y: Any = None) -> float:
        return float(model.score_samples(X).mean())

    grid = GridSearchCV(
        Autoencoder("variational", epochs=1), {"latent": [1, 2], "beta": [0.1, 1.0]}, scoring=score, cv=2
    )
    assert set(grid.fit(ROWS).best_params_) == {"latent", "beta"}


def test_clone_keeps_options() -> None:
    model = Autoencoder("beta", latent=3, layers=(8,), seed=5)
    assert clone(model).get_params() == model.get_params()
