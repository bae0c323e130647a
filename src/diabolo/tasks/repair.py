"""What should stand there?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Column
from diabolo.data.columns.base import Values
from diabolo.data.columns.convert import to_array
from diabolo.data.fields import Symbol
from diabolo.data.sources import Frame, UserTable
from diabolo.engine import Engine
from diabolo.errors import OptionError, UnsupportedError
from diabolo.generation.sampling import sample_missing, samples_columnwise
from diabolo.generation.seeds import resolve_seed
from diabolo.tasks.base import Answer, Model, decode_column, precision_weights

VALUES = ("mean", "median", "mode", "draw")
READ = ("expected", "low", "high", "nats")
MISSING_EVERY = 8  # windows over which the missing points of a series are predicted, in each length
LINES = ("row", "column", "old", "new", "low", "high", "why", "p_wrong")


@dataclass
class Repaired(Answer):
    """The user's own table with its holes filled, and suspicious cells replaced if asked.

    Attributes:
        table: column -> values; columns that are not scored are as they were.
        changed: one line for each changed cell: row, column, old, new, low and high (the range that was
            expected to hold nine values in ten; a label has none), why, p_wrong.
        places: column -> (rows,) where it was changed.
    """

    user_table: UserTable
    table: dict[str, Any]
    changed: dict[str, Any]
    places: dict[str, np.ndarray]

    def to_frame(self) -> Any:
        """The user's own table, repaired: types, index and whatever is not scored are as they were."""
        return self.user_table.replace_cells({name: self.table[name] for name in self.places}, self.places)

    @property
    def changes(self) -> Any:
        """What was changed, as a dataframe."""
        return self.user_table.to_native(self.changed, aligned=False)

    def columns(self) -> dict[str, Any]:
        """All columns of the data, in their order."""
        return self.table


