"""The distance between rows: each kind of field gives its numbers, and one product compares many pairs."""

from diabolo.detection.metrics.base import MAX_ROWS, FieldMetric
from diabolo.detection.metrics.images import ImageMetric
from diabolo.detection.metrics.numbers import NumberMetric
from diabolo.detection.metrics.windows import WindowMetric

# Labels are compared symbol by symbol: see `diabolo.detection.metrics.pairs`.
FIELD_METRICS: tuple[type[FieldMetric], ...] = (NumberMetric, ImageMetric, WindowMetric)

__all__ = ["FIELD_METRICS", "MAX_ROWS", "FieldMetric", "ImageMetric", "NumberMetric", "WindowMetric"]
