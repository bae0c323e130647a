"""Repair a table: fill missing values and replace suspicious cells."""

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

VALUE_OPTIONS = ("mean", "median", "mode", "draw")
PREDICTION_PARTS = ("expected", "low", "high", "nats")  # attributes of `CellPredictions` that are used
N_WINDOWS_PER_POINT = 8  # that predict a missing point of a series
CHANGE_COLUMNS = ("row", "column", "old", "new", "low", "high", "why", "p_wrong")


@dataclass
class Repaired(Answer):
    """The user's table with missing values filled and, on request, suspicious cells replaced.

    Attributes:
        table: column -> values; columns that are not scored are unchanged.
        changed: a line for each changed cell: row, column, old, new, low and high (5 % and 95 % quantiles of
            the prediction; None for a label), why ("missing" or "suspicious"), and p_wrong.
        places: column -> (rows,) which rows were changed; columns without changes are left out.
    """

    user_table: UserTable
    table: dict[str, Any]
    changed: dict[str, Any]
    places: dict[str, np.ndarray]

    def to_frame(self) -> Any:
        """Return the repaired table; types, index and columns that are not scored are unchanged."""
        return self.user_table.replace_cells({name: self.table[name] for name in self.places}, self.places)

    @property
    def changes(self) -> Any:
        """The changed cells, as a dataframe."""
        return self.user_table.to_native(self.changed, aligned=False)

    def columns(self) -> dict[str, Any]:
        """Return all columns of the data, in their order."""
        return self.table


