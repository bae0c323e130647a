"""Numbers in standard units: their mean, their deviation, and the digits that they use."""

from __future__ import annotations

import numpy as np

# Values beyond this many standard units are clipped: float32 squares must stay finite.
MAX_STANDARD_UNITS = 1e6
MAX_DECIMALS = 6  # digits after the point that are counted; numbers that use more have no such number
N_DECIMALS_SAMPLE = 1000  # values, evenly spaced, that digits are counted in


def mean_and_scale(x: np.ndarray) -> tuple[float, float]:
    """Return the mean and the standard deviation of finite numbers; 1 for the latter where all are equal."""
    # Numbers near the largest float would overflow when squared: measure them in units of the largest.
    unit = max(float(np.abs(x).max()) / 1e100, 1.0)
    mean, scale = float((x / unit).mean() * unit), float((x / unit).std() * unit)
    return mean, scale if scale > 1e-12 * max(abs(mean), 1e-300) else 1.0


def standardize(x: np.ndarray, mean: float, scale: float) -> np.ndarray:
    """Return `(x - mean) / scale` in single precision, clipped to `MAX_STANDARD_UNITS`.

    Args:
        x: numbers of any shape; none is NaN.
        mean: what is subtracted.
        scale: what the difference is divided by, above 0.
    """
    with np.errstate(over="ignore"):
        return np.clip((x - mean) / scale, -MAX_STANDARD_UNITS, MAX_STANDARD_UNITS).astype(np.float32)


def count_decimals(x: np.ndarray) -> int | None:
    """Return the number of digits after the point that numbers use; None if they use more than six."""
    sample = x[:: max(1, len(x) // N_DECIMALS_SAMPLE)]
    for digits in range(MAX_DECIMALS + 1):
        # Rounding multiplies: the largest floats have no digits to count.
        with np.errstate(over="ignore"):
            rounded = np.round(sample, digits)
        if np.allclose(sample, rounded, rtol=1e-12, atol=1e-9):
            return digits
    return None
