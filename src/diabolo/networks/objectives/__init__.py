"""Objectives: what a network is trained for."""

from diabolo.networks.objectives.base import Objective
from diabolo.networks.objectives.likelihood import Likelihood
from diabolo.networks.objectives.rebuild import LOSSES, Rebuild

OBJECTIVES: tuple[type[Objective], ...] = (Likelihood, Rebuild)

__all__ = ["LOSSES", "OBJECTIVES", "Likelihood", "Objective", "Rebuild"]
