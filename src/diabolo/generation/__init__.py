"""Synthetic rows and series: samplers, their conditions, and the distributions that they sample from."""

from diabolo.generation.base import Fitted, Request, Sampler
from diabolo.generation.columnwise import ColumnwiseSampler
from diabolo.generation.latent import LatentSampler
from diabolo.generation.overlapping_windows import OverlappingWindowsSampler
from diabolo.generation.window_blocks import WindowMixtureSampler

SAMPLERS: tuple[type[Sampler], ...] = (
    WindowMixtureSampler,
    OverlappingWindowsSampler,
    ColumnwiseSampler,
    LatentSampler,
)

__all__ = ["SAMPLERS", "Fitted", "Request", "Sampler"]
