"""Series sampled as overlapping windows, each decoded from a latent code."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Curve
from diabolo.errors import UnsupportedError
from diabolo.generation.base import Fitted, Request, Table
from diabolo.generation.latent import check_prior, fit_latent_prior
from diabolo.generation.series import SegmentStart, SeriesSampler

_POOL = 8_192  # codes that windows are chosen from
_CANDIDATES = 256  # codes from which the next window is chosen
# Points of an overlap count as so many independent ones: otherwise only the best code could be chosen.
_INDEPENDENT_POINTS = 16.0


class OverlappingWindowsSampler(SeriesSampler):
    """Samples windows that overlap by half, each chosen to continue the one before.

    Codes come from the prior, and one of them is chosen by the likelihood of the overlap (importance
    resampling: Rubin, 1987). Means fade into each other; the noise of the likelihood is added at the end.

    Attributes:
        prior: the distribution of codes.
        codes: (codes, latent) those that windows are chosen from.
    """

    name = "overlapping windows"

    def __init__(self, fitted: Fitted, request: Request) -> None:
        super().__init__(fitted, request)
        self.prior, _ = fit_latent_prior(fitted, request)
        self.codes = torch.empty(0)

    @classmethod
    def serves(cls, fitted: Fitted) -> bool:
        return fitted.source.overlaps and fitted.samples_latents

    @classmethod
    def accepts(cls, fitted: Fitted, request: Request) -> None:
        """Refuse what latent codes of a series cannot do.

        Args:
            fitted: a model that the sampler serves.
            request: what is asked for.

        Raises:
            UnsupportedError: values are given, or there is no such prior.
            OptionError: an option is one of tables.
        """
        if request.given:
            raise UnsupportedError(
                "given: latent codes of a series are sampled without context", hint='the recipe "default"'
            )
        super().accepts(fitted, request)
        check_prior(fitted, request)

    def sample(self, n: int) -> Table:
        self.codes = self.prior.sample(_POOL)
        return super().sample(n)

    def sample_segments(self, start: SegmentStart, total: int) -> np.ndarray:
        """Sample segments as overlapping windows.

        Args:
            start: where they begin.
            total: points of each, with those that are known.

        Returns:
            (segments, channels, total) values in standard units.
        """
        return np.stack([self._sample_segment(start.window, total).numpy() for _ in start.step])

    def _sample_segment(self, window: Tensor | None, total: int) -> Tensor:
        """Sample (channels, total) points, the first ones of which are those of a window if there is one."""
        half = self.source.length // 2
        fade = torch.linspace(0, 1, half)
        if window is None:
            likelihood = self._decode(1)
            mean, deviation = likelihood.mean[0].cpu(), likelihood.stddev[0].cpu()
        else:
            mean, deviation = window, torch.zeros_like(window)
        while mean.shape[1] < total:
            likelihood = self._decode(_CANDIDATES)
            means, deviations = likelihood.mean.cpu(), likelihood.stddev.cpu()
            gap = (means[..., :half] - mean[:, -half:]) / deviations[..., :half]
            temper = min(_INDEPENDENT_POINTS / gap[0].numel(), 1.0)
            log_p = -0.5 * gap.square().flatten(1).sum(1) * temper
            chosen = int(torch.multinomial(torch.softmax(log_p, 0), 1))
            joint = torch.lerp(mean[:, -half:], means[chosen][:, :half], fade)
            mean = torch.cat([mean[:, :-half], joint, means[chosen][:, half:]], 1)
            deviation = torch.cat([deviation, deviations[chosen][:, half:]], 1)
        return self._within_range(mean + deviation * torch.randn_like(mean))[:, :total]

    def _decode(self, count: int) -> Any:
        """Return the likelihood of windows, decoded from random codes of the pool."""
        codes = self.codes[torch.randint(len(self.codes), (count,))]
        return self.fitted.cell_network.decode(codes.to(self.fitted.device))[Curve.kind]

    def _within_range(self, values: Tensor) -> Tensor:
        """Clip to the range of the fit: the tails of a normal distribution reach beyond it."""
        fields: Any = self.fitted.schema.fields[Curve.kind]
        low, high = (torch.tensor([getattr(f, end) for f in fields])[:, None] for end in ("low", "high"))
        return torch.minimum(torch.maximum(values, low), high)
