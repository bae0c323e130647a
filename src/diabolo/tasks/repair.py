"""Repair a table: fill missing values, and correct the cells whose right value is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.cleaning.joining import UNEXPECTED, JudgedCells
from diabolo.data.columns import Category, Column
from diabolo.data.columns.base import Values
from diabolo.data.columns.convert import plain_type, to_array
from diabolo.data.columns.image import is_image
from diabolo.data.fields import Symbol
from diabolo.data.sources import Frame, UserTable
from diabolo.engine import Engine
from diabolo.errors import OptionError, UnsupportedError
from diabolo.generation.sampling import sample_missing, samples_columnwise
from diabolo.generation.seeds import resolve_seed
from diabolo.tasks.accepted import accepted_values
from diabolo.tasks.base import Answer, Model, at_own_size, decode_column, precision_weights, to_values

VALUE_OPTIONS = ("mean", "median", "mode", "draw")
PREDICTION_PARTS = ("expected", "low", "high", "nats")  # attributes of `CellPredictions` that are used
N_WINDOWS_PER_POINT = 8  # that predict a missing point of a series
CHANGE_COLUMNS = ("row", "column", "old", "new", "low", "high", "why", "p_wrong")
SUSPECT_COLUMNS = ("row", "column", "observed", "why", "p_wrong")
SURE = 0.8  # P(wrong) times the probability of the right value, from which a cell is corrected (measured)
MISSING = "missing"  # why a missing value was filled
ACCEPTED = "accepted"  # why a cell was changed that is in a list of accepted corrections


@dataclass
class Repaired(Answer):
    """The user's table with missing values filled and wrong cells corrected.

    Attributes:
        table: column -> values; columns that are not judged are unchanged.
        changed: a line for each changed cell: row, column, old, new, low and high (5 % and 95 % quantiles of
            the prediction; None for a label or a correction), why ("missing", "accepted", or why the cell was
            wrong), and p_wrong (None for an accepted correction).
        doubtful: a line for each cell that is probably wrong, and was not changed because its right value is
            not known well enough: row, column, observed, why and p_wrong.
        places: column -> (rows,) which rows were changed; columns without changes are left out.
    """

    user_table: UserTable
    table: dict[str, Any]
    changed: dict[str, Any]
    doubtful: dict[str, Any]
    places: dict[str, np.ndarray]

    def to_frame(self) -> Any:
        """Return the repaired table; types, index and all else are unchanged."""
        return self.user_table.replace_cells({name: self.table[name] for name in self.places}, self.places)

    @property
    def changes(self) -> Any:
        """The changed cells, as a dataframe."""
        return self.user_table.to_native(self.changed, aligned=False)

    @property
    def suspects(self) -> Any:
        """The cells that are probably wrong and were not changed, as a dataframe."""
        return self.user_table.to_native(self.doubtful, aligned=False)

    def columns(self) -> dict[str, Any]:
        """Return all columns of the data, in their order."""
        return self.table


def repair(
    model: Model,
    data: Any,
    *,
    correct: bool = True,
    threshold: float | None = None,
    alike: bool = False,
    value: str = "mean",
    seed: int | None = None,
    accepted: Any = None,
) -> Repaired:
    """Fill the missing values of a table, and correct the cells whose right value is known.

    A cell is corrected where it is wrong in a way that tells what was meant (a typing error, a slip of the
    decimal point, a unit among numbers, a value that always comes with another one), with the probability
    `threshold`: that of being wrong, times that of the right value. Other suspicious cells are listed in
    `suspects` and left as they are. Of a series or of images, points and pixels are replaced by what is
    expected, where they are wrong with the probability `threshold`, if one is given.

    A missing value is filled from the distribution that is predicted for it, given the present cells of its
    row. The mean has the smallest squared error, the median the smallest absolute error, and the mode is the
    most likely value; of a label, all three are the most likely one. Samples vary as much as the data do;
    means vary less.

    The missing values of a row are sampled one after the other, each given those before it, so that they are
    consistent. Tables sampled with several seeds are a multiple imputation: their differences show how
    uncertain the values are (Rubin, "Multiple imputation for nonresponse in surveys", 1987).

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        correct: whether to correct cells of a table; False to fill missing values only.
        threshold: how probable a correction must be; None for 0.8. Of a series or of images: replace points
            or pixels that are wrong with at least this probability; None to fill missing values only.
        alike: whether to write values alike that are right, but in another format than most of their column:
            units, marks, upper and lower case.
        value: "mean", "median" or "mode" of the predicted distribution, or "draw" for a sample from it, for
            missing values; samples need a masked network, which the default recipe has, and a table without
            images.
        seed: the seed of samples: the same seed puts the same values into the same rows; None for other
            values at each call.
        accepted: corrections that were accepted, for example in a report: the path of a file, a dataframe or
            a mapping with the columns row, column and new. They are made, and no other cell is changed.
            A line without a new value is left out. With a column old, the data must still have that value.

    Returns:
        The repaired data, a list of the changes, and a list of the suspicious cells that were not changed.

    Raises:
        OptionError: `threshold` is no probability above 0, `value` is not known, `seed` is invalid, or
            `accepted` is combined with one of them.
        UnsupportedError: the model cannot sample cells.
        DataError: the data or the accepted corrections cannot be read, columns are missing, or an accepted
            correction does not fit the data.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise OptionError(f"threshold={threshold!r}: expected a probability above 0", hint="threshold=0.9")
    if value not in VALUE_OPTIONS:
        raise OptionError(f"value={value!r} is not known", hint=f"one of {', '.join(VALUE_OPTIONS)}")
    if accepted is not None and (threshold is not None or alike or value != "mean" or seed is not None):
        raise OptionError(
            "accepted: only the accepted corrections are made, and other options of a repair have no effect",
            hint="repair(data, accepted=...), and then repair(...) of the result",
        )
    engine, seed = model.engine_, resolve_seed(seed)
    if accepted is not None:
        return _make_accepted(engine, engine.read(data).user_table, accepted)
    if value == "draw" and (not samples_columnwise(engine) or engine.source.overlaps):
        raise UnsupportedError(
            'value="draw": this model cannot sample single cells; a masked network on a table can',
            hint='value="median"; or Autoencoder("masked") or the default recipe, on a table',
        )
    frame = engine.read(data)
    by_network = threshold if correct else None
    predictions, frame = _predict(engine, frame, by_network, "mean" if value == "draw" else value)
    defects = _find_defects(engine, frame, predictions["nats"], by_network)
    if value == "draw" and defects:
        # Samples are not conditioned on cells that are probably wrong.
        unreliable = {
            kind: engine.cell_errors.wrong(nats) > UNEXPECTED for kind, nats in predictions["nats"].items()
        }
        replaced = {name: defect.replaced for name, defect in defects.items()}
        predictions["expected"] = sample_missing(engine, frame, replaced, unreliable, seed)
    repaired = _replace(engine, frame, predictions, defects)
    if engine.table_errors is None or not correct:
        return repaired
    return _correct(engine, repaired, _judge(engine, frame, predictions["nats"]), threshold or SURE, alike)


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
    """Return column -> its cells to replace; columns without any are left out.

    Of columns that are checked only missing values are replaced by what is expected: see `_correct`.
    """
    columns, defects = frame.user_table.columns(), {}
    checked = () if engine.table_errors is None else engine.table_errors.kinds
    for name in engine.schema.predicted:
        if name in engine.source.images:
            if is_image(columns[name].type):
                missing = engine.schema[name].missing(columns[name])
                if missing.any():
                    defects[name] = _Defects(missing, missing.astype(float), missing)
            continue  # an image in a file is whole, and one that is not there has no size
        slots = engine.schema.slots_of(name)
        evidence = sum(engine.to_user_rows(frame, s.kind, nats[s.kind][:, s.index]) for s in slots)
        missing = engine.schema[name].missing(columns[name])
        p_wrong = np.where(missing, 1.0, engine.cell_errors.wrong(np.asarray(evidence)))
        by_missing = threshold is None or name in checked
        replaced = missing if by_missing else missing | (p_wrong >= threshold)
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
        new = at_own_size(engine, frame, name, new)
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
            lines[part] += to_texts(column, shown[part]) if part in shown else [None] * len(picked)
        lines["row"] += picked.tolist()
        lines["column"] += [name] * len(picked)
        lines["why"] += np.where(missing[picked], MISSING, "unlikely given its surroundings").tolist()
        # A missing value is no wrong one: there is nothing to be wrong.
        lines["p_wrong"] += [None if missing[row] else float(p_wrong[row]) for row in picked]
    doubtful: dict[str, Any] = {name: [] for name in SUSPECT_COLUMNS}
    return Repaired(frame.user_table, table, _by_row(lines), _by_row(doubtful), places)


