"""A denoiser that is fitted to images, clean or noisy, and cleans others like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch

from diabolo.errors import DataError, OptionError
from diabolo.images.denoising.alone import by_parts, restore_alone
from diabolo.images.denoising.budget import Budget
from diabolo.images.denoising.network import WIDTHS, NoiseNetwork
from diabolo.images.denoising.noise import estimate_noise
from diabolo.images.denoising.noise_level import NoiseLevel, check_image, stated_noise
from diabolo.images.denoising.patches import PatchPool
from diabolo.images.denoising.precision import SLOW_NOTE, has_fast_bfloat16
from diabolo.images.denoising.tiles import predict_noise
from diabolo.images.denoising.training import CleanLesson, Lesson, NoisyLesson, train
from diabolo.utils.checks import check_int, require
from diabolo.utils.progress import Progress
from diabolo.utils.torch_state import forked_rng

BUDGET = 120.0  # CPU seconds of training (a choice: 0.3 dB below five minutes)
HIGHEST = (
    55 / 255
)  # standard deviation up to which a model for a range of levels is trained (Zhang et al. 2018)
LOOKED_AT = 40  # images whose noise is estimated before training (a choice)
NOISY = 3 / 255  # median deviation from where on the images count as noisy; photographs have 1/255 at most
TOO_NOISY = 1.5  # times the highest level known, from where on a network is not asked (a choice)
TURNS = 4  # quarter turns whose answers are averaged for the best quality
STRONGEST = 2.5  # factor up to which an image may be made stronger (measured: with 5 it is made worse)
NETWORK_SHARE = 0.75  # of the network in the mean with similar patches, for the best quality (measured)


class Denoiser:
    """Remove noise from images by a network that was trained on others.

    Attributes:
        channels: of the images, 1 or 3.
        low: smallest standard deviation that the network was trained for, in units of the image.
        high: largest.
        notes: what the user should know.
    """

    def __init__(self, network: NoiseNetwork, low: float, high: float, notes: tuple[str, ...] = ()) -> None:
        self.network = network.eval().requires_grad_(False)
        self.channels = network.channels
        self.low, self.high = low, high
        self.notes = notes

    @classmethod
    def fit(
        cls,
        images: Sequence[np.ndarray],
        *,
        noisy: bool | None = None,
        noise: float | None = None,
        steps: int | None = None,
        budget: float | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Fit a denoiser to images.

        Args:
            images: each (height, width, channels) float32, 0 to 1; sizes may differ.
            noisy: whether the images themselves are noisy: then it is learnt from them alone, for noise as
                strong as theirs. None decides by their estimated noise.
            noise: standard deviation of the noise to remove, in units of the image; None for a range of 0 to
                55/255, or of noisy images, the one that they have.
            steps: number of training steps; None trains for `budget`. With it, a fit can be repeated.
            budget: CPU seconds of training; 120 by default.
            seed: of the first weights, patches and noise.
            progress: called with what is done.

        Raises:
            DataError: there is no image, or grey and colour images are mixed.
            OptionError: an option has an impossible value.
        """
        seconds = _checked(noise, steps, budget)
        pool = PatchPool(images, seed)
        if pool.channels not in (1, 3):
            raise DataError(f"images of {pool.channels} channels: expected 1 (grey) or 3 (colour)")
        lesson, low, high, notes = _lesson(images, noisy, noise)
        with forked_rng(seed):
            network = NoiseNetwork(pool.channels)
        train(network, pool, lesson, Budget(steps, seconds, progress, "denoiser"), seed=seed)
        slow = () if has_fast_bfloat16() else (SLOW_NOTE,)
        return cls(network, low, high, (*notes, *slow))

    def denoise(self, image: np.ndarray, noise: float | None = None, *, best: bool = False) -> np.ndarray:
        """Return the image without its noise, of the same shape, clipped to 0 to 1.

        An image without visible noise is returned as it is.

        Args:
            image: (height, width, channels), of any size.
            noise: standard deviation of its noise, in units of the image; None estimates it.
            best: also average over quarter turns and with what similar patches of the image say: about
                0.2 dB more, at thirty times the cost.

        Raises:
            DataError: the image has another number of channels.
            OptionError: `noise` is negative or not finite.
        """
        image = check_image(image, (self.channels,))
        level = estimate_noise(image) if noise is None else stated_noise(noise)
        if not level.is_visible:
            return image.clip(0, 1)
        if level.correlated:
            return by_parts(image, lambda part: self._cleaned(part, level, best)).clip(0, 1)
        return self._cleaned(image, level, best).clip(0, 1)

    def _cleaned(self, image: np.ndarray, level: NoiseLevel, best: bool) -> np.ndarray:
        """Return an image less its white noise, not clipped.

        Where there is much more noise than the network has seen, the image's own patches say more.
        """
        deviations = level.deviations(image)
        if float(np.median(deviations)) > TOO_NOISY * self.high:
            return restore_alone(image, level)
        if not best:
            cleaned: np.ndarray = image - self._noise(image, deviations)
            return cleaned
        turned = [
            np.rot90(self._noise(np.rot90(image, turn), np.rot90(deviations, turn)), -turn)
            for turn in range(TURNS)
        ]
        by_network: np.ndarray = image - np.mean(turned, 0, dtype=np.float32)
        by_patches = restore_alone(image, level)
        joined: np.ndarray = NETWORK_SHARE * by_network + (1 - NETWORK_SHARE) * by_patches
        return joined

    def _noise(self, image: np.ndarray, deviations: np.ndarray) -> np.ndarray:
        """Return the noise as the network sees it.

        An image with more or less noise than the network knows is made fainter or stronger first, and the
        answer the other way round (measured: 8 dB better than without, at twice the level). What is removed
        from an image with much less falls with the variance, as an optimal linear filter's does: so it is not
        made worse.
        """
        mean = float(deviations.mean())
        scale = np.float32(min(min(max(mean, self.low), self.high) / mean, STRONGEST))
        known = (deviations * scale).clip(self.low, self.high)
        weaker = np.minimum(deviations * scale / np.maximum(known, 1e-6), 1) ** 2 / scale
        found: np.ndarray = predict_noise(self.network, image * scale, known) * weaker[:, :, None]
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the weights, as arrays for a model file."""
        return {name: value.contiguous().numpy() for name, value in self.network.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """Return the rest of what was fitted, as plain values."""
        return {"channels": self.channels, "low": self.low, "high": self.high, "notes": list(self.notes)}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> Self:
        """Return the inverse of `arrays` and `state`.

        Args:
            arrays: name -> weights.
            state: plain values.

        Raises:
            ValueError: no fit can have left this.
        """
        channels, notes = state["channels"], state["notes"]
        low, high = state["low"], state["high"]
        require(channels in (1, 3) and type(channels) is int, "channels of a denoiser")
        require(all(type(level) in (int, float) for level in (low, high)), "levels of noise")
        require(0 <= low <= high <= 1 and high > 0, "levels of noise")
        require(isinstance(notes, list) and all(isinstance(note, str) for note in notes), "notes")
        with torch.random.fork_rng():
            network = NoiseNetwork(channels, WIDTHS)
        expected = network.state_dict()
        require(arrays.keys() == expected.keys(), "weights of a denoiser")
        for name, value in arrays.items():
            fits = value.shape == tuple(expected[name].shape) and value.dtype == np.float32
            require(fits and bool(np.isfinite(value).all()), f"weights {name}")
        network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in arrays.items()})
        return cls(network, float(low), float(high), tuple(notes))


def _checked(noise: object, steps: object, budget: object) -> float:
    """Check the options of a fit, and return the seconds of training."""
    if noise is not None and not stated_noise(noise).is_visible:
        raise OptionError(f"noise={noise!r}: nothing to remove", hint="noise=25/255")
    if steps is not None:
        check_int("steps", steps)
        if budget is not None:
            raise OptionError("steps and budget exclude each other", hint="give one of them")
    seconds = BUDGET if budget is None else budget
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise OptionError(f"budget={budget!r}: expected a number of seconds above 0", hint="budget=120")
    return float(seconds)


def _lesson(
    images: Sequence[np.ndarray], noisy: bool | None, noise: float | None
) -> tuple[Lesson, float, float, tuple[str, ...]]:
    """Return what is asked of the network, the levels it will know, and what to tell the user."""
    own = 0.0 if noisy is False else _own_noise(images)
    if noisy is None:
        noisy = own > NOISY
    if not noisy:
        low, high = (0.0, HIGHEST) if noise is None else (noise, noise)
        return CleanLesson(low, high), low, high, ()
    level = own if noise is None else noise
    if not stated_noise(level).is_visible:
        raise DataError(
            "no noise was found in the images that were said to be noisy",
            hint="say how strong it is, noise=25/255, or noisy=False",
        )
    note = f"the images are noisy (standard deviation {level * 255:.1f} of 255): learnt from them alone"
    return NoisyLesson(level), level, level, (note,)


def _own_noise(images: Sequence[np.ndarray]) -> float:
    """Return the median of the deviations of the noise of some images, evenly spaced."""
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).round().astype(int))
    return float(np.median([estimate_noise(images[int(i)]).sigma for i in chosen]))
