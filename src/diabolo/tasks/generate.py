"""What else could there be?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from diabolo.checks import whole
from diabolo.engine import Engine
from diabolo.errors import OptionError, UnsupportedError
from diabolo.evidence import ROWS
from diabolo.fields import Picture, Symbol
from diabolo.sources import Native, Series
from diabolo.tasks.base import Answer, Model
from diabolo.tasks.draws import column_by_column, draw, draw_column, put, some_seed
from diabolo.tasks.weave import weave
from diabolo.training import private_draws, threads

PRIORS = ("mixture", "normal")
TURNS = 512  # rows that are drawn in one order of the columns
POOL = 8_192  # codes that the windows of a series are chosen from
CODES = 4_096  # codes that the mixture is fitted on
PARTS, SHARE = 32, 100  # of the mixture: at most so many, and rows for each


@dataclass
class Generated(Answer):
    """New rows.

    Attributes:
        table: column -> values: the scored columns, and what was read beside them.
    """

    native: Native
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """The columns that the model reads."""
        return self.table


def generate(
    model: Model,
    n: int,
    *,
    seed: int | None = None,
    given: Mapping[str, Any] | None = None,
    prior: str = "mixture",
) -> Generated:
    """Draw new rows, or new pictures, in the dataframe library of the fit.

    A masked network, which the default recipe has, draws one column after the other, in random orders, each
    given those that are drawn already (Uria et al., "A deep and tractable density estimator", 2014); context
    columns are those of remembered rows. A network with a bottleneck decodes codes, and draws every cell from
    its likelihood; of a picture it gives the mean, as noise on each pixel makes no picture better. A series
    goes on for `n` points after the fit: its time and its channels.

    Args:
        model: a fitted model.
        n: rows wanted.
        seed: the same seed gives the same rows; None for others each time.
        given: column -> the value that all rows are to have there; masked models only.
        prior: where codes come from: "mixture", normal distributions fitted to the codes of remembered rows,
            or "normal", the standard normal distribution that a variational network is held near.

    Raises:
        UnsupportedError: the model cannot draw rows, or not with given values.
        OptionError: a column or a value of `given` is not known, or an option cannot work.
    """
    engine, rows = model.engine_, whole("n", n)
    if prior not in PRIORS:
        raise OptionError(f"prior={prior!r} is not known", hint=f"one of {', '.join(PRIORS)}")
    reader, pictures = engine.cell_reader, Picture.kind in engine.schema.fields
    seed = some_seed(seed)
    with torch.no_grad(), threads(engine.threads), private_draws(seed):
        by_turns = column_by_column(engine)
        if not by_turns and not hasattr(reader.bottleneck, "latent"):
            raise UnsupportedError(
                "this model has no codes to draw new rows from",
                hint='Autoencoder("variational")' + ("" if pictures else ', or Autoencoder("masked")'),
            )
        if given and (not by_turns or isinstance(engine.source, Series)):
            raise UnsupportedError(
                "values can be given only where a table is drawn column by column",
                hint='Autoencoder("masked") or the default recipe, on a table',
            )
        if isinstance(engine.source, Series):
            table = weave(engine, rows, None if by_turns else _codes(engine, POOL, seed, prior))
        elif by_turns:
            table = _in_turn(engine, rows, dict(given or {}))
        else:
            table = _decoded(engine, _codes(engine, rows, seed, prior))
    return Generated(Native(pa.table({"_": [0]}), model.library_), table)


def _in_turn(engine: Engine, rows: int, given: dict[str, Any]) -> dict[str, pa.Array]:
    """Rows of a masked network, a block at a time."""
    blocks = [_block(engine, min(TURNS, rows - start), given) for start in range(0, rows, TURNS)]
    return {name: pa.concat_arrays([block[name] for block in blocks]) for name in blocks[0]}


def _block(engine: Engine, rows: int, given: dict[str, Any]) -> dict[str, pa.Array]:
    schema, remembered = engine.schema, engine.memory.codes
    codes = remembered[torch.randint(len(remembered), (rows,))]
    codes = codes.hide({k: torch.from_numpy(s)[None] for k, s in schema.scored_fields.items()})
    table: dict[str, pa.Array] = {}
    for entry in schema.used:
        if entry.name in given:
            table[entry.name] = _given(engine, entry.name, given[entry.name], rows)
        elif entry.role == "context":
            values = schema.decode(entry.name, {k: v.numpy() for k, v in codes.values.items()})
            slot = schema.slots_of(entry.name)[0]
            gone = ~codes.visible[slot.kind][:, slot.index].numpy()
            table[entry.name] = values.take(pa.array(np.arange(rows), mask=gone))
    unknown = [name for name in given if name not in table]
    if unknown:
        raise OptionError(
            f"given names the column {unknown[0]!r}, which the model does not read",
            hint=f"the columns are: {', '.join(e.name for e in schema.used[:20])}",
        )
    for name in given:
        codes = put(engine, codes, name, table[name])
    left = [name for name in schema.scored if name not in table]
    for index in torch.randperm(len(left)).tolist():
        said = engine.cell_reader(codes.padded().to(engine.device)).likelihoods
        name = left[index]
        table[name] = draw_column(engine, said, name, slice(rows))
        codes = put(engine, codes, name, table[name])
    return {e.name: table[e.name] for e in schema.used}


def _given(engine: Engine, name: str, value: Any, rows: int) -> pa.Array:
    """A column of one value, in the type of the fit."""
    column = engine.schema[name]
    parts = column.encode(pa.array([value]), name)
    for slot, (code, visible) in zip(engine.schema.slots_of(name), parts, strict=True):
        if not visible.all() or (slot.kind == Symbol.kind and (code == 0).any()):
            raise OptionError(
                f"given: {name!r} never was {value!r} in the data of the fit", hint=column.describe() or None
            )
    return pa.concat_arrays([column.decode([part for part, _ in parts])] * rows)


def _codes(engine: Engine, rows: int, seed: int, prior: str) -> Tensor:
    """(rows, latent) codes from a prior."""
    bottleneck = engine.cell_reader.bottleneck
    if prior == "normal":
        return bottleneck.sample(rows)
    # Codes are drawn, as in training, not only their means: between the codes of two rows are more.
    remembered = engine.filled(engine.memory.codes)
    every = torch.linspace(0, len(remembered) - 1, min(len(remembered), CODES)).round().long()
    bottleneck.train()
    try:
        with private_draws(0):
            z = torch.cat(
                [engine.cell_reader.encode(c.to(engine.device))[0] for c in remembered[every].chunks(ROWS)]
            )
    finally:
        bottleneck.eval()
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    known = z.cpu().numpy().astype(float)
    parts = min(max(len(known) // SHARE, 1), PARTS)
    mixture = GaussianMixture(parts, max_iter=50, reg_covar=1e-4 * float(known.var()) + 1e-9, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(known)
    mixture.random_state = seed
    drawn, _ = mixture.sample(rows)
    # They come one normal distribution after the other.
    return torch.from_numpy(drawn[torch.randperm(rows).numpy()]).float()


def _decoded(engine: Engine, z: Tensor) -> dict[str, pa.Array]:
    """Codes as rows: every cell drawn from its likelihood, the mean of a picture."""
    drawn: dict[str, list[np.ndarray]] = {}
    for some in torch.split(z, ROWS):
        for kind, likelihood in engine.cell_reader.decode(some.to(engine.device)).items():
            pixels = likelihood.mean.cpu().numpy() if kind == Picture.kind else None
            values = draw(likelihood, engine.schema.fields[kind]) if pixels is None else pixels
            drawn.setdefault(kind, []).append(values)
    whole = {kind: np.concatenate(parts) for kind, parts in drawn.items()}
    return {name: engine.schema.decode(name, whole) for name in engine.schema.scored}