def repair(
    model: Model,
    data: Any,
    *,
    threshold: float | None = None,
    value: str = "mean",
    seed: int | None = None,
) -> Repaired:
    """Fill the holes of the scored columns; with a threshold, replace suspicious cells too.

    What is put in comes from the distribution that is predicted for the cell from those of its row that are
    there. The mean has the smallest squared error, the median the smallest absolute one, the mode is the
    likeliest; the likeliest label is all three. A draw is as scattered as the data are, which means are not.

    The holes of a row are drawn one after the other, each given those before it, so that they fit together.
    Tables drawn with several seeds are a multiple imputation: where they differ, nobody knows (Rubin,
    "Multiple imputation for nonresponse in surveys", 1987).

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        threshold: replace cells that are wrong with at least this probability; None to fill holes only.
        value: "mean", "median" or "mode" of the predicted distribution, or a "draw" from it; draws need a
            masked network, which the default recipe has, and a table without pictures.
        seed: of draws: the same seed puts the same values into the same rows; None for others each time.

    Returns:
        the data, repaired, and a list of what was changed.

    Raises:
        OptionError: an option cannot work.
        UnsupportedError: the model cannot draw cells.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise OptionError(f"threshold={threshold!r}: expected a probability above 0", hint="threshold=0.9")
    if value not in VALUES:
        raise OptionError(f"value={value!r} is not known", hint=f"one of {', '.join(VALUES)}")
    engine, seed = model.engine_, resolve_seed(seed)
    if value == "draw" and (not samples_columnwise(engine) or engine.source.overlaps):
        raise UnsupportedError(
            "values can be drawn only where a table is read column by column",
            hint='value="median"; or Autoencoder("masked") or the default recipe, on a table',
        )
    frame = engine.read(data)
    predictions, frame = _predictions(engine, frame, threshold, "mean" if value == "draw" else value)
    doubts = _doubts(engine, frame, predictions["nats"], threshold)
    if value == "draw" and doubts:
        unsure = {kind: engine.cell_errors.wrong(nats) > 0.5 for kind, nats in predictions["nats"].items()}
        replaced = {name: doubt.replaced for name, doubt in doubts.items()}
        predictions["expected"] = sample_missing(engine, frame, replaced, unsure, seed)
    return _replaced(engine, frame, predictions, doubts)


@dataclass(frozen=True)
class Doubt:
    """What is doubtful in a column: (rows, *pixels) each.

    Attributes:
        missing: which cells have no value.
        p_wrong: the probability that each cell is wrong; 1 where it has no value.
        replaced: which cells get another value.
    """

    missing: np.ndarray
    p_wrong: np.ndarray
    replaced: np.ndarray


def _predictions(
    engine: Engine, frame: Frame, threshold: float | None, middle: str
) -> tuple[dict[str, dict[str, np.ndarray]], Frame]:
    """Return part -> kind -> (frame rows, fields, *cell), and the frame rows that were read."""
    follows = (engine.schema.fields[s.kind][s.index].follows_time for s in engine.schema.slots)
    scored = (s.name in engine.schema.scored for s in engine.schema.slots)
    windows_alone = all(f for f, s in zip(follows, scored, strict=True) if s)
    # Where nothing but missing points of windows is wanted, few windows answer, and no point is hidden.
    only_missing = windows_alone and threshold is None and engine.cell_network.corruption.masks
    if only_missing:
        frame = frame.only(engine.source.thin(frame, max(engine.source.length // MISSING_EVERY, 1)))
    tables: dict[str, dict[str, np.ndarray]] = {part: {} for part in READ}
    for rows, batch in engine.chunks(frame):
        cells = (
            engine.predictor.predict_missing(batch, middle)
            if only_missing
            else engine.cells(batch, middle=middle)
        )
        for part, table in tables.items():
            for kind, values in getattr(cells, part).items():
                if kind not in table:
                    table[kind] = np.full((frame.rows, *values.shape[1:]), np.nan, np.float32)
                table[kind][rows] = values
    return tables, frame


def _doubts(
    engine: Engine, frame: Frame, nats: Mapping[str, np.ndarray], threshold: float | None
) -> dict[str, Doubt]:
    """Return scored column -> what is to be replaced in it; columns without are left out."""
    columns, doubts = frame.user_table.columns(), {}
    for name in engine.schema.scored:
        slots = engine.schema.slots_of(name)
        evidence = sum(engine.to_user_rows(frame, s.kind, nats[s.kind][:, s.index]) for s in slots)
        missing = engine.schema[name].missing(columns[name])
        p_wrong = np.where(missing, 1.0, engine.cell_errors.wrong(np.asarray(evidence)))
        replaced = missing if threshold is None else missing | (p_wrong >= threshold)
        if replaced.any():
            doubts[name] = Doubt(missing, p_wrong, replaced)
    return doubts


def _replaced(
    engine: Engine,
    frame: Frame,
    predictions: Mapping[str, dict[str, np.ndarray]],
    doubts: Mapping[str, Doubt],
) -> Repaired:
    """Return the user's table with the doubtful cells replaced, and a list of the changes."""
    table: dict[str, Any] = dict(frame.user_table.columns())
    places: dict[str, np.ndarray] = {}
    lines: dict[str, list[Any]] = {name: [] for name in LINES}
    every, weights = (
        np.arange(frame.user_table.rows),
        precision_weights(predictions["low"], predictions["high"]),
    )
    for name, doubt in doubts.items():
        column, old = engine.schema[name], table[name]
        new = decode_column(engine, frame, name, predictions["expected"], every, weights)
        table[name] = column.replace_cells(old, new, doubt.replaced)
        # An image has pixels: it is changed if one of them is, and as wrong as the worst of those.
        places[name], missing, p_wrong = (
            part.reshape(len(part), -1).max(1)
            for part in (doubt.replaced, doubt.missing, np.where(doubt.replaced, doubt.p_wrong, 0))
        )
        picked = np.flatnonzero(places[name])
        shown = {"old": old.take(pa.array(picked)), "new": table[name].take(pa.array(picked))}
        if any(slot.kind != Symbol.kind for slot in engine.schema.slots_of(name)):
            for part in ("low", "high"):
                shown[part] = decode_column(engine, frame, name, predictions[part], picked, weights)
        for part in ("old", "new", "low", "high"):
            lines[part] += _texts(column, shown[part]) if part in shown else [None] * len(picked)
        lines["row"] += picked.tolist()
        lines["column"] += [name] * len(picked)
        lines["why"] += np.where(missing[picked], "missing", "suspicious").tolist()
        lines["p_wrong"] += p_wrong[picked].tolist()
    order = np.argsort(np.asarray(lines["row"], dtype=np.int64), kind="stable")
    types = {"row": pa.int64(), "p_wrong": pa.float64()}
    changed = {k: pa.array([v[i] for i in order], types.get(k, pa.string())) for k, v in lines.items()}
    return Repaired(frame.user_table, table, changed, places)


def _texts(column: Column, values: Values) -> list[str | None]:
    words = to_array(column.to_display(values)).to_pylist()
    return [None if word is None or word != word else str(word) for word in words]