def repair(
    model: Model,
    data: Any,
    *,
    threshold: float | None = None,
    value: str = "mean",
    seed: int | None = None,
) -> Repaired:
    """Fill the missing values of the scored columns; with a threshold, replace suspicious cells too.

    The new value comes from the distribution that is predicted for the cell, given the present cells of its
    row. The mean has the smallest squared error, the median the smallest absolute error, and the mode is the
    most likely value; of a label, all three are the most likely one. Samples vary as much as the data do;
    means vary less.

    The missing values of a row are sampled one after the other, each given those before it, so that they are
    consistent. Tables sampled with several seeds are a multiple imputation: their differences show how
    uncertain the values are (Rubin, "Multiple imputation for nonresponse in surveys", 1987).

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        threshold: replace cells that are wrong with at least this probability; None to fill missing values
            only.
        value: "mean", "median" or "mode" of the predicted distribution, or "draw" for a sample from it;
            samples need a masked network, which the default recipe has, and a table without images.
        seed: the seed of samples: the same seed puts the same values into the same rows; None for other
            values at each call.

    Returns:
        The repaired data, and a list of the changes.

    Raises:
        OptionError: `threshold` is no probability above 0, `value` is not known, or `seed` is invalid.
        UnsupportedError: the model cannot sample cells.
        DataError: the data cannot be read, or columns are missing.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise OptionError(f"threshold={threshold!r}: expected a probability above 0", hint="threshold=0.9")
    if value not in VALUE_OPTIONS:
        raise OptionError(f"value={value!r} is not known", hint=f"one of {', '.join(VALUE_OPTIONS)}")
    engine, seed = model.engine_, resolve_seed(seed)
    if value == "draw" and (not samples_columnwise(engine) or engine.source.overlaps):
        raise UnsupportedError(
            'value="draw": this model cannot sample single cells; a masked network on a table can',
            hint='value="median"; or Autoencoder("masked") or the default recipe, on a table',
        )
    frame = engine.read(data)
    predictions, frame = _predict(engine, frame, threshold, "mean" if value == "draw" else value)
    defects = _find_defects(engine, frame, predictions["nats"], threshold)
    if value == "draw" and defects:
        # Samples are not conditioned on cells that are probably wrong.
        unreliable = {
            kind: engine.cell_errors.wrong(nats) > 0.5 for kind, nats in predictions["nats"].items()
        }
        replaced = {name: defect.replaced for name, defect in defects.items()}
        predictions["expected"] = sample_missing(engine, frame, replaced, unreliable, seed)
    return _replace(engine, frame, predictions, defects)


@dataclass(frozen=True)
class _Defects:
    """The missing and suspicious cells of a column, (rows, *pixels) each.

    Attributes:
        missing: which cells have no value.
        p_wrong: the probability that each cell is wrong; 1 where it has no value.
        replaced: which cells get a new value.
    """

    missing: np.ndarray
    p_wrong: np.ndarray
    replaced: np.ndarray


def _predict(
    engine: Engine, frame: Frame, threshold: float | None, middle: str
) -> tuple[dict[str, dict[str, np.ndarray]], Frame]:
    """Return part -> kind -> (frame rows, fields, *cell) predictions, and the frame rows they are of."""
    follows = (engine.schema.fields[s.kind][s.index].follows_time for s in engine.schema.slots)
    scored = (s.name in engine.schema.scored for s in engine.schema.slots)
    windows_alone = all(f for f, s in zip(follows, scored, strict=True) if s)
    # If only missing points of windows are needed, few windows predict them, and no present point is hidden.
    only_missing = windows_alone and threshold is None and engine.cell_network.corruption.masks
    if only_missing:
        frame = frame.only(engine.source.thin(frame, max(engine.source.length // N_WINDOWS_PER_POINT, 1)))
    tables: dict[str, dict[str, np.ndarray]] = {part: {} for part in PREDICTION_PARTS}
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


def _find_defects(
    engine: Engine, frame: Frame, nats: Mapping[str, np.ndarray], threshold: float | None
) -> dict[str, _Defects]:
    """Return scored column -> its cells to replace; columns without any are left out."""
    columns, defects = frame.user_table.columns(), {}
    for name in engine.schema.scored:
        slots = engine.schema.slots_of(name)
        evidence = sum(engine.to_user_rows(frame, s.kind, nats[s.kind][:, s.index]) for s in slots)
        missing = engine.schema[name].missing(columns[name])
        p_wrong = np.where(missing, 1.0, engine.cell_errors.wrong(np.asarray(evidence)))
        replaced = missing if threshold is None else missing | (p_wrong >= threshold)
        if replaced.any():
            defects[name] = _Defects(missing, p_wrong, replaced)
    return defects


def _replace(
    engine: Engine,
    frame: Frame,
    predictions: Mapping[str, dict[str, np.ndarray]],
    defects: Mapping[str, _Defects],
) -> Repaired:
    """Return the user's table with its defects replaced, and a list of the changes."""
    table: dict[str, Any] = dict(frame.user_table.columns())
    places: dict[str, np.ndarray] = {}
    lines: dict[str, list[Any]] = {name: [] for name in CHANGE_COLUMNS}
    rows = np.arange(frame.user_table.rows)
    weights = precision_weights(predictions["low"], predictions["high"])
    for name, defect in defects.items():
        column, old = engine.schema[name], table[name]
        new = decode_column(engine, frame, name, predictions["expected"], rows, weights)
        table[name] = column.replace_cells(old, new, defect.replaced)
        # An image is changed if one of its pixels is, and its p_wrong is the highest among those.
        places[name], missing, p_wrong = (
            part.reshape(len(part), -1).max(1)
            for part in (defect.replaced, defect.missing, np.where(defect.replaced, defect.p_wrong, 0))
        )
        picked = np.flatnonzero(places[name])
        shown = {"old": old.take(pa.array(picked)), "new": table[name].take(pa.array(picked))}
        if any(slot.kind != Symbol.kind for slot in engine.schema.slots_of(name)):
            for part in ("low", "high"):
                shown[part] = decode_column(engine, frame, name, predictions[part], picked, weights)
        for part in ("old", "new", "low", "high"):
            lines[part] += _to_texts(column, shown[part]) if part in shown else [None] * len(picked)
        lines["row"] += picked.tolist()
        lines["column"] += [name] * len(picked)
        lines["why"] += np.where(missing[picked], "missing", "suspicious").tolist()
        lines["p_wrong"] += p_wrong[picked].tolist()
    order = np.argsort(np.asarray(lines["row"], dtype=np.int64), kind="stable")
    types = {"row": pa.int64(), "p_wrong": pa.float64()}
    changed = {k: pa.array([v[i] for i in order], types.get(k, pa.string())) for k, v in lines.items()}
    return Repaired(frame.user_table, table, changed, places)


def _to_texts(column: Column, values: Values) -> list[str | None]:
    """Return the values of a column as text for display; None for missing values and NaN."""
    shown = to_array(column.to_display(values)).to_pylist()
    return [None if value is None or value != value else str(value) for value in shown]
