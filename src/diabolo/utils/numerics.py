"""Numerical functions that several parts of the library share."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

SOFT_LOG_KNEE = 4.0  # standard deviations from where on `soft_log` grows like a logarithm (measured)

Values = TypeVar("Values", np.ndarray, Tensor)


def soft_log(values: Values) -> Values:
    """Return `4 asinh(x / 4)`: x itself near 0, and its logarithm in the tails.

    Of two values far out, the difference says by what factor they differ, not by how many deviations.
    """
    if isinstance(values, Tensor):
        return SOFT_LOG_KNEE * torch.asinh(values / SOFT_LOG_KNEE)
    return SOFT_LOG_KNEE * np.arcsinh(values / SOFT_LOG_KNEE)


def in_shares(table: np.ndarray) -> np.ndarray:
    """Return each row of a table in shares of its sum; equal shares where the sum is 0.

    Args:
        table: (rows, columns); negative and missing values count as 0.
    """
    table = np.nan_to_num(np.maximum(table, 0))
    total = table.sum(1, keepdims=True)
    return np.where(total > 0, table / np.where(total > 0, total, 1), 1 / table.shape[1])


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
