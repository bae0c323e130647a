"""The training loop, in plain sight."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from diabolo.atomic import under
from diabolo.errors import OptionError
from diabolo.fields import Codes
from diabolo.network import Network

Progress = Callable[[str, float, float | None], None]
"""Called with what is done, the share that is done, and the seconds that are left if they are known."""

CHECKS = 20  # how often the held-out rows are looked at in one run
KEPT = ("step", "looked", "waited", "spent", "best", "at", "history", "notes", "finished")


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
        batch_size: rows in a step.
        epochs: passes over the rows; a small table is passed as often as it takes for `min_steps`.
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
    batch_size: int = 256
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
        for name in ("lr", "batch_size", "epochs"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise OptionError(f"{name}={value!r}: expected a number above 0")
        if self.budget is not None and not self.budget > 0:
            raise OptionError(f"budget={self.budget!r}: expected seconds above 0")

    def change(self, options: Mapping[str, Any]) -> Training:
        """The same with some settings exchanged; epochs that are asked for are kept to exactly."""
        known = {f.name for f in fields(self)}
        unknown = set(options) - known
        if unknown:
            raise OptionError(f"unknown training settings: {', '.join(sorted(unknown))}")
        return replace(self, **options)

    def steps(self, rows: int) -> int:
        """How many steps a run over so many rows takes."""
        steps = math.ceil(self.epochs * rows / min(self.batch_size, rows))
        steps = max(steps, self.min_steps)
        return min(steps, self.max_steps) if self.max_steps else steps


@dataclass
class Outcome:
    """What a run left behind, beside the weights.

    Attributes:
        history: one line for each look at the held-out rows.
        notes: what the user should know.
        interrupted: whether Ctrl-C ended it.
    """

    history: list[dict[str, Any]]
    notes: list[str]
    interrupted: bool = False


@contextmanager
def private_draws(seed: int) -> Iterator[None]:
    """Seed torch's draws inside the block, and leave them outside as if nothing had been drawn."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads inside the block: more than one makes a small network slower."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Run:
    """One training run, a step at a time; all that it needs to go on can be taken out and put back.

    Args:
        network: fresh, on its device.
        codes: the training rows, on the same device.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        settings: how.
        name: what the history and the bar call it.
    """

    def __init__(
        self, network: Network, codes: Codes, held_out: Codes | None, settings: Training, name: str
    ) -> None:
        self.network, self.codes, self.held_out = network, codes, held_out
        self.settings, self.name = settings, name
        self.rows, self.device = len(codes), codes_device(codes)
        self.batch = min(settings.batch_size, self.rows)
        self.total = settings.steps(self.rows)
        self.parameters: list[Tensor] = [p for p in network.parameters() if p.requires_grad]
        options: dict[str, Any] = {"weight_decay": settings.weight_decay}
        if settings.optimizer != "sgd":
            options |= {"fused": True, "eps": settings.eps}
        kind = OPTIMIZERS[settings.optimizer]
        self.optimizer = kind(self.parameters, lr=settings.lr, **options)  # type: ignore[call-arg]
        self.average = [p.detach().clone() for p in self.parameters] if settings.average else None
        self.step, self.looked, self.waited, self.spent = 0, 0, 0, 0.0
        self.best, self.best_weights = math.inf, _weights(network)
        self.order, self.at = torch.empty(0, dtype=torch.long), 0
        # Losses are added up where the network is: reading them at every step would wait for it.
        self.running = torch.zeros(3, device=self.device)
        self.history: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.finished = False

    @property
    def done(self) -> float:
        """The share of the run that is behind it, by steps or by time."""
        share = self.step / self.total
        return share if self.settings.budget is None else max(share, self.spent / self.settings.budget)

    def go(self, progress: Progress | None, checkpoint: Callable[[Run], None] | None) -> None:
        """Train to the end."""
        every = max(self.total // CHECKS, 1)
        self.network.train()
        while not self.finished and self.done < 1:
            began = time.perf_counter()
            self._advance()
            if self.step % every == 0:
                self._look()
            self.spent += time.perf_counter() - began
            if checkpoint is not None:
                checkpoint(self)
            if progress is not None and self.step % every == 0 and self.done < 1:
                progress(self.name, self.done, self.spent / self.done - self.spent)
        self.end()

    def end(self) -> None:
        """Keep the best weights."""
        if self.step > self.looked:
            self._look()
        self.finished = True
        self.network.load_state_dict(self.best_weights)
        self.network.eval()

    def _advance(self) -> None:
        if self.at + self.batch > len(self.order):
            self.order, self.at = torch.randperm(self.rows), 0
        picked = self.order[self.at : self.at + self.batch]
        self.at += self.batch
        rate = SCHEDULES[self.settings.schedule](self.done, self.step * self.batch / self.rows)
        for group in self.optimizer.param_groups:
            group["lr"] = LOWEST + (self.settings.lr - LOWEST) * rate
        loss = self.network.loss(self.codes[picked.to(self.device)])
        self.optimizer.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, 1e3)
        self.optimizer.step()
        self.step += 1
        self.running += torch.stack([part.detach() for part in loss])
        if self.average is not None:
            share = 1 - min(0.998, self.step / (10 + self.step))
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], share)

    def _look(self) -> None:
        """Judge the weights by the held-out rows, and write a line of history."""
        total, reconstruction, kl = (self.running.cpu() / (self.step - self.looked)).tolist()
        self.running.zero_()
        self.looked = self.step
        with _averaged(self.parameters, self.average):
            judged = total if self.held_out is None else _judge(self.network, self.held_out)
            if judged < self.best:
                self.best, self.best_weights, self.waited = judged, _weights(self.network), 0
            else:
                self.waited += 1
        self.history.append(
            {
                "member": self.name,
                "step": self.step,
                "epoch": round(self.step * self.batch / self.rows, 2),
                "total": total,
                "reconstruction": reconstruction,
                "kl": kl,
                "held_out": None if self.held_out is None else judged,
                "lr": self.optimizer.param_groups[0]["lr"],
                "seconds": round(self.spent, 3),
            }
        )
        if not math.isfinite(total):
            self.notes.append(
                f"{self.name}: the loss became infinite at step {self.step}; the best weights before are kept"
            )
            self.finished = True
        if self.settings.patience and self.waited >= self.settings.patience:
            self.finished = True

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """All that it takes to go on exactly: plain values, and tensors."""
        tensors = {"order": self.order, "running": self.running, "draws": torch.get_rng_state()}
        tensors |= {f"weights/{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best_weights.items()}
        tensors |= {f"average/{i}": v for i, v in enumerate(self.average or [])}
        for i, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{i}/{k}": v for k, v in slots.items() if isinstance(v, Tensor)}
        return {name: getattr(self, name) for name in KEPT}, tensors

    def restore(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `state` took out."""
        for name in KEPT:
            setattr(self, name, values[name])
        self.order, self.running = tensors["order"], tensors["running"].to(self.device)
        self.network.load_state_dict(under(tensors, "weights/"))
        self.best_weights = {k: v.to(self.device) for k, v in under(tensors, "best/").items()}
        if self.average is not None:
            self.average = [tensors[f"average/{i}"].to(self.device) for i in range(len(self.average))]
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in under(tensors, "optimizer/").items():
            index, _, key = name.partition("/")
            slots.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        torch.set_rng_state(tensors["draws"])


class Keeper(Protocol):
    """Keeps runs, so that they can go on: see `diabolo.checkpoint`."""

    def restore(self, run: Run) -> None:
        """Go on from what was kept, if anything was."""

    def keep(self, run: Run, *, now: bool = False) -> None:
        """Keep the run, if it is time to."""


def train(
    network: Network,
    codes: Codes,
    held_out: Codes | None,
    settings: Training,
    *,
    name: str = "network",
    progress: Progress | None = None,
    checkpoint: Keeper | None = None,
) -> Outcome:
    """Train a network in place; what remains are the weights that did best on the held-out rows.

    Args:
        network: fresh, on its device.
        codes: the training rows, on the same device.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        settings: how.
        name: what the history and the bar call it.
        progress: told how far it is.
        checkpoint: where to go on from, and what to go on from later.
    """
    run, interrupted = Run(network, codes, held_out, settings, name), False
    try:
        if checkpoint is not None:
            checkpoint.restore(run)
        run.go(progress, checkpoint.keep if checkpoint is not None else None)
        if checkpoint is not None:
            checkpoint.keep(run, now=True)
    except KeyboardInterrupt:
        interrupted = True
        run.end()
        run.notes.append(
            f"{name}: interrupted at step {run.step} of {run.total}; the best weights so far are kept"
        )
    if progress is not None:
        progress(name, 1.0, 0.0)
    return Outcome(run.history, run.notes + _judge_collapse(network, codes, name), interrupted)


def codes_device(codes: Codes) -> torch.device:
    """Where the rows are."""
    return next(iter(codes.values.values())).device


def _weights(network: Network) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in network.state_dict().items()}


@contextmanager
def _averaged(parameters: list[Tensor], average: list[Tensor] | None) -> Iterator[None]:
    """The averaged weights in the place of the current ones, inside the block."""
    if average is None:
        yield
        return
    current = [p.detach().clone() for p in parameters]
    with torch.no_grad():
        torch._foreach_copy_(parameters, average)
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(parameters, current)


@torch.no_grad()
def _judge(network: Network, held_out: Codes) -> float:
    """The loss on held-out rows, with the same damage at every look."""
    network.eval()
    with private_draws(0):
        losses = [(len(c), float(network.loss(c).total)) for c in held_out.chunks(2048)]
    network.train()
    value = sum(n * x for n, x in losses) / sum(n for n, _ in losses)
    return value if math.isfinite(value) else math.inf


@torch.no_grad()
def _judge_collapse(network: Network, codes: Codes, name: str) -> list[str]:
    """Say so if a variational code carries nothing: then every row is reconstructed alike."""
    if not hasattr(network.bottleneck, "log_var"):
        return []
    _, kl = network.encode(codes[:2048])
    if float(kl.mean()) >= 0.05:
        return []
    return [
        f"{name}: the latent code has collapsed: {float(kl.mean()):.3f} nats from the prior, it says nothing "
        f"about a row. A smaller beta than {network.bottleneck.beta:g} helps."
    ]
