"""How answers are judged."""

from benchmarks.metrics.ranking import aupr, auroc
from benchmarks.metrics.vus import Volume, period, vus

__all__ = ["Volume", "aupr", "auroc", "period", "vus"]
