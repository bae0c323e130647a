"""Heat maps: how anomalous each pixel is, drawn over the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# The scale "plasma" of S. van der Walt and N. Smith (CC0), without its darkest fifth: equal steps look equal,
# and every colour differs from the greys of a dark image too.
COLOURS = np.array([[106, 0, 168], [177, 42, 144], [225, 100, 98], [252, 166, 54], [240, 249, 33]], float)
MIN_OPACITY = 0.55  # of the lowest colour: it is seen (a choice)
MAX_OPACITY = 0.9  # of the highest colour: the image stays visible (a choice)
GREY_WEIGHTS = np.array([0.299, 0.587, 0.114])  # of red, green and blue (ITU-R BT.601)
MIN_SPAN = 1.0  # bits from the lowest to the highest colour: a choice
# This share of the pixels of a map may have the highest colour: one extreme pixel must not fade all others
# (a choice).
TOP_SHARE = 0.005
TYPICAL_BITS = 10.0  # what one normal pixel in a thousand has, in calibrated maps
MIN_HIGH, MAX_HIGH = 15.0, 60.0  # bits of the highest colour in calibrated maps: choices


@dataclass(frozen=True)
class HeatScale:
    """From bits of pixels to colours.

    Attributes:
        low: bits from which pixels are coloured.
        high: bits from which they have the highest colour.
        calibrated: whether 10 bits are what one normal pixel in a thousand has.
    """

    low: float
    high: float
    calibrated: bool

    @classmethod
    def of(cls, maps: Sequence[np.ndarray], *, calibrated: bool) -> HeatScale:
        """Return one scale for several maps.

        Args:
            maps: (height, width) bits of each image.
            calibrated: whether 10 bits are what one normal pixel in a thousand has.
        """
        tops = [float(np.quantile(bits, 1 - TOP_SHARE)) for bits in maps] or [0.0]
        if calibrated:
            return cls(TYPICAL_BITS, float(np.clip(max(tops), MIN_HIGH, MAX_HIGH)), True)
        return cls(0.0, max(max(tops), MIN_SPAN), False)

    def draw_over(self, pixels: np.ndarray, bits: np.ndarray) -> np.ndarray:
        """Return an image in grey, with the colours of its anomalous pixels over it.

        Args:
            pixels: (height, width, channels) from 0 to 1.
            bits: (height, width).

        Returns:
            (height, width, 3) from 0 to 1.
        """
        grey = pixels[..., :1] if pixels.shape[2] == 1 else (pixels @ GREY_WEIGHTS)[..., None]
        share = np.clip((bits - self.low) / (self.high - self.low), 0, 1)
        opacity = np.where(bits > self.low, MIN_OPACITY + (MAX_OPACITY - MIN_OPACITY) * share, 0)[..., None]
        return np.asarray((1 - opacity) * grey + opacity * colours_at(share) / 255, dtype=np.float32)

    @property
    def gradient(self) -> str:
        """The colours as a gradient of a style sheet, from the lowest to the highest."""
        return ", ".join("#" + "".join(f"{round(v):02x}" for v in colour) for colour in COLOURS.tolist())

    @property
    def words(self) -> tuple[str, str, str]:
        """What no colour, the lowest and the highest colour mean."""
        if self.calibrated:
            return (
                "no colour: as in the images of the fit",
                f"{self.low:.0f} bits: one normal pixel in a thousand is as anomalous",
                f"{self.high:.0f} bits or more: far beyond normal pixels",
            )
        return (
            "no colour: as expected",
            f"{self.low:.0f} bits: hardly less probable than expected",
            f"{self.high:.0f} bits or more: the least probable pixels",
        )


def colours_at(share: np.ndarray) -> np.ndarray:
    """Return the colours of places on the scale.

    Args:
        share: (...) from 0 to 1.

    Returns:
        (..., 3) red, green and blue from 0 to 255.
    """
    stops = np.linspace(0, 1, len(COLOURS))
    return np.stack([np.interp(share, stops, COLOURS[:, channel]) for channel in range(3)], axis=-1)
