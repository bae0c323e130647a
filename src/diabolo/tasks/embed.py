"""What is the essence of it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from diabolo.data.sources import UserTable
from diabolo.engine import Engine
from diabolo.errors import DataError, UnsupportedError
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.tasks.base import Answer, Model
from diabolo.utils.torch_state import torch_threads


@dataclass
class Embedding(Answer):
    """Latent coordinates.

    Attributes:
        z: (rows, latent) the coordinates.
    """

    user_table: UserTable
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
    z = np.concatenate([engine.coordinates(codes) for _, codes in engine.chunks(frame)])
    folded = np.stack([engine.source.fold(frame, z[:, i]) for i in range(z.shape[1])], axis=1)
    return Embedding(frame.user_table, folded)


def check_decodable(engine: Engine) -> None:
    """Raise `UnsupportedError` if rows cannot be had from coordinates."""
    if not hasattr(engine.cell_network.bottleneck, "latent") or engine.source.overlaps:
        raise UnsupportedError(
            "there is no way back from these coordinates",
            hint='fit a table or pictures with a bottleneck: Autoencoder("vanilla", latent=8)',
        )


def decode_latents(engine: Engine, z: Any) -> dict[str, Any]:
    """Latent coordinates -> scored column -> values: the inverse of `embed`, as far as there is one."""
    check_decodable(engine)
    network = engine.cell_network
    codes = torch.as_tensor(np.asarray(z), dtype=torch.float32)
    latent = network.bottleneck.latent
    if codes.ndim != 2 or codes.shape[1] != latent:
        raise DataError(f"expected codes of {latent} numbers, got shape {tuple(codes.shape)}")
    means: dict[str, list[np.ndarray]] = {}
    with torch.no_grad(), torch_threads(engine.threads):
        for some in torch.split(codes, ROWS_PER_READ):
            for kind, likelihood in network.decode(some.to(engine.device)).items():
                means.setdefault(kind, []).append(likelihood.mean.cpu().numpy())
    whole = {kind: np.concatenate(parts) for kind, parts in means.items()}
    return {name: engine.schema.decode(name, whole) for name in engine.schema.scored}


def latent_moments(engine: Engine) -> tuple[np.ndarray, np.ndarray]:
    """(latent,) mean and deviation of the coordinates of the remembered rows."""
    z = np.concatenate([engine.coordinates(codes) for codes in engine.memory.rows.chunks(ROWS_PER_READ)])
    return z.mean(0), np.maximum(z.std(0), 1e-9)


def steps_of(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """(rows, steps) -> the row and the step, from 0, of each line of an answer that walks through codes."""
    rows, steps = shape
    return {"row": np.repeat(np.arange(rows), steps), "step": np.tile(np.arange(steps), rows)}


def by_step(lines: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pictures of every line -> (rows, steps, height, width); numbers stay as they are."""
    return lines.reshape(*shape, *lines.shape[1:]) if lines.ndim > 2 else lines
