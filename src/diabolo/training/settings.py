"""How a network is trained: optimiser, learning rates, batches, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from diabolo.errors import OptionError


def _onecycle(progress: float, epoch: float) -> float:
    """Up in the first tenth, then down along a cosine (Smith and Topin, "Super-convergence", 2018)."""
    if progress < 0.1:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * progress / 0.1))
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (progress - 0.1) / 0.9))


def _cosine(progress: float, epoch: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


def _restarts(progress: float, epoch: float) -> float:
    """A cosine by epochs that starts again every 25 (Loshchilov and Hutter, "SGDR", 2017)."""
    return 0.5 * (1 + math.cos(math.pi * (int(epoch) % RESTART) / RESTART))


def _constant(progress: float, epoch: float) -> float:
    return 1.0


SCHEDULES = {"onecycle": _onecycle, "cosine": _cosine, "cosine_restarts": _restarts, "constant": _constant}
LEAST = 32  # rows in a step, whatever share they are
RESTART, LOWEST = 25, 1e-9  # epochs between two restarts; the learning rate never falls below
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Attributes:
        optimizer: a name in `OPTIMIZERS`.
        schedule: a name in `SCHEDULES`: how the learning rate changes.
        lr: the highest learning rate.
        weight_decay, eps: of the optimiser.
        reference: the rows that `lr` and `weight_decay` are meant for, see `suited`; 0 for any number.
        batch_size: rows in a step.
        batch_share: the share of all rows that a step has at most: small tables learn from small batches.
        epochs: passes over the rows, 0 to leave a network as it starts; a small table is passed as often as
            it takes for `min_steps`.
        min_steps, max_steps: bounds on the number of steps, whatever the epochs; 0 for none.
        average: keep a moving average of the weights, and use that in the end.
        patience: stop after so many looks at held-out rows without an improvement (there are 20 in a
            run); 0 to never stop early.
        budget: seconds after which the run ends, its schedule complete; None for no bound.
    """

    optimizer: str = "adamw"
    schedule: str = "onecycle"
    lr: float = 2e-3
    weight_decay: float = 1e-4
    eps: float = 1e-8
    reference: int = 0
    batch_size: int = 256
    batch_share: float = 1.0
    epochs: float = 20
    min_steps: int = 500
    max_steps: int = 3000
    average: bool = False
    patience: int = 8
    budget: float | None = None

    def __post_init__(self) -> None:
        for name, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in table:
                raise OptionError(
                    f"{name}={getattr(self, name)!r} is not known", hint=f"one of {', '.join(table)}"
                )
        for name in ("lr", "batch_size", "batch_share", "epochs"):
            value = getattr(self, name)
            if name == "epochs" and value == 0:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise OptionError(f"{name}={value!r}: expected a number above 0")
        if self.budget is not None and not self.budget > 0:
            raise OptionError(f"budget={self.budget!r}: expected seconds above 0")

    def change(self, options: Mapping[str, Any]) -> Training:
        """The same with some settings exchanged; a learning rate or a decay that is asked for is kept to."""
        known = {f.name for f in fields(self)}
        unknown = set(options) - known
        if unknown:
            raise OptionError(f"unknown training settings: {', '.join(sorted(unknown))}")
        asked = {"lr", "weight_decay"} & set(options)
        return replace(self, **{**({"reference": 0} if asked else {}), **options})

    def suited(self, rows: int) -> Training:
        """The same for so many rows: more of them need smaller steps and hold weights back by themselves.

        A run that is k times as long as one over the `reference` takes a learning rate smaller by the root of
        k, and k times as many rows a decay smaller by the square of k. As a prior of the same strength it
        would be smaller by k; held-out loss and generated rows are better so.
        """
        if not 0 < self.reference < rows:
            return self
        longer = max(self.steps(rows) / self.steps(self.reference), 1)
        decay = self.weight_decay * (self.reference / rows) ** 2
        return replace(self, lr=self.lr / math.sqrt(longer), weight_decay=decay)

    def batch_size_for(self, rows: int) -> int:
        """How many of so many rows a step has."""
        return min(self.batch_size, max(math.ceil(self.batch_share * rows), LEAST), rows)

    def steps(self, rows: int) -> int:
        """How many steps a run over so many rows takes."""
        if self.epochs == 0:
            return 0
        steps = math.ceil(self.epochs * rows / self.batch_size_for(rows))
        steps = max(steps, self.min_steps)
        return min(steps, self.max_steps) if self.max_steps else steps
