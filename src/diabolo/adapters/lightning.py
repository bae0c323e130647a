"""The same networks and the same loss on PyTorch Lightning, where others steer the loop.

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
    BLOCK,
    Batches,
    ChunkedFile,
    ChunkedRows,
    InMemoryBatches,
    Reader,
)
from diabolo.adapters.lightning_module import Module
from diabolo.data.fields import Batch
from diabolo.data.reading import read_fit_data
from diabolo.data.sources import Table, read_user_table
from diabolo.errors import OptionError, SchemaError, need
from diabolo.estimator.autoencoder import Autoencoder
from diabolo.networks.network import Member
from diabolo.networks.recipes import make_members
from diabolo.training.fitting import MAX_ROWS_FOR_SCALES, PreparedData, TrainedNetworks, build_engine, prepare
from diabolo.training.options import check_width, choose_device, training_options
from diabolo.training.settings import Training
from diabolo.utils.checks import check_int
from diabolo.utils.torch_state import forked_rng, torch_threads

if TYPE_CHECKING:
    import pytorch_lightning as pl
else:
    pl = need("pytorch_lightning", "lightning")

__all__ = ["DataModule", "Module"]

TOGETHER = 2048  # rows that are judged at once


class DataModule(pl.LightningDataModule):
    """Rows as batches of codes: read, split and encoded as `Autoencoder.fit` does.

    Batches for `fit` are shuffled in each epoch; several processes get different rows and equally many
    batches. `validate` sees the held-out rows, `test` the calibration rows, `predict` all rows in order.

    Args:
        data: whatever `Autoencoder.fit` takes.
        model: the options; it is not changed.
        batch_size: rows in a batch of each process; None for that of the model.
        head: for a parquet or arrow file that is larger than the memory: how many of its first rows decide
            what the columns are, and hold the rows for `validate`, `test` and what the model remembers.
            Training passes over the whole file. Rows must be in no order that matters.
        workers: processes that read such a file.
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
                f"head={head!r} is for a file that is larger than the memory, the data is "
                f"a {type(data).__name__}",
                hint="DataModule(data, model), without head",
            )
        self.data, self.head = data, None if head is None else check_int("head", head)
        self.workers = check_int("workers", workers, 0)
        self.model = clone(model) if model is not None else Autoencoder()
        if batch_size is not None:
            self.model.set_params(batch_size=batch_size)
        self.file: ChunkedFile | None = None

    def setup(self, stage: str | None = None) -> None:
        """Read the data, once, and see that the network that a trainer brings was made for it."""
        if not hasattr(self, "prepared"):
            self._prepare()
        if self.trainer is not None and isinstance(self.trainer.lightning_module, Module):
            self._check(self.trainer.lightning_module)

    def _check(self, module: Module) -> None:
        """Raise `SchemaError` if a network was made for columns, ranges or labels that are not those here."""
        theirs, ours = module.hparams["schema"], self.prepared.schema.to_json()
        if json.dumps(theirs) == json.dumps(ours):
            return
        names, here = ({e["name"] for e in schema if e["column"]} for schema in (theirs, ours))
        differ = ", ".join(sorted(map(repr, names ^ here))[:5])
        raise SchemaError(
            f"network {module.name!r} was made for other data: "
            + (f"only one of the two has {differ}" if differ else "its columns have other ranges or labels"),
            hint="make it of this data: data.modules(); other rows: data.to_autoencoder(module).embed(rows)",
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
                "head: a series is read as a whole, and so is data with min_count or clip",
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
            return self._loader(ChunkedRows([len(batch)], lambda _: batch), size, shuffle=True)
        size = settings.batch_size_for(self._rows())
        return self._loader(self._pieces(), size, shuffle=True, left_out=self._kept_out())

    def val_dataloader(self) -> Any:
        self.setup()
        batch = self.prepared.held_out
        return [] if batch is None else self._loader(ChunkedRows([len(batch)], lambda _: batch), TOGETHER)

    def test_dataloader(self) -> Any:
        self.setup()
        data = self.prepared
        batch = data.schema.encode(data.frame[data.split.calibration])
        return self._loader(ChunkedRows([len(batch)], lambda _: batch), TOGETHER)

    def predict_dataloader(self) -> Any:
        self.setup()
        return self._loader(self._pieces(), TOGETHER)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def _pieces(self) -> ChunkedRows:
        """All rows, in their order."""
        frame, schema = self.prepared.frame, self.prepared.schema
        if self.file is not None:
            return ChunkedRows(self.file.sizes, Reader(self.file, schema))
        parts = list(frame.chunks(BLOCK))
        return ChunkedRows([p.stop - p.start for p in parts], lambda i: schema.encode(frame[parts[i]]))

    def _rows(self) -> int:
        """How many rows networks are trained on."""
        return len(self.prepared.batch) if self.file is None else sum(self.file.sizes) - len(self._kept_out())

    def _kept_out(self) -> np.ndarray:
        """The rows of a file that networks are not trained on: they are among the first ones."""
        split = self.prepared.split
        return np.sort(np.concatenate([split.held_out, split.calibration[: 0 if split.shared else None]]))

    def _loader(
        self,
        pieces: ChunkedRows,
        batch_size: int,
        *,
        shuffle: bool = False,
        left_out: np.ndarray | None = None,
    ) -> Any:
        trainer = self.trainer
        workers = self.workers if shuffle and self.file is not None else 0
        batches = Batches(
            pieces.sizes,
            batch_size,
            shuffle=shuffle,
            left_out=left_out,
            seed=self.model.seed,
            rank=trainer.global_rank if trainer is not None else 0,
            ranks=trainer.world_size if trainer is not None else 1,
            lanes=workers,
        )
        if not workers:
            return InMemoryBatches(pieces, batches)
        return DataLoader(
            pieces, batch_size=None, sampler=batches, num_workers=workers, persistent_workers=True
        )

    def modules(self) -> dict[str, Module]:
        """A fresh module for each network of the model, by name; each is trained by a trainer of its own."""
        self.setup()
        schema, made = self.prepared.schema.to_json(), {}
        with forked_rng(self.model.seed):
            for name, member in self.members.items():
                settings = asdict(self.settings[name].suited(self._rows()))
                made[name] = Module(schema, member.to_json(), settings, name)
                made[name].network.start(self.prepared.batch)
        return made

    def to_autoencoder(self, *modules: Module) -> Autoencoder:
        """What trained networks make of this data: a model like one that was fitted.

        Args:
            modules: one for each network of the model.
        """
        self.setup()
        for module in modules:
            if not isinstance(module, Module):
                raise OptionError(
                    f"expected networks, got a {type(module).__name__}",
                    hint="data.to_autoencoder(*modules.values())",
                )
            self._check(module)
        data, given = self.prepared, {module.name: module for module in modules}
        if set(given) != set(self.members):
            raise OptionError(
                f"the model has the networks {', '.join(self.members)}, got {', '.join(given) or 'none'}",
                hint="train each of data.modules(), and give them all",
            )
        model: Autoencoder = clone(self.model)
        trained = TrainedNetworks({}, [], [])
        device = choose_device(model.device)
        for name in self.members:
            network = copy.deepcopy(given[name].network).to(device).eval()
            with torch_threads(model.threads):
                network.settle(data.batch[:MAX_ROWS_FOR_SCALES].to(device))
            trained.networks[name] = network
            trained.history += given[name].history
        engine = build_engine(data, trained, device=device, thread_count=model.threads)
        if self.file is not None:
            rows = sum(self.file.sizes)
            engine.facts |= {"rows": rows, "rows_trained_on": rows - len(self._kept_out())}
        return model._adopt(engine, data.frame.user_table)
