"""Whole batches of rows, from memory or from a larger file, in an order that all processes agree on."""

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

MIN_ROWS_PER_READ = 65_536  # of a file at once; a choice: smaller row groups are read together

ChunkSelection = tuple[int, Tensor]
"""The number of a chunk, and the numbers of rows in it."""


class ChunkedRows(Dataset[Batch]):
    """Rows in chunks, one of which is in memory at a time; a batch is `chunks[chunk, rows]`.

    Args:
        sizes: number of rows in each chunk.
        read: function from the number of a chunk to its rows.
    """

    def __init__(self, sizes: Sequence[int], read: Callable[[int], Batch]) -> None:
        self.sizes, self.read = tuple(sizes), read
        self._held: tuple[int, Batch] | None = None

    def __getitem__(self, batch: ChunkSelection) -> Batch:
        chunk, rows = batch
        if self._held is None or self._held[0] != chunk:
            self._held = None  # released before the next chunk is read: there is memory for one
            self._held = chunk, self.read(chunk)
        return self._held[1][rows]


class BatchSampler(DistributedSampler[Any]):
    """Chooses the rows of each batch of an epoch.

    A subclass of torch's DistributedSampler, because with several processes Lightning replaces any other.

    Args:
        sizes: number of rows in each chunk.
        batch_size: rows in a batch of one process.
        shuffle: whether to use another random order in each epoch, and drop rows that do not fill a batch, so
            that every process gets the same number of batches; otherwise all rows come in their order.
        left_out: sorted numbers of rows that are not used, counted over all chunks; None for none.
        seed: seed of the order, together with the number of the epoch.
        rank: number of this process; processes get disjoint rows.
        ranks: number of processes.
        n_readers: number of chunks that are read at the same time. Workers get batches in turn, so with as
            many readers as workers each worker has one chunk at a time.
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
        rows: Any = range(sum(sizes))  # only its length is used
        super().__init__(rows, num_replicas=ranks, rank=rank, shuffle=shuffle, seed=seed)
        self.sizes, self.batch_size, self.n_readers = tuple(sizes), batch_size, max(n_readers, 1)
        self.left_out = np.zeros(0, int) if left_out is None else left_out
        self.starts = np.cumsum([0, *sizes])

    def __len__(self) -> int:
        return sum(len(self._batches(chunk, torch.arange(size))) for chunk, size in enumerate(self.sizes))

    def __iter__(self) -> Iterator[ChunkSelection]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        count = len(self.sizes)
        chunks = torch.randperm(count, generator=generator) if self.shuffle else torch.arange(count)
        for group in torch.split(chunks, self.n_readers):
            readers = []
            for chunk in group.tolist():
                size = self.sizes[chunk]
                order = torch.randperm(size, generator=generator) if self.shuffle else torch.arange(size)
                readers.append(self._batches(chunk, order))
            for turn in zip_longest(*readers):
                yield from (batch for batch in turn if batch is not None)

    def _batches(self, chunk: int, order: Tensor) -> list[ChunkSelection]:
        first, last = np.searchsorted(self.left_out, self.starts[chunk : chunk + 2])
        kept = torch.ones(len(order), dtype=torch.bool)
        kept[torch.from_numpy(self.left_out[first:last] - self.starts[chunk])] = False
        order = order[kept[order]]
        own = order[self.rank :: self.num_replicas]
        if self.shuffle:
            own = own[: len(order) // self.num_replicas]
        size = max(min(self.batch_size, len(own)), 1)
        if self.shuffle:
            own = own[: len(own) // size * size]
        return [(chunk, rows) for rows in torch.split(own, size) if len(rows)]


class InMemoryBatches:
    """Iterates over batches as a `DataLoader` without workers does, without copying single rows.

    Args:
        chunks: the rows.
        batches: the rows of each batch.
    """

    def __init__(self, chunks: ChunkedRows, batches: BatchSampler) -> None:
        self.chunks, self.batches = chunks, batches
        if batches.shuffle:
            # Lightning sets the epoch of a sampler, and warns of a sampler where nothing is trained.
            self.sampler, self.batch_sampler = batches, None

    def __iter__(self) -> Iterator[Batch]:
        return (self.chunks[batch] for batch in self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class ChunkedFile:
    """A parquet or arrow file that is read in chunks of consecutive row groups or record batches.

    Args:
        path: the file.

    Raises:
        DataError: the file does not exist, is of another format, or has no rows.
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
                f"{path} cannot be read in chunks: {str(error).splitlines()[0]}",
                hint="write it as parquet: pyarrow.parquet.write_table(table, 'data.parquet')",
            ) from error
        if not sum(parts):
            raise DataError(f"{path} has no rows", hint="look at what wrote it")
        self.chunks = _group_parts(parts)
        self.sizes = [sum(parts[i] for i in chunk) for chunk in self.chunks]

    def read(self, chunk: int) -> pa.Table:
        """Return the rows of a chunk."""
        if self.parquet:
            with pa.parquet.ParquetFile(self.path) as file:
                return file.read_row_groups(list(self.chunks[chunk]), use_threads=False)
        with pa.memory_map(str(self.path)) as file, pa.ipc.open_file(file) as reader:
            return pa.Table.from_batches([reader.get_batch(i) for i in self.chunks[chunk]])

    def head(self, rows: int) -> pa.Table:
        """Return the first rows of the file."""
        tables, chunk = [self.read(0)], 1
        while chunk < len(self.chunks) and sum(len(table) for table in tables) < rows:
            tables.append(self.read(chunk))
            chunk += 1
        return pa.concat_tables(tables)[:rows]


@dataclass(frozen=True)
class ChunkReader:
    """Reads and encodes chunks of a file; it can be sent to a worker process."""

    file: ChunkedFile
    schema: Schema

    def __call__(self, chunk: int) -> Batch:
        return self.schema.encode(read_user_table(self.file.read(chunk)).columns())


def _group_parts(parts: Sequence[int]) -> list[range]:
    """Group consecutive parts to chunks of at least `MIN_ROWS_PER_READ` rows; the last takes the rest."""
    chunks: list[range] = []
    start = rows = 0
    for end, size in enumerate(parts, 1):
        rows += size
        if rows >= MIN_ROWS_PER_READ:
            chunks.append(range(start, end))
            start, rows = end, 0
    if start < len(parts):
        chunks[-1:] = [range(chunks[-1].start if chunks else 0, len(parts))]
    return chunks
