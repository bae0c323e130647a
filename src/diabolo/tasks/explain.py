"""Explain rows: the evidence against each cell, the expected values, and the most similar rows of the fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from diabolo.data.columns.convert import plain_values, to_array
from diabolo.data.columns.image import Image, is_image, to_pixels
from diabolo.data.fields import Batch, Pixels, Symbol
from diabolo.data.sources import Frame, UserTable
from diabolo.detection import EncodedRows
from diabolo.detection.cells import CellPredictions
from diabolo.detection.memory import Neighbours
from diabolo.engine import Engine
from diabolo.errors import OptionError
from diabolo.tasks.base import Answer, Model, decode_column, precision_weights, with_right_values
from diabolo.utils.checks import check_int

BITS_OF_TYPICAL = 10.0  # of a pixel that is as anomalous as one normal pixel in a thousand: log2(1,000)


@dataclass
class Explanation(Answer):
    """An explanation of rows, with one line for each scored cell: row by row, in the order of the columns.

    Attributes:
        rows: (rows,) the explained rows, counted from 0.
        names: the scored columns.
        observed: column -> (rows,) its values, in the column's own type.
        expected: column -> (rows,) the predicted median, or the most likely label; likewise. Of a cell that
            is probably wrong: the right value, where it is known. None of other text that is no label.
        low, high: column -> (rows,) the 5 % and 95 % quantiles of the prediction; None for a label.
        bits: (rows, columns) evidence that the cell is wrong; 0 where it has no value. Of an image: that of
            its most anomalous pixel.
        p_wrong: (rows, columns) probability that the cell is wrong.
        why: column -> (rows,) why the cell is suspicious, in a few words; None for cells that are not.
        share: (rows, columns) the share of the cell in the evidence against its row, in percent; sums to 100
            in each row.
        neighbours: the columns of `nearest`: row, distance, and the values of the most similar remembered
            rows; for a series, the time at which the most similar window starts.
        maps: image column -> for each row (height, width) how anomalous each pixel is, in bits: one normal
            pixel in a thousand has 10. One array, or a list of arrays if the sizes of the images differ.
    """

    user_table: UserTable
    rows: np.ndarray
    names: list[str]
    observed: dict[str, pa.Array]
    expected: dict[str, pa.Array]
    low: dict[str, pa.Array | None]
    high: dict[str, pa.Array | None]
    bits: np.ndarray
    p_wrong: np.ndarray
    why: dict[str, list[str | None]]
    share: np.ndarray
    neighbours: dict[str, Any]
    maps: dict[str, Sequence[np.ndarray]]

    @property
    def nearest(self) -> Any:
        """The most similar remembered rows of each explained row, as a dataframe."""
        return self.user_table.to_native(self.neighbours, aligned=False)

    def first(self, count: int) -> Explanation:
        """Return the explanation of the first `count` of the explained rows."""

        def cut(table: dict[str, Any]) -> dict[str, Any]:
            return {k: None if v is None else v[:count] for k, v in table.items()}

        lines = count * (len(self.neighbours.get("row", ())) // max(len(self.rows), 1))
        return replace(
            self,
            rows=self.rows[:count],
            observed=cut(self.observed),
            expected=cut(self.expected),
            low=cut(self.low),
            high=cut(self.high),
            bits=self.bits[:count],
            p_wrong=self.p_wrong[:count],
            why=cut(self.why),
            share=self.share[:count],
            neighbours={k: v[:lines] for k, v in self.neighbours.items()},
            maps=cut(self.maps),
        )

    def value(self, part: str, column: str, line: int) -> Any:
        """Return one value, or None for the range of a label.

        Args:
            part: "observed", "expected", "low" or "high".
            column: the name of the column.
            line: the position of the row among the explained ones.
        """
        values = getattr(self, part)[column]
        if values is None:
            return None
        return to_pixels(values[line : line + 1])[0] if is_image(values.type) else values[line].as_py()

    def columns(self) -> dict[str, Any]:
        """Return row, column, observed, expected, low, high, bits, p_wrong, share and why of each cell.

        The values are numbers if all columns are, else text, because a column of a dataframe has one type.
        """
        numeric = all(
            pa.types.is_integer(v.type) or pa.types.is_floating(v.type) for v in self.observed.values()
        )
        target = pa.float64() if numeric else pa.string()
        lines = {"row": np.repeat(self.rows, len(self.names)), "column": self.names * len(self.rows)}
        for name in ("observed", "expected", "low", "high"):
            values = getattr(self, name)
            empty = pa.nulls(len(self.rows), target)
            columns = [empty if values[n] is None else _to_type(values[n], target) for n in self.names]
            # From column by column to row by row.
            order = np.arange(len(columns) * len(self.rows)).reshape(len(columns), -1).T.ravel()
            lines[name] = pa.concat_arrays(columns).take(pa.array(order))
        return {
            **lines,
            "bits": self.bits.ravel(),
            "p_wrong": self.p_wrong.ravel(),
            "share": self.share.ravel(),
            "why": pa.array(
                [self.why[n][line] for line in range(len(self.rows)) for n in self.names], pa.string()
            ),
        }


def explain(
    model: Model, data: Any, *, rows: Sequence[int] | None = None, neighbours: int = 1
) -> Explanation:
    """Explain rows: the evidence against each cell, the expected values, and the most similar rows.

    Of a table, `why` says in a few words what is wrong with a cell, such as "typo of 'birmingham'".

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        rows: the rows to explain, counted from 0; None for all.
        neighbours: the number of similar remembered rows for each row; 0 is faster, and then `share` does not
            include the distance to the nearest one.

    Returns:
        The explanation, with one line for each scored cell of each row.

    Raises:
        OptionError: a row is not in the data, or `neighbours` is not an integer of at least 0.
        DataError: the data cannot be read, or columns are missing.
    """
    engine, neighbours = model.engine_, check_int("neighbours", neighbours, least=0)
    frame = engine.read(data)
    wanted = (
        np.arange(frame.user_table.rows) if rows is None else np.asarray(rows, dtype=np.int64).reshape(-1)
    )
    if len(wanted) and (wanted.min() < 0 or wanted.max() >= frame.user_table.rows):
        outside = wanted.min() if wanted.min() < 0 else wanted.max()
        raise OptionError(
            f"rows: row {outside} is not in the data, which has {frame.user_table.rows} rows",
            hint=f"rows are counted from 0 to {frame.user_table.rows - 1}",
        )
    if len(wanted) == 0:
        return explain(model, data, rows=[0], neighbours=neighbours).first(0)
    origin = wanted
    frame, wanted = engine.source.narrow(frame, wanted)
    batch = Batch.concatenate([part for _, part in engine.chunks(frame)])
    cells = _predicted(model, frame, batch, wanted)
    encoded = EncodedRows(engine.parts, batch, frame.positions)
    nearest = encoded.neighbours(neighbours) if neighbours else None
    nats = engine.parts.by_column(frame, cells.nats, wanted, np.fmax)
    share = engine.rows.shares(frame, encoded, wanted, nats, with_memory=nearest is not None)
    scored, columns = engine.schema.scored, frame.user_table.columns()
    asked = {n: v.take(pa.array(wanted)) for n, v in columns.items()}
    judged = engine.judge_cells(asked, dict(zip(scored, nats.T, strict=True)))
    names = list(judged.names)
    weights = precision_weights(cells.low, cells.high)

    def decode(table: dict[str, np.ndarray]) -> dict[str, pa.Array]:
        return {n: decode_column(engine, frame, n, table, wanted, weights) for n in engine.schema.predicted}

    has_range = {n: any(s.kind != Symbol.kind for s in engine.schema.slots_of(n)) for n in scored}
    no_range = dict.fromkeys(names)
    low, high = (
        no_range | {n: v if has_range[n] else None for n, v in decode(t).items()}
        for t in (cells.low, cells.high)
    )
    decoded = decode(cells.expected)
    unknown = {n: pa.nulls(len(wanted), asked[n].type) for n in names if n not in decoded}
    expected = unknown | decoded
    return Explanation(
        user_table=frame.user_table,
        rows=origin,
        names=names,
        observed={n: _shown(engine, frame, n, wanted, asked[n]) for n in names},
        expected={n: with_right_values(expected[n], judged, n) for n in names},
        low=low,
        high=high,
        bits=np.nan_to_num(judged.nats) / np.log(2),
        p_wrong=judged.p_wrong,
        why={n: judged.reasons(n) for n in names},
        share=share[:, [scored.index(name) for name in names]] * 100,
        neighbours=_nearest(engine, frame, nearest, wanted, origin),
        maps=_pixel_maps(engine, frame, cells),
    )


def _shown(engine: Engine, frame: Frame, name: str, wanted: np.ndarray, values: pa.Array) -> pa.Array:
    """Return observed values; of images that networks read at a smaller size, the images at that size."""
    if name not in engine.source.images:
        return values
    return to_array(frame.columns[name]).take(pa.array(wanted))


def _predicted(model: Model, frame: Frame, batch: Batch, wanted: np.ndarray) -> CellPredictions:
    """Predict the cells of the frame rows that cover the wanted rows.

    The expected value is the median: of a number that is mostly 0 and rarely large, hardly any row has
    the mean.
    """
    engine = model.engine_
    predictions, covering = CellPredictions.empty(batch), engine.source.covering(frame, wanted)
    suspects = None
    if engine.source.overlaps:
        suspects = suspect_points(model, frame, batch, engine.bits(frame))
        suspects = suspects and {kind: points[covering] for kind, points in suspects.items()}
    found = engine.cells(batch[torch.from_numpy(covering)], suspects=suspects, middle="median")
    predictions.update(found, covering)
    return predictions


def _pixel_maps(engine: Engine, frame: Frame, cells: CellPredictions) -> dict[str, Sequence[np.ndarray]]:
    """Return image column -> for each row (height, width) how anomalous each pixel is, in bits."""
    slots = (s for s in engine.schema.slots if s.kind == Pixels.kind and s.name in engine.schema.scored)
    maps: dict[str, Any] = {
        s.name: np.nan_to_num(cells.nats[s.kind][:, s.index]).sum(1) / np.log(2) for s in slots
    }
    models = engine.images
    if models is not None and models.defects is not None:
        images, rows = models.images(frame)
        found = [np.zeros(part.shape) for part in maps[models.column]]
        for row, image in zip(rows.tolist(), images, strict=True):
            found[row] = models.defects.anomaly_map(image) / models.defects.typical * BITS_OF_TYPICAL
        same = len({part.shape for part in found}) == 1
        maps[models.column] = np.stack(found) if same else found
    return maps


def suspect_points(
    model: Model, frame: Frame, batch: Batch, bits: np.ndarray
) -> dict[str, torch.Tensor] | None:
    """Return kind -> (rows, fields, *cell) which points are at the peak of an alarm; None for a table.

    The expected values of these points must be predicted from the other points.

    Args:
        model: a fitted model.
        frame: the rows that were read.
        batch: the same rows, encoded.
        bits: (user rows,) anomaly scores; NaN where they are not known.
    """
    engine = model.engine_
    _, threshold = engine.calibration.alarm(model.alarm_rate)
    peaks = engine.source.peaks(frame, bits, threshold)
    if peaks is None:
        return None
    kinds = (k for k, fields in engine.schema.fields.items() if fields[0].follows_time)
    return {k: torch.from_numpy(peaks)[:, None].expand_as(batch.visible[k]) for k in kinds}


def _nearest(
    engine: Engine, frame: Frame, nearest: Neighbours | None, wanted: np.ndarray, origin: np.ndarray
) -> dict[str, Any]:
    """Return the remembered rows that are nearest to the wanted ones, as columns."""
    if nearest is None:
        nearest = Neighbours(np.zeros((frame.rows, 0), np.int64), np.zeros((frame.rows, 0)))
    index, distances = (engine.source.at_centre(frame, part)[wanted] for part in nearest)
    rows, picked = np.repeat(origin, index.shape[1]), index.ravel()
    known = picked >= 0
    found: dict[str, Any] = {"row": rows[known], "distance": distances.ravel()[known]}
    if engine.memory.positions is not None:
        return {**found, **engine.source.starts(engine.memory.positions[picked[known]], frame)}
    lines = np.arange(known.sum())
    # Without neighbours, the first remembered row is decoded for the types of the columns.
    memory = engine.memory.rows[torch.from_numpy(picked[known] if len(lines) else np.zeros(1, np.int64))]
    values = {k: v.numpy() for k, v in memory.values.items()}
    for entry in engine.schema.used:
        slots = engine.schema.slots_of(entry.name)
        visible = memory.visible[slots[0].kind][:, slots[0].index].numpy()
        present = np.asarray(visible.any(axis=tuple(range(1, visible.ndim))))
        column = engine.schema.decode(entry.name, values)
        found[entry.name] = column.take(pa.array(lines, mask=~present[: len(lines)]))
    return found


def _to_type(values: pa.Array, target: pa.DataType) -> pa.Array:
    """Return values as numbers or text for display."""
    values = plain_values(values)
    if is_image(values.type):
        return Image().to_display(values)
    if target == pa.string() and pa.types.is_floating(values.type):
        return pa.array([None if v is None else f"{v:.6g}" for v in values.to_pylist()], target)
    return values.cast(target, safe=False)