def _by_row(lines: Mapping[str, list[Any]]) -> dict[str, pa.Array]:
    """Return lines in the order of their rows."""
    order = np.argsort(np.asarray(lines["row"], dtype=np.int64), kind="stable")
    types = {"row": pa.int64(), "p_wrong": pa.float64()}
    return {
        k: pa.array([v[i] for i in order], types.get(k, pa.string()), from_pandas=True)
        for k, v in lines.items()
    }


def judge_rows(engine: Engine, frame: Frame, wanted: np.ndarray) -> JudgedCells:
    """Return how likely the cells of some rows of a table are wrong, and why.

    Args:
        engine: the fitted engine.
        frame: the rows that were read.
        wanted: the numbers of the rows, counted from 0.
    """
    if len(wanted) < frame.user_table.rows:
        frame, wanted = engine.source.narrow(frame, wanted)
    predictions, frame = _predict(engine, frame, None, "mean")
    return _judge(engine, frame, predictions["nats"])


def _judge(engine: Engine, frame: Frame, nats: Mapping[str, np.ndarray]) -> JudgedCells:
    """Return how likely the cells of a table are wrong."""
    rows = np.arange(frame.user_table.rows)
    by_column = engine.parts.by_column(frame, nats, rows, np.fmax)
    known = dict(zip(engine.schema.scored, by_column.T, strict=True))
    return engine.judge_cells(frame.user_table.columns(), known)


