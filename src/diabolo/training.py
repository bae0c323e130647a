"""The training loop, in plain sight."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from diabolo.errors import OptionError
from diabolo.fields import Codes
from diabolo.network import Network

Progress = Callable[[str, float, float | None], None]
"""Called with what is done, the share that is done, and the seconds that are left if they are known."""

CHECKS = 20  # how often the held-out rows are looked at in one run


def _onecycle(progress: float, epoch: float) -> float:
    """Up in the first tenth, then down along a cosine (Smith and Topin, "Super-convergence", 2018)."""
    if progress < 0.1:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * progress / 0.1))
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (progress - 0.1) / 0.9))


def _cosine(progress: float, epoch: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


def _restarts(progress: float, epoch: float) -> float:
    """A cosine that starts again every 25 epochs (Loshchilov and Hutter, "SGDR", 2017)."""
    return 1e-6 + 0.5 * (1 + math.cos(math.pi * (epoch % 25) / 25))


def _constant(progress: float, epoch: float) -> float:
    return 1.0


SCHEDULES = {"onecycle": _onecycle, "cosine": _cosine, "cosine_restarts": _restarts, "constant": _constant}
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
        weight_decay: of the optimiser.
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


def train(
    network: Network,
    codes: Codes,
    held_out: Codes | None,
    settings: Training,
    *,
    name: str = "network",
    progress: Progress | None = None,
) -> Outcome:
    """Train a network in place; what remains are the weights that did best on the held-out rows.

    Args:
        network: fresh, on its device.
        codes: the training rows, on the same device.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        settings: how.
        name: what the history and the bar call it.
        progress: told how far it is.
    """
    rows = len(codes)
    batch = min(settings.batch_size, rows)
    total = settings.steps(rows)
    parameters: list[Tensor] = [p for p in network.parameters() if p.requires_grad]
    options: dict[str, Any] = {"weight_decay": settings.weight_decay}
    if settings.optimizer != "sgd":
        options["fused"] = True
    optimizer = OPTIMIZERS[settings.optimizer](parameters, lr=settings.lr, **options)  # type: ignore[call-arg]
    average = [p.detach().clone() for p in parameters] if settings.average else None
    outcome = Outcome([], [])
    best, best_weights, waited = math.inf, _weights(network), 0
    every = max(total // CHECKS, 1)
    order, at = torch.empty(0, dtype=torch.long), 0
    device = codes_device(codes)
    running = torch.zeros(3, device=device)  # added up where the network is: reading it would wait for it
    began = time.perf_counter()
    network.train()
    try:
        step = 0
        while step < total:
            if at + batch > len(order):
                order, at = torch.randperm(rows), 0
            picked, at = order[at : at + batch], at + batch
            elapsed = time.perf_counter() - began
            done = step / total
            if settings.budget is not None:
                done = max(done, elapsed / settings.budget)
                if done >= 1:
                    break
            rate = settings.lr * SCHEDULES[settings.schedule](done, step * batch / rows)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = network.loss(codes[picked.to(device)])
            optimizer.zero_grad(set_to_none=True)
            loss.total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1e3)
            optimizer.step()
            step += 1
            running += torch.stack([part.detach() for part in loss])
            if average is not None:
                torch._foreach_lerp_(
                    average, [p.detach() for p in parameters], 1 - min(0.998, step / (10 + step))
                )
            if step % every and step != total:
                continue
            means = [float(x) for x in running.cpu() / (every if step % every == 0 else step % every)]
            running.zero_()
            with _averaged(parameters, average):
                judged = _judge(network, held_out) if held_out is not None else means[0]
                if judged < best:
                    best, best_weights, waited = judged, _weights(network), 0
                else:
                    waited += 1
            outcome.history.append(
                {
                    "member": name,
                    "step": step,
                    "epoch": round(step * batch / rows, 2),
                    "total": means[0],
                    "reconstruction": means[1],
                    "kl": means[2],
                    "held_out": judged if held_out is not None else None,
                    "lr": rate,
                    "seconds": round(time.perf_counter() - began, 3),
                }
            )
            if not math.isfinite(means[0]):
                outcome.notes.append(
                    f"{name}: the loss became infinite at step {step}; the best weights before are kept"
                )
                break
            if settings.patience and waited >= settings.patience:
                break
            if progress is not None:
                spent = time.perf_counter() - began
                progress(name, max(done, step / total), spent / (step / total) - spent)
    except KeyboardInterrupt:
        outcome.interrupted = True
        outcome.notes.append(
            f"{name}: interrupted at step {step} of {total}; the best weights so far are kept"
        )
    network.load_state_dict(best_weights)
    network.eval()
    outcome.notes += _judge_collapse(network, codes, name)
    if progress is not None:
        progress(name, 1.0, 0.0)
    return outcome


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
