"""Numerical functions that several parts of the library share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

SOFT_LOG_KNEE = 4.0  # standard deviations from where on `soft_log` grows like a logarithm (measured)
MIN_VARIANCE = 1e-9  # of standardised values, so that a constant has an inverse variance
MAX_REPEATED_MINIMA = 4  # smallest values that are found one after the other, five times faster than sorting

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


def ridged(covariance: Tensor, ridge: float) -> Tensor:
    """Return a covariance that can be inverted: a ridge is added to its diagonal.

    Args:
        covariance: (points, points).
        ridge: a share of the mean variance.
    """
    return covariance + _amount(covariance, ridge) * torch.eye(len(covariance), dtype=covariance.dtype)


def square_roots(covariance: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Return the symmetric inverse square root C^-1/2 and the square root C^1/2 of a covariance with a ridge.

    Args:
        covariance: (points, points); negative eigenvalues, of rounding, count as 0.
        ridge: a share of the mean variance, which is added to every eigenvalue.
    """
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
    roots = (eigenvalues.clamp_min(0) + _amount(covariance, ridge)).sqrt()
    inverse_root, root = ((eigenvectors * scale) @ eigenvectors.T for scale in (1 / roots, roots))
    return inverse_root, root


def nearest_exact(
    squares: Tensor, exact: Callable[[Tensor], Tensor], count: int, *, spare: int = 0, skip: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the smallest squared distances of each row, (rows, count) ascending, and their columns.

    A matrix product that compares all pairs rounds, by an amount that depends on the number of rows. So it
    only chooses candidates, whose distances are computed again and ordered.

    Args:
        squares: (rows, candidates) squared distances up to rounding; infinite for pairs that do not count.
        exact: returns the exact squared distances to the columns that it is given, (rows, any number) each.
        count: number of columns for each row; fewer are returned if there are not so many candidates.
        spare: how many candidates on either side are computed exactly too: rounding may exchange neighbours.
        skip: how many smaller ones are passed over.
    """
    squared, columns = _smallest(squares, min(skip + count + spare, squares.shape[1]))
    first = max(skip - spare, 0)
    squared, columns = squared[:, first:], columns[:, first:]
    distances, order = torch.where(torch.isfinite(squared), exact(columns), torch.inf).sort(
        dim=1, stable=True
    )
    wanted = slice(skip - first, skip - first + count)
    return distances[:, wanted], columns.gather(1, order[:, wanted])


def _amount(covariance: Tensor, ridge: float) -> Tensor:
    """Return what a ridge adds to each variance; not quite 0 where nothing varies."""
    return ridge * covariance.diagonal().mean() + MIN_VARIANCE


def _smallest(table: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return (rows, count) the smallest numbers of each row, ascending, and their columns."""
    if count > MAX_REPEATED_MINIMA:
        return table.topk(count, largest=False)
    left, values, columns = table.clone(), [], []
    for _ in range(count):
        value, column = left.min(1, keepdim=True)
        left.scatter_(1, column, torch.inf)
        values.append(value)
        columns.append(column)
    return torch.cat(values, 1), torch.cat(columns, 1)
