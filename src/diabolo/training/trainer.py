"""The training loop, in plain sight."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from diabolo.data.fields import Batch
from diabolo.networks.network import Network
from diabolo.training.settings import LOWEST, OPTIMIZERS, SCHEDULES, Training
from diabolo.utils.files import select_prefix
from diabolo.utils.progress import Progress
from diabolo.utils.torch_state import forked_rng

Log = Callable[[Mapping[str, Any]], None]
"""Called with each line of history when it is written."""

LONGEST = 1e3  # gradient
LOOKED, NUMBERS = 100, 12_800  # rows, and numbers in them, by which a network that is not trained is judged
CHECKS = 20  # how often the held-out rows are looked at in one run
STATE = ("step", "looked", "waited", "spent", "best", "at", "history", "notes", "finished")


@dataclass
class TrainingResult:
    """What a run left behind, beside the weights.

    Attributes:
        history: one line for each look at the held-out rows.
        notes: what the user should know.
        interrupted: whether Ctrl-C ended it.
    """

    history: list[dict[str, Any]]
    notes: list[str]
    interrupted: bool = False


class Trainer:
    """One training run, a step at a time; all that it needs to go on can be taken out and put back.

    Args:
        network: fresh, on its device.
        batch: the training rows, on the same device.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        settings: how.
        name: what the history and the bar call it.
    """

    def __init__(
        self, network: Network, batch: Batch, held_out: Batch | None, settings: Training, name: str
    ) -> None:
        self.network, self.training_rows, self.held_out = network, batch.checked(network.scored), held_out
        self.name = name
        self.rows, self.device = len(batch), device_of(batch)
        self.settings = settings = settings.suited(self.rows)
        self.batch_size = settings.batch_size_for(self.rows)
        self.total = settings.steps(self.rows)
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.flat = _flattened(self.parameters)
        for module in (network.encoder, network.decoder):
            module.fuse(True)
        options: dict[str, Any] = {"weight_decay": settings.weight_decay}
        if settings.optimizer != "sgd":
            options |= {"fused": True, "eps": settings.eps}
        kind = OPTIMIZERS[settings.optimizer]
        self.optimizer = kind([self.flat], lr=settings.lr, **options)  # type: ignore[call-arg]
        self.average = self.flat.detach().clone() if settings.average else None
        self.step, self.looked, self.waited, self.spent = 0, 0, 0, 0.0
        self.best, self.best_weights = math.inf, _weights(network)
        self.order, self.at = torch.empty(0, dtype=torch.long), 0
        self.shuffled: Batch | None = None  # in this order, so that a batch is a slice
        # Losses are added up where the network is: reading them at every step would wait for it.
        self.running = torch.zeros(3, device=self.device)
        self.history: list[dict[str, Any]] = []
        self.log: Log = lambda line: None
        self.notes: list[str] = []
        self.finished = False

    @property
    def done(self) -> float:
        """The share of the run that is behind it, by steps or by time."""
        share = self.step / self.total
        return share if self.settings.budget is None else max(share, self.spent / self.settings.budget)

    def run(self, progress: Progress | None, checkpoint: Callable[[Trainer], None] | None) -> None:
        """Train to the end."""
        every = max(self.total // CHECKS, 1)
        self.network.train()
        for line in self.history:  # of a run that goes on
            self.log(line)
        while not self.finished and self.done < 1:
            began = time.perf_counter()
            self._step()
            if self.step % every == 0:
                self._validate()
            self.spent += time.perf_counter() - began
            if checkpoint is not None:
                checkpoint(self)
            if progress is not None and self.step % every == 0 and self.done < 1:
                progress(self.name, self.done, self.spent / self.done - self.spent)
        self.end()

    def end(self) -> None:
        """Keep the best weights."""
        if self.step > self.looked:
            self._validate()
        self.finished = True
        for module in (self.network.encoder, self.network.decoder):
            module.fuse(False)
        for parameter in self.parameters:
            parameter.grad = None
        self.network.load_state_dict(self.best_weights)
        self.network.eval()

    def _step(self) -> None:
        if self.at + self.batch_size > len(self.order):
            self.order, self.at, self.shuffled = torch.randperm(self.rows), 0, None
        if self.shuffled is None:
            self.shuffled = self.training_rows[self.order.to(self.device)]
        part = self.shuffled[self.at : self.at + self.batch_size]
        self.at += self.batch_size
        rate = SCHEDULES[self.settings.schedule](self.done, self.step * self.batch_size / self.rows)
        for group in self.optimizer.param_groups:
            group["lr"] = LOWEST + (self.settings.lr - LOWEST) * rate
        loss = self.network.loss(part)
        gradient = self.flat.grad
        assert gradient is not None
        gradient.zero_()
        loss.total.backward()  # type: ignore[no-untyped-call]
        # A guard against a single wild batch: ordinary gradients are far shorter. Where looking at the length
        # would wait for a device, it is not looked at.
        length = gradient.norm()
        if self.device.type != "cpu" or float(length) > LONGEST:
            gradient *= (LONGEST / length).clamp_max(1)
        self.optimizer.step()
        self.step += 1
        self.running += torch.stack([part.detach() for part in loss])
        if self.average is not None:
            self.average.lerp_(self.flat.detach(), ema_weight(self.step))

    def _validate(self) -> None:
        """Judge the weights by the held-out rows, and write a line of history."""
        total, reconstruction, kl = (self.running.cpu() / (self.step - self.looked)).tolist()
        self.running.zero_()
        self.looked = self.step
        with _averaged(self.flat, self.average):
            judged = total if self.held_out is None else _judge(self.network, self.held_out)
            if judged < self.best:
                self.best, self.best_weights, self.waited = judged, _weights(self.network), 0
            else:
                self.waited += 1
        self.history.append(
            {
                "member": self.name,
                "step": self.step,
                "epoch": round(self.step * self.batch_size / self.rows, 2),
                "total": total,
                "reconstruction": reconstruction,
                "kl": kl,
                "held_out": None if self.held_out is None else judged,
                "lr": self.optimizer.param_groups[0]["lr"],
                "seconds": round(self.spent, 3),
            }
        )
        self.log(self.history[-1])
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
        tensors |= {} if self.average is None else {"average": self.average}
        for i, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{i}/{k}": v for k, v in slots.items() if isinstance(v, Tensor)}
        return {name: getattr(self, name) for name in STATE}, tensors

    def restore(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `state` took out."""
        for name in STATE:
            setattr(self, name, values[name])
        self.order, self.running = tensors["order"], tensors["running"].to(self.device)
        self.shuffled = None
        self.network.load_state_dict(select_prefix(tensors, "weights/"))
        self.best_weights = {k: v.to(self.device) for k, v in select_prefix(tensors, "best/").items()}
        if self.average is not None:
            self.average = tensors["average"].to(self.device)
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in select_prefix(tensors, "optimizer/").items():
            index, _, key = name.partition("/")
            slots.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        torch.set_rng_state(tensors["draws"])


