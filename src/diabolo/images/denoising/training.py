"""Training of the network on patches: with noise added to clean images, or to noisy ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diabolo.images.denoising.budget import Budget
from diabolo.images.denoising.network import NoiseNetwork
from diabolo.images.denoising.optimiser import KernelOptimiser
from diabolo.images.denoising.patches import PatchPool
from diabolo.images.denoising.precision import mixed_precision
from diabolo.utils.torch_state import forked_rng

RATE = 6e-3  # learning rate of kernels at its highest (measured: 2e-3 is 0.4 dB worse after 40 s, 8e-3 equal)
END_RATE = 2e-3  # of the layers at either end and of vectors
WARM_UP = 0.03  # share of the training until the learning rate is at its highest
LAST_RATE = 0.01  # share of the learning rate at the end
SCHEDULE = ((0.35, 32, 16), (0.85, 48, 8), (1.0, 96, 4))
"""Up to which share of the training which side and how many patches: small ones first are more steps for
equal time, large ones last teach the borders and the surroundings (measured)."""
LEAST_NOISE = 2 / 255  # deviation below which errors do not count more
ADDED = (
    0.3,
    0.8,
)  # `a` of `NoisyLesson`: little leaves the input as it will be, much leaves the target clear
FOLLOWS_BRIGHTNESS = (
    0.25  # share of patches whose noise follows the brightness, as that of sensors (a choice)
)


class Lesson(ABC):
    """Make training examples of patches, and judge the answers."""

    @abstractmethod
    def loss(self, network: NoiseNetwork, patches: Tensor) -> Tensor:
        """Return the loss of a batch.

        Args:
            network: that is trained.
            patches: (n, channels, side, side).
        """


@dataclass(frozen=True)
class CleanLesson(Lesson):
    """Add noise to clean patches and ask for what was added.

    The squared error is in proportion to the deviation of the noise (measured), so it is divided by that: all
    levels weigh alike.

    Attributes:
        low: smallest standard deviation of the noise, in units of the image.
        high: largest.
    """

    low: float
    high: float

    def loss(self, network: NoiseNetwork, patches: Tensor) -> Tensor:
        deviation = _deviations(patches, self.low, self.high)
        noise = torch.randn_like(patches) * deviation
        with mixed_precision():
            found = network(patches + noise, deviation)
        errors: Tensor = (found - noise).square() / (deviation + LEAST_NOISE)
        return errors.mean()


@dataclass(frozen=True)
class NoisyLesson(Lesson):
    """Learn from noisy patches alone: add noise, and ask for the patch with other noise taken away.

    From `y = x + n` are made `y + a z` and `y - z / a` with z as strong as n: their noises are independent,
    so the mean of the second given the first is x (recorrupted-to-recorrupted, Pang et al. 2021).

    Attributes:
        deviation: of the noise that the images have.
    """

    deviation: float

    def loss(self, network: NoiseNetwork, patches: Tensor) -> Tensor:
        size = patches.new_empty(len(patches), 1, 1, 1).uniform_(*ADDED)
        added = torch.randn_like(patches) * self.deviation
        noisier = patches + size * added
        level = (self.deviation * (1 + size.square()).sqrt()).expand(-1, 1, *patches.shape[2:])
        with mixed_precision():
            found = network(noisier, level)
        target = size * added + added / size
        # Patches with less added noise have noisier targets: they weigh less.
        weight = size.square() / (1 + size.square())
        errors: Tensor = weight * (found - target).square() / self.deviation**2
        return errors.mean()


def train(network: NoiseNetwork, pool: PatchPool, lesson: Lesson, budget: Budget, *, seed: int) -> None:
    """Train a network in place, by a learning rate that falls linearly.

    Args:
        network: with its first weights.
        pool: of patches.
        lesson: what is asked.
        budget: how long.
        seed: of patches and noise.
    """
    rng = np.random.default_rng(seed)
    optimiser = KernelOptimiser(network, ("stem", "head"), RATE, END_RATE)
    with forked_rng(seed):
        while (share := budget.share()) < 1:
            side, count = next((side, count) for end, side, count in SCHEDULE if share < end)
            lesson.loss(network, pool.sample(count, side, rng)).backward()  # type: ignore[no-untyped-call]
            warm = min(share / WARM_UP, 1.0)
            optimiser.step(warm * (1 - share + share * LAST_RATE))


def _deviations(patches: Tensor, low: float, high: float) -> Tensor:
    """Return (n, 1, side, side) deviations: one level a patch, or a variance that follows its brightness."""
    level = patches.new_empty(len(patches), 1, 1, 1).uniform_(low, high)
    if low == high:
        return level.expand(-1, 1, *patches.shape[2:])
    brightness = patches.mean(1, keepdim=True)
    relative = brightness / brightness.mean((2, 3), keepdim=True).clamp_min(0.05)
    follows = patches.new_empty(len(patches), 1, 1, 1).uniform_() < FOLLOWS_BRIGHTNESS
    share = patches.new_empty(len(patches), 1, 1, 1).uniform_() * follows
    return level * (1 - share + share * relative).sqrt().clamp_max(2)
