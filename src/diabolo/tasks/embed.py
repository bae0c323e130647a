"""What is the essence of it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.bottlenecks import Identity
from diabolo.sources import Native
from diabolo.tasks.base import Answer, Model


@dataclass
class Embedding(Answer):
    """Latent coordinates.

    Attributes:
        z: (rows, latent) the coordinates.
    """

    native: Native
    z: np.ndarray

    def columns(self) -> dict[str, Any]:
        """z0, z1, ... of each row."""
        return {f"z{i}": self.z[:, i] for i in range(self.z.shape[1])}


def embed(model: Model, data: Any) -> Embedding:
    """The latent coordinates of each row.

    A model with a bottleneck gives its code (a variational one, its mean). A model without one gives the
    first principal components of its middle layer. A point of a series gets the mean over the windows
    that cover it.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
    """
    engine = model.engine_
    frame = engine.read(data)
    z = np.concatenate([engine.latent(codes) for _, codes in engine.chunks(frame)])
    if isinstance(engine.cell_reader.bottleneck, Identity) and engine.axes is not None:
        centre, directions = engine.axes
        z = (z - centre) @ directions.T
    folded = np.stack([engine.source.fold(frame, z[:, i]) for i in range(z.shape[1])], axis=1)
    return Embedding(frame.native, folded)
