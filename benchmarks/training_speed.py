"""Training speed compared with Lightning: `python -m benchmarks.training_speed --json OUT [--seeds N]`.

No data is needed: 20 numbers and 8 labels of 20 levels are generated. Every contender trains the reference
network, a variational autoencoder as in courses and lecture notes (64-128-256-128-64, embeddings of 16, 16
latent numbers, batch normalisation), in batches of 128 on one thread. `lightning` is the usual code: a data
set that is indexed by row, two workers, a Lightning module; the leanest trainer (no progress bar, no logger,
no checkpoint). `plain_torch` is the same network in a loop without a DataLoader: a batch is the next slice of
a permutation. `diabolo` is `diabolo.training.trainer.train` with the recipe "classic".

Start-up is excluded: after one warm-up run, each contender trains for 1 epoch and for 5, and the CPU seconds
of the first are subtracted from those of the second; workers are included. Ratios are medians of the ratios
within a round, so that other work on the machine affects both sides.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import resource
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks import common
from diabolo.data.reading import read_fit_data
from diabolo.data.sources import read_user_table
from diabolo.networks.network import Network
from diabolo.networks.recipes import make_members
from diabolo.training.settings import Training
from diabolo.training.trainer import train
from diabolo.utils.torch_state import torch_threads

NUMBERS, LABELS, LEVELS = 20, 8, 20
ROWS, SHORT_EPOCHS, LONG_EPOCHS, ROUNDS = 12_800, 1, 5, 5
REFERENCE: dict[str, Any] = {
    "embedding": 16,
    "latent_dim": 16,
    "layer_sizes": (64, 128, 256, 128, 64),
    "stdev": 0.1,
    "kld_beta": 0.05,
    "lr": 1e-3,
    "weight_decay": 1e-5,
    "batch_size": 128,
}
CLAIM = "a row costs less CPU time in the training loop of diabolo than in the usual code on Lightning"
PROTOCOL = (
    f"{ROWS:,} generated rows of {NUMBERS} numbers and {LABELS} labels of {LEVELS} levels; batches of 128, "
    f"one thread; rows per CPU second, workers included, of {LONG_EPOCHS} epochs minus {SHORT_EPOCHS}; "
    "contenders in turn; medians"
)

MEASURE = "rows_per_cpu_second"
RATIOS = {"lightning": "ratio", "plain_torch": "ratio_plain"}

Table = tuple[np.ndarray, np.ndarray]
Contender = Callable[[Table, int], None]


def made(rows: int, seed: int) -> Table:
    """Generate correlated standard numbers (rows, 20), and labels that depend on them (rows, 8)."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(rows, 6))
    numbers = base @ rng.normal(size=(6, NUMBERS)) + 0.5 * rng.normal(size=(rows, NUMBERS))
    signal = base @ rng.normal(size=(6, LABELS)) + 0.5 * rng.normal(size=(rows, LABELS))
    labels = signal.argsort(0).argsort(0) * LEVELS // rows
    return ((numbers - numbers.mean(0)) / numbers.std(0)).astype(np.float32), labels


class Layers(nn.Sequential):
    """Linear, batch normalisation, leaky ReLU, for each width."""

    def __init__(self, widths: Sequence[int]) -> None:
        parts: list[nn.Module] = []
        for before, after in pairwise(widths):
            parts += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.LeakyReLU(0.1, inplace=True)]
        super().__init__(*parts)


class ReferenceNetwork(nn.Module):
    """The reference network, one embedding module for each label, and its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.hparams = Namespace(**REFERENCE)
        embedding, latent, widths = (REFERENCE[k] for k in ("embedding", "latent_dim", "layer_sizes"))
        self.embeds = nn.ModuleList(nn.Embedding(LEVELS, embedding) for _ in range(LABELS))
        width = LABELS * embedding + NUMBERS
        self.encoder = Layers([width, *widths])
        self.mu, self.logvar = nn.Linear(widths[-1], latent), nn.Linear(widths[-1], latent)
        self.decoder = Layers([latent, *reversed(widths)])
        self.reconstructed = nn.Linear(widths[0], width)

    def forward(self, x_cont: Tensor, x_cat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return total loss, reconstruction loss and KL divergence, all means over the batch."""
        x = torch.cat([*(embed(x_cat[:, i]) for i, embed in enumerate(self.embeds)), x_cont], dim=1)
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        std = torch.exp(0.5 * logvar)
        z = torch.randn_like(std) * self.hparams.stdev * std + mu if self.training else mu
        recon = self.reconstructed(self.decoder(z))
        recon_loss = functional.smooth_l1_loss(recon, x, reduction="mean")
        kld = -0.5 * torch.mean(1 + logvar - mu**2 - logvar.exp())
        return recon_loss + self.hparams.kld_beta * kld, recon_loss, kld


def reference_optimizer(network: nn.Module) -> tuple[torch.optim.Optimizer, Any]:
    """Return AdamW and a cosine schedule with restarts, as in the reference."""
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=REFERENCE["lr"], weight_decay=REFERENCE["weight_decay"], eps=1e-4
    )
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=25, T_mult=1, eta_min=1e-9)
    return optimizer, restarts


