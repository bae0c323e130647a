"""Examples of every kind of field, with values, for the contracts of fields and of stems."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from diabolo.data.columns.number import make_bins
from diabolo.data.fields import Curve, Field, Pixels, Real, Symbol
from diabolo.utils.torch_state import forked_rng

ROWS = 5


def real(seed: int, exact: bool) -> Real:
    """A number: of three values, or continuous."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3, 200).astype(float) if exact else rng.normal(size=200)
    return Real(*make_bins((values - values.mean()) / values.std()))


EXAMPLES: dict[type[Field], list[Any]] = {
    Real: [real(0, False), real(1, True), real(2, False)],
    Symbol: [Symbol(np.array([0.0, 5, 9])), Symbol(np.array([0.0, 3, 3, 3, 2, 6, 1, 2]), circular=True)],
    Curve: [Curve(8), Curve(8, -2.0, 5.0)],
    Pixels: [Pixels((3, 4, 5)), Pixels((3, 4, 5), -2.0, 5.0)],
}


def values_for(kind: type[Field]) -> Tensor:
    """(ROWS, fields, *cell) values of the examples of a kind."""
    with forked_rng(0):
        if kind is Symbol:
            return torch.stack([torch.randint(0, len(f.counts), (ROWS,)) for f in EXAMPLES[kind]], 1)
        return torch.randn(ROWS, len(EXAMPLES[kind]), *EXAMPLES[kind][0].cell)
