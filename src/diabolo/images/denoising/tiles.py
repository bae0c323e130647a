"""Answers of the network for images of any size, in tiles whose seams cannot be seen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from diabolo.images.denoising.network import HALO, STRIDE, NoiseNetwork
from diabolo.images.denoising.precision import mixed_precision

TILE = 1024  # side of what is kept of a tile; with its halo 350 MB of memory (measured)


def predict_noise(network: NoiseNetwork, image: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Return (height, width, channels) float32, the noise of an image.

    Each tile is read with so much around it that nothing further out can change what is kept.

    Args:
        network: fitted.
        image: (height, width, channels), not clipped.
        deviations: (height, width) of the noise.
    """
    height, width, channels = image.shape
    stacked = np.concatenate([image, deviations[:, :, None]], 2)
    high, wide = (-(-length // STRIDE) * STRIDE for length in (height, width))
    padded = np.pad(stacked, [(0, high - height), (0, wide - width), (0, 0)], mode="symmetric")
    source = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1), np.float32))[None]
    answer = torch.empty(channels, high, wide)
    for top in range(0, high, TILE):
        for left in range(0, wide, TILE):
            _answer_tile(network, source, answer, top, left)
    return np.ascontiguousarray(answer.numpy().transpose(1, 2, 0)[:height, :width])


def _answer_tile(network: NoiseNetwork, source: Tensor, answer: Tensor, top: int, left: int) -> None:
    """Write one tile into `answer`."""
    high, wide = answer.shape[1:]
    first_row, first_column = max(top - HALO, 0), max(left - HALO, 0)
    part = source[:, :, first_row : top + TILE + HALO, first_column : left + TILE + HALO]
    part = part.contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), mixed_precision():
        noise = network(part[:, :-1], part[:, -1:])[0]
    rows, columns = min(TILE, high - top), min(TILE, wide - left)
    inside = noise[:, top - first_row :, left - first_column :][:, :rows, :columns]
    answer[:, top : top + rows, left : left + columns] = inside
