"""The noise of an image, as far as a denoiser has to know it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from diabolo.errors import DataError, OptionError

INVISIBLE = 1.0 / 255  # deviation that rounding to 8 bits and fine texture reach as well (measured)
SMOOTHING = 2.0  # pixels of the local mean that the deviation at a place follows


@dataclass(frozen=True)
class NoiseLevel:
    """The noise of an image: at brightness x its variance is `slope * x + offset` (Foi et al. 2008).

    Attributes:
        sigma: standard deviation over the whole image, in units of the image, 0 to 1.
        slope: of the variance against the brightness; 0 for Gaussian noise.
        offset: the variance of black; `sigma ** 2` for Gaussian noise.
        correlated: whether the noise of neighbouring pixels is similar, as after interpolation or JPEG.
    """

    sigma: float
    slope: float = 0.0
    offset: float = 0.0
    correlated: bool = False

    @classmethod
    def gaussian(cls, sigma: float) -> NoiseLevel:
        """Return white noise of a standard deviation that is the same everywhere."""
        return cls(sigma, 0.0, sigma**2)

    @property
    def is_visible(self) -> bool:
        """Whether there is more noise than rounding to 8 bits leaves."""
        return self.sigma > INVISIBLE

    def deviations(self, image: np.ndarray) -> np.ndarray:
        """Return (height, width) float32, the standard deviation at every place.

        Args:
            image: (height, width, channels) noisy.
        """
        if self.slope == 0:
            return np.full(image.shape[:2], self.sigma, np.float32)
        brightness = ndimage.gaussian_filter(image.mean(2), SMOOTHING, mode="nearest").clip(0, 1)
        # Nowhere less than a tenth of the mean variance: a line that was fitted may cross zero.
        variance = np.maximum(self.slope * brightness + self.offset, self.sigma**2 / 10)
        deviations: np.ndarray = np.sqrt(variance).astype(np.float32)
        return deviations


def stated_noise(noise: object) -> NoiseLevel:
    """Return white noise of a deviation that the user states, in units of the image.

    Args:
        noise: what was stated.

    Raises:
        OptionError: it is no number between 0 and 1.
    """
    if isinstance(noise, bool) or not isinstance(noise, int | float) or not 0 <= noise <= 1:
        raise OptionError(
            f"noise={noise!r}: expected a standard deviation between 0 and 1",
            hint="divide a deviation of 8-bit values by 255: noise=25/255",
        )
    return NoiseLevel.gaussian(float(noise))


def check_image(image: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    """Return an image as float32 if it is one.

    Args:
        image: (height, width, channels).
        channels: numbers of them that are allowed.

    Raises:
        DataError: it has another shape.
    """
    if image.ndim != 3 or image.shape[2] not in channels or 0 in image.shape:
        allowed = " or ".join(map(str, channels))
        raise DataError(
            f"an image of shape {image.shape}: expected (height, width, {allowed})",
            hint="convert the image to the mode of those that the model was fitted to",
        )
    return image.astype(np.float32)
