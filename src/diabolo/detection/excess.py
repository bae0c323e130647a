"""How evidence grows with the excess over what is usual."""

from __future__ import annotations

import numpy as np

MAX_EVIDENCE = 6.0  # of one kind: a series that stays out of its range can still be anomalous in another way
MAX_EXCESS = 50.0  # beyond, all excesses are alike: powers stay finite


def log_evidence(excess: np.ndarray) -> np.ndarray:
    """Return the logarithm of `(1 + e^8)^(1/8)`: 0 for all that is usual, growing like log e up to log 6.

    Args:
        excess: errors in units of the largest that is usual, any shape; missing ones count as 0.
    """
    bounded = np.minimum(np.nan_to_num(excess), MAX_EXCESS)
    return np.asarray(np.log(np.minimum((1 + bounded**8) ** 0.125, MAX_EVIDENCE)))
