"""What else could there be?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from diabolo.data.fields import Batch, Picture
from diabolo.data.sources import Series, UserTable
from diabolo.engine import Engine
from diabolo.errors import OptionError, UnsupportedError
from diabolo.generation.columnwise import ColumnwiseSampler
from diabolo.generation.conditions import Conditions, decoded_rows, read_conditions
from diabolo.generation.latent import PRIORS, LatentPrior, places
from diabolo.generation.sampling import column_by_column, derive_seed, draw, resolve_seed
from diabolo.generation.series import sample_series
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.tasks.base import Answer, Model, nothing_asked
from diabolo.utils.checks import check_int
from diabolo.utils.torch_state import forked_rng, torch_threads

BATCH = 65_536  # rows that are in memory at once
POOL = 8_192  # codes that the windows of a series are chosen from
ROUNDS = 50  # in which rows that break a rule are drawn again

Table = dict[str, Any]


@dataclass
class Generated(Answer):
    """New rows.

    Attributes:
        table: column -> values: the scored columns, what was read beside them, and the columns of the fit
            that can be made without a model: ids, which count on or are new, and what was constant.
    """

    user_table: UserTable
    table: Table

    def columns(self) -> dict[str, Any]:
        """The columns of the fit, without those that cannot be made."""
        return self.table


def generate(
    model: Model,
    n: int | None = None,
    *,
    seed: int | None = None,
    given: Mapping[str, Any] | None = None,
    like: Any = None,
    keep: Sequence[str] = (),
    where: Sequence[str] = (),
    observed: Sequence[Sequence[str]] = (),
    prior: str = "mixture",
    series: int | None = None,
) -> Generated:
    """Draw new rows, or new pictures, in the dataframe library of the fit.

    A masked network, which the default recipe has, draws one column after the other, in random orders, each
    given those that are drawn already (Uria et al., "A deep and tractable density estimator", 2014), and
    whether there is a value at all; context columns are those of remembered rows. A network with a
    bottleneck decodes codes, and draws every cell from its likelihood, with the holes of the nearest
    remembered row; of a picture it gives the mean, as noise on each pixel makes no picture better.

    A series goes on for `n` points after the fit, or new ones of `n` points each begin. A model without a
    bottleneck draws an eighth of a window at a time, given the window before it and the context (the
    calendar, what is `given`), from a mixture of normal distributions over windows; what is scored beside
    channels is as in the most similar remembered window; values are missing as they were in the fit.

    Args:
        model: a fitted model.
        n: rows wanted; with `like`, one for each of those rows if not given.
        seed: the same seed gives the same rows; None for others each time.
        given: column -> what all rows are to have there: a value, a list of values, or for a number or a
            date a tuple (lowest, highest) of which one may be None; masked models only. Of a series: context
            column -> one value.
        like: rows, of which new ones keep the columns of `keep`; all others are drawn. A model with a
            bottleneck draws rows near these.
        keep: columns that are kept of `like`.
        where: rules that rows obey: "start <= end", "age >= 18". Rows that break one are drawn again.
        observed: groups of columns whose combinations must have occurred in remembered rows.
        prior: where codes come from: "mixture", normal distributions fitted to the codes of remembered rows
            (of quantized codes, latent classes), or "normal", the standard normal distribution that a
            variational network is held near.
        series: how many new series of `n` points each, which begin anew and are told apart by the column
            "series"; None for one that goes on after the fit.

    Raises:
        UnsupportedError: the model cannot draw rows, or not as asked.
        OptionError: a column or a value is not known, no row obeys, or an option cannot work.
    """
    if like is not None and not isinstance(model.engine_.source, Series):
        wishes = read_conditions(model.engine_, given or {}, where, observed)
        return _alike(model, like, tuple(keep), n, seed, wishes)
    if like is not None or keep:
        raise OptionError("keep, like: rows are kept of a table", hint='like=rows, keep=["column"]')
    if n is None:
        raise OptionError("n: how many rows?", hint="model.generate(100)")
    wanted: dict[str, Any] = {"given": given, "where": where, "observed": observed, "prior": prior}
    batches = list(in_batches(model, n, seed=seed, series=series, **wanted))
    table = batches[0]
    if len(batches) > 1:
        table = {name: pa.concat_arrays([batch[name] for batch in batches]) for name in table}
    return Generated(nothing_asked(model.library_), table)


def in_batches(
    model: Model,
    count: int,
    *,
    seed: int | None = None,
    given: Mapping[str, Any] | None = None,
    where: Sequence[str] = (),
    observed: Sequence[Sequence[str]] = (),
    prior: str = "mixture",
    series: int | None = None,
) -> Iterator[Table]:
    """The rows of `generate`, at most 65,536 at a time: their number is not bounded by memory."""
    engine, rows, seed = model.engine_, check_int("n", count), resolve_seed(seed)
    if prior not in PRIORS:
        raise OptionError(f"prior={prior!r} is not known", hint=f"one of {', '.join(PRIORS)}")
    by_turns = column_by_column(engine)
    codes = LatentPrior(engine, seed, prior) if engine.samples_latents else None
    if isinstance(engine.source, Series):
        if where or observed:
            raise UnsupportedError("where, observed: rules are for tables", hint="model.generate(288)")
        if given and engine.window_mixture is None:
            raise UnsupportedError("given: codes are drawn without context", hint='the recipe "default"')
        if codes is None and engine.window_mixture is None:
            raise UnsupportedError(
                "the model was written before new series could be drawn from such", hint="fit it again"
            )
        _check_context(engine, engine.source, given or {})
        if series is not None:
            series = check_int("series", series)
        random = np.random.default_rng(seed)
        with _drawing(engine, seed):
            pool = None if codes is None else codes.draw(POOL)
            yield sample_series(engine, rows, pool, series=series, given=given or {}, random=random)
        return
    if series is not None:
        raise OptionError("series: the model is one of a table, which has rows", hint="model.generate(100)")
    if not by_turns and codes is None:
        pictures = Picture.kind in engine.schema.fields
        raise UnsupportedError(
            "this model has no codes to draw new rows from",
            hint='Autoencoder("variational")' + ("" if pictures else ', or Autoencoder("masked")'),
        )
    if given and not by_turns:
        raise UnsupportedError(
            "values can be given only where a table is drawn column by column",
            hint='Autoencoder("masked") or the default recipe, on a table',
        )
    wishes = read_conditions(engine, given or {}, where, observed)
    make = _in_turn(engine, wishes) if codes is None else _decoded(engine, codes)
    fillers = {e.name: e.surrogate for e in engine.schema.entries if e.surrogate is not None}
    for number, start in enumerate(range(0, rows, BATCH)):
        size = min(BATCH, rows - start)
        with _drawing(engine, seed if number == 0 else derive_seed(seed, number)):
            table = _obeying(make, wishes, size)
        table |= {name: filler.make(start, size, seed) for name, filler in fillers.items()}
        yield {e.name: table[e.name] for e in engine.schema.entries if e.name in table}


@contextmanager
def _drawing(engine: Engine, seed: int) -> Iterator[None]:
    with torch.no_grad(), torch_threads(engine.threads), forked_rng(seed):
        yield


def _check_context(engine: Engine, source: Series, given: Mapping[str, Any]) -> None:
    """What can be given of a series stands beside its channels."""
    context = [e.name for e in engine.schema.used if e.role == "context" and e.name != source.time]
    for name in given:
        if name not in context:
            raise OptionError(
                f"given names {name!r}, which is no context of the series",
                hint=f"of {', '.join(context)}" if context else "fit with context=[...]",
            )


def _in_turn(engine: Engine, wishes: Conditions) -> Callable[[int], Table]:
    """Rows of a masked network."""
    drawer, names = ColumnwiseSampler(engine, wishes), [e.name for e in engine.schema.used]
    return lambda rows: dict(decoded_rows(engine, drawer.rows(rows), names))


def _obeying(make: Callable[[int], Table], wishes: Conditions, rows: int) -> Table:
    """As many rows as are wanted, all of which obey the rules."""
    table = make(rows)
    if not wishes.rules:
        return table
    parts, found, drawn = [], 0, 0
    for _ in range(ROUNDS):
        good = wishes.obeyed(table)
        parts.append({name: values.filter(pa.array(good)) for name, values in table.items()})
        found, drawn = found + int(good.sum()), drawn + len(good)
        if found >= rows:
            return {name: pa.concat_arrays([p[name] for p in parts])[:rows] for name in table}
        share = max(found / drawn, 0.01)
        table = make(min(int((rows - found) / share) + 16, BATCH))
    raise OptionError(
        f"of {drawn:,} rows drawn {found:,} obey {' and '.join(wishes.rules)}", hint="ask for less"
    )


def _alike(
    model: Model, like: Any, keep: tuple[str, ...], n: int | None, seed: int | None, wishes: Conditions
) -> Generated:
    """Rows with what is kept of other rows."""
    engine, seed = model.engine_, resolve_seed(seed)
    frame = engine.read(like)
    for name in keep:
        if name not in engine.schema.scored:
            raise OptionError(
                f"keep names the column {name!r}, which is not drawn",
                hint=f"of {', '.join(engine.schema.scored[:20])}",
            )
    if wishes.choices:
        raise OptionError("given: beside like, a column takes one value", hint='given={"sex": "Female"}')
    if not column_by_column(engine):
        raise UnsupportedError(
            "rows can be kept only where a table is drawn column by column",
            hint='Autoencoder("masked") or the default recipe, on a table',
        )
    count = frame.rows if n is None else check_int("n", n)
    which = np.arange(count) % frame.rows
    drawer, names = ColumnwiseSampler(engine, wishes, frozenset(keep)), [e.name for e in engine.schema.used]
    codes = engine.schema.encode(frame[which])
    with _drawing(engine, seed):
        drawn = drawer.like(codes)
        for _ in range(ROUNDS):
            table = decoded_rows(engine, drawn, names)
            bad = np.flatnonzero(~wishes.obeyed(table))
            if len(bad) == 0:
                break
            drawn = drawn.put(torch.from_numpy(bad), drawer.like(codes[torch.from_numpy(bad)]))
        else:
            raise OptionError(
                f"no row like row {which[bad[0]]} obeys {' and '.join(wishes.rules)}",
                hint="keep fewer columns",
            )
    made: Table = dict(table)
    original = frame.user_table.columns()
    for name in keep:  # as they are, to the last digit
        values = original[name]
        made[name] = values.take(pa.array(which)) if isinstance(values, pa.Array) else values[which]
    made |= {
        e.name: e.surrogate.make(0, count, seed) for e in engine.schema.entries if e.surrogate is not None
    }
    made = {e.name: made[e.name] for e in engine.schema.entries if e.name in made}
    return Generated(nothing_asked(model.library_), made)


def _decoded(engine: Engine, codes: LatentPrior) -> Callable[[int], Table]:
    """Codes as rows: every cell drawn from its likelihood, the mean of a picture."""
    visible = engine.memory.rows[places(engine)].visible
    gappy = not all(bool(v.all()) for v in visible.values())

    def make(rows: int) -> Table:
        parts = []
        for z in torch.split(codes.draw(rows), ROWS_PER_READ):
            values, seen = {}, {}
            nearest = torch.cdist(z, codes.known).argmin(1) if gappy else None
            for kind, likelihood in engine.cell_network.decode(z.to(engine.device)).items():
                picture = kind == Picture.kind
                drawn = (
                    likelihood.mean.cpu().numpy() if picture else draw(likelihood, engine.schema.fields[kind])
                )
                values[kind] = torch.from_numpy(drawn)
                there = torch.ones(drawn.shape, dtype=torch.bool)
                seen[kind] = there if nearest is None or picture else visible[kind][nearest]
            parts.append(Batch(values, seen))
        drawn_rows = Batch.concatenate(parts)
        if Picture.kind in engine.schema.fields:
            whole_rows = {k: v.numpy() for k, v in drawn_rows.values.items()}
            return {name: engine.schema.decode(name, whole_rows) for name in engine.schema.scored}
        return dict(decoded_rows(engine, drawn_rows, engine.schema.scored))

    return make
