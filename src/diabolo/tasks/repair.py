"""What should stand there?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Column, Window
from diabolo.data.columns.base import Values
from diabolo.data.columns.convert import to_array
from diabolo.data.fields import Symbol
from diabolo.data.sources import Frame, Series, UserTable
from diabolo.errors import OptionError, UnsupportedError
from diabolo.generation.sampling import column_by_column, draw_holes, resolve_seed
from diabolo.tasks.base import Answer, Model, decode_column, precision_weights

VALUES = ("mean", "median", "mode", "draw")
READ = ("expected", "low", "high", "nats")
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
    if value == "draw" and (not column_by_column(engine) or isinstance(engine.source, Series)):
        raise UnsupportedError(
            "values can be drawn only where a table is read column by column",
            hint='value="median"; or Autoencoder("masked") or the default recipe, on a table',
        )
    frame = engine.read(data)
    windows = all(engine.schema[name].kind == Window.kind for name in engine.schema.scored)
    only_holes = windows and threshold is None and engine.cell_network.corruption.masks
    if only_holes:
        frame = frame.only(few(frame, max(engine.source.length // 8, 1)))
    said: dict[str, dict[str, np.ndarray]] = {part: {} for part in READ}
    for rows, batch in engine.chunks(frame):
        middle = "mean" if value == "draw" else value
        cells = engine.guess(batch, middle) if only_holes else engine.cells(batch, middle=middle)
        for part, store in said.items():
            for kind, values in getattr(cells, part).items():
                if kind not in store:
                    store[kind] = np.full((frame.rows, *values.shape[1:]), np.nan, np.float32)
                store[kind][rows] = values

    sure = precision_weights(said["low"], said["high"])
    table: dict[str, Any] = dict(frame.user_table.columns())
    holes, doubts, replaced = {}, {}, {}
    for name in engine.schema.scored:
        evidence = sum(
            engine.to_user_rows(frame, s.kind, said["nats"][s.kind][:, s.index])
            for s in engine.schema.slots_of(name)
        )
        hole = engine.schema[name].missing(table[name])
        p_wrong = np.where(hole, 1.0, engine.cell_errors.wrong(np.asarray(evidence)))
        bad = hole if threshold is None else hole | (p_wrong >= threshold)
        if bad.any():
            holes[name], doubts[name], replaced[name] = hole, p_wrong, bad
    if value == "draw" and replaced:
        unsure = {kind: engine.cell_errors.wrong(nats) > 0.5 for kind, nats in said["nats"].items()}
        said["expected"] = draw_holes(engine, frame, replaced, unsure, seed)

    places: dict[str, np.ndarray] = {}
    lines: dict[str, list[Any]] = {name: [] for name in LINES}
    every = np.arange(frame.user_table.rows)
    for name, bad in replaced.items():
        old, new = table[name], decode_column(engine, frame, name, said["expected"], every, sure)
        table[name] = engine.schema[name].replace_cells(old, new, bad)
        # A picture has pixels: it is changed if one of them is, and as wrong as the worst of those.
        places[name], hole, p_wrong = (
            part.reshape(len(part), -1).max(1) for part in (bad, holes[name], np.where(bad, doubts[name], 0))
        )
        picked = np.flatnonzero(places[name])
        shown = {"old": old.take(pa.array(picked)), "new": table[name].take(pa.array(picked))}
        if any(slot.kind != Symbol.kind for slot in engine.schema.slots_of(name)):
            shown |= {
                part: decode_column(engine, frame, name, said[part], picked, sure) for part in ("low", "high")
            }
        for part in ("old", "new", "low", "high"):
            lines[part] += _texts(engine.schema[name], shown[part]) if part in shown else [None] * len(picked)
        lines["row"] += picked.tolist()
        lines["column"] += [name] * len(picked)
        lines["why"] += np.where(hole[picked], "hole", "suspicious").tolist()
        lines["p_wrong"] += p_wrong[picked].tolist()
    order = np.argsort(np.asarray(lines["row"], dtype=np.int64), kind="stable")
    types = {"row": pa.int64(), "p_wrong": pa.float64()}
    changed = {k: pa.array([v[i] for i in order], types.get(k, pa.string())) for k, v in lines.items()}
    return Repaired(frame.user_table, table, changed, places)


def few(frame: Frame, every: int) -> np.ndarray:
    """The windows of a series that are so many points apart, and the first and the last one of each."""
    start = frame.layout.start
    ends = np.flatnonzero(np.diff(start) > 1)
    return np.unique(np.r_[np.arange(0, len(start), every), ends, ends + 1, len(start) - 1])


def _texts(column: Column, values: Values) -> list[str | None]:
    words = to_array(column.to_display(values)).to_pylist()
    return [None if word is None or word != word else str(word) for word in words]
