"""Values drawn from what a network says of them, one column after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.distributions import Distribution

from diabolo.data.fields import Batch, Picture, Real
from diabolo.data.fields.batch import BLOCK_ROWS
from diabolo.data.sources import Frame
from diabolo.detection.memory import fingerprints
from diabolo.engine import Engine
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.networks.likelihoods import Binned, Categorical
from diabolo.utils.checks import check_int
from diabolo.utils.torch_state import torch_threads


def column_by_column(engine: Engine) -> bool:
    """Whether rows can be drawn one column after the other."""
    return engine.cell_network.corruption.masks and Picture.kind not in engine.schema.fields


def resolve_seed(seed: int | np.integer[Any] | None) -> int:
    """The seed; a new one at each call where there is none."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return check_int("seed", int(seed) if isinstance(seed, np.integer) else seed, least=0)


def derive_seed(seed: int, number: int) -> int:
    """The seed of a later batch."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def draw(likelihood: Distribution, fields: Sequence[Any], share: Tensor | None = None) -> np.ndarray:
    """(rows, fields) values, of those that were seen in fitting.

    Args:
        likelihood: of shape (rows, fields).
        fields: what they are.
        share: (rows, fields) numbers that were drawn between 0 and 1, to take the quantiles of (inverse
            transform sampling); torch's generator draws if not given.
    """
    if isinstance(likelihood, Categorical):
        # Symbol 0 stands for labels that were not seen: there is none to give.
        seen = likelihood.logits.clone()
        seen[..., 0] = -1e9
        likelihood = Categorical(seen)
    said = likelihood.sample() if share is None else likelihood.icdf(share)
    drawn = said.cpu()
    if fields[0].kind == Real.kind:
        # The tails of a normal distribution reach beyond what can be: ages below 0.
        low, high = (torch.tensor([f.edges[end] for f in fields], dtype=drawn.dtype) for end in (0, -1))
        drawn = drawn.clamp(low, high)
        if isinstance(likelihood, Binned):
            drawn = torch.stack([f.redistribute(drawn[:, i]) for i, f in enumerate(fields)], 1)
    return np.asarray(drawn.numpy())


def draw_cell(likelihood: Distribution, field: Any, share: Tensor) -> Tensor:
    """(rows,) values of one field, of those that were seen in fitting.

    Args:
        likelihood: of shape (rows, 1).
        field: what it is.
        share: (rows, 1) numbers between 0 and 1, to take the quantiles of (inverse transform sampling).
    """
    drawn: Tensor = likelihood.icdf(share)[:, 0].cpu()
    if field.kind == Real.kind:
        # The tails of a normal distribution reach beyond what can be: ages below 0.
        drawn = drawn.clamp(float(field.edges[0]), float(field.edges[-1]))
        drawn = field.redistribute(drawn) if isinstance(likelihood, Binned) else drawn
    return drawn


def draw_column(
    engine: Engine,
    said: Mapping[str, Any],
    name: str,
    rows: np.ndarray | slice,
    share: Tensor | None = None,
) -> pa.Array:
    """Some rows' values of a column, from what the network said of all of them; `share` as in `draw`."""
    parts = []
    for number, slot in enumerate(engine.schema.slots_of(name)):
        fields = engine.schema.fields[slot.kind][slot.index : slot.index + 1]
        levels = None if share is None else share[:, number : number + 1]
        parts.append(draw(said[slot.kind].narrow(slot.index), fields, levels)[rows, 0])
    return engine.schema[name].decode(parts)


def put(
    engine: Engine, batch: Batch, name: str, values: pa.Array, rows: np.ndarray | slice = slice(None)
) -> Batch:
    """The codes with a column's values in some rows: all parts of a date agree, digits are those shown."""
    new = {k: v.clone() for k, v in batch.values.items()}
    seen = {k: v.clone() for k, v in batch.visible.items()}
    parts = engine.schema[name].encode(values, name)
    for slot, (value, visible) in zip(engine.schema.slots_of(name), parts, strict=True):
        new[slot.kind][rows, slot.index] = torch.from_numpy(value)
        seen[slot.kind][rows, slot.index] = torch.from_numpy(visible)
    return Batch(new, seen)


