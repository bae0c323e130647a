"""Gaussian mixtures: one fit for the latent prior and for the window mixture."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture


def fit_gaussian_mixture(
    rows: np.ndarray, n_components: int, *, ridge: float, max_iter: int, seed: int
) -> GaussianMixture:
    """Fit a mixture of normal distributions with full covariances by EM.

    A fit that has not converged after `max_iter` steps is used as it is, without a warning: new rows are
    checked by what is sampled, not by the last digit of a likelihood.

    Args:
        rows: (rows, numbers).
        n_components: components of the mixture.
        ridge: added to the diagonal of each covariance.
        max_iter: steps of EM.
        seed: of the initial k-means.

    Returns:
        The fitted scikit-learn mixture.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(n_components, reg_covar=ridge, max_iter=max_iter, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(rows)
    return mixture
