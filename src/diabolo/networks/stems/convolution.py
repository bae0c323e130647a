"""The stem and the head of images that are large enough for convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diabolo.data.fields import Pixels
from diabolo.networks.layers.convolution import ConvolutionDecoder, ConvolutionEncoder, PatchGrid
from diabolo.networks.likelihoods import Normal
from diabolo.networks.stems.base import Guess, Head, InputStem, StemOptions
from diabolo.networks.stems.grid import MAX_LOG_SCALE, MIN_LOG_SCALE_OF_PIXELS

# Smaller images are read by dense layers. From 28 x 28 pixels on, a held-out image costs fewer nats by
# convolutions (4,500 of clothing: variational 281 for 291 in 59 and 41 s, masked 176 for 271; faces: 1,879
# for 1,885).
MIN_SIDE = 24


class ConvolutionStem(InputStem):
    """Reads images by convolutions, together with which pixels are hidden.

    Args:
        fields: the columns of images, all of one size.
        options: how they are predicted.
    """

    kinds = (Pixels.kind,)

    def __init__(self, fields: Sequence[Pixels], options: StemOptions) -> None:
        super().__init__()
        channels, height, width = fields[0].shape
        self.shape = (len(fields), channels, height, width)
        self.full_distribution = options.full_distribution
        self.layers = ConvolutionEncoder(2 * len(fields) * channels, PatchGrid.of(height, width))
        self.width = self.layers.width

    @classmethod
    def reads(cls, fields: Sequence[Any], options: StemOptions) -> bool:
        """Return whether the network has convolutions, and the images are large enough for them.

        Args:
            fields: all fields of one kind.
            options: how the network reads and predicts.
        """
        large = options.convolution and super().reads(fields, options)
        return large and min(fields[0].shape[1:]) >= MIN_SIDE

    @classmethod
    def from_fields(cls, fields: Sequence[Pixels], options: StemOptions) -> ConvolutionStem:
        """Return a new stem.

        Args:
            fields: the columns of images.
            options: how they are predicted.
        """
        return cls(fields, options)

    def forward(self, values: Tensor, visible: Tensor) -> Tensor:
        """Return the cells of the grid as one vector, (rows, width).

        Args:
            values: (rows, fields, channels, height, width).
            visible: the same shape.
        """
        seen = visible.to(values.dtype)
        grids = torch.cat([(values * seen).flatten(1, 2), (1 - seen).flatten(1, 2)], 1)
        vector: Tensor = self.layers(grids)
        return vector

    def make_head(self, width: int) -> Head:
        return ConvolutionHead(self.shape, width, full_distribution=self.full_distribution)


class ConvolutionHead(Head):
    """Predicts a mean for every pixel; one scale is learnt for each field, or one predicted for every pixel.

    Args:
        shape: fields, channels, height, width.
        width: of the input.
        full_distribution: whether scales are predicted for every pixel.
    """

    def __init__(self, shape: tuple[int, int, int, int], width: int, *, full_distribution: bool) -> None:
        super().__init__()
        fields, channels, height, image_width = shape
        self.shape, self.full_distribution = shape, full_distribution
        outputs = fields * channels * (2 if full_distribution else 1)
        self.layers = ConvolutionDecoder(width, outputs, PatchGrid.of(height, image_width))
        self.log_scale = nn.Parameter(torch.zeros(fields, 1, 1, 1))

    def forward(self, h: Tensor, guess: Guess | None = None) -> Normal:
        """Return normal distributions, (rows, fields, channels, height, width).

        Args:
            h: (rows, width).
            guess: unused: there is none for images.
        """
        maps = self.layers(h)
        log_scale = self.log_scale.expand(len(h), *self.shape)
        pixels = self.shape[0] * self.shape[1]
        if self.full_distribution:
            log_scale = log_scale + maps[:, pixels:].reshape(-1, *self.shape)
        mean = maps[:, :pixels].reshape(-1, *self.shape)
        return Normal(mean, log_scale.clamp(MIN_LOG_SCALE_OF_PIXELS, MAX_LOG_SCALE).exp())