def draw_holes(
    engine: Engine, frame: Frame, gone: Mapping[str, np.ndarray], unsure: Mapping[str, np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """Kind -> (rows, fields) codes of a table, with the cells that are gone drawn from their distribution.

    The cells of a row are drawn one after the other, in an order of its own, each given those that are there
    and those drawn before it: together they are one draw of their joint distribution (the order is free: Uria
    et al., "A deep and tractable density estimator", 2014). Every row has its own stream of draws, which
    follows from the seed and from what is in the row, so that its company does not matter.

    Args:
        engine: a fitted model that draws column by column.
        frame: a table.
        gone: column -> (rows,) the cells to draw.
        unsure: kind -> (rows, fields) cells that are there but are not to be relied on.
        seed: of all draws.
    """
    # All columns, with holes or without: which of them other rows lack must not move a row's draws.
    names, whole_column = engine.schema.scored, np.zeros(frame.rows, bool)
    holes = np.stack([gone.get(name, whole_column) for name in names], axis=1)
    prints = np.concatenate([fingerprints(batch) for _, batch in engine.chunks(frame)])
    streams = np.stack([prints, _place_among_equals(prints)], axis=1)
    made: dict[str, list[np.ndarray]] = {}
    done = 0
    for _, batch in engine.chunks(frame):
        for some in batch.chunks(ROWS_PER_READ):
            part = slice(done, done + len(some))
            done = part.stop
            read = some.hide({k: torch.from_numpy(u[part]) for k, u in unsure.items()})
            with torch.no_grad(), torch_threads(engine.threads):
                drawn = _drawn(engine, read, names, holes[part], streams[part], seed)
            for kind, values in drawn.values.items():
                made.setdefault(kind, []).append(values.numpy())
    return {kind: np.concatenate(parts) for kind, parts in made.items()}


def _drawn(
    engine: Engine, batch: Batch, names: list[str], holes: np.ndarray, streams: np.ndarray, seed: int
) -> Batch:
    """The rows with their holes drawn; in each reading, every row draws the next one of its own."""
    slots = [engine.schema.slots_of(name) for name in names]
    count, order = holes.sum(1), np.zeros(holes.shape, np.int64)
    share = np.zeros((*holes.shape, max(map(len, slots))), np.float32)
    for row in np.flatnonzero(count):
        random = np.random.default_rng([seed, *streams[row].tolist()])
        order[row] = np.where(holes[row], random.random(len(names)), 2.0).argsort()
        # Not the very ends: there is nothing to draw there.
        share[row] = random.uniform(1e-6, 1 - 1e-6, share.shape[1:])
    hidden = {k: torch.zeros(v.shape, dtype=torch.bool) for k, v in batch.visible.items()}
    for column, places in enumerate(slots):
        for slot in places:
            hidden[slot.kind][:, slot.index] |= torch.from_numpy(holes[:, column])
    batch = batch.hide(hidden)
    for turn in range(int(count.max(initial=0))):
        left = np.flatnonzero(count > turn)
        said = engine.cell_network(batch[torch.from_numpy(left)].padded().to(engine.device)).likelihoods
        column_of = order[left, turn]
        for column in np.unique(column_of):
            mine = column_of == column
            # Likelihoods are of padded rows.
            padded = np.pad(share[left, column], ((0, -len(left) % BLOCK_ROWS), (0, 0)))
            levels = torch.from_numpy(padded).to(engine.device)
            values = draw_column(engine, said, names[column], np.flatnonzero(mine), levels)
            batch = put(engine, batch, names[column], values, left[mine])
    return batch


def _place_among_equals(prints: np.ndarray) -> np.ndarray:
    """(rows,) how many rows before it have the same print: copies of a row draw values of their own."""
    order = np.argsort(prints, kind="stable")
    ordered, index = prints[order], np.arange(len(prints))
    first = np.r_[True, ordered[1:] != ordered[:-1]][: len(prints)]
    places = np.empty(len(prints), np.uint64)
    places[order] = index - np.maximum.accumulate(np.where(first, index, 0))
    return places
