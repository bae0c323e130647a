"""What does a latent coordinate mean?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.data.sources import UserTable
from diabolo.errors import OptionError
from diabolo.tasks.base import Answer, Model
from diabolo.tasks.embed import by_step, check_decodable, decode_latents, embed, latent_moments, steps_of
from diabolo.utils.checks import check_int, check_non_negative


@dataclass
class Traversal(Answer):
    """Rows moved along one latent axis, `steps` lines for each.

    Attributes:
        z: (rows, steps) the coordinate.
        table: scored column -> values of every line.
    """

    user_table: UserTable
    z: np.ndarray
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """Row, step from 0, z, and the scored columns."""
        return {**steps_of(self.z.shape), "z": self.z.ravel(), **self.table}

    def to_array(self) -> np.ndarray:
        """(rows, steps, height, width) pictures, in the layout of the fit; or (lines, columns) numbers."""
        return by_step(super().to_array(), self.z.shape)


def traverse(model: Model, data: Any, *, axis: int, steps: int = 9, reach: float = 3.0) -> Traversal:
    """Move the rows' codes along one latent axis, and decode them.

    The coordinate goes from `reach` deviations below its mean over the remembered rows to as many above;
    the row's other coordinates stay as they are.

    Args:
        model: a fitted model with a bottleneck.
        data: rows with the columns of the fit.
        axis: the latent coordinate, counted from 0.
        steps: places on the way.
        reach: deviations from the mean at both ends.

    Raises:
        UnsupportedError: the model has no bottleneck, or reads a series.
        OptionError: there is no such axis.
    """
    engine = model.engine_
    check_decodable(engine)
    found = embed(model, data)
    latent = found.z.shape[1]
    if not 0 <= axis < latent:
        raise OptionError(f"axis={axis!r}: the model has {latent} latent axes, from 0 to {latent - 1}")
    (centre, scale), reach = latent_moments(engine), check_non_negative("reach", reach)
    line = centre[axis] + scale[axis] * np.linspace(-reach, reach, check_int("steps", steps))
    z = np.repeat(found.z, steps, axis=0)
    z[:, axis] = np.tile(line, len(found.z))
    return Traversal(found.user_table, np.tile(line, (len(found.z), 1)), decode_latents(engine, z))
