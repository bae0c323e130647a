"""A network as a LightningModule."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.data.schema import Schema
from diabolo.errors import DataError, OptionError, need
from diabolo.networks.member import Member
from diabolo.networks.network import Network
from diabolo.networks.prediction import Loss, Prediction
from diabolo.training.settings import MIN_LEARNING_RATE, OPTIMIZERS, SCHEDULES, Training
from diabolo.training.trainer import MAX_GRADIENT_NORM, ema_weight
from diabolo.utils.torch_state import forked_rng

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from pytorch_lightning.callbacks import WeightAveraging
else:
    pl = need("pytorch_lightning", "lightning")
    WeightAveraging = pl.callbacks.WeightAveraging

# The names in logs: as course notes on variational autoencoders have them.
METRIC_NAMES = ("total_loss", "recon_loss", "kld")


class Module(pl.LightningModule):
    """One network with its loss, its optimiser and its schedule; `DataModule.modules` makes them.

    It logs the means over an epoch of `total_loss`, `recon_loss` and `kld`, with the prefix `val_` on
    held-out rows and `test_` on calibration rows. All arguments are plain values, which a checkpoint
    contains, so `Module.load_from_checkpoint(path, weights_only=True)` needs nothing else.

    Args:
        schema: the columns, as `Schema.to_json` returns them.
        member: the network's options, as `Member.to_json` returns them.
        training: the fields of a `Training`.
        name: name of the network in its model.
    """

    def __init__(self, schema: Any, member: Any, training: Mapping[str, Any], name: str = "network") -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # a schema is too long for a logger
        known = Schema.from_json(schema)
        self.network = Network(
            known.fields, known.scored_fields, Member.from_json(member), known.can_be_missing
        )
        self.settings, self.name = Training(**training), name
        self.history: list[dict[str, Any]] = []

    def forward(self, batch: Batch) -> Prediction:
        """Return the predicted distribution of every cell of the rows."""
        prediction: Prediction = self.network(_checked_batch(batch))
        return prediction

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log and return the loss of a training batch.

        Args:
            batch: encoded rows.
            batch_idx: not used.
        """
        return self._log("", self.network.loss(_checked_batch(batch)), batch)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log and return the loss of a validation batch.

        Args:
            batch: encoded rows.
            batch_idx: not used.
        """
        with forked_rng(0):  # the same corruption at every validation, as in `Trainer` of this library
            return self._log("val_", self.network.loss(_checked_batch(batch)), batch)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log and return the loss of a test batch.

        Args:
            batch: encoded rows.
            batch_idx: not used.
        """
        with forked_rng(0):
            return self._log("test_", self.network.loss(_checked_batch(batch)), batch)

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> dict[str, Tensor]:
        """Return `latent` (rows, latent) and `loss` (rows,) of the uncorrupted rows.

        Args:
            batch: encoded rows.
            batch_idx: not used.
        """
        return {
            "latent": self.network.encode(_checked_batch(batch))[0],
            "loss": self.network.row_losses(batch),
        }

    def _log(self, stage: str, loss: Loss, batch: Batch) -> Tensor:
        parts = {stage + name: part.detach() for name, part in zip(METRIC_NAMES, loss, strict=True)}
        self.log_dict(
            parts, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=len(batch)
        )
        return loss.total

    def configure_optimizers(self) -> Any:
        """Return the optimiser and the schedule of the settings; the schedule ends when the Trainer does."""
        settings, rate = self.settings, SCHEDULES[self.settings.schedule]
        options: dict[str, Any] = {"weight_decay": settings.weight_decay}
        if settings.optimizer != "sgd":
            options |= {"fused": True, "eps": settings.eps}
        trained = [p for p in self.parameters() if p.requires_grad]
        optimizer = OPTIMIZERS[settings.optimizer](trained, lr=settings.lr, **options)  # type: ignore[call-arg]
        by_epoch, total = settings.schedule == "cosine_restarts", self.trainer.estimated_stepping_batches
        if math.isinf(total) and settings.schedule in ("onecycle", "cosine"):
            raise OptionError(
                f"schedule={settings.schedule!r} needs to know when training ends",
                hint="Trainer(max_epochs=20)",
            )

        def factor(done: int) -> float:
            # One schedule depends on the epoch only, the others on the share of all steps.
            return (
                MIN_LEARNING_RATE + (settings.lr - MIN_LEARNING_RATE) * rate(min(done / total, 1.0), done)
            ) / settings.lr

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": schedule, "interval": "epoch" if by_epoch else "step"}]

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradients, as `Trainer` of this library does unless Lightning is told otherwise.

        Args:
            optimizer: not used.
            gradient_clip_val: largest norm; None for that of this library.
            gradient_clip_algorithm: the algorithm; None for clipping by the norm.
        """
        self.clip_gradients(optimizer, gradient_clip_val or MAX_GRADIENT_NORM, gradient_clip_algorithm)

    def configure_callbacks(self) -> Any:
        """Return the callback that averages the weights, if the settings ask for it."""
        return [WeightAveraging(use_buffers=False, avg_fn=_average)] if self.settings.average else []

    def on_train_start(self) -> None:
        self.began = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        """Add a history line."""
        seen = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        self.history.append(
            {
                "member": self.name,
                "step": self.trainer.global_step,
                "epoch": self.current_epoch + 1,
                **{k: seen[v] for k, v in zip(("total", "reconstruction", "kl"), METRIC_NAMES, strict=True)},
                "held_out": seen.get(f"val_{METRIC_NAMES[0]}"),
                "lr": float(self.trainer.optimizers[0].param_groups[0]["lr"]),
                "seconds": round(time.perf_counter() - self.began, 3),
            }
        )

    def on_train_end(self) -> None:
        """Give all processes the buffers of the first, as batch normalisation counts in each separately."""
        for buffer in self.network.buffers():
            buffer.copy_(self.trainer.strategy.broadcast(buffer))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])


def _average(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    return average.lerp(current, ema_weight(int(count)))


def _checked_batch(batch: object) -> Batch:
    if not isinstance(batch, Batch):
        raise DataError(
            f"expected an encoded batch, got a {type(batch).__name__}",
            hint="Trainer(max_epochs=20).fit(module, DataModule(table, model))",
        )
    return batch
