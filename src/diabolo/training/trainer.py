"""The training loop: one network, step by step."""

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
from diabolo.training.collapse import collapse_notes
from diabolo.training.settings import MIN_LEARNING_RATE, OPTIMIZERS, SCHEDULES, Training
from diabolo.utils.files import select_prefix
from diabolo.utils.progress import Progress
from diabolo.utils.torch_state import forked_rng

Log = Callable[[Mapping[str, Any]], None]
"""Called with each history line when it is written."""

MAX_GRADIENT_NORM = 1e3  # longer gradients are scaled down; a choice
# Rows, and numbers in them, that the loss of a network without training is computed on at most; choices.
MAX_UNTRAINED_ROWS, MAX_UNTRAINED_NUMBERS = 100, 12_800
N_VALIDATIONS = 20  # in one run; a choice
MAX_ROWS_PER_CHUNK = 2048  # rows that a validation reads at once
# Attributes of a run that a checkpoint holds as plain values.
STATE_NAMES = (
    "step",
    "validated_at",
    "stale_validations",
    "seconds",
    "best_loss",
    "next_row",
    "history",
    "notes",
    "finished",
)


@dataclass
class TrainingResult:
    """The outcome of a run, besides the weights.

    Attributes:
        history: one line for each validation on the held-out rows.
        notes: what the user should know.
        interrupted: whether Ctrl-C ended the run.
    """

    history: list[dict[str, Any]]
    notes: list[str]
    interrupted: bool = False


