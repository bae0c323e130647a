"""New stretches of a series, woven from windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from diabolo.data.columns import Datetime, Values
from diabolo.data.columns.convert import from_seconds
from diabolo.data.fields import Curve
from diabolo.data.sources import Series
from diabolo.data.sources.series import SERIES_OFFSET
from diabolo.engine import Engine
from diabolo.errors import OptionError
from diabolo.generation.conditions import decoded_rows
from diabolo.generation.window_mixture import WindowMixture
from diabolo.generation.window_mixture import beside as as_numbers

BLOCK = 8  # an eighth of a window is drawn at a time
ROWS = 1_024  # windows that are drawn at once
TRIED = 256  # codes from which the one that goes on best is chosen
LOOSE = 16.0  # points of an overlap count as so many independent ones: else only the very best code could win


@dataclass(frozen=True)
class Start:
    """Where stretches begin.

    Attributes:
        group: (stretches,) which series of the fit they are like.
        step: (stretches,) the step of their first point.
        window: (channels, length) what the first ones hold; None if they begin anew.
        known: points at their start that are not new.
    """

    group: np.ndarray
    step: np.ndarray
    window: Tensor | None
    known: int


def sample_series(
    engine: Engine,
    points: int,
    codes: Tensor | None,
    *,
    series: int | None,
    given: Mapping[str, Any],
    random: np.random.Generator,
) -> dict[str, Any]:
    """New points: which series and when, as far as there is such a column, and the scored columns.

    Args:
        engine: a fitted model of a series.
        points: how many, of each series.
        codes: (codes, latent) to choose from, for a model with a bottleneck; else None.
        series: how many that begin anew; None for one that goes on after the fit.
        given: context column -> the value that all points are to have there.
        random: of what torch does not draw.
    """
    source = engine.source
    assert isinstance(source, Series)
    beside = [name for name in engine.schema.scored if name not in source.channels]
    # Labels are read in the middle of windows: half of one is drawn before and after what is asked for.
    half = source.length // 2 if beside else 0
    start = _after_the_fit(engine) if series is None else _anew(engine, series, half, given, random)
    total = max(start.known + points + half, source.length)
    if engine.window_mixture is None:
        assert codes is not None
        drawn = np.stack([_overlapping(engine, total, start.window, codes).numpy() for _ in start.step])
    else:
        parts = np.array_split(np.arange(len(start.step)), -(-len(start.step) // ROWS))
        drawn = np.concatenate(
            [_blocks(engine, engine.window_mixture, start, p, total, given, random) for p in parts]
        )
    new = slice(start.known, start.known + points)
    table: dict[str, Any] = {}
    if series is not None:
        table[_free("series", engine)] = pa.array(np.repeat(np.arange(series), points))
    steps = start.step[:, None] + np.arange(total)[new]
    table |= _when(engine, np.repeat(start.group, points), steps.ravel())
    missing = np.zeros((len(drawn), points, drawn.shape[1]), bool)
    if engine.window_mixture is not None:
        missing = engine.window_mixture.holes(len(drawn), points, random)
    for number, slot in enumerate(s for s in engine.schema.slots if s.kind == Curve.kind):
        values = engine.schema[slot.name].decode([drawn[:, number, new].reshape(1, -1)])[0]
        gone = missing[..., number].ravel()
        column = pa.array(values, mask=gone) if gone.any() else pa.array(values)
        whole = dict(zip(source.channels, source.types, strict=False)).get(slot.name, "").strip("u")
        table[slot.name] = column.cast(pa.int64()) if whole.startswith("int") else column
    return table | _alike(engine, drawn, new, beside)


def _after_the_fit(engine: Engine) -> Start:
    """What was learnt last begins it, and is left out of what is given."""
    source, positions = engine.source, engine.memory.positions
    assert isinstance(source, Series) and positions is not None
    latest = int(positions.argmax())
    group, begin = np.divmod(positions[latest : latest + 1], SERIES_OFFSET)
    window = engine.memory.rows.values[Curve.kind][latest]
    return Start(group, begin, window, max(source.end - int(begin[0]), source.length))


def _anew(
    engine: Engine, series: int, before: int, given: Mapping[str, Any], random: np.random.Generator
) -> Start:
    """When and where remembered windows were, and so many points before."""
    source, positions = engine.source, engine.memory.positions
    assert isinstance(source, Series) and positions is not None
    group, step = np.divmod(random.choice(positions, series), SERIES_OFFSET)
    name = source.by
    if name is not None and name in given:
        if str(given[name]) not in source.series_names:
            raise OptionError(
                f"given: {name!r} never was {given[name]!r} in the data of the fit",
                hint=f"one of {', '.join(source.series_names[:20])}",
            )
        group = np.full_like(group, source.series_names.index(str(given[name])))
    return Start(group, step - before, None, before)


def _free(name: str, engine: Engine) -> str:
    """A name that no column has."""
    taken = {e.name for e in engine.schema.entries}
    while name in taken:
        name = f"new_{name}"
    return name


def _when(engine: Engine, group: np.ndarray, steps: np.ndarray) -> dict[str, pa.Array]:
    """The series' name and the time of points, under the names of these columns."""
    source = engine.source
    assert isinstance(source, Series)
    columns: dict[str, pa.Array] = {}
    if source.by is not None:
        columns[source.by] = pa.array(np.array(source.series_names)[group])
    if source.time is not None:
        seconds = steps * (source.step or 1.0)
        known = {e.name: e.column for e in engine.schema.used}
        as_time = isinstance(known.get(source.time), Datetime) or bool(source.form)
        columns[source.time] = from_seconds(seconds) if as_time else pa.array(seconds)
    return columns


