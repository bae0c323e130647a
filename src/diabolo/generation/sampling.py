"""Cells sampled from the distributions that a network predicts, and written into rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.distributions import Distribution

from diabolo.data.fields import Batch, Pixels, Real
from diabolo.data.fields.batch import BLOCK_ROWS
from diabolo.data.fingerprints import fingerprints
from diabolo.data.sources import Frame
from diabolo.generation.base import Fitted
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.networks.likelihoods import Binned, Categorical
from diabolo.utils.torch_state import forked_rng, torch_threads

_UNSEEN_LOGIT = -1e9  # of a label that is never sampled
_MARGIN = 1e-6  # quantiles keep this distance from 0 and 1, where distributions without bounds have no value


def samples_columnwise(fitted: Fitted) -> bool:
    """Return whether cells can be sampled one column after the other: a masked network, no images."""
    return fitted.cell_network.corruption.masks and Pixels.kind not in fitted.schema.fields


@contextmanager
def sampling_mode(fitted: Fitted, seed: int) -> Iterator[None]:
    """Sample inside the block: without gradients, with the model's threads, torch's generator seeded.

    Args:
        fitted: the model.
        seed: of torch's generator inside the block; outside it is left as it was.
    """
    with torch.no_grad(), torch_threads(fitted.threads), forked_rng(seed):
        yield


def exclude_unseen(likelihood: Distribution) -> Distribution:
    """Return the distribution without symbol 0, which stands for labels that the fit did not see."""
    if not isinstance(likelihood, Categorical):
        return likelihood
    logits = likelihood.logits.clone()
    logits[..., 0] = _UNSEEN_LOGIT
    return Categorical(logits)


def sample_field(likelihood: Distribution, fields: Sequence[Any], share: Tensor | None = None) -> Tensor:
    """Sample values of fields of one kind, within what the fit has seen.

    Args:
        likelihood: of shape (rows, fields).
        fields: the fields, all of one kind.
        share: (rows, fields) uniform samples between 0 and 1, of which the quantiles are taken (inverse
            transform sampling); None for samples by torch's generator.

    Returns:
        (rows, fields) values, on the CPU.
    """
    likelihood = exclude_unseen(likelihood)
    values: Tensor = likelihood.sample() if share is None else likelihood.icdf(share)
    values = values.cpu()
    if fields[0].kind == Real.kind:
        # The tails of a normal distribution reach beyond possible values: an age below 0.
        low, high = (torch.tensor([f.edges[end] for f in fields], dtype=values.dtype) for end in (0, -1))
        values = values.clamp(low, high)
        if isinstance(likelihood, Binned):
            values = torch.stack([f.redistribute(values[:, i]) for i, f in enumerate(fields)], 1)
    return values


def sample_column(
    fitted: Fitted,
    likelihoods: Mapping[str, Any],
    name: str,
    rows: np.ndarray | slice,
    share: Tensor | None = None,
) -> pa.Array:
    """Sample values of a column for some rows.

    Args:
        fitted: the model.
        likelihoods: kind -> the predicted distributions of all rows.
        name: the column.
        rows: those that are wanted.
        share: (all rows, fields of the column) as in `sample_field`.
    """
    parts = []
    for number, slot in enumerate(fitted.schema.slots_of(name)):
        fields = fitted.schema.fields[slot.kind][slot.index : slot.index + 1]
        quantiles = None if share is None else share[:, number : number + 1]
        values = sample_field(likelihoods[slot.kind].narrow(slot.index), fields, quantiles)
        parts.append(values.numpy()[rows, 0])
    return fitted.schema[name].decode(parts)


def with_values(
    fitted: Fitted, batch: Batch, name: str, values: pa.Array, rows: np.ndarray | slice = slice(None)
) -> Batch:
    """Return the batch with a column's values in some rows, as they are after they were shown to a user.

    The parts of a date then agree, and numbers have the digits that are shown.

    Args:
        fitted: the model.
        batch: encoded rows.
        name: the column.
        values: of the column, one for each of `rows`.
        rows: which rows; all by default.
    """
    new = {k: v.clone() for k, v in batch.values.items()}
    seen = {k: v.clone() for k, v in batch.visible.items()}
    parts = fitted.schema[name].encode(values, name)
    for slot, (value, visible) in zip(fitted.schema.slots_of(name), parts, strict=True):
        new[slot.kind][rows, slot.index] = torch.from_numpy(value)
        seen[slot.kind][rows, slot.index] = torch.from_numpy(visible)
    return Batch(new, seen)


def decode_batch(fitted: Fitted, batch: Batch, names: Iterable[str]) -> dict[str, pa.Array]:
    """Return columns of encoded rows, null where a cell is not visible.

    Args:
        fitted: the model.
        batch: encoded rows.
        names: columns, none of which holds windows or images.
    """
    values = {k: v.numpy() for k, v in batch.values.items()}
    table = {}
    for name in names:
        slot = fitted.schema.slots_of(name)[0]
        visible = batch.visible[slot.kind][:, slot.index].numpy()
        column = fitted.schema.decode(name, values)
        assert isinstance(column, pa.Array)
        table[name] = column if visible.all() else column.take(pa.array(np.arange(len(batch)), mask=~visible))
    return table


def sample_missing(
    fitted: Fitted,
    frame: Frame,
    missing: Mapping[str, np.ndarray],
    unreliable: Mapping[str, np.ndarray],
    seed: int,
) -> dict[str, np.ndarray]:
    """Sample the missing cells of a table from their joint distribution, given the others.

    The cells of a row are sampled one after the other, in an order of its own, each given those that are
    present and those sampled before it: together they are one sample of their joint distribution (the order
    is free: Uria et al., "A deep and tractable density estimator", 2014). Every row has its own stream of
    random numbers, which follows from the seed and from what is in the row, so that its company does not
    matter.

    Args:
        fitted: a model that samples column by column.
        frame: a table.
        missing: column -> (rows,) the cells to sample.
        unreliable: kind -> (rows, fields) cells that are present, but are not conditioned on.
        seed: of all samples.

    Returns:
        Kind -> (rows, fields) encoded values of all cells.
    """
    # All columns, with missing values or without: what other rows lack must not move a row's samples.
    names, none_missing = fitted.schema.scored, np.zeros(frame.rows, bool)
    wanted = np.stack([missing.get(name, none_missing) for name in names], axis=1)
    prints = np.concatenate([fingerprints(batch) for _, batch in fitted.chunks(frame)])
    streams = np.stack([prints, _rank_among_equals(prints)], axis=1)
    most_fields = max(len(fitted.schema.slots_of(name)) for name in names)
    sampled: dict[str, list[np.ndarray]] = {}
    done = 0
    for _, chunk in fitted.chunks(frame):
        for batch in chunk.chunks(ROWS_PER_READ):
            part = slice(done, done + len(batch))
            done = part.stop
            reliable = batch.hide({k: torch.from_numpy(u[part]) for k, u in unreliable.items()})
            plan = _MissingCells.of(wanted[part], streams[part], seed, most_fields)
            with torch.no_grad(), torch_threads(fitted.threads):
                complete = _sample_in_order(fitted, reliable, names, plan)
            for kind, values in complete.values.items():
                sampled.setdefault(kind, []).append(values.numpy())
    return {kind: np.concatenate(parts) for kind, parts in sampled.items()}


class _MissingCells(NamedTuple):
    """Which cells of rows are sampled, in which order, at which quantiles.

    Attributes:
        wanted: (rows, columns) the cells to sample.
        counts: (rows,) the number of them.
        order: (rows, columns) the columns of each row in the order of sampling, those not wanted last.
        share: (rows, columns, fields) quantiles.
    """

    wanted: np.ndarray
    counts: np.ndarray
    order: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, wanted: np.ndarray, streams: np.ndarray, seed: int, most_fields: int) -> _MissingCells:
        """Draw order and quantiles of each row from a generator of its own."""
        counts, order = wanted.sum(1), np.zeros(wanted.shape, np.int64)
        share = np.zeros((*wanted.shape, most_fields), np.float32)
        for row in np.flatnonzero(counts):
            random = np.random.default_rng([seed, *streams[row].tolist()])
            order[row] = np.where(wanted[row], random.random(wanted.shape[1]), 2.0).argsort()
            share[row] = random.uniform(_MARGIN, 1 - _MARGIN, share.shape[1:])
        return cls(wanted, counts, order, share)


def _sample_in_order(fitted: Fitted, batch: Batch, names: list[str], cells: _MissingCells) -> Batch:
    """Return the rows with their missing cells sampled; each pass samples one cell of every row."""
    hidden = {k: torch.zeros(v.shape, dtype=torch.bool) for k, v in batch.visible.items()}
    for column, name in enumerate(names):
        for slot in fitted.schema.slots_of(name):
            hidden[slot.kind][:, slot.index] |= torch.from_numpy(cells.wanted[:, column])
    batch = batch.hide(hidden)
    for step in range(int(cells.counts.max(initial=0))):
        rows = np.flatnonzero(cells.counts > step)
        padded = batch[torch.from_numpy(rows)].padded().to(fitted.device)
        likelihoods = fitted.cell_network(padded).likelihoods
        column_of = cells.order[rows, step]
        for column in np.unique(column_of):
            of_it = column_of == column
            # Likelihoods are of padded rows.
            share = np.pad(cells.share[rows, column], ((0, -len(rows) % BLOCK_ROWS), (0, 0)))
            quantiles = torch.from_numpy(share).to(fitted.device)
            chosen = np.flatnonzero(of_it)
            values = sample_column(fitted, likelihoods, names[column], chosen, quantiles)
            batch = with_values(fitted, batch, names[column], values, rows[of_it])
    return batch


def _rank_among_equals(prints: np.ndarray) -> np.ndarray:
    """Return (rows,) the number of earlier rows with the same fingerprint: copies get values of their own."""
    order = np.argsort(prints, kind="stable")
    ordered, index = prints[order], np.arange(len(prints))
    first = np.r_[True, ordered[1:] != ordered[:-1]][: len(prints)]
    rank = np.empty(len(prints), np.uint64)
    rank[order] = index - np.maximum.accumulate(np.where(first, index, 0))
    return rank
