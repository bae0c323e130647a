"""Pixels, as they are."""

from __future__ import annotations

from torch import Tensor

from diabolo.data.fields import Batch, Pixels
from diabolo.detection.metrics.base import MAX_ROWS, FieldMetric

MAX_PIXELS = 4_000_000  # of remembered images together; 5 bytes each in a model file, 17 in memory
MIN_IMAGES = 64  # that are remembered, however large they are


class ImageMetric(FieldMetric):
    """Pixels in standard units."""

    kind = Pixels.kind

    @classmethod
    def max_rows(cls, batch: Batch) -> int:
        return min(MAX_ROWS, max(MAX_PIXELS // batch.values[cls.kind][0].numel(), MIN_IMAGES))

    def features(self, values: Tensor, visible: Tensor, scored: Tensor) -> tuple[Tensor, Tensor]:
        """Return pixels, and which are present.

        Args:
            values: (rows, fields, channels, height, width).
            visible: likewise, which are present.
            scored: (fields,) which fields count.
        """
        return values[:, scored].flatten(1), visible[:, scored].flatten(1)

    def parts(self, values: Tensor, others: Tensor, both: Tensor) -> Tensor:
        """Return squared differences of pixels.

        Args:
            values: (rows, fields, channels, height, width).
            others: likewise.
            both: not used.
        """
        return (values - others).square()