def _correct(
    engine: Engine, repaired: Repaired, judged: JudgedCells, threshold: float, alike: bool
) -> Repaired:
    """Correct the cells whose right value is known, and list the other suspicious ones."""
    table, places, schema = dict(repaired.table), dict(repaired.places), engine.schema
    lines: dict[str, list[Any]] = {name: values.to_pylist() for name, values in repaired.changed.items()}
    doubtful: dict[str, list[Any]] = {name: [] for name in SUSPECT_COLUMNS}
    for number, name in enumerate(judged.names):
        column = schema[name]
        p_wrong, why = judged.p_wrong[:, number], judged.reasons(name)
        old, changed = table[name], np.zeros(len(p_wrong), bool)
        if name in judged.verdicts:
            sure = judged.sure(name, threshold, alike)
            new = to_values(judged.verdicts[name].suggestions, sure, plain_type(old.type))
            changed = new.is_valid().to_numpy(zero_copy_only=False)
            if changed.any():
                table[name] = column.replace_cells(old, new, changed)
                places[name] = places.get(name, False) | changed
        _add_change(lines, column, old, table[name], changed)
        _add(lines, name, np.flatnonzero(changed), why, p_wrong)
        left = np.flatnonzero((p_wrong >= UNEXPECTED) & ~changed)
        doubtful["observed"] += to_texts(column, old.take(pa.array(left)))
        _add(doubtful, name, left, why, p_wrong)
    return Repaired(repaired.user_table, table, _by_row(lines), _by_row(doubtful), places)


def _make_accepted(engine: Engine, user_table: UserTable, accepted: Any) -> Repaired:
    """Make the corrections of a list, and no others."""
    table: dict[str, Any] = dict(user_table.columns())
    places: dict[str, np.ndarray] = {}
    lines: dict[str, list[Any]] = {name: [] for name in CHANGE_COLUMNS}
    used = {entry.name: entry.column for entry in engine.schema.used if entry.column is not None}
    for name, new in accepted_values(accepted, table).items():
        old, column = table[name], used.get(name, Category())
        places[name] = new.is_valid().to_numpy(zero_copy_only=False)
        table[name] = column.replace_cells(old, new, places[name])
        _add_change(lines, column, old, table[name], places[name])
        rows = np.flatnonzero(places[name])
        _add(lines, name, rows, [ACCEPTED] * len(new), np.full(len(new), np.nan))
    doubtful: dict[str, Any] = {name: [] for name in SUSPECT_COLUMNS}
    return Repaired(user_table, table, _by_row(lines), _by_row(doubtful), places)


def _add_change(
    lines: dict[str, list[Any]], column: Column, old: pa.Array, new: pa.Array, changed: np.ndarray
) -> None:
    """Add the old and the new values of the changed cells of a column to lines."""
    rows = pa.array(np.flatnonzero(changed))
    lines["old"] += to_texts(column, old.take(rows))
    lines["new"] += to_texts(column, new.take(rows))
    lines["low"] += [None] * len(rows)
    lines["high"] += [None] * len(rows)


def _add(
    lines: dict[str, list[Any]], name: str, rows: np.ndarray, why: list[str | None], p_wrong: np.ndarray
) -> None:
    """Add the row, the column, the reason and the probability of some cells to lines."""
    lines["row"] += rows.tolist()
    lines["column"] += [name] * len(rows)
    lines["why"] += [why[row] for row in rows]
    lines["p_wrong"] += p_wrong[rows].tolist()


def to_texts(column: Column, values: Values) -> list[str | None]:
    """Return the values of a column as text; None for missing values and NaN.

    Args:
        column: of a model, or `Category` for one that it does not read.
        values: of the column.
    """
    displayed = to_array(column.to_display(values))
    try:
        shown = displayed.to_pylist()
    except (OverflowError, ValueError):  # years that a date of Python cannot have
        shown = displayed.cast(pa.int64()).to_pylist()
    return [None if value is None or value != value else str(value) for value in shown]