class CheckpointStore(Protocol):
    """Keeps runs, so that they can go on: see `diabolo.training.checkpoint`."""

    def restore(self, run: Trainer) -> None:
        """Go on from what was kept, if anything was."""

    def keep(self, run: Trainer, *, now: bool = False) -> None:
        """Keep the run, if it is time to."""


def train(
    network: Network,
    batch: Batch,
    held_out: Batch | None,
    settings: Training,
    *,
    name: str = "network",
    progress: Progress | None = None,
    checkpoint: CheckpointStore | None = None,
    log: Log | None = None,
) -> TrainingResult:
    """Train a network in place; what remains are the weights that did best on the held-out rows.

    Args:
        network: fresh, on its device.
        batch: the training rows, on the same device.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        settings: how.
        name: what the history and the bar call it.
        progress: told how far it is.
        checkpoint: where to go on from, and what to go on from later.
        log: told each line of history, those of a run that goes on too.
    """
    if settings.epochs == 0:
        network.eval()
        return TrainingResult(
            [_as_it_starts(network, batch if held_out is None else held_out, name)], [], False
        )
    run, interrupted = Trainer(network, batch, held_out, settings, name), False
    run.log = log or run.log
    try:
        if checkpoint is not None:
            checkpoint.restore(run)
        run.run(progress, checkpoint.keep if checkpoint is not None else None)
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
    return TrainingResult(run.history, run.notes + _judge_collapse(network, batch, name), interrupted)


def ema_weight(step: int) -> float:
    """The share of the newest weights in a moving average: of few steps at first, of about 500 later."""
    return 1 - min(0.998, step / (10 + step))


def device_of(batch: Batch) -> torch.device:
    """Where the rows are."""
    return next(iter(batch.values.values())).device


def _weights(network: Network) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in network.state_dict().items()}


def _flattened(parameters: list[nn.Parameter]) -> nn.Parameter:
    """One long parameter that these and their gradients become views of: one step serves them all."""
    flat = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parameters]))
    flat.grad = torch.zeros_like(flat)
    start = 0
    for parameter in parameters:
        part = slice(start, start + parameter.numel())
        parameter.data, parameter.grad = (
            flat.data[part].view_as(parameter),
            flat.grad[part].view_as(parameter),
        )
        start = part.stop
    return flat


@contextmanager
def _averaged(flat: Tensor, average: Tensor | None) -> Iterator[None]:
    """The averaged weights in the place of the current ones, inside the block."""
    if average is None:
        yield
        return
    current = flat.detach().clone()
    with torch.no_grad():
        flat.copy_(average)
    try:
        yield
    finally:
        with torch.no_grad():
            flat.copy_(current)


@torch.no_grad()
def _judge(network: Network, held_out: Batch) -> float:
    """The loss on held-out rows, with the same damage at every look."""
    network.eval()
    with forked_rng(0):
        losses = [(len(c), float(network.loss(c).total)) for c in held_out.chunks(2048)]
    network.train()
    value = sum(n * x for n, x in losses) / sum(n for n, _ in losses)
    return value if math.isfinite(value) else math.inf


def _as_it_starts(network: Network, batch: Batch, name: str) -> dict[str, Any]:
    """The line of history of a network that is not trained."""
    wide = sum(v[0].numel() for v in batch.values.values())
    # What is hidden is solved for each row, at a cost that grows with the cube of its width.
    rows = min(LOOKED, max(NUMBERS // wide, 1))
    loss = _judge(network, batch[:: max(len(batch) // rows, 1)])
    network.eval()
    part = {"total": loss, "reconstruction": loss, "kl": 0.0, "held_out": loss}
    return {"member": name, "step": 0, "epoch": 0.0, **part, "lr": 0.0, "seconds": 0.0}


@torch.no_grad()
def _judge_collapse(network: Network, batch: Batch, name: str) -> list[str]:
    """Say so if a variational code carries nothing: then every row is reconstructed alike."""
    if not hasattr(network.bottleneck, "log_var"):
        return []
    _, kl = network.encode(batch[:2048])
    if float(kl.mean()) >= 0.05:
        return []
    return [
        f"{name}: the latent code has collapsed: {float(kl.mean()):.3f} nats from the prior, it says nothing "
        f"about a row. A smaller beta than {network.bottleneck.beta:g} helps."
    ]
