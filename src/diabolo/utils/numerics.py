"""Linear algebra of covariance matrices."""

from __future__ import annotations

import torch
from torch import Tensor


def moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean, (points,), and the covariance, (points, points), of rows without missing values.

    Args:
        values: (rows, points); the covariance is divided by the number of rows.
    """
    mean = values.mean(0)
    centred = values - mean
    return mean, centred.T @ centred / len(values)


def square_roots(covariance: Tensor, ridge: float | Tensor = 0.0) -> tuple[Tensor, Tensor]:
    """Return the symmetric inverse square root C^-1/2 and the square root C^1/2 of a covariance.

    Args:
        covariance: (points, points); negative eigenvalues, of rounding, count as 0.
        ridge: added to every eigenvalue.
    """
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
    roots = (eigenvalues.clamp_min(0) + ridge).sqrt()
    inverse_root, root = ((eigenvectors * scale) @ eigenvectors.T for scale in (1 / roots, roots))
    return inverse_root, root
