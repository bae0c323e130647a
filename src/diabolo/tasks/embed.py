"""Embed rows: return their latent coordinates; and decode such coordinates."""

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
    """The latent coordinates of rows.

    Attributes:
        z: (rows, latent) the coordinates.
    """

    user_table: UserTable
    z: np.ndarray

    def columns(self) -> dict[str, Any]:
        """Return z0, z1, ... of each row."""
        return {f"z{i}": self.z[:, i] for i in range(self.z.shape[1])}


def embed(model: Model, data: Any) -> Embedding:
    """Return the latent coordinates of each row.

    Of a model with a bottleneck, these are the code (of a variational one, its mean); of a model without, the
    first principal components of its middle layer. The coordinates of a point of a series are the mean over
    the windows that cover it.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.

    Returns:
        The coordinates.

    Raises:
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    frame = engine.read(data)
    z = np.concatenate([engine.coordinates(codes) for _, codes in engine.chunks(frame)])
    folded = np.stack([engine.source.fold(frame, z[:, i]) for i in range(z.shape[1])], axis=1)
    return Embedding(frame.user_table, folded)


def check_decodable(engine: Engine) -> None:
    """Raise `UnsupportedError` if the model cannot decode latent coordinates."""
    if not hasattr(engine.cell_network.bottleneck, "latent") or engine.source.overlaps:
        raise UnsupportedError(
            "the latent coordinates of this model cannot be decoded",
            hint='fit a table or images with a bottleneck: Autoencoder("vanilla", latent=8)',
        )


def decode_latents(engine: Engine, z: Any) -> dict[str, Any]:
    """Return scored column -> values decoded from latent coordinates.

    Args:
        engine: the fitted engine.
        z: (rows, latent) coordinates.

    Raises:
        UnsupportedError: the model has no bottleneck, or reads a series.
        DataError: the coordinates have another shape.
    """
    check_decodable(engine)
    network = engine.cell_network
    codes = torch.as_tensor(np.asarray(z), dtype=torch.float32)
    latent = network.bottleneck.latent
    if codes.ndim != 2 or codes.shape[1] != latent:
        raise DataError(f"expected latent coordinates of shape (rows, {latent}), got {tuple(codes.shape)}")
    means: dict[str, list[np.ndarray]] = {}
    with torch.no_grad(), torch_threads(engine.threads):
        for part in torch.split(codes, ROWS_PER_READ):
            for kind, likelihood in network.decode(part.to(engine.device)).items():
                means.setdefault(kind, []).append(likelihood.mean.cpu().numpy())
    decoded = {kind: np.concatenate(parts) for kind, parts in means.items()}
    return {name: engine.schema.decode(name, decoded) for name in engine.schema.predicted}


def latent_moments(engine: Engine) -> tuple[np.ndarray, np.ndarray]:
    """Return the means and standard deviations, (latent,) each, of the coordinates of the remembered rows."""
    z = np.concatenate([engine.coordinates(codes) for codes in engine.memory.rows.chunks(ROWS_PER_READ)])
    return z.mean(0), np.maximum(z.std(0), 1e-9)


def step_columns(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return the columns "row" and "step", counted from 0, of an answer of the shape (rows, steps)."""
    rows, steps = shape
    return {"row": np.repeat(np.arange(rows), steps), "step": np.tile(np.arange(steps), rows)}


def group_steps(lines: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return images as (rows, steps, height, width); numbers are returned unchanged.

    Args:
        lines: (rows * steps, height, width) images, or (rows * steps, columns) numbers.
        shape: (rows, steps).
    """
    return lines.reshape(*shape, *lines.shape[1:]) if lines.ndim > 2 else lines
