"""Linear algebra of covariance matrices."""

from __future__ import annotations

import numpy as np
import torch

from diabolo.utils.numerics import moments, ridged, square_roots


def rows() -> torch.Tensor:
    random = np.random.default_rng(0)
    return torch.from_numpy(random.normal(size=(200, 5)) @ random.normal(size=(5, 5)) + 3)


def test_moments_are_those_of_numpy() -> None:
    mean, covariance = moments(rows())
    np.testing.assert_allclose(mean, rows().numpy().mean(0))
    np.testing.assert_allclose(covariance, np.cov(rows().numpy().T, bias=True))


def test_square_roots_are_symmetric_and_invert_each_other() -> None:
    _, covariance = moments(rows())
    inverse_root, root = square_roots(covariance, 0.1)
    identity = torch.eye(5, dtype=torch.double)
    torch.testing.assert_close(root @ root, ridged(covariance, 0.1))
    added = (ridged(covariance, 0.1) - covariance).diagonal()
    torch.testing.assert_close(added, (0.1 * covariance.diagonal().mean()).expand(5))
    torch.testing.assert_close(inverse_root @ root, identity)
    torch.testing.assert_close(root, root.T)
