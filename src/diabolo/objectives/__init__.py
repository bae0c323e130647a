"""What a network is trained for."""

from diabolo.objectives.base import Objective
from diabolo.objectives.likelihood import Likelihood
from diabolo.objectives.rebuild import LOSSES, Rebuild

OBJECTIVES: tuple[type[Objective], ...] = (Likelihood, Rebuild)

__all__ = ["LOSSES", "OBJECTIVES", "Likelihood", "Objective", "Rebuild"]