class RowDataset(Dataset[tuple[Tensor, Tensor]]):
    """Data set that returns one row at a time."""

    def __init__(self, table: Table) -> None:
        self.x_cont, self.x_cat = torch.from_numpy(table[0]), torch.from_numpy(table[1])

    def __len__(self) -> int:
        return len(self.x_cont)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.x_cont[row], self.x_cat[row]


def lightning(table: Table, epochs: int) -> None:
    """Train with the usual code on Lightning."""
    import pytorch_lightning as pl

    class VAE(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = ReferenceNetwork()

        def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
            loss, recon_loss, kld = self.network(*batch)
            self.log("total_loss", loss, on_step=True, prog_bar=True, logger=True)
            self.log("recon_loss", recon_loss, on_step=True, prog_bar=True, logger=True)
            self.log("kld", kld, on_step=True, prog_bar=True, logger=True)
            return loss

        def configure_optimizers(self) -> Any:
            optimizer, schedule = reference_optimizer(self)
            return [optimizer], [schedule]

        def train_dataloader(self) -> DataLoader[Any]:
            return DataLoader(
                RowDataset(table),
                batch_size=REFERENCE["batch_size"],
                num_workers=2,
                pin_memory=True,
                persistent_workers=True,
                shuffle=True,
            )

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    lean = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", devices=1, enable_model_summary=False, **lean)
    trainer.fit(VAE())


def plain_torch(table: Table, epochs: int) -> None:
    """Train the same network in a plain loop: no workers, no DataLoader, a batch is indexed at once."""
    x_cont, x_cat = torch.from_numpy(table[0]), torch.from_numpy(table[1])
    network, size = ReferenceNetwork(), REFERENCE["batch_size"]
    optimizer, schedule = reference_optimizer(network)
    for _ in range(epochs):
        order = torch.randperm(len(x_cont))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            loss, _, _ = network(x_cont[rows], x_cat[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


def ours(table: Table, epochs: int) -> None:
    """Train with diabolo, network and settings of the recipe "classic", on all rows."""
    from diabolo import Autoencoder

    columns: dict[str, Any] = {f"number_{i}": column for i, column in enumerate(table[0].T)}
    columns |= {f"label_{i}": [f"level {v}" for v in column] for i, column in enumerate(table[1].T)}
    options = Autoencoder("classic").get_params(deep=False)
    data = read_fit_data(options, read_user_table(columns))
    schema, frame = data.schema, data.frame
    member = make_members("classic", options)["classic"]
    network = Network(schema.fields, schema.scored_fields, member)
    train(
        network, schema.encode(frame.columns), None, Training().change({**member.training, "epochs": epochs})
    )


CONTENDERS: dict[str, Contender] = {
    common.OURS: ours,
    "lightning": lightning,
    "plain_torch": plain_torch,
}


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of the workers that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def cost(contender: Contender, table: Table, epochs: int) -> float:
    """Return the CPU seconds of a run."""
    before = cpu_seconds()
    with torch_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contender(table, epochs)
    gc.collect()
    for worker in multiprocessing.active_children():  # their CPU seconds are only known after they end
        worker.join()
    return cpu_seconds() - before


def rate(contender: Contender, table: Table) -> float:
    """Return the rows per CPU second, start-up excluded."""
    short, long = (cost(contender, table, epochs) for epochs in (SHORT_EPOCHS, LONG_EPOCHS))
    if long <= short:
        raise SystemExit(f"{LONG_EPOCHS} epochs cost no more than {SHORT_EPOCHS}: too few rows to measure")
    return len(table[0]) * (LONG_EPOCHS - SHORT_EPOCHS) / (long - short)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the contenders in turn for at least 5 rounds; print and write the medians."""
    known = [name for name in CONTENDERS if name != common.OURS]
    options = common.parse(
        arguments,
        description=__doc__ or "",
        known_peers=known,
        default_peers=known,
        default_seeds=ROUNDS,
        needs_data=False,
    )
    names, rounds = (common.OURS, *options.peers), max(options.seeds, ROUNDS)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for name in names:  # imports and first calls
        cost(CONTENDERS[name], made(ROWS, 0), SHORT_EPOCHS)
    for seed in range(rounds):
        table = made(ROWS, seed)
        for name in names:
            rates[name].append(rate(CONTENDERS[name], table))
            print(name, seed, round(rates[name][-1]), file=sys.stderr)
    ratios = {
        name: median(a / b for a, b in zip(rates[common.OURS], rates[name], strict=True)) for name in names
    }
    medians = {name: {MEASURE: median(rates[name])} for name in names}
    mean: dict[str, Any] = dict(medians[common.OURS])
    mean |= {measure: ratios[peer] for peer, measure in RATIOS.items() if peer in ratios}
    common.print_table(
        ["", "rows / CPU s", "diabolo is faster by"],
        [[n, round(medians[n][MEASURE]), ratios[n]] for n in names],
    )
    common.write_result(
        options.json,
        claim=CLAIM,
        protocol=PROTOCOL,
        seeds=rounds,
        rows=[{"method": n, "seed": i, MEASURE: r} for n in names for i, r in enumerate(rates[n])],
        mean=mean,
        peers={name: medians[name] for name in options.peers},
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
