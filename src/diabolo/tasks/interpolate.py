"""Interpolate: decode the latent codes on the straight line between rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.data.sources import UserTable
from diabolo.errors import DataError
from diabolo.tasks.base import Answer, Model
from diabolo.tasks.embed import check_decodable, decode_latents, embed, group_steps, step_columns
from diabolo.utils.checks import check_int


@dataclass
class Interpolation(Answer):
    """Rows decoded between each row and the next one, `steps` lines for each pair.

    Attributes:
        share: (pairs, steps) the position on the line, from 0 at the first row to 1 at the next.
        table: scored column -> (pairs * steps,) decoded values.
    """

    user_table: UserTable
    share: np.ndarray
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """Return the row where the line starts, the step from 0, the share, and the scored columns."""
        return {**step_columns(self.share.shape), "share": self.share.ravel(), **self.table}

    def to_array(self) -> np.ndarray:
        """Return (pairs, steps, height, width) images in the fit's layout, or (lines, columns) numbers."""
        return group_steps(super().to_array(), self.share.shape)


def interpolate(model: Model, data: Any, *, steps: int = 9) -> Interpolation:
    """Decode the codes on the straight line from each row to the next one.

    Args:
        model: a fitted model with a bottleneck.
        data: two rows or more with the columns of the fit.
        steps: the number of positions on each line, both ends included.

    Returns:
        The decoded rows.

    Raises:
        UnsupportedError: the model has no bottleneck, or reads a series.
        DataError: the data has only one row, or cannot be read.
        OptionError: `steps` is not a positive integer.
    """
    engine = model.engine_
    check_decodable(engine)
    found = embed(model, data)
    if len(found.z) < 2:
        raise DataError("the data has one row; to interpolate, two are needed", hint="pass two rows or more")
    share = np.linspace(0, 1, check_int("steps", steps))
    starts, ends = found.z[:-1, None], found.z[1:, None]
    z = (starts + share[:, None] * (ends - starts)).reshape(-1, found.z.shape[1])
    return Interpolation(found.user_table, np.tile(share, (len(found.z) - 1, 1)), decode_latents(engine, z))
