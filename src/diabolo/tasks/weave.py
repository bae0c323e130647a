"""New stretches of a series, woven from windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from diabolo.columns import Datetime
from diabolo.engine import Engine
from diabolo.fields import Codes, Curve
from diabolo.sources import Native, Series
from diabolo.sources.series import APART

BLOCK = 8  # a masked network draws an eighth of a window at a time
TRIED = 256  # codes from which the one that goes on best is chosen
LOOSE = 16.0  # points of an overlap count as so many independent ones: else only the very best code could win


def weave(engine: Engine, points: int, codes: Tensor | None) -> dict[str, Any]:
    """The points after the last remembered window: the time, where there is one, and the channels.

    Args:
        engine: a fitted model of a series.
        points: how many.
        codes: (codes, latent) to choose from, for a model with a bottleneck; None for a masked one.
    """
    source, positions = engine.source, engine.memory.positions
    assert isinstance(source, Series) and positions is not None
    latest = int(positions.argmax())
    group, begin = divmod(int(positions[latest]), APART)
    window = engine.memory.codes.values[Curve.kind][latest]
    # What was learnt last begins it, and is left out of what is given.
    known = max(source.end - begin, source.length)
    frame = _blank(engine, group, begin + np.arange(known + points + source.length))
    if codes is None:
        drawn = _block_by_block(engine, frame, window)
    else:
        drawn = _overlapping(engine, frame.num_rows, window, codes)
    table: dict[str, Any] = {
        name: frame.column(name).slice(known, points) for name in (source.by, source.time) if name is not None
    }
    for number, slot in enumerate(s for s in engine.schema.slots if s.kind == Curve.kind):
        values = drawn[None, number, known : known + points].numpy()
        table[slot.name] = pa.array(engine.schema[slot.name].decode([values])[0])
    return table


def _blank(engine: Engine, group: int, steps: np.ndarray) -> pa.Table:
    """The columns of a series at these steps, without values."""
    source = engine.source
    assert isinstance(source, Series)
    columns: dict[str, pa.Array] = {e.name: pa.nulls(len(steps), pa.float64()) for e in engine.schema.entries}
    if source.by is not None:
        columns[source.by] = pa.array([source.groups[group]] * len(steps))
    if source.time is not None:
        seconds = steps * (source.step or 1.0)
        known = {e.name: e.column for e in engine.schema.used}
        moments = pa.array((seconds * 1e6).astype(np.int64)).cast(pa.timestamp("us"))
        as_time = isinstance(known.get(source.time), Datetime) or bool(source.form)
        columns[source.time] = moments if as_time else pa.array(seconds)
    return pa.table(columns)


def _windows(engine: Engine, table: pa.Table, starts: list[int]) -> Codes:
    """The context of the windows that start at these points."""
    frame = engine.source.read(Native(table))
    return engine.schema.encode(frame[np.asarray(starts)])


def _block_by_block(engine: Engine, table: pa.Table, window: Tensor) -> Tensor:
    """(channels, points) each block drawn given the window before it, from a masked network."""
    length, size = engine.source.length, max(engine.source.length // BLOCK, 1)
    starts = list(range(0, table.num_rows - length + 1, size))
    context = _windows(engine, table, starts)
    drawn = torch.zeros(len(window), table.num_rows)
    drawn[:, :length] = window
    seen = torch.ones(1, *window.shape, dtype=torch.bool)
    seen[..., -size:] = False
    for number, start in enumerate(starts[1:], 1):
        stop = start + length
        codes = context[number : number + 1].replace(
            {Curve.kind: drawn[None, :, start:stop]}, {Curve.kind: seen}
        )
        said = engine.cell_reader(codes.to(engine.device)).likelihoods[Curve.kind]
        next_ones = said.mean.cpu() + said.stddev.cpu() * _noise(engine, seen)
        drawn[:, stop - size : stop] = next_ones[0, :, -size:]
        drawn = _within(engine, drawn)
    return drawn


def _noise(engine: Engine, seen: Tensor) -> Tensor:
    """(1, channels, points) of deviation 1: errors of neighbours go together, where the network knows how."""
    linear = engine.cell_reader.linear
    if linear is None:
        return torch.randn(seen.shape)
    return linear.together(seen.flatten(1).to(engine.device)).cpu().view(seen.shape)


def _overlapping(engine: Engine, points: int, window: Tensor, codes: Tensor) -> Tensor:
    """(channels, points) windows that overlap by half, each chosen to go on where the last one ends.

    Codes are drawn from the prior and one is picked by the likelihood of the overlap (importance resampling:
    Rubin, 1987). Means fade into each other; the noise of the likelihood is drawn at the end.
    """
    half = engine.source.length // 2
    fade = torch.linspace(0, 1, half)
    mean, spread = window, torch.zeros_like(window)
    while mean.shape[1] < points:
        some = codes[torch.randint(len(codes), (TRIED,))]
        said = engine.cell_reader.decode(some.to(engine.device))[Curve.kind]
        candidates, scales = said.mean.cpu(), said.stddev.cpu()
        gap = (candidates[..., :half] - mean[:, -half:]) / scales[..., :half]
        fits = -0.5 * gap.square().flatten(1).sum(1) * min(LOOSE / gap[0].numel(), 1.0)
        chosen = int(torch.multinomial(torch.softmax(fits, 0), 1))
        joint = torch.lerp(mean[:, -half:], candidates[chosen][:, :half], fade)
        mean = torch.cat([mean[:, :-half], joint, candidates[chosen][:, half:]], 1)
        spread = torch.cat([spread, scales[chosen][:, half:]], 1)
    return _within(engine, mean + spread * torch.randn_like(mean))[:, :points]


def _within(engine: Engine, drawn: Tensor) -> Tensor:
    """No value beyond the range that was seen: the tails of a normal distribution know no bounds."""
    fields = engine.schema.fields[Curve.kind]
    low, high = (torch.tensor([getattr(f, end) for f in fields])[:, None] for end in ("low", "high"))
    return torch.minimum(torch.maximum(drawn, low), high)