def _context(
    engine: Engine, start: Start, chosen: np.ndarray, total: int, size: int, given: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """What stands beside each window: (stretches, windows, numbers) of it, and (numbers,) what is known."""
    source, schema = engine.source, engine.schema
    assert isinstance(source, Series)
    windows = max(-(-(total - source.length) // size), 0) + 1
    rows = len(chosen) * windows
    if set(schema.fields) == {Curve.kind}:
        return np.zeros((len(chosen), windows, 0)), np.zeros(0, bool)
    middle = start.step[chosen, None] + np.arange(windows) * size + source.length // 2
    when = _when(engine, np.repeat(start.group[chosen], windows), middle.ravel())
    columns: dict[str, Values] = {}
    for entry in schema.used:
        if entry.name in source.channels:
            columns[entry.name] = np.zeros((rows, source.length))
        elif entry.name in given:
            columns[entry.name] = pa.array([given[entry.name]] * rows)
        else:
            columns[entry.name] = when.get(entry.name, pa.nulls(rows))
    numbers, known = as_numbers(schema.encode(columns), schema.fields, schema.scored_fields)
    # A label that was never seen says nothing: what all windows have is looked at.
    return numbers.reshape(len(chosen), windows, -1), np.asarray(known.all(0))


def _blocks(
    engine: Engine,
    loom: WindowMixture,
    start: Start,
    chosen: np.ndarray,
    total: int,
    given: Mapping[str, Any],
    random: np.random.Generator,
) -> np.ndarray:
    """(stretches, channels, points) a window, and each block after it given the window before."""
    length = engine.source.length
    size = max(length // BLOCK, 1)
    numbers, known = _context(engine, start, chosen, total, size, given)
    channels, windows = len(engine.schema.fields[Curve.kind]), numbers.shape[1]
    drawn = np.zeros((len(chosen), channels, length + (windows - 1) * size))
    seen = np.zeros((channels, length), bool)
    if start.window is None:
        anew = loom.condition_on(seen, known)
        drawn[..., :length] = loom.sample(anew, drawn[..., :length], numbers[:, 0], random)
    else:
        drawn[..., :length] = start.window.numpy()
    seen[:, :-size] = True
    goes_on = loom.condition_on(seen, known) if windows > 1 else None
    for number in range(1, windows):
        assert goes_on is not None
        part = slice(number * size, number * size + length)
        found = loom.sample(goes_on, drawn[..., part], numbers[:, number], random)
        drawn[..., part][..., -size:] = found[..., -size:]
    return drawn[..., :total]


def _alike(engine: Engine, drawn: np.ndarray, new: slice, names: list[str]) -> dict[str, pa.Array]:
    """What is scored beside windows, as it was in the middle of the most similar ones that are remembered."""
    if not names:
        return {}
    length, total = engine.source.length, drawn.shape[2]
    first = np.clip(np.arange(total)[new] - length // 2, 0, total - length)
    remembered = engine.memory.rows.values[Curve.kind].flatten(1)
    places = []
    for stretch in torch.from_numpy(drawn).to(remembered.dtype):
        windows = stretch.unfold(1, length, 1)[:, first].transpose(0, 1).flatten(1)
        # By their values: of two windows of one shape, the label is that of the one that is as high.
        places.append(torch.cdist(windows, remembered).argmin(1))
    return decoded_rows(engine, engine.memory.rows[torch.cat(places)], names)


def _overlapping(engine: Engine, points: int, window: Tensor | None, codes: Tensor) -> Tensor:
    """(channels, points) windows that overlap by half, each chosen to go on where the last one ends.

    Codes are drawn from the prior and one is picked by the likelihood of the overlap (importance resampling:
    Rubin, 1987). Means fade into each other; the noise of the likelihood is drawn at the end.
    """
    half = engine.source.length // 2
    fade = torch.linspace(0, 1, half)
    if window is None:
        said = _decoded(engine, codes[torch.randint(len(codes), (1,))])
        mean, spread = said.mean[0].cpu(), said.stddev[0].cpu()
    else:
        mean, spread = window, torch.zeros_like(window)
    while mean.shape[1] < points:
        said = _decoded(engine, codes[torch.randint(len(codes), (TRIED,))])
        candidates, scales = said.mean.cpu(), said.stddev.cpu()
        gap = (candidates[..., :half] - mean[:, -half:]) / scales[..., :half]
        fits = -0.5 * gap.square().flatten(1).sum(1) * min(LOOSE / gap[0].numel(), 1.0)
        chosen = int(torch.multinomial(torch.softmax(fits, 0), 1))
        joint = torch.lerp(mean[:, -half:], candidates[chosen][:, :half], fade)
        mean = torch.cat([mean[:, :-half], joint, candidates[chosen][:, half:]], 1)
        spread = torch.cat([spread, scales[chosen][:, half:]], 1)
    return _within(engine, mean + spread * torch.randn_like(mean))[:, :points]


def _decoded(engine: Engine, codes: Tensor) -> Any:
    return engine.cell_network.decode(codes.to(engine.device))[Curve.kind]


def _within(engine: Engine, drawn: Tensor) -> Tensor:
    """No value beyond the range that was seen: the tails of a normal distribution know no bounds."""
    fields = engine.schema.fields[Curve.kind]
    low, high = (torch.tensor([getattr(f, end) for f in fields])[:, None] for end in ("low", "high"))
    return torch.minimum(torch.maximum(drawn, low), high)
