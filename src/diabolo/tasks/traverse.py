"""Traverse a latent axis: vary one latent coordinate of rows, and decode the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.data.sources import UserTable
from diabolo.errors import OptionError
from diabolo.tasks.base import Answer, Model
from diabolo.tasks.embed import (
    check_decodable,
    decode_latents,
    embed,
    group_steps,
    latent_moments,
    step_columns,
)
from diabolo.utils.checks import check_int, check_non_negative


@dataclass
class Traversal(Answer):
    """Rows decoded along one latent axis, `steps` lines for each.

    Attributes:
        z: (rows, steps) the coordinate on the axis.
        table: scored column -> (rows * steps,) decoded values.
    """

    user_table: UserTable
    z: np.ndarray
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """Return the row, the step from 0, z, and the scored columns."""
        return {**step_columns(self.z.shape), "z": self.z.ravel(), **self.table}

    def to_array(self) -> np.ndarray:
        """Return (rows, steps, height, width) images in the fit's layout, or (lines, columns) numbers."""
        return group_steps(super().to_array(), self.z.shape)


def traverse(model: Model, data: Any, *, axis: int, steps: int = 9, reach: float = 3.0) -> Traversal:
    """Decode the latent codes of rows along one axis.

    The coordinate runs from `reach` standard deviations below its mean over the remembered rows to `reach`
    above; the other coordinates of each row are kept.

    Args:
        model: a fitted model with a bottleneck.
        data: rows with the columns of the fit.
        axis: the latent coordinate, counted from 0.
        steps: the number of positions on the axis, both ends included.
        reach: the distance of both ends from the mean, in standard deviations.

    Returns:
        The decoded rows.

    Raises:
        UnsupportedError: the model has no bottleneck, or reads a series.
        OptionError: the model has no such axis, or another option cannot work.
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    check_decodable(engine)
    found = embed(model, data)
    latent = found.z.shape[1]
    if not 0 <= axis < latent:
        raise OptionError(
            f"axis={axis!r}: the model has {latent} latent axes, from 0 to {latent - 1}", hint="axis=0"
        )
    (centre, scale), reach = latent_moments(engine), check_non_negative("reach", reach)
    line = centre[axis] + scale[axis] * np.linspace(-reach, reach, check_int("steps", steps))
    z = np.repeat(found.z, steps, axis=0)
    z[:, axis] = np.tile(line, len(found.z))
    return Traversal(found.user_table, np.tile(line, (len(found.z), 1)), decode_latents(engine, z))
