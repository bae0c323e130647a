"""Filters of images as tensors, (1, channels, height, width), that hold for images of any size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def padded(image: Tensor, margin: int) -> Tensor:
    """Return the image with a margin: mirrored where it is large enough, else its last pixels repeated.

    Args:
        image: (1, channels, height, width).
        margin: pixels on each side.
    """
    mode = "reflect" if min(image.shape[2:]) > margin else "replicate"
    return functional.pad(image, (margin, margin, margin, margin), mode=mode)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Return the image blurred by a Gaussian, which is cut at three deviations.

    Args:
        image: (1, channels, height, width).
        sigma: standard deviation in pixels.
    """
    reach = max(1, round(3 * sigma))
    weights = torch.exp(-(torch.arange(-reach, reach + 1).float() ** 2) / (2 * sigma**2))
    kernel = (weights / weights.sum()).view(1, 1, 1, -1)
    planes = padded(image, reach).transpose(0, 1)
    rows = functional.conv2d(planes, kernel)
    return functional.conv2d(rows, kernel.transpose(2, 3)).transpose(0, 1)


def pool(image: Tensor, factor: int) -> Tensor:
    """Return the means of blocks of pixels; blocks at the lower and right margin may be smaller.

    Args:
        image: (1, channels, height, width).
        factor: pixels a block is high and wide.
    """
    return functional.avg_pool2d(image, factor, ceil_mode=True) if factor > 1 else image


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the image at another size: means of areas where it becomes smaller, else interpolated.

    Args:
        image: (1, channels, height, width).
        size: height and width.
    """
    if image.shape[2] >= size[0] and image.shape[3] >= size[1]:
        return functional.adaptive_avg_pool2d(image, size)
    return functional.interpolate(image, size=size, mode="bilinear", align_corners=False)


def interpolated(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the image at another size, interpolated linearly.

    Args:
        image: (1, channels, height, width).
        size: height and width.
    """
    return functional.interpolate(image, size=size, mode="bilinear", align_corners=False)
