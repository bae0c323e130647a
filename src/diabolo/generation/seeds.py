"""Seeds of samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from diabolo.utils.checks import check_int


def resolve_seed(seed: int | np.integer[Any] | None) -> int:
    """Return the seed; a new one at each call for None.

    Raises:
        OptionError: it is not an integer of at least 0.
    """
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return check_int("seed", int(seed) if isinstance(seed, np.integer) else seed, least=0)


def derive_seed(seed: int, number: int) -> int:
    """Return the seed of a later batch.

    Args:
        seed: of the first batch.
        number: of the batch, from 1.
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
