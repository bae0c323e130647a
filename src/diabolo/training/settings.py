"""How a network is trained: optimiser, learning rates, batches, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from diabolo.errors import OptionError


def _onecycle(progress: float, epoch: float) -> float:
    """Rise in the first tenth, then fall along a cosine (Smith and Topin, "Super-convergence", 2018)."""
    if progress < 0.1:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * progress / 0.1))
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (progress - 0.1) / 0.9))


def _cosine(progress: float, epoch: float) -> float:
    """Fall along a cosine."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def _restarts(progress: float, epoch: float) -> float:
    """Fall along a cosine of epochs, which starts again every 25 (Loshchilov and Hutter, "SGDR", 2017)."""
    return 0.5 * (1 + math.cos(math.pi * (int(epoch) % EPOCHS_PER_RESTART) / EPOCHS_PER_RESTART))


def _constant(progress: float, epoch: float) -> float:
    """Stay at the highest rate."""
    return 1.0


# Share of the highest learning rate, by the share of the run that is done and by the epoch.
SCHEDULES = {"onecycle": _onecycle, "cosine": _cosine, "cosine_restarts": _restarts, "constant": _constant}
MIN_BATCH_SIZE = 32  # rows in a step, whatever their share of all rows; a choice
EPOCHS_PER_RESTART = 25  # of "cosine_restarts"; a choice
MIN_LEARNING_RATE = 1e-9  # at the end of a schedule
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True)
class Training:
    """Settings of the training of one network.

    Attributes:
        optimizer: a name in `OPTIMIZERS`.
        schedule: a name in `SCHEDULES`: how the learning rate changes.
        lr: the highest learning rate.
        weight_decay, eps: of the optimiser.
        reference: the number of rows that `lr` and `weight_decay` are meant for, see `adapted_to`; 0 for any.
        batch_size: rows in a step.
        batch_share: largest share of all rows in a step: small tables learn from small batches.
        epochs: passes over the rows, 0 to leave a network untrained; small tables are passed over more often
            to reach `min_steps`.
        min_steps, max_steps: bounds on the number of steps, whatever the epochs; 0 for none.
        average: keep a moving average of the weights, and use that in the end.
        patience: stop after this number of validations without an improvement (a run has 20); 0 to never
            stop early.
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
        """Return the settings with some of them replaced.

        A requested learning rate or weight decay is used as it is, whatever the number of rows.

        Raises:
            OptionError: a name or a value is not known.
        """
        known = {f.name for f in fields(self)}
        unknown = set(options) - known
        if unknown:
            raise OptionError(f"unknown training settings: {', '.join(sorted(unknown))}")
        requested = {"lr", "weight_decay"} & set(options)
        return replace(self, **{**({"reference": 0} if requested else {}), **options})

    def adapted_to(self, rows: int) -> Training:
        """Return the settings for a number of rows: more rows need smaller steps and less weight decay.

        A run with k times the steps of one over the `reference` rows has its learning rate divided by the
        square root of k; k times the rows have the weight decay divided by the square of k. A prior of the
        same strength would divide it by k; held-out loss and generated rows are better with the square.
        """
        if not 0 < self.reference < rows:
            return self
        longer = max(self.steps(rows) / self.steps(self.reference), 1)
        decay = self.weight_decay * (self.reference / rows) ** 2
        return replace(self, lr=self.lr / math.sqrt(longer), weight_decay=decay)

    def batch_size_for(self, rows: int) -> int:
        """Return the number of rows in a step, if there are `rows` in all."""
        return min(self.batch_size, max(math.ceil(self.batch_share * rows), MIN_BATCH_SIZE), rows)

    def steps(self, rows: int) -> int:
        """Return the number of steps of a run over `rows` rows."""
        if self.epochs == 0:
            return 0
        steps = math.ceil(self.epochs * rows / self.batch_size_for(rows))
        steps = max(steps, self.min_steps)
        return min(steps, self.max_steps) if self.max_steps else steps
