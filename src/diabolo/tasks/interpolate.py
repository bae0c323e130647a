"""What lies between them?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.data.sources import UserTable
from diabolo.errors import DataError
from diabolo.tasks.base import Answer, Model
from diabolo.tasks.embed import by_step, check_decodable, decode_latents, embed, steps_of
from diabolo.utils.checks import check_int


@dataclass
class Interpolation(Answer):
    """The way from each row to the next one, `steps` lines for each pair.

    Attributes:
        share: (pairs, steps) of the way that is behind, from 0 to 1.
        table: scored column -> values of every line.
    """

    user_table: UserTable
    share: np.ndarray
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """The row it starts from, step from 0, share of the way, and the scored columns."""
        return {**steps_of(self.share.shape), "share": self.share.ravel(), **self.table}

    def to_array(self) -> np.ndarray:
        """(pairs, steps, height, width) pictures, in the layout of the fit; or (lines, columns) numbers."""
        return by_step(super().to_array(), self.share.shape)


def interpolate(model: Model, data: Any, *, steps: int = 9) -> Interpolation:
    """Decode the codes on the straight line from each row to the next one.

    Args:
        model: a fitted model with a bottleneck.
        data: two rows or more with the columns of the fit.
        steps: places on the way, both ends included.

    Raises:
        UnsupportedError: the model has no bottleneck, or reads a series.
        DataError: there is one row only.
    """
    engine = model.engine_
    check_decodable(engine)
    found = embed(model, data)
    if len(found.z) < 2:
        raise DataError("there is one row: nothing lies between", hint="give two rows or more")
    share = np.linspace(0, 1, check_int("steps", steps))
    starts, ends = found.z[:-1, None], found.z[1:, None]
    z = (starts + share[:, None] * (ends - starts)).reshape(-1, found.z.shape[1])
    return Interpolation(found.user_table, np.tile(share, (len(found.z) - 1, 1)), decode_latents(engine, z))
