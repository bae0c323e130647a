"""The network that predicts the noise of an image: a residual U-Net over pixel-unshuffled input."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

UNSHUFFLE = 2  # a 2 x 2 block of pixels becomes channels: four times fewer places to convolve
WIDTHS = (32, 64, 96)  # channels at each scale (measured: more do not pay within five minutes of training)
STRIDE = UNSHUFFLE * 2 ** (len(WIDTHS) - 1)  # sides of an input must be multiples of this
HALO = 48  # pixels from where on nothing outside can reach the answer: 12 + 16 + 16, rounded up to STRIDE
SMALL_START = 0.3  # factor of the last weights of a block: blocks begin close to the identity
SMALLER_START = 0.1  # the same of the output: the network begins by returning its input


class ResidualBlock(nn.Module):
    """Add two convolutions with a rectifier between to the input, `x + B relu(A x)` (He et al. 2016).

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(SMALL_START)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, channels, height, width), as the input."""
        out: Tensor = x + self.second(F.relu(self.first(x)))
        return out


class NoiseNetwork(nn.Module):
    """Predict the noise of images, given its standard deviation at every place (FFDNet, Zhang et al. 2018).

    Args:
        channels: of an image, 1 or 3.
        widths: channels of the network at each scale, the finest first.
    """

    def __init__(self, channels: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.channels = channels
        pixels = channels * UNSHUFFLE**2
        pairs = list(pairwise(widths))
        self.stem = nn.Conv2d(pixels + UNSHUFFLE**2, widths[0], 3, padding=1)
        self.encode = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, 2) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, 2) for fine, coarse in pairs)
        self.decode = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], pixels, 3, padding=1)
        with torch.no_grad():
            self.head.weight.mul_(SMALLER_START)
            for kernel in self.parameters():
                if kernel.ndim == 4:  # channels last: twice as fast for few channels
                    kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)

    def forward(self, noisy: Tensor, deviation: Tensor) -> Tensor:
        """Return (n, channels, height, width) the noise.

        Args:
            noisy: (n, channels, height, width), sides multiples of `STRIDE`.
            deviation: (n, 1, height, width) standard deviation of the noise, in units of the image.
        """
        x = self.stem(F.pixel_unshuffle(torch.cat([noisy, deviation], 1), UNSHUFFLE))
        finer: list[Tensor] = []
        for encode, down in zip(self.encode, self.down, strict=False):
            finer.append(encode(x))
            x = down(F.relu(finer[-1]))
        x = self.encode[-1](x)
        for up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(finer), strict=True):
            x = decode(up(x) + skip)
        # The subtraction from the image stays outside, in full precision.
        return F.pixel_shuffle(self.head(F.relu(x)), UNSHUFFLE).float()
