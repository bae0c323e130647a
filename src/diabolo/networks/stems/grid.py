"""Stems and heads of fields of many numbers each: the points of a window, the pixels of an image."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diabolo.data.fields import Curve, Pixels
from diabolo.networks.likelihoods import Normal
from diabolo.networks.stems.base import Guess, Head, InputStem, StemOptions

MAX_LOG_SCALE = 4
# A thousandth of the deviation of the channel: a smaller error says nothing about the data.
MIN_LOG_SCALE_OF_POINTS = -7.0
# A twentieth of the deviation of all pixels, four grey levels of 256 for most images. Pixels that are
# always equal in training would otherwise be predicted with a certainty that the first new image disproves.
MIN_LOG_SCALE_OF_PIXELS = -3.0


class GridStem(InputStem):
    """Reads all numbers as they are, and which are hidden.

    Args:
        fields: all of one cell.
        options: how they are predicted.
    """

    def __init__(self, fields: Sequence[Any], options: StemOptions) -> None:
        super().__init__()
        self.shape = (len(fields), *fields[0].cell)
        self.full_distribution = options.full_distribution
        self.width = 2 * math.prod(self.shape)

    def forward(self, values: Tensor, visible: Tensor) -> Tensor:
        """Return values and hidden cells, (rows, width).

        Args:
            values: (rows, fields, *cell).
            visible: the same shape.
        """
        seen = visible.to(values.dtype)
        return torch.cat([(values * seen).flatten(1), (1 - seen).flatten(1)], 1)

    @abstractmethod
    def make_head(self, width: int) -> Head: ...


class CurveStem(GridStem):
    """Reads the windows of series."""

    kinds = (Curve.kind,)

    @classmethod
    def from_fields(cls, fields: Sequence[Curve], options: StemOptions) -> CurveStem:
        """Return a new stem.

        Args:
            fields: the channels.
            options: how they are predicted.
        """
        return cls(fields, options)

    def make_head(self, width: int) -> Head:
        return GridHead(
            self.shape,
            width,
            scales=self.shape[1:],
            full_distribution=self.full_distribution,
            min_log_scale=MIN_LOG_SCALE_OF_POINTS,
        )


class PixelStem(GridStem):
    """Reads images."""

    kinds = (Pixels.kind,)

    @classmethod
    def from_fields(cls, fields: Sequence[Pixels], options: StemOptions) -> PixelStem:
        """Return a new stem.

        Args:
            fields: the columns of images.
            options: how they are predicted.
        """
        return cls(fields, options)

    def make_head(self, width: int) -> Head:
        # One scale for all pixels: a decoder that is certain of some pixels gains by that at the expense of
        # the image as a whole (Rybkin et al., "Simple and effective VAE training with calibrated decoders",
        # 2021). On handwritten digits the error of a variational network fell by an eighth.
        return GridHead(
            self.shape,
            width,
            scales=(1, 1, 1),
            full_distribution=self.full_distribution,
            min_log_scale=MIN_LOG_SCALE_OF_PIXELS,
        )


class GridHead(Head):
    """Predicts a mean for every number; scales are learnt once, or predicted for every number each time.

    Args:
        shape: fields, *cell.
        width: of the input.
        scales: shape of the scales of a field that are learnt once: the cell for one scale for every number,
            ones for a single scale.
        full_distribution: whether scales are predicted for every number.
        min_log_scale: logarithm of the smallest scale.
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int,
        *,
        scales: Sequence[int],
        full_distribution: bool,
        min_log_scale: float,
    ) -> None:
        super().__init__()
        self.shape, self.min_log_scale = tuple(shape), min_log_scale
        numbers = math.prod(self.shape)
        self.mean = nn.Linear(width, numbers)
        # The first prediction is the guess alone (a linear one, where there is one), so that training
        # starts from the linear optimum and can only improve on it.
        nn.init.zeros_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)
        self.scale_layer = nn.Linear(width, numbers) if full_distribution else None
        self.log_scale = nn.Parameter(torch.zeros(self.shape[0], *scales))

    def forward(self, h: Tensor, guess: Guess | None = None) -> Normal:
        """Return normal distributions, (rows, fields, *cell).

        Args:
            h: (rows, width).
            guess: added to the mean, and to the log of the scale.
        """
        mean = self.mean(h).view(-1, *self.shape)
        log_scale = self.log_scale.expand_as(mean)
        if guess is not None:
            mean = mean + guess[0]
            log_scale = log_scale if guess[1] is None else log_scale + guess[1]
        if self.scale_layer is not None:
            log_scale = log_scale + self.scale_layer(h).view(-1, *self.shape)
        return Normal(mean, log_scale.clamp(self.min_log_scale, MAX_LOG_SCALE).exp())

    def begin_with_guess(self) -> None:
        if self.scale_layer is not None:
            nn.init.zeros_(self.scale_layer.weight)
            nn.init.zeros_(self.scale_layer.bias)

    @torch.no_grad()
    def set_log_scale(self, log_scale: Tensor) -> None:
        self.log_scale.copy_(log_scale.view_as(self.log_scale))
