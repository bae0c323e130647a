"""What should stand there?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.errors import OptionError
from diabolo.sources import Native
from diabolo.tasks.base import Answer, Model, decoded


@dataclass
class Repaired(Answer):
    """The user's own table with its holes filled, and suspicious cells replaced if asked.

    Attributes:
        table: column -> values; columns that are not scored are as they were.
        changed: one line for each changed cell: row, column, old, new, why, p_wrong.
        places: column -> (rows,) where it was changed.
    """

    native: Native
    table: dict[str, Any]
    changed: dict[str, Any]
    places: dict[str, np.ndarray]

    def to_frame(self) -> Any:
        """The user's own table, repaired: types, index and whatever is not scored are as they were."""
        return self.native.mend({name: self.table[name] for name in self.places}, self.places)

    @property
    def changes(self) -> Any:
        """What was changed, as a dataframe."""
        return self.native.give(self.changed, aligned=False)

    def columns(self) -> dict[str, Any]:
        """All columns of the data, in their order."""
        return self.table


def repair(model: Model, data: Any, *, threshold: float | None = None) -> Repaired:
    """Fill the holes of the scored columns; with a threshold, replace suspicious cells too.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        threshold: replace cells that are wrong with at least this probability; None to fill holes only.

    Returns:
        the data, repaired, and a list of what was changed.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise OptionError(f"threshold={threshold!r}: expected a probability above 0", hint="threshold=0.9")
    engine = model.engine_
    frame = engine.read(data)
    everything = np.arange(frame.native.rows)
    table: dict[str, Any] = dict(frame.native.columns())
    names = engine.schema.scored
    expected: dict[str, np.ndarray] = {}
    nats: dict[str, np.ndarray] = {}
    for rows, codes in engine.chunks(frame):
        cells = engine.cells(codes)
        for store, part in ((expected, cells.expected), (nats, cells.nats)):
            for kind, values in part.items():
                if kind not in store:
                    store[kind] = np.full((frame.rows, *values.shape[1:]), np.nan, np.float32)
                store[kind][rows] = values

    places: dict[str, np.ndarray] = {}
    lines: dict[str, list[Any]] = {k: [] for k in ("row", "column", "old", "new", "why", "p_wrong")}
    for name in names:
        old = table[name]
        evidence = sum(
            engine.place(frame, s.kind, nats[s.kind][:, s.index]) for s in engine.schema.slots_of(name)
        )
        column = engine.schema[name]
        hole = column.missing(old)
        p_wrong = np.where(hole, 1.0, engine.wrong(np.asarray(evidence)))
        replaced = hole if threshold is None else hole | (p_wrong >= threshold)
        if not replaced.any():
            continue
        new = decoded(engine, frame, name, expected, everything)
        table[name] = column.mend(old, new, replaced)
        # A picture has pixels: it is changed if one of them is, and as wrong as the worst of those.
        hole, replaced, p_wrong = (
            part.reshape(len(part), -1).max(1) for part in (hole, replaced, np.where(replaced, p_wrong, 0))
        )
        places[name] = replaced
        shown, was = column.in_words(table[name]), column.in_words(old)
        picked = np.flatnonzero(replaced)
        lines["row"] += picked.tolist()
        lines["column"] += [name] * len(picked)
        lines["old"] += [_text(was[int(i)]) for i in picked]
        lines["new"] += [_text(shown[int(i)]) for i in picked]
        lines["why"] += ["hole" if hole[i] else "suspicious" for i in picked]
        lines["p_wrong"] += p_wrong[picked].tolist()
    order = np.argsort(np.asarray(lines["row"], dtype=np.int64), kind="stable")
    types = {"row": pa.int64(), "p_wrong": pa.float64()}
    changed = {k: pa.array([v[i] for i in order], types.get(k, pa.string())) for k, v in lines.items()}
    return Repaired(frame.native, table, changed, places)


def _text(value: pa.Scalar) -> str | None:
    known = value.as_py()
    return None if known is None or known != known else str(known)
