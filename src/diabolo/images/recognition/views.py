"""Views of an image: as it is, mirrored, and as it might have been taken."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# The largest changes (a choice: what a camera and a head do between two images). Half and half as much again
# of all of them changed the true accepts by less than .005 (measured as in `descriptor.py`).
SHIFT = 0.1  # of half a side
TURN = 0.125  # radians
ZOOM = 0.1
CONTRAST = 0.2
BRIGHTNESS = 0.1


def mirrored(image: Tensor) -> Tensor:
    """Return (2, height, width) an image, and the same with left and right exchanged.

    Args:
        image: (1, height, width).
    """
    return torch.cat([image, image.flip(-1)])


def random_views(image: Tensor, count: int) -> Tensor:
    """Return (2 + count, height, width) an image, its mirror image, and random views of it.

    A random view is turned, shifted, zoomed, half of the time mirrored, and lighter or darker.

    Args:
        image: (1, height, width), 0 to 1.
        count: of random views.
    """
    if count == 0:
        return mirrored(image)
    grid = F.affine_grid(_movements(count), [count, 1, *image.shape[1:]], align_corners=False)
    moved = F.grid_sample(image.expand(count, 1, -1, -1), grid, padding_mode="border", align_corners=False)
    contrast = 1 + _between(count, CONTRAST)[:, None, None]
    lit = (moved[:, 0] - 0.5) * contrast + 0.5 + _between(count, BRIGHTNESS)[:, None, None]
    return torch.cat([mirrored(image), lit])


def _movements(count: int) -> Tensor:
    """Return (count, 2, 3) random affine maps."""
    turn, zoom = _between(count, TURN), 1 + _between(count, ZOOM)
    cosine, sine = turn.cos() * zoom, turn.sin() * zoom
    mirror = torch.rand(count).lt(0.5).float() * 2 - 1
    across = torch.stack([cosine * mirror, -sine, _between(count, SHIFT)], 1)
    down = torch.stack([sine * mirror, cosine, _between(count, SHIFT)], 1)
    return torch.stack([across, down], 1)


def _between(count: int, most: float) -> Tensor:
    """Return (count,) random numbers between -most and most."""
    return (torch.rand(count) * 2 - 1) * most
