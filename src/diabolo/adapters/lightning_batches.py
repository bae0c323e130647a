"""Whole batches of rows, in memory or in a file that is larger, in an order that all processes agree on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch.utils.data.distributed import DistributedSampler

from diabolo.data.fields import Batch
from diabolo.data.schema import Schema
from diabolo.data.sources import read_user_table
from diabolo.errors import DataError

MIN_ROWS_PER_READ = 65_536  # rows that are read at once from a file, at least

ChunkSelection = tuple[int, Tensor]
"""A piece, and numbers of rows in it."""


class ChunkedRows(Dataset[Batch]):
    """Rows in pieces, of which one at a time is in memory; a batch of them is `pieces[piece, rows]`.

    Args:
        sizes: rows in each piece.
        read: the number of a piece -> its rows.
    """

    def __init__(self, sizes: Sequence[int], read: Callable[[int], Batch]) -> None:
        self.sizes, self.read = tuple(sizes), read
        self._held: tuple[int, Batch] | None = None

    def __getitem__(self, batch: ChunkSelection) -> Batch:
        piece, rows = batch
        if self._held is None or self._held[0] != piece:
            self._held = None  # before the next one is read: there is room for one
            self._held = piece, self.read(piece)
        return self._held[1][rows]


class BatchSampler(DistributedSampler[Any]):
    """The batches of an epoch.

    A subclass of torch's sampler because Lightning exchanges every other one where several processes train.

    Args:
        sizes: rows in each piece.
        batch_size: rows in a batch of a process.
        shuffle: draw another order in each epoch, and leave out what does not fill a batch, so that every
            process gets equally many; otherwise all rows come, in their order.
        left_out: rows that are not used, counted over all pieces; sorted.
        seed: of the order, which follows from it and the epoch.
        rank, ranks: which of how many processes this is; their rows are disjoint.
        lanes: pieces that are read side by side. Workers get batches in turn, so with as many lanes as
            workers each has a piece of its own.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        batch_size: int,
        *,
        shuffle: bool,
        left_out: np.ndarray | None = None,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        n_readers: int = 1,
    ) -> None:
        rows: Any = range(sum(sizes))  # only its length is asked for
        super().__init__(rows, num_replicas=ranks, rank=rank, shuffle=shuffle, seed=seed)
        self.sizes, self.batch_size, self.n_readers = tuple(sizes), batch_size, max(n_readers, 1)
        self.left_out = np.zeros(0, int) if left_out is None else left_out
        self.starts = np.cumsum([0, *sizes])

    def __len__(self) -> int:
        return sum(len(self._batches(piece, torch.arange(size))) for piece, size in enumerate(self.sizes))

    def __iter__(self) -> Iterator[ChunkSelection]:
        draws = torch.Generator().manual_seed(self.seed + self.epoch)
        count = len(self.sizes)
        chunks = torch.randperm(count, generator=draws) if self.shuffle else torch.arange(count)
        for side_by_side in torch.split(chunks, self.n_readers):
            lanes = []
            for piece in side_by_side.tolist():
                size = self.sizes[piece]
                order = torch.randperm(size, generator=draws) if self.shuffle else torch.arange(size)
                lanes.append(self._batches(piece, order))
            for turn in zip_longest(*lanes):
                yield from (batch for batch in turn if batch is not None)

    def _batches(self, piece: int, order: Tensor) -> list[ChunkSelection]:
        first, last = np.searchsorted(self.left_out, self.starts[piece : piece + 2])
        kept = torch.ones(len(order), dtype=torch.bool)
        kept[torch.from_numpy(self.left_out[first:last] - self.starts[piece])] = False
        order = order[kept[order]]
        own = order[self.rank :: self.num_replicas]
        if self.shuffle:
            own = own[: len(order) // self.num_replicas]
        size = max(min(self.batch_size, len(own)), 1)
        if self.shuffle:
            own = own[: len(own) // size * size]
        return [(piece, rows) for rows in torch.split(own, size) if len(rows)]


class InMemoryBatches:
    """What a `DataLoader` without workers gives, without one: whole batches, cut out of memory."""

    def __init__(self, chunks: ChunkedRows, batches: BatchSampler) -> None:
        self.pieces, self.batches = chunks, batches
        if batches.shuffle:
            # Lightning tells a sampler the epoch, and warns of one where rows are only judged.
            self.sampler, self.batch_sampler = batches, None

    def __iter__(self) -> Iterator[Batch]:
        return (self.pieces[batch] for batch in self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class ChunkedFile:
    """A parquet or arrow file that is read by runs of its row groups, or of its record batches.

    Args:
        path: of the file.

    Raises:
        DataError: it is not there, of another format, or has no rows.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise DataError(f"{path}: there is no such file", hint=f"the folder here is {Path.cwd()}")
        self.parquet = self.path.suffix.lower() == ".parquet"
        try:
            if self.parquet:
                about = pa.parquet.read_metadata(self.path)
                parts = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
            else:
                with pa.memory_map(str(self.path)) as file, pa.ipc.open_file(file) as reader:
                    parts = [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(
                f"{path} cannot be read piece by piece: {str(error).splitlines()[0]}",
                hint="write it as parquet: pyarrow.parquet.write_table(table, 'data.parquet')",
            ) from error
        if not sum(parts):
            raise DataError(f"{path} has no rows", hint="look at what wrote it")
        self.chunks = _group_parts(parts)
        self.sizes = [sum(parts[i] for i in run) for run in self.chunks]

    def read(self, run: int) -> pa.Table:
        """The rows of a run."""
        if self.parquet:
            with pa.parquet.ParquetFile(self.path) as file:
                return file.read_row_groups(list(self.chunks[run]), use_threads=False)
        with pa.memory_map(str(self.path)) as file, pa.ipc.open_file(file) as reader:
            return pa.Table.from_batches([reader.get_batch(i) for i in self.chunks[run]])

    def head(self, rows: int) -> pa.Table:
        """The first rows."""
        found, run = [self.read(0)], 1
        while run < len(self.chunks) and sum(len(table) for table in found) < rows:
            found.append(self.read(run))
            run += 1
        return pa.concat_tables(found)[:rows]


@dataclass(frozen=True)
class ChunkReader:
    """Reads runs of a file as codes; can be sent to a worker."""

    file: ChunkedFile
    schema: Schema

    def __call__(self, run: int) -> Batch:
        return self.schema.encode(read_user_table(self.file.read(run)).columns())


def _group_parts(parts: Sequence[int]) -> list[range]:
    """Consecutive parts, put together until they are `MIN_ROWS_PER_READ` rows; the last run takes what is left."""
    runs: list[range] = []
    begun = rows = 0
    for end, size in enumerate(parts, 1):
        rows += size
        if rows >= MIN_ROWS_PER_READ:
            runs.append(range(begun, end))
            begun, rows = end, 0
    if begun < len(parts):
        runs[-1:] = [range(runs[-1].start if runs else 0, len(parts))]
    return runs
