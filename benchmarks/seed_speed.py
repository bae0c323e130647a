"""Training costs less than in the notes: `python -m benchmarks.seed_speed --json OUT [--seeds N]`.

No data is needed: 20 numbers and 8 labels of 20 levels are made. Every contender trains the notes' network
(64-128-256-128-64, embeddings of 16, 16 latent numbers, batch normalisation) in batches of 128 on one
thread. `lightning` is the notes' code: a data set that is indexed by row, two workers, a Lightning module;
the leanest trainer (no bar, no logger, no checkpoint). `plain_torch` is the same network in a loop without a
DataLoader: a batch is the next slice of a permutation. Ours is `diabolo.training.trainer.train`, "classic".

Start-up does not count: after one run to warm up, each contender trains for 1 epoch and for 5, and the CPU
seconds of the first are taken off those of the second; workers count. Ratios are medians of those within a
round, so that other work on the machine is on both sides.
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
ROWS, SHORT, LONG, ROUNDS = 12_800, 1, 5, 5
NOTES: dict[str, Any] = {
    "embedding": 16,
    "latent_dim": 16,
    "layer_sizes": (64, 128, 256, 128, 64),
    "stdev": 0.1,
    "kld_beta": 0.05,
    "lr": 1e-3,
    "weight_decay": 1e-5,
    "batch_size": 128,
}
CLAIM = "a row costs less CPU time in our training loop than in the notes' code on Lightning"
PROTOCOL = (
    f"{ROWS:,} made rows of {NUMBERS} numbers and {LABELS} labels of {LEVELS} levels; batches of 128, one "
    f"thread; rows per CPU second, workers included, of {LONG} epochs less {SHORT}; rounds in turn; medians"
)

MEASURE = "rows_per_cpu_second"
RATIOS = {"lightning": "ratio", "plain_torch": "ratio_plain"}

Table = tuple[np.ndarray, np.ndarray]
Contender = Callable[[Table, int], None]


def made(rows: int, seed: int) -> Table:
    """Correlated standard numbers, and labels that go with them: (rows, 20) floats and (rows, 8) integers."""
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


class NotesNetwork(nn.Module):
    """The network of the notes, one embedding module for each label, and its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.hparams = Namespace(**NOTES)
        embedding, latent, widths = (NOTES[k] for k in ("embedding", "latent_dim", "layer_sizes"))
        self.embeds = nn.ModuleList(nn.Embedding(LEVELS, embedding) for _ in range(LABELS))
        width = LABELS * embedding + NUMBERS
        self.encoder = Layers([width, *widths])
        self.mu, self.logvar = nn.Linear(widths[-1], latent), nn.Linear(widths[-1], latent)
        self.decoder = Layers([latent, *reversed(widths)])
        self.reconstructed = nn.Linear(widths[0], width)

    def forward(self, x_cont: Tensor, x_cat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The total loss, the reconstruction's and the divergence, means over everything."""
        x = torch.cat([*(embed(x_cat[:, i]) for i, embed in enumerate(self.embeds)), x_cont], dim=1)
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        std = torch.exp(0.5 * logvar)
        z = torch.randn_like(std) * self.hparams.stdev * std + mu if self.training else mu
        recon = self.reconstructed(self.decoder(z))
        recon_loss = functional.smooth_l1_loss(recon, x, reduction="mean")
        kld = -0.5 * torch.mean(1 + logvar - mu**2 - logvar.exp())
        return recon_loss + self.hparams.kld_beta * kld, recon_loss, kld


def notes_optimizer(network: nn.Module) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW and a cosine with restarts, as in the notes."""
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=NOTES["lr"], weight_decay=NOTES["weight_decay"], eps=1e-4
    )
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=25, T_mult=1, eta_min=1e-9)
    return optimizer, restarts


class RowByRow(Dataset[tuple[Tensor, Tensor]]):
    """Gives one row at a time."""

    def __init__(self, table: Table) -> None:
        self.x_cont, self.x_cat = torch.from_numpy(table[0]), torch.from_numpy(table[1])

    def __len__(self) -> int:
        return len(self.x_cont)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.x_cont[row], self.x_cat[row]


def lightning(table: Table, epochs: int) -> None:
    """The notes' code as it stands there."""
    import pytorch_lightning as pl

    class VAE(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = NotesNetwork()

        def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
            loss, recon_loss, kld = self.network(*batch)
            self.log("total_loss", loss, on_step=True, prog_bar=True, logger=True)
            self.log("recon_loss", recon_loss, on_step=True, prog_bar=True, logger=True)
            self.log("kld", kld, on_step=True, prog_bar=True, logger=True)
            return loss

        def configure_optimizers(self) -> Any:
            optimizer, schedule = notes_optimizer(self)
            return [optimizer], [schedule]

        def train_dataloader(self) -> DataLoader[Any]:
            return DataLoader(
                RowByRow(table),
                batch_size=NOTES["batch_size"],
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
    """The notes' network in a loop of one's own: no workers, no DataLoader, batches are indexed whole."""
    x_cont, x_cat = torch.from_numpy(table[0]), torch.from_numpy(table[1])
    network, size = NotesNetwork(), NOTES["batch_size"]
    optimizer, schedule = notes_optimizer(network)
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
    """Our loop, with the network and the settings of the recipe "classic"; all rows are trained on."""
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
    """Of this process and of the workers that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def cost(contender: Contender, table: Table, epochs: int) -> float:
    """CPU seconds of a run."""
    before = cpu_seconds()
    with torch_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contender(table, epochs)
    gc.collect()
    for worker in multiprocessing.active_children():  # their seconds are known when they have ended
        worker.join()
    return cpu_seconds() - before


def rate(contender: Contender, table: Table) -> float:
    """Rows per CPU second without start-up."""
    short, long = (cost(contender, table, epochs) for epochs in (SHORT, LONG))
    if long <= short:
        raise SystemExit(f"{LONG} epochs cost no more than {SHORT}: too few rows to measure")
    return len(table[0]) * (LONG - SHORT) / (long - short)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the contenders in turn, at least 5 rounds; print and write the medians."""
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
        cost(CONTENDERS[name], made(ROWS, 0), SHORT)
    for seed in range(rounds):
        table = made(ROWS, seed)
        for name in names:
            rates[name].append(rate(CONTENDERS[name], table))
            print(name, seed, round(rates[name][-1]), file=sys.stderr)
    ratios = {
        name: median(a / b for a, b in zip(rates[common.OURS], rates[name], strict=True)) for name in names
    }
    found = {name: {MEASURE: median(rates[name])} for name in names}
    mean: dict[str, Any] = dict(found[common.OURS])
    mean |= {measure: ratios[peer] for peer, measure in RATIOS.items() if peer in ratios}
    common.print_table(
        ["", "rows / CPU s", "ours is faster by"], [[n, round(found[n][MEASURE]), ratios[n]] for n in names]
    )
    common.write_result(
        options.json,
        claim=CLAIM,
        protocol=PROTOCOL,
        seeds=rounds,
        rows=[{"method": n, "seed": i, MEASURE: r} for n in names for i, r in enumerate(rates[n])],
        mean=mean,
        peers={name: found[name] for name in options.peers},
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
