"""Measures of scores, alarms and synthetic data."""

from benchmarks.metrics.affiliation import Affiliation, affiliation, affiliation_best
from benchmarks.metrics.nab import Best, nab_best, nab_score
from benchmarks.metrics.ranking import aupr, auroc, auroc_lead_error
from benchmarks.metrics.vus import Volume, period, vus

__all__ = [
    "Affiliation",
    "Best",
    "Volume",
    "affiliation",
    "affiliation_best",
    "aupr",
    "auroc",
    "auroc_lead_error",
    "nab_best",
    "nab_score",
    "period",
    "vus",
]
