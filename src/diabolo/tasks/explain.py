"""Which cell is odd, and what was expected there?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from diabolo.data.columns.image import Image, is_image, to_pixels
from diabolo.data.fields import Batch, Curve, Picture, Symbol
from diabolo.data.sources import Frame, Series, UserTable
from diabolo.detection.cells import CellPredictions
from diabolo.detection.subsequences import CoveredPoints
from diabolo.engine import Engine
from diabolo.errors import OptionError
from diabolo.tasks.base import Answer, Model, decode_column, precision_weights
from diabolo.utils.checks import check_int

HEART = 0.8  # of the highest bits of a stretch


@dataclass
class Explanation(Answer):
    """One line for each scored cell of each row asked for, row by row, in the order of the columns.

    Attributes:
        row: (lines,) the row, counted from 0.
        column: (lines,) the column.
        got, expected, low, high: column -> (rows,) its value, what was expected (the median, or the most
            likely label), and the range that holds nine values in ten; in the column's own type. A label has
            no range.
        bits: (rows, columns) evidence that the cell is wrong; 0 where it has no value. Of a picture: that of
            its oddest pixel.
        p_wrong: (rows, columns) probability that the cell is wrong.
        share: (rows, columns) percent of the row's oddness that is the cell's; sums to 100 in each row.
        maps: picture column -> (rows, height, width) the bits of each of its pixels.
        nearest: the most similar remembered rows: row, distance, and their columns; for a series, when
            the most similar window starts.
    """

    user_table: UserTable
    rows: np.ndarray
    names: list[str]
    got: dict[str, pa.Array]
    expected: dict[str, pa.Array]
    low: dict[str, pa.Array | None]
    high: dict[str, pa.Array | None]
    bits: np.ndarray
    p_wrong: np.ndarray
    share: np.ndarray
    neighbours: dict[str, Any]
    maps: dict[str, np.ndarray]

    @property
    def nearest(self) -> Any:
        """The most similar remembered rows, as a dataframe."""
        return self.user_table.to_native(self.neighbours, aligned=False)

    def first(self, count: int) -> Explanation:
        """Only the first rows."""

        def cut(table: dict[str, Any]) -> dict[str, Any]:
            return {k: None if v is None else v[:count] for k, v in table.items()}

        lines = count * (len(self.neighbours.get("row", ())) // max(len(self.rows), 1))
        return replace(
            self,
            rows=self.rows[:count],
            got=cut(self.got),
            expected=cut(self.expected),
            low=cut(self.low),
            high=cut(self.high),
            bits=self.bits[:count],
            p_wrong=self.p_wrong[:count],
            share=self.share[:count],
            neighbours={k: v[:lines] for k, v in self.neighbours.items()},
            maps=cut(self.maps),
        )

    def value(self, part: str, column: str, line: int) -> Any:
        """One value: of "got", "expected", "low" or "high", in a column, of the line-th explained row."""
        values = getattr(self, part)[column]
        if values is None:
            return None
        return to_pixels(values[line : line + 1])[0] if is_image(values.type) else values[line].as_py()

    def columns(self) -> dict[str, Any]:
        """Row, column, got, expected, low, high, bits, p_wrong, share of each cell.

        The values are numbers if all columns are, else text, because a column of a frame has one type.
        """
        numeric = all(pa.types.is_integer(v.type) or pa.types.is_floating(v.type) for v in self.got.values())
        target = pa.float64() if numeric else pa.string()
        lines = {"row": np.repeat(self.rows, len(self.names)), "column": self.names * len(self.rows)}
        for name in ("got", "expected", "low", "high"):
            values = getattr(self, name)
            blank = pa.nulls(len(self.rows), target)
            made = [blank if values[n] is None else _plain(values[n], target) for n in self.names]
            order = np.arange(len(made) * len(self.rows)).reshape(len(made), -1).T.ravel()
            lines[name] = pa.concat_arrays(made).take(pa.array(order))
        return {
            **lines,
            "bits": self.bits.ravel(),
            "p_wrong": self.p_wrong.ravel(),
            "share": self.share.ravel(),
        }


def explain(
    model: Model, data: Any, *, rows: Sequence[int] | None = None, neighbours: int = 1
) -> Explanation:
    """Which cells are odd, what was expected there, and which remembered rows are most alike?

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        rows: the rows to explain, counted from 0; all of them if not given.
        neighbours: similar rows wanted for each row; with 0 there are none, which is faster, and
            `share` leaves out how far the row is from the nearest one.

    Returns:
        one line for each scored cell of each row.

    Raises:
        OptionError: a row is not in the data, or an option cannot work.
    """
    engine, neighbours = model.engine_, check_int("neighbours", neighbours, least=0)
    frame = engine.read(data)
    wanted = (
        np.arange(frame.user_table.rows) if rows is None else np.asarray(rows, dtype=np.int64).reshape(-1)
    )
    if len(wanted) and (wanted.min() < 0 or wanted.max() >= frame.user_table.rows):
        raise OptionError(f"rows: row {wanted.max()} is not in data of {frame.user_table.rows} rows")
    if len(wanted) == 0:
        return explain(model, data, rows=[0], neighbours=neighbours).first(0)
    frame, wanted, origin = _narrowed(engine, frame, wanted)
    batch = Batch.concatenate([c for _, c in engine.chunks(frame)])
    # The median: of a number that is mostly 0 and rarely large, the mean is what hardly any row holds.
    cells, some = CellPredictions.empty(batch), _covering(engine, frame, wanted)
    hearts = suspects(model, frame, batch, engine.bits(frame)) if Curve.kind in batch.values else {}
    hidden = {kind: heart[some] for kind, heart in hearts.items()}
    cells.update(engine.cells(batch[some], suspects=hidden, middle="median"), some.numpy())
    places, distances = np.zeros((len(batch), 0), np.int64), np.zeros((len(batch), 0))
    names = engine.schema.scored

    def by_column(table: dict[str, np.ndarray], pixels: np.ufunc = np.add) -> np.ndarray:
        sums = []
        for name in names:
            slots = engine.schema.slots_of(name)
            found = [engine.to_user_rows(frame, s.kind, table[s.kind][:, s.index])[wanted] for s in slots]
            sums.append(sum(pixels.reduce(part.reshape(len(wanted), -1), axis=1) for part in found))
        return np.stack(sums, axis=1)

    nats = by_column(cells.nats, np.fmax)
    pictures = {s.name: s for s in engine.schema.slots if s.kind == Picture.kind and s.name in names}
    # A network that guesses hidden points says what is odd in a window by what it expects there.
    solved = Curve.kind in batch.values and engine.row_network.corruption.masks
    share = _percent(nats if solved else by_column(engine.parts(batch))) + by_column(_levels(engine, batch))
    share += _brief(engine, frame, batch)[wanted]
    if neighbours:
        remembered = engine.whole(batch)
        places, distances = engine.neighbours(remembered, frame.positions, k=neighbours)
        against, known = places[:, 0], engine.contains(batch)
        if known.any():
            against = np.where(known, engine.from_crowd(batch).places[:, 0], against)
        share += _percent(by_column(engine.memory.shares(remembered, against)))
    given = frame.user_table.columns()
    shown = {n: given[n].take(pa.array(wanted)) for n in names}
    sure = precision_weights(cells.low, cells.high)
    ranged = {n: any(s.kind != Symbol.kind for s in engine.schema.slots_of(n)) for n in names}
    return Explanation(
        user_table=frame.user_table,
        rows=origin,
        names=names,
        got=shown,
        expected={n: decode_column(engine, frame, n, cells.expected, wanted, sure) for n in names},
        low={
            n: decode_column(engine, frame, n, cells.low, wanted, sure) if ranged[n] else None for n in names
        },
        high={
            n: decode_column(engine, frame, n, cells.high, wanted, sure) if ranged[n] else None for n in names
        },
        bits=np.nan_to_num(nats) / np.log(2),
        p_wrong=engine.cell_errors.wrong(nats),
        share=_percent(share) * 100,
        neighbours=_nearest(engine, frame, places, distances, wanted, origin),
        maps={
            name: np.nan_to_num(cells.nats[slot.kind][:, slot.index]).sum(1) / np.log(2)
            for name, slot in pictures.items()
        },
    )


def _narrowed(engine: Engine, frame: Frame, wanted: np.ndarray) -> tuple[Frame, np.ndarray, np.ndarray]:
    """Read only what the wanted rows need: (frame, rows within it, rows within the data)."""
    if isinstance(engine.source, Series):
        # The windows that cover the rows, and those of the stretch around them, so that what is odd beside
        # them can be told.
        place, length = frame.layout, engine.source.length
        near = np.zeros(place.points + length, bool)
        for point in np.unique(place.point[wanted]):
            near[max(point - 2 * length + 1, 0) : point + length] = True
        return frame.only(np.flatnonzero(near[place.start])), wanted, wanted
    table = pa.table(frame.user_table.columns()).take(pa.array(wanted))
    user_table = UserTable(
        table, frame.user_table.library, _index(frame.user_table.index, wanted), frame.user_table.named
    )
    return engine.source.read(user_table), np.arange(len(wanted)), wanted


def _covering(engine: Engine, frame: Frame, wanted: np.ndarray) -> torch.Tensor:
    """The rows of the frame that speak of the wanted ones: of a series, the windows that cover them."""
    if not isinstance(engine.source, Series):
        return torch.arange(frame.rows)
    place, length = frame.layout, engine.source.length
    asked = np.zeros(place.points + length, bool)
    asked[place.point[wanted]] = True
    reach = np.convolve(asked, np.ones(length), mode="full")[length - 1 :]
    return torch.from_numpy(np.flatnonzero(reach[place.start] > 0.5))


def suspects(model: Model, frame: Frame, batch: Batch, bits: np.ndarray) -> dict[str, torch.Tensor]:
    """The points at the heart of an alarm: what was expected there must come from the others.

    A single odd point raises its neighbours for a window's length, in a triangle: its heart is the top.

    Args:
        model: a fitted model.
        frame: what is read.
        batch: its rows.
        bits: (user rows,) how odd each is; NaN where that is not known.
    """
    engine, place = model.engine_, frame.layout
    heart = np.zeros(place.points, bool)
    _, threshold = engine.calibration.alarm(model.alarm_rate)
    for stretch in engine.source.group_alarms(frame, np.nan_to_num(bits) > threshold):
        heart[place.point[stretch[bits[stretch] >= HEART * bits[stretch].max()]]] = True
    hidden = torch.from_numpy(heart[place.start[:, None] + np.arange(engine.source.length)])
    return {Curve.kind: hidden[:, None].expand_as(batch.visible[Curve.kind])}


def _levels(engine: Engine, batch: Batch) -> dict[str, np.ndarray]:
    """The level's part of each cell, in nats: of the channels that lie beyond their usual range."""
    parts = {k: np.zeros(v.shape) for k, v in batch.values.items()}
    if engine.level is not None:
        excess = engine.level.excess(batch)
        nats = np.log(engine.level.evidence(excess))[:, None]
        parts[Curve.kind] += (_percent(excess**2) * nats)[:, :, None]
    return parts


