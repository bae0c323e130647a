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
CHECKED, N_CHECKS = (16, 32), 4  # patches and side, and how often, by which the size of answers is checked
OVERSHOOTS = 0.95  # best factor below which it is no chance; trained networks have 0.98 to 1.01
FOLLOWS_BRIGHTNESS = (
    0.25  # share of patches whose noise follows the brightness, as that of sensors (a choice)
)


@dataclass(frozen=True)
class Example:
    """A batch of noisy patches and the noise that is asked for.

    Attributes:
        noisy: (n, channels, side, side).
        deviation: (n, 1, side, side) of their noise.
        noise: (n, channels, side, side) to predict.
        weight: of the squared error, of a shape that fits.
    """

    noisy: Tensor
    deviation: Tensor
    noise: Tensor
    weight: Tensor

    def predict(self, network: NoiseNetwork) -> Tensor:
        """Return (n, channels, side, side), what a network takes for the noise."""
        with mixed_precision():
            found: Tensor = network(self.noisy, self.deviation)
        return found

    def loss(self, network: NoiseNetwork) -> Tensor:
        """Return the weighted mean squared error of a network."""
        errors: Tensor = self.weight * (self.predict(network) - self.noise).square()
        return errors.mean()


class Lesson(ABC):
    """Make training examples of patches."""

    @abstractmethod
    def example(self, patches: Tensor) -> Example:
        """Return an example with new noise, of torch's default generator.

        Args:
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

    def example(self, patches: Tensor) -> Example:
        deviation = _deviations(patches, self.low, self.high)
        noise = torch.randn_like(patches) * deviation
        return Example(patches + noise, deviation, noise, 1 / (deviation + LEAST_NOISE))


@dataclass(frozen=True)
class NoisyLesson(Lesson):
    """Learn from noisy patches alone: add noise, and ask for the patch with other noise taken away.

    From `y = x + n` are made `y + a z` and `y - z / a` with z as strong as n: their noises are independent,
    so the mean of the second given the first is x (recorrupted-to-recorrupted, Pang et al. 2021).

    Attributes:
        deviation: of the noise that the images have.
    """

    deviation: float

    def example(self, patches: Tensor) -> Example:
        size = patches.new_empty(len(patches), 1, 1, 1).uniform_(*ADDED)
        added = torch.randn_like(patches) * self.deviation
        level = (self.deviation * (1 + size.square()).sqrt()).expand(-1, 1, *patches.shape[2:])
        # Patches with less added noise have noisier targets: they weigh less.
        weight = size.square() / (1 + size.square()) / self.deviation**2
        return Example(patches + size * added, level, size * added + added / size, weight)


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
            example = lesson.example(pool.sample(count, side, rng))
            example.loss(network).backward()  # type: ignore[no-untyped-call]
            warm = min(share / WARM_UP, 1.0)
            optimiser.step(warm * (1 - share + share * LAST_RATE))
        _shrink(network, [lesson.example(pool.sample(*CHECKED, rng)) for _ in range(N_CHECKS)])


@torch.no_grad()
def _shrink(network: NoiseNetwork, examples: list[Example]) -> None:
    """Scale the answers of a network that overshoots, as one does that was trained too briefly.

    The best factor in the sense of least squares is `<found, noise> / <found, found>`; with it, the mean
    error on such patches is not above that of leaving them as they are.

    Args:
        network: whose last layer is scaled in place.
        examples: with noise that it has not seen.
    """
    found = [(example.predict(network), example) for example in examples]
    agreement = sum(float((e.weight * noise * e.noise).sum()) for noise, e in found)
    size = sum(float((e.weight * noise.square()).sum()) for noise, e in found)
    factor = max(agreement, 0.0) / size if size > 0 else 0.0
    if factor < OVERSHOOTS:
        network.head.weight.mul_(factor)
        if network.head.bias is not None:
            network.head.bias.mul_(factor)


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
