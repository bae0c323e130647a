"""Filling anomalous parts of an image from what is around them."""

from __future__ import annotations

import numpy as np
import torch

from diabolo.images.defects.filtering import blur

SIGMAS = (2.0, 4.0, 8.0, 16.0, 32.0)  # pixels, fine first (a choice)
ENOUGH = 0.05  # share of known pixels within a blur that is enough to fill a pixel
EDGE = 1.0  # pixels over which the filling is faded in


def filled(image: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Return the image with its holes filled by means of the known pixels around.

    A mean is taken over the smallest neighbourhood that has enough known pixels (normalised convolution,
    Knutsson and Westin 1993).

    Args:
        image: (height, width, channels), 0 to 1.
        holes: (height, width) which pixels to fill.
    """
    if not holes.any():
        return image.copy()
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))[None]
    known = torch.from_numpy(~holes).float()[None, None]
    share = known.mean().clamp_min(1e-6)
    result = ((pixels * known).mean((2, 3), keepdim=True) / share).expand_as(pixels)
    for sigma in reversed(SIGMAS):
        weight = blur(known, sigma)
        near = blur(pixels * known, sigma) / weight.clamp_min(1e-6)
        result = torch.where(weight > ENOUGH, near, result)
    faded = blur(1 - known, EDGE).maximum(1 - known)
    mixed: np.ndarray = (pixels + faded * (result - pixels)).clamp(0, 1)[0].numpy()
    return mixed.transpose(1, 2, 0)