def _brief(engine: Engine, frame: Frame, batch: Batch) -> np.ndarray:
    """(user rows, columns) what single points and short stretches say, in nats, of each scored column."""
    names = engine.schema.scored
    table = np.zeros((frame.user_table.rows, len(names)))
    if engine.subsequences is not None:
        course = CoveredPoints.of(frame, engine.source.length, engine.subsequences.channels)
        course.take(slice(None), batch)
        found = engine.local_evidence(frame, course)
        for number, name in enumerate(names):
            for slot in (s for s in engine.schema.slots_of(name) if s.kind == Curve.kind):
                table[:, number] = found[:, slot.index]
    return table


def _index(index: Any, rows: np.ndarray) -> Any:
    return None if index is None else index[rows]


def _percent(table: np.ndarray) -> np.ndarray:
    """Each row in shares of its sum; even shares where the sum is 0."""
    table = np.nan_to_num(np.maximum(table, 0))
    total = table.sum(1, keepdims=True)
    return np.where(total > 0, table / np.where(total > 0, total, 1), 1 / table.shape[1])


def _nearest(
    engine: Engine,
    frame: Frame,
    index: np.ndarray,
    distances: np.ndarray,
    wanted: np.ndarray,
    origin: np.ndarray,
) -> dict[str, Any]:
    if isinstance(engine.source, Series):
        middle = engine.source.at_centre(frame, np.arange(frame.rows))[wanted]
        index, distances = index[middle], distances[middle]
    rows, picked = np.repeat(origin, index.shape[1]), index.ravel()
    known = picked >= 0
    if isinstance(engine.source, Series) and engine.memory.positions is not None:
        starts = engine.source.starts(engine.memory.positions[picked[known]], frame)
        return {"row": rows[known], "distance": distances.ravel()[known], **starts}
    lines = np.arange(known.sum())
    # Where no row was looked up there is none to decode: the first one says what the columns are like.
    memory = engine.memory.rows[torch.from_numpy(picked[known] if len(lines) else np.zeros(1, np.int64))]
    found: dict[str, Any] = {"row": rows[known], "distance": distances.ravel()[known]}
    values = {k: v.numpy() for k, v in memory.values.items()}
    for entry in engine.schema.used:
        slots = engine.schema.slots_of(entry.name)
        seen = memory.visible[slots[0].kind][:, slots[0].index].numpy()
        there = np.asarray(seen.any(axis=tuple(range(1, seen.ndim))))
        column = engine.schema.decode(entry.name, values)
        found[entry.name] = column.take(pa.array(lines, mask=~there[: len(lines)]))
    return found


def _plain(values: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if is_image(values.type):
        return Image().to_display(values)
    if target == pa.string() and pa.types.is_floating(values.type):
        return pa.array([None if v is None else f"{v:.6g}" for v in values.to_pylist()], target)
    return values.cast(target, safe=False)