class Trainer:
    """One training run, step by step; its state can be saved and restored exactly.

    Args:
        network: untrained, on its device; its weights are changed in place.
        batch: the training rows, on the same device.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        settings: of the training.
        name: name of the network in the history, in notes and in the progress bar.

    Attributes:
        step: steps done.
        total: steps of the whole run.
        seconds: time spent in steps and validations.
        validated_at: step of the last validation.
        stale_validations: validations since the lowest loss.
        best_loss: lowest loss on the held-out rows; that of the training rows if there are none.
        best_weights: the weights at that loss.
        order, next_row: permutation of the rows in this epoch, and where the next batch begins in it.
        running: (3,) sums of the parts of the loss since the last validation.
        history, notes, finished: lines so far, what the user should know, whether the run has ended.
    """

    def __init__(
        self, network: Network, batch: Batch, held_out: Batch | None, settings: Training, name: str
    ) -> None:
        self.network, self.training_rows, self.held_out = network, batch.checked(network.scored), held_out
        self.name = name
        self.rows, self.device = len(batch), device_of(batch)
        self.settings = settings = settings.adapted_to(self.rows)
        self.batch_size = settings.batch_size_for(self.rows)
        self.total = settings.steps(self.rows)
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.flat = _flatten(self.parameters)
        for module in (network.encoder, network.decoder):
            module.fuse(True)
        options: dict[str, Any] = {"weight_decay": settings.weight_decay}
        if settings.optimizer != "sgd":
            options |= {"fused": True, "eps": settings.eps}
        kind = OPTIMIZERS[settings.optimizer]
        self.optimizer = kind([self.flat], lr=settings.lr, **options)  # type: ignore[call-arg]
        self.average = self.flat.detach().clone() if settings.average else None
        self.step, self.validated_at, self.stale_validations, self.seconds = 0, 0, 0, 0.0
        self.best_loss, self.best_weights = math.inf, _weights(network)
        self.order, self.next_row = torch.empty(0, dtype=torch.long), 0
        self.shuffled: Batch | None = None  # in this order, so that a batch is a slice
        # Losses are added up where the network is: reading them at every step would wait for it.
        self.running = torch.zeros(3, device=self.device)
        self.history: list[dict[str, Any]] = []
        self.log: Log = lambda line: None
        self.notes: list[str] = []
        self.finished = False

    @property
    def done(self) -> float:
        """Share of the run that is done, by steps or by time."""
        share = self.step / self.total
        return share if self.settings.budget is None else max(share, self.seconds / self.settings.budget)

    def run(self, progress: Progress | None, checkpoint: Callable[[Trainer], None] | None) -> None:
        """Train to the end.

        Args:
            progress: called after validations; None for no report.
            checkpoint: called with this run after every step; None for no checkpoints.
        """
        every = max(self.total // N_VALIDATIONS, 1)
        self.network.train()
        for line in self.history:  # of a run that is resumed
            self.log(line)
        while not self.finished and self.done < 1:
            began = time.perf_counter()
            self._step()
            if self.step % every == 0:
                self._validate()
            self.seconds += time.perf_counter() - began
            if checkpoint is not None:
                checkpoint(self)
            if progress is not None and self.step % every == 0 and self.done < 1:
                progress(self.name, self.done, self.seconds / self.done - self.seconds)
        self.finish()

    def finish(self) -> None:
        """End the run and put the best weights into the network."""
        if self.step > self.validated_at:
            self._validate()
        self.finished = True
        for module in (self.network.encoder, self.network.decoder):
            module.fuse(False)
        for parameter in self.parameters:
            parameter.grad = None
        self.network.load_state_dict(self.best_weights)
        self.network.eval()

    def _step(self) -> None:
        """Take one step of the optimiser on the next batch."""
        if self.next_row + self.batch_size > len(self.order):
            self.order, self.next_row, self.shuffled = torch.randperm(self.rows), 0, None
        if self.shuffled is None:
            self.shuffled = self.training_rows[self.order.to(self.device)]
        part = self.shuffled[self.next_row : self.next_row + self.batch_size]
        self.next_row += self.batch_size
        rate = SCHEDULES[self.settings.schedule](self.done, self.step * self.batch_size / self.rows)
        for group in self.optimizer.param_groups:
            group["lr"] = MIN_LEARNING_RATE + (self.settings.lr - MIN_LEARNING_RATE) * rate
        loss = self.network.loss(part)
        gradient = self.flat.grad
        assert gradient is not None
        gradient.zero_()
        loss.total.backward()  # type: ignore[no-untyped-call]
        # Protects against a single extreme batch: ordinary gradients are far shorter. On another device the
        # scaling is always applied, because reading the norm would wait for the device.
        norm = gradient.norm()
        if self.device.type != "cpu" or float(norm) > MAX_GRADIENT_NORM:
            gradient *= (MAX_GRADIENT_NORM / norm).clamp_max(1)
        self.optimizer.step()
        self.step += 1
        self.running += torch.stack([part.detach() for part in loss])
        if self.average is not None:
            self.average.lerp_(self.flat.detach(), ema_weight(self.step))

    def _validate(self) -> None:
        """Compute the loss on the held-out rows, remember the best weights, and write a history line."""
        total, reconstruction, kl = (self.running.cpu() / (self.step - self.validated_at)).tolist()
        self.running.zero_()
        self.validated_at = self.step
        with _use_average(self.flat, self.average):
            loss = total if self.held_out is None else _held_out_loss(self.network, self.held_out)
            if loss < self.best_loss:
                self.best_loss, self.best_weights, self.stale_validations = loss, _weights(self.network), 0
            else:
                self.stale_validations += 1
        self.history.append(
            {
                "member": self.name,
                "step": self.step,
                "epoch": round(self.step * self.batch_size / self.rows, 2),
                "total": total,
                "reconstruction": reconstruction,
                "kl": kl,
                "held_out": None if self.held_out is None else loss,
                "lr": self.optimizer.param_groups[0]["lr"],
                "seconds": round(self.seconds, 3),
            }
        )
        self.log(self.history[-1])
        if not math.isfinite(total):
            self.notes.append(
                f"{self.name}: the loss became infinite at step {self.step}; the best weights before are used"
            )
            self.finished = True
        if self.settings.patience and self.stale_validations >= self.settings.patience:
            self.finished = True

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the plain values and the tensors from which the run can be resumed exactly."""
        tensors = {"order": self.order, "running": self.running, "rng_state": torch.get_rng_state()}
        tensors |= {f"weights/{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best_weights.items()}
        tensors |= {} if self.average is None else {"average": self.average}
        for i, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{i}/{k}": v for k, v in slots.items() if isinstance(v, Tensor)}
        return {name: getattr(self, name) for name in STATE_NAMES}, tensors

    def restore(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Resume from what `state` returned.

        Args:
            values: name -> plain value.
            tensors: name -> tensor.
        """
        for name in STATE_NAMES:
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
        torch.set_rng_state(tensors["rng_state"])


class CheckpointStore(Protocol):
    """Saves runs, so that they can be resumed: see `diabolo.training.checkpoint`."""

    def restore(self, run: Trainer) -> None:
        """Restore the state of the run, if one was saved."""

    def save(self, run: Trainer, *, now: bool = False) -> None:
        """Save the run if it is due.

        Args:
            run: to save.
            now: save in any case.
        """


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
    """Train a network in place; it ends with the weights of the lowest loss on the held-out rows.

    Args:
        network: untrained, on its device.
        batch: the training rows, on the same device.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        settings: of the training.
        name: name of the network in the history, in notes and in the progress bar.
        progress: called with the progress.
        checkpoint: where the run is resumed from and saved to; None for neither.
        log: called with each history line, the earlier ones of a resumed run included.
    """
    if settings.epochs == 0:
        network.eval()
        return TrainingResult(
            [_untrained_history_line(network, batch if held_out is None else held_out, name)], [], False
        )
    run, interrupted = Trainer(network, batch, held_out, settings, name), False
    run.log = log or run.log
    try:
        if checkpoint is not None:
            checkpoint.restore(run)
        run.run(progress, checkpoint.save if checkpoint is not None else None)
        if checkpoint is not None:
            checkpoint.save(run, now=True)
    except KeyboardInterrupt:
        interrupted = True
        run.finish()
        run.notes.append(
            f"{name}: interrupted at step {run.step} of {run.total}; the best weights so far are used"
        )
    if progress is not None:
        progress(name, 1.0, 0.0)
    return TrainingResult(run.history, run.notes + collapse_notes(network, batch, name), interrupted)


def ema_weight(step: int) -> float:
    """Return the share of the newest weights in the moving average: of few steps at first, about 500 later.

    Example:
        >>> ema_weight(0), round(ema_weight(10_000), 6)
        (1.0, 0.002)
    """
    return 1 - min(0.998, step / (10 + step))


def device_of(batch: Batch) -> torch.device:
    """Return the device that holds the rows."""
    return next(iter(batch.values.values())).device


def _weights(network: Network) -> dict[str, Tensor]:
    """Return a copy of the weights and buffers."""
    return {k: v.detach().clone() for k, v in network.state_dict().items()}


def _flatten(parameters: list[nn.Parameter]) -> nn.Parameter:
    """Return one long parameter; the given ones and their gradients become views of it.

    The optimiser then updates all of them in one operation.
    """
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
def _use_average(flat: Tensor, average: Tensor | None) -> Iterator[None]:
    """Use the averaged weights in place of the current ones inside the block; None changes nothing."""
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
def _held_out_loss(network: Network, held_out: Batch) -> float:
    """Return the mean loss on held-out rows, with the same corruption at every validation."""
    network.eval()
    with forked_rng(0):
        losses = [(len(c), float(network.loss(c).total)) for c in held_out.chunks(MAX_ROWS_PER_CHUNK)]
    network.train()
    value = sum(n * x for n, x in losses) / sum(n for n, _ in losses)
    return value if math.isfinite(value) else math.inf


def _untrained_history_line(network: Network, batch: Batch, name: str) -> dict[str, Any]:
    """Return the one history line of a network that is not trained."""
    width = sum(v[0].numel() for v in batch.values.values())
    # Hidden values are solved for each row, at a cost that grows with the cube of the width of a row.
    rows = min(MAX_UNTRAINED_ROWS, max(MAX_UNTRAINED_NUMBERS // width, 1))
    loss = _held_out_loss(network, batch[:: max(len(batch) // rows, 1)])
    network.eval()
    part = {"total": loss, "reconstruction": loss, "kl": 0.0, "held_out": loss}
    return {"member": name, "step": 0, "epoch": 0.0, **part, "lr": 0.0, "seconds": 0.0}
