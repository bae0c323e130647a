"""Every row comes once an epoch, to one process; files are read a run at a time."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.adapters import lightning_batches as batches
from diabolo.adapters.lightning_batches import BatchSampler, ChunkedFile, ChunkedRows, InMemoryBatches
from diabolo.data.fields import Batch
from diabolo.errors import DataError

SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(sum)


def rows_of(sampler: BatchSampler) -> list[list[int]]:
    """The rows of each batch, counted over all pieces."""
    return [(rows + int(sampler.starts[piece])).tolist() for piece, rows in sampler]


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(1, 12), st.integers(1, 3), st.integers(1, 3), st.data())
def test_processes_share_the_rows(
    sizes: list[int], size: int, ranks: int, n_readers: int, data: st.DataObject
) -> None:
    every = range(sum(sizes))
    left_out = np.array(sorted(data.draw(st.sets(st.sampled_from(every), max_size=5))), dtype=int)
    options = {"shuffle": True, "left_out": left_out, "seed": 3, "ranks": ranks, "n_readers": n_readers}
    shares = [BatchSampler(sizes, size, rank=rank, **options) for rank in range(ranks)]
    found = [rows_of(share) for share in shares]
    assert len({len(batches) for batches in found}) == 1
    assert [len(batches) for batches in found] == [len(share) for share in shares]
    assert len({tuple(map(len, batches)) for batches in found}) == 1
    rows = [row for share in found for batch in share for row in batch]
    assert len(rows) == len(set(rows))
    assert not set(rows) & set(left_out.tolist())
    # What is missing does not fill a batch of every process, in each piece.
    assert sum(sizes) - len(left_out) - len(rows) < len(sizes) * ranks * size


@settings(deadline=None, max_examples=30)
@given(SIZES, st.integers(1, 12), st.integers(1, 3))
def test_rows_that_are_judged_come_in_order(sizes: list[int], size: int, ranks: int) -> None:
    shares = [BatchSampler(sizes, size, shuffle=False, rank=rank, ranks=ranks) for rank in range(ranks)]
    found = [[row for batch in rows_of(share) for row in batch] for share in shares]
    assert sorted(row for share in found for row in share) == list(range(sum(sizes)))
    assert all(share == sorted(share) for share in found)
    assert [len(list(share)) for share in shares] == [len(share) for share in shares]


def test_an_epoch_decides_the_order() -> None:
    sampler = BatchSampler([50], 10, shuffle=True, seed=1)
    first = rows_of(sampler)
    assert rows_of(sampler) == first
    sampler.set_epoch(1)
    second = rows_of(sampler)
    assert second != first
    assert sorted(chain(*second)) == sorted(chain(*first)) == list(range(50))


def test_each_worker_reads_a_chunk_of_its_own() -> None:
    chunks = [piece for piece, _ in BatchSampler([40, 40, 40, 40], 10, shuffle=True, n_readers=2)]
    assert len(set(chunks[:8:2])) == len(set(chunks[1:8:2])) == 1
    assert set(chunks[:8]) | set(chunks[8:]) == {0, 1, 2, 3}
    assert not set(chunks[:8]) & set(chunks[8:])


def test_one_piece_is_in_memory() -> None:
    read: list[int] = []

    def rows(piece: int) -> Batch:
        read.append(piece)
        values = torch.arange(10).view(-1, 1) + 10 * piece
        return Batch({"real": values}, {"real": values >= 0})

    chunks = ChunkedRows([10, 10, 10], rows)
    slices = InMemoryBatches(chunks, BatchSampler(chunks.sizes, 3, shuffle=False))
    seen = torch.cat([codes.values["real"] for codes in slices]).view(-1)
    assert seen.tolist() == list(range(30))
    assert read == [0, 1, 2]
    assert len(slices) == 12


@pytest.fixture
def table() -> pa.Table:
    return pa.table({"x": np.arange(1000.0), "c": [f"l{i % 7}" for i in range(1000)]})


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize(("block", "sizes"), [(1, [90] * 11 + [10]), (200, [270, 270, 460]), (5000, [1000])])
def test_a_file_is_read_by_runs(
    table: pa.Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    block: int,
    sizes: list[int],
) -> None:
    monkeypatch.setattr(batches, "MIN_ROWS_PER_READ", block)
    path = tmp_path / f"long{suffix}"
    if suffix == ".parquet":
        pa.parquet.write_table(table, path, row_group_size=90)
    else:
        pa.feather.write_feather(table, path, chunksize=90)
    file = ChunkedFile(path)
    assert file.sizes == sizes
    assert pa.concat_tables([file.read(i) for i in range(len(sizes))]).equals(table)
    assert file.head(200).equals(table[:200])
    assert file.head(10**6).equals(table)


def test_files_that_cannot_be_read_by_pieces_are_said(table: pa.Table, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    pa.parquet.write_table(table[:0], tmp_path / "empty.parquet")
    for name, words in (
        ("a.csv", "cannot be read in chunks"),
        ("none.parquet", "there is no such file"),
        ("empty.parquet", "no rows"),
    ):
        with pytest.raises(DataError, match=words):
            ChunkedFile(tmp_path / name)
