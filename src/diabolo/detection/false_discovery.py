"""Which of many rows are anomalous, if a share of those that are named may be false."""

from __future__ import annotations

import numpy as np

from diabolo.errors import OptionError


def discovery_threshold(bits: np.ndarray, rate: float) -> float:
    """Return the bits above which rows are named, so that a share of them is false, on average.

    The procedure of Benjamini and Hochberg (1995) on the conformal p-values `2^-bits`, which is valid for
    them too, although they share their calibration rows (Bates, Candes, Lei, Romano and Sesia, "Testing for
    outliers with conformal p-values", 2023). Bits beyond the calibration rows are extrapolated.

    Args:
        bits: (rows,) anomaly scores.
        rate: the share of the named rows that may be false.

    Returns:
        the threshold; infinite if no row can be named.

    Raises:
        OptionError: the rate is not between 0 and 1.

    Example:
        >>> import numpy as np
        >>> scores = np.array([0.5, 1.0, 2.0, 0.2, 12.0, 9.0])
        >>> scores > discovery_threshold(scores, 0.1)
        array([False, False, False, False,  True,  True])
    """
    if not 0 < rate < 1:
        raise OptionError(
            f"false_discovery_rate={rate!r}: expected a share between 0 and 1",
            hint="false_discovery_rate=0.1",
        )
    ranked = np.sort(np.nan_to_num(bits))[::-1]
    named = np.flatnonzero(np.exp2(-ranked) <= rate * np.arange(1, len(ranked) + 1) / max(len(ranked), 1))
    return float(np.nextafter(ranked[named[-1]], -np.inf)) if len(named) else float("inf")
