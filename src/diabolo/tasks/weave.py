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
    source = engine.source
    assert isinstance(source, Series)
    length = source.length
    frame = _blank(engine, points + 3 * length)
    drawn = _overlapping(engine, frame, codes) if codes is not None else _block_by_block(engine, frame)
    rows = slice(2 * length, 2 * length + points)  # the first ones still remember where they came from
    table: dict[str, Any] = {}
    names = [s.name for s in engine.schema.slots if s.kind == Curve.kind]
    if source.time is not None:
        table[source.time] = frame.column(source.time).slice(rows.start, points)
    for number, name in enumerate(names):
        table[name] = pa.array(engine.schema[name].decode([drawn[None, number, rows]])[0])
    return table


def _blank(engine: Engine, points: int) -> pa.Table:
    """The columns of so many points that follow the remembered ones, without a value."""
    source = engine.source
    assert isinstance(source, Series)
    columns: dict[str, pa.Array] = {
        name: pa.nulls(points, pa.float64()) for name in (e.name for e in engine.schema.entries)
    }
    # So that what is given starts right after the fit: the first two windows are left out.
    tick = source.end - 2 * source.length + np.arange(points)
    if source.time is not None:
        seconds = tick * (source.step or 1.0)
        known = {e.name: e.column for e in engine.schema.used}
        moments = pa.array((seconds * 1e6).astype(np.int64)).cast(pa.timestamp("us"))
        as_time = isinstance(known.get(source.time), Datetime) or bool(source.form)
        columns[source.time] = moments if as_time else pa.array(seconds)
    return pa.table(columns)


def _windows(engine: Engine, table: pa.Table, starts: list[int]) -> Codes:
    """The context of the windows that start at these points."""
    frame = engine.source.read(Native(table))
    return engine.schema.encode(frame[np.asarray(starts)])


def _block_by_block(engine: Engine, table: pa.Table) -> np.ndarray:
    """(channels, points) each block drawn given the window before it, from a masked network."""
    length, size = engine.source.length, max(engine.source.length // BLOCK, 1)
    starts = list(range(0, table.num_rows - length + 1, size))
    context = _windows(engine, table, starts)
    first = engine.memory.codes.values[Curve.kind]
    window = first[int(torch.randint(len(first), (1,)))].clone()
    drawn = torch.zeros(len(window), table.num_rows)
    drawn[:, :length] = window
    seen = torch.ones(1, *window.shape, dtype=torch.bool)
    seen[..., -size:] = False
    for number, start in enumerate(starts):
        stop = start + length
        if number:
            codes = context[number : number + 1].replace(
                {Curve.kind: drawn[None, :, start:stop]}, {Curve.kind: seen}
            )
            said = engine.cell_reader(codes.to(engine.device)).likelihoods[Curve.kind]
            drawn[:, stop - size : stop] = said.sample().cpu()[0, :, -size:]
    return _within(engine, drawn).numpy()


def _overlapping(engine: Engine, table: pa.Table, codes: Tensor) -> np.ndarray:
    """(channels, points) windows that overlap by half, each chosen to go on where the last one ends.

    Codes are drawn from the prior and one is picked by the likelihood of the overlap (importance resampling:
    Rubin, 1987). Means fade into each other; the noise of the likelihood is drawn at the end.
    """
    length = engine.source.length
    half = length // 2
    starts = list(range(0, table.num_rows - length + 1, half))
    fade = torch.linspace(0, 1, half)
    mean = spread = torch.zeros(0)
    for _ in starts:
        some = codes[torch.randint(len(codes), (TRIED,))]
        said = engine.cell_reader.decode(some.to(engine.device))[Curve.kind]
        candidates, scales = said.mean.cpu(), said.stddev.cpu()
        if len(mean) == 0:
            mean, spread = candidates[0], scales[0]
            continue
        gap = (candidates[..., :half] - mean[:, -half:]) / scales[..., :half]
        count = gap[0].numel()
        fits = -0.5 * gap.square().flatten(1).sum(1) * min(LOOSE / count, 1.0)
        chosen = int(torch.multinomial(torch.softmax(fits, 0), 1))
        joint = torch.lerp(mean[:, -half:], candidates[chosen][:, :half], fade)
        mean = torch.cat([mean[:, :-half], joint, candidates[chosen][:, half:]], 1)
        spread = torch.cat([spread, scales[chosen][:, half:]], 1)
    drawn = mean + spread * torch.randn_like(mean)
    whole = torch.zeros(len(drawn), table.num_rows)
    whole[:, : drawn.shape[1]] = drawn
    return _within(engine, whole).numpy()


def _within(engine: Engine, drawn: Tensor) -> Tensor:
    """No value beyond the range that was seen: the tails of a normal distribution know no bounds."""
    fields = engine.schema.fields[Curve.kind]
    low, high = (torch.tensor([getattr(f, end) for f in fields])[:, None] for end in ("low", "high"))
    return torch.minimum(torch.maximum(drawn, low), high)
