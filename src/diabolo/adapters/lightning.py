"""Training with PyTorch Lightning: the same networks and the same loss under a Lightning `Trainer`.

data = DataModule(table, Autoencoder("classic"))
module = data.modules()["classic"]
Trainer(max_epochs=60).fit(module, data)
model = data.to_autoencoder(module)
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import clone
from torch.utils.data import DataLoader

from diabolo.adapters.lightning_batches import (
    MIN_ROWS_PER_READ,
    BatchSampler,
    ChunkedFile,
    ChunkedRows,
    ChunkReader,
    InMemoryBatches,
)
from diabolo.adapters.lightning_module import Module
from diabolo.cleaning.rules.parsing import read_rules
from diabolo.cleaning.rules.stated import check_stated
from diabolo.data.fields import Batch
from diabolo.data.reading import read_fit_data
from diabolo.data.sources import Table, read_user_table
from diabolo.errors import OptionError, SchemaError, need
from diabolo.estimator.autoencoder import Autoencoder
from diabolo.networks.member import Member
from diabolo.networks.recipes import make_members
from diabolo.training.fitting import build_engine
from diabolo.training.networks import TrainedNetworks
from diabolo.training.options import check_width, choose_device, training_options
from diabolo.training.preparation import MAX_ROWS_FOR_SCALES, PreparedData, prepare
from diabolo.training.settings import Training
from diabolo.utils.checks import check_int
from diabolo.utils.torch_state import forked_rng, torch_threads

if TYPE_CHECKING:
    import pytorch_lightning as pl
else:
    pl = need("pytorch_lightning", "lightning")

__all__ = ["DataModule", "Module"]

EVALUATION_BATCH_SIZE = 2048  # rows; a choice that fits into any memory


class DataModule(pl.LightningDataModule):
    """Encoded batches of rows, which are read, split and encoded as in `Autoencoder.fit`.

    Batches for `fit` are shuffled in each epoch; with several processes each gets different rows and the same
    number of batches. `validate` uses the held-out rows, `test` the calibration rows, `predict` all rows in
    order.

    Args:
        data: the data, as `Autoencoder.fit` takes it.
        model: an `Autoencoder` with the options; it is not changed.
        batch_size: rows in a batch of each process; None for the batch size of the model.
        head: for a parquet or arrow file that is larger than the memory: the number of its first rows that
            determine the schema, and from which the held-out rows, the calibration rows and the remembered
            rows are taken. Training uses the whole file. The rows must be in random order.
        workers: number of processes that read such a file.

    Raises:
        OptionError: `model` is not an Autoencoder, or `head` is given for data that is not a file.
    """

    def __init__(
        self,
        data: Any,
        model: Autoencoder | None = None,
        *,
        batch_size: int | None = None,
        head: int | None = None,
        workers: int = 2,
    ) -> None:
        super().__init__()
        if model is not None and not isinstance(model, Autoencoder):
            raise OptionError(
                f"model={model!r}: expected an Autoencoder", hint='DataModule(data, Autoencoder("classic"))'
            )
        if head is not None and not isinstance(data, str | Path):
            raise OptionError(
                f"head={head!r}: only for the path of a file that is larger than the memory, "
                f"got a {type(data).__name__}",
                hint="DataModule(data, model), without head",
            )
        self.data, self.head = data, None if head is None else check_int("head", head)
        self.workers = check_int("workers", workers, 0)
        self.model = clone(model) if model is not None else Autoencoder()
        if batch_size is not None:
            self.model.set_params(batch_size=batch_size)
        self.file: ChunkedFile | None = None

    def setup(self, stage: str | None = None) -> None:
        """Read the data once, and check that the network of the trainer was made for it."""
        if not hasattr(self, "prepared"):
            self._prepare()
        if self.trainer is not None and isinstance(self.trainer.lightning_module, Module):
            self._check(self.trainer.lightning_module)

    def _check(self, module: Module) -> None:
        """Raise SchemaError if a network was made for other columns, ranges or labels."""
        theirs, ours = module.hparams["schema"], self.prepared.schema.to_json()
        if json.dumps(theirs) == json.dumps(ours):
            return
        names, here = ({e["name"] for e in schema if e["column"]} for schema in (theirs, ours))
        differ = ", ".join(sorted(map(repr, names ^ here))[:5])
        raise SchemaError(
            f"network {module.name!r} was made for other data: "
            + (f"only one of the two has {differ}" if differ else "its columns have other ranges or labels"),
            hint="for this data: data.modules(); for other rows: data.to_autoencoder(module).embed(rows)",
        )

    def _prepare(self) -> None:
        options = self.model.get_params(deep=False)
        training = training_options(options)
        if self.head is None:
            user_table = read_user_table(self.data)
        else:
            self.file = ChunkedFile(self.data)
            user_table = read_user_table(self.file.head(self.head))
        read = read_fit_data(options, user_table)
        if self.file is not None and (
            not isinstance(read.source, Table) or read.user_table is not user_table
        ):
            raise OptionError(
                "head: a series, and data with min_count or clip, can only be read as a whole",
                hint="DataModule(data, model), without head",
            )
        members = self.model.members or make_members(self.model.recipe, options, read.schema.fields)
        check_width(read.schema, members)
        self.members: dict[str, Member] = dict(members)
        self.settings = {n: Training().change(m.training).change(training) for n, m in members.items()}
        self.prepared: PreparedData = prepare(read.frame, read.source, read.schema, seed=self.model.seed)

    def train_dataloader(self) -> Any:
        self.setup()
        settings, batch = next(iter(self.settings.values())), self.prepared.batch
        if self.file is None:
            size = settings.batch_size_for(len(batch))
            return self._make_loader(ChunkedRows([len(batch)], lambda _: batch), size, shuffle=True)
        size = settings.batch_size_for(self._count_training_rows())
        return self._make_loader(self._all_chunks(), size, shuffle=True, left_out=self._rows_not_trained_on())

    def val_dataloader(self) -> Any:
        self.setup()
        batch = self.prepared.held_out
        return (
            []
            if batch is None
            else self._make_loader(ChunkedRows([len(batch)], lambda _: batch), EVALUATION_BATCH_SIZE)
        )

    def test_dataloader(self) -> Any:
        self.setup()
        data = self.prepared
        batch = data.schema.encode(data.frame[data.split.calibration])
        return self._make_loader(ChunkedRows([len(batch)], lambda _: batch), EVALUATION_BATCH_SIZE)

    def predict_dataloader(self) -> Any:
        self.setup()
        return self._make_loader(self._all_chunks(), EVALUATION_BATCH_SIZE)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch to a device; Lightning calls it.

        Args:
            batch: encoded rows.
            device: the device.
            dataloader_idx: not used.
        """
        return batch.to(device)

    def _all_chunks(self) -> ChunkedRows:
        """Return all rows in their order, in chunks."""
        frame, schema = self.prepared.frame, self.prepared.schema
        if self.file is not None:
            return ChunkedRows(self.file.sizes, ChunkReader(self.file, schema))
        parts = list(frame.chunks(MIN_ROWS_PER_READ))
        return ChunkedRows([p.stop - p.start for p in parts], lambda i: schema.encode(frame[parts[i]]))

    def _count_training_rows(self) -> int:
        """Return the number of rows that networks are trained on."""
        return (
            len(self.prepared.batch)
            if self.file is None
            else sum(self.file.sizes) - len(self._rows_not_trained_on())
        )

    def _rows_not_trained_on(self) -> np.ndarray:
        """Return the numbers of the rows of a file that networks are not trained on, sorted."""
        split = self.prepared.split
        return np.sort(np.concatenate([split.held_out, split.calibration[: 0 if split.shared else None]]))

    def _make_loader(
        self,
        chunks: ChunkedRows,
        batch_size: int,
        *,
        shuffle: bool = False,
        left_out: np.ndarray | None = None,
    ) -> Any:
        trainer = self.trainer
        workers = self.workers if shuffle and self.file is not None else 0
        batches = BatchSampler(
            chunks.sizes,
            batch_size,
            shuffle=shuffle,
            left_out=left_out,
            seed=self.model.seed,
            rank=trainer.global_rank if trainer is not None else 0,
            ranks=trainer.world_size if trainer is not None else 1,
            n_readers=workers,
        )
        if not workers:
            return InMemoryBatches(chunks, batches)
        return DataLoader(
            chunks, batch_size=None, sampler=batches, num_workers=workers, persistent_workers=True
        )

    def modules(self) -> dict[str, Module]:
        """Return name -> an untrained module for each network; each needs a Trainer of its own."""
        self.setup()
        schema, made = self.prepared.schema.to_json(), {}
        with forked_rng(self.model.seed):
            for name, member in self.members.items():
                settings = asdict(self.settings[name].adapted_to(self._count_training_rows()))
                made[name] = Module(schema, member.to_json(), settings, name)
                made[name].network.initialise(self.prepared.batch)
        return made

    def to_autoencoder(self, *modules: Module) -> Autoencoder:
        """Return a fitted model with the trained networks, calibrated on this data.

        Args:
            modules: one trained module for each network of the model.

        Raises:
            OptionError: a module is missing, or is not a `Module`.
            SchemaError: a module was made for other data.
        """
        self.setup()
        for module in modules:
            if not isinstance(module, Module):
                raise OptionError(
                    f"expected modules, got a {type(module).__name__}",
                    hint="data.to_autoencoder(*modules.values())",
                )
            self._check(module)
        data, given = self.prepared, {module.name: module for module in modules}
        if set(given) != set(self.members):
            raise OptionError(
                f"expected modules for {', '.join(self.members)}, got {', '.join(given) or 'none'}",
                hint="train each of data.modules(), and pass all of them",
            )
        model: Autoencoder = clone(self.model)
        trained = TrainedNetworks({}, [], [])
        device = choose_device(model.device)
        for name in self.members:
            network = copy.deepcopy(given[name].network).to(device).eval()
            with torch_threads(model.threads):
                network.fit_scales(data.batch[:MAX_ROWS_FOR_SCALES].to(device))
            trained.networks[name] = network
            trained.history += given[name].history
        rules = read_rules(model.rules, data.frame.user_table.table.column_names)
        check_stated(rules, data.frame.user_table.columns())
        engine = build_engine(data, trained, device=device, thread_count=model.threads, rules=rules)
        if self.file is not None:
            rows = sum(self.file.sizes)
            engine = engine.with_report(rows=rows, rows_trained_on=rows - len(self._rows_not_trained_on()))
        return model._adopt(engine, data.frame.user_table)
