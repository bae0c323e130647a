"""What a fit leaves behind, and the questions that tasks are made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from diabolo.data.fields import Codes, Curve, Real, Symbol
from diabolo.data.fields.base import shares
from diabolo.data.schema import Schema, Slot
from diabolo.data.sources import Frame, Source, read_native
from diabolo.detection.calibration import Calibration
from diabolo.detection.cell_errors import Faults
from diabolo.detection.cells import Cells
from diabolo.detection.level import Level
from diabolo.detection.memory import Memory, Neighbours
from diabolo.detection.residuals import ROWS, Residuals, fill_holes, whole_windows
from diabolo.detection.seen_rows import SHARE, Crowd
from diabolo.detection.subsequences import Brief, Course
from diabolo.errors import SchemaError
from diabolo.generation.window_mixture import Loom
from diabolo.networks.bottlenecks import Identity
from diabolo.networks.network import Network
from diabolo.utils.torch_state import threads

CHUNK = 65_536  # rows that are in memory as tensors at once
HALVES = 4  # pairs of halves of a row, from which the surprise of its labels is read
ROOT = 0.4  # exponent of the residual in rows of numbers only: measured, docs/how-it-detects.md
NUMBERS = 4_000_000  # of wide rows, in windows or pictures, that are in memory at once

Target = tuple[Slot, tuple[slice, ...]]


@dataclass
class Engine:
    """A fitted model.

    Attributes:
        source, schema: how data is read.
        networks: name -> network; the first one answers for rows, the last one for cells.
        residuals: the usual errors of the first network.
        memory: remembered rows.
        calibration: from evidence to bits.
        crowd: how rows of the fit are judged; None for windows, pictures, and rows of labels only.
        level: where windows of a series usually lie; None for a table.
        brief: what single points and short stretches of a series are like; None for a table.
        loom: how windows of a series are distributed; None for a table, and where codes are drawn.
        faults: what wrong cells are like in data like that of the fit.
        axes: (centre, directions) of the codes, where `embed` needs them.
        history, notes: what happened in training.
        facts: what a user may want to know of the fit: rows, seconds, versions.
    """

    source: Source
    schema: Schema
    networks: dict[str, Network]
    residuals: Residuals
    memory: Memory
    calibration: Calibration
    crowd: Crowd | None = None
    level: Level | None = None
    brief: Brief | None = None
    loom: Loom | None = None
    faults: Faults = field(default_factory=Faults)
    axes: tuple[np.ndarray, np.ndarray] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    threads: int | None = 1

    @property
    def row_reader(self) -> Network:
        """The network that answers for rows."""
        return next(iter(self.networks.values()))

    @property
    def cell_reader(self) -> Network:
        """The network that answers for cells."""
        return list(self.networks.values())[-1]

    @property
    def has_codes(self) -> bool:
        """Whether new rows are decoded from codes that are drawn."""
        return hasattr(self.cell_reader.bottleneck, "latent") and not self.cell_reader.corruption.hides

    def read(self, data: Any) -> Frame:
        """The user's data as a frame; its columns are checked."""
        native = read_native(data)
        columns = native.table.num_columns
        if not native.named and columns != len(self.schema.entries):
            expected = len(self.schema.entries)
            raise SchemaError(
                f"X has {columns} features, but Autoencoder is expecting {expected} features as input",
                hint="give it the columns of the fit, in their order",
            )
        self.schema.check(native.table.column_names)
        return self.source.read(native)

    def chunks(self, frame: Frame) -> Iterator[tuple[slice, Codes]]:
        """The rows as codes, a piece at a time."""
        wide = max(math.prod(f[0].cell) for f in self.schema.fields.values())
        size = max(CHUNK // wide, min(512, NUMBERS // wide), 64)
        for rows in frame.chunks(size):
            yield rows, self.schema.encode(frame[rows])

    def bits(self, frame: Frame) -> np.ndarray:
        """(user rows,) how odd each row is; rows of the fit are judged by the crowd too."""
        odd, beside = np.empty(frame.rows), np.full(frame.rows, np.nan)
        course = None if self.brief is None else Course.of(frame, self.source.length, self.brief.channels)
        for rows, codes in self.chunks(frame):
            where = None if frame.positions is None else frame.positions[rows]
            if course is not None:
                course.take(rows, codes)
            evidence, known = self.evidence(codes, where), self.knows(codes)
            odd[rows] = self.calibration.join(evidence)
            if self.crowd is not None and known.any():
                seen = self.evidence_of_known(codes[torch.from_numpy(known)], evidence["residual"][known])
                beside[rows][known] = self.crowd.bits(seen)
        more = 0.0 if course is None else self.briefly(frame, course).max(1)
        bits = self.calibration.bits(self.source.fold(frame, odd) + more)
        return bits if self.crowd is None else self.crowd.join(bits, beside)

    def briefly(self, frame: Frame, course: Course) -> np.ndarray:
        """(user rows, channels) evidence of single points and short stretches, as a logarithm."""
        assert self.brief is not None
        with threads(self.threads):
            return course.fold(frame, self.brief.evidence(course))

    def knows(self, codes: Codes) -> np.ndarray:
        """(rows,) which rows are judged as rows of the fit."""
        return np.zeros(len(codes), bool) if self.crowd is None else self.crowd.knows(codes)

    def place(
        self, frame: Frame, kind: str, values: np.ndarray, trust: np.ndarray | None = None
    ) -> np.ndarray:
        """What was said of one field of every frame row, on the user's rows.

        The points of windows are averaged over the windows that cover them; anything else was read at the
        middle of its window, and belongs there.

        Args:
            frame: what was read.
            kind: of the field.
            values: (frame rows, *cell).
            trust: weights of the points in that mean; None for all alike.
        """
        if kind != Curve.kind:
            return self.source.pick(frame, values)
        if trust is None:
            return self.source.fold(frame, values)
        weights = np.where(np.isfinite(values), trust, np.nan)
        return np.asarray(self.source.fold(frame, values * weights) / self.source.fold(frame, weights))

    def evidence(self, codes: Codes, positions: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Evidence -> (rows,): residual, distance to the nearest remembered row, and level of a series."""
        # Rows of labels have few distances: the mean of five tells apart those that are alike.
        labels = set(codes.values) == {Symbol.kind}
        near = self.neighbours(self.whole(codes), positions, k=5 if labels else 1)
        finite = np.isfinite(near.distances)
        distance = np.where(finite, near.distances, 0).sum(1) / np.maximum(finite.sum(1), 1)
        found = {"distance": np.where(finite[:, 0], distance, np.inf)}
        # A network that guesses hidden points has seen all of a window here: what it says then is no news.
        if Curve.kind not in codes.values or not self.row_reader.corruption.hides:
            found["residual"] = self.residual(codes)
        if self.level is not None:
            found["level"] = self.level.evidence(self.level.excess(codes))
        return found

    def evidence_of_known(self, codes: Codes, residual: np.ndarray) -> dict[str, np.ndarray]:
        """Evidence -> (rows,) of rows of the fit, whose residual is known: that, and how far the crowd is."""
        return {"crowd": self.from_crowd(codes).distance, "residual": residual}

    def from_crowd(self, codes: Codes) -> Neighbours:
        """The farthest remembered row of the nearest tenth."""
        with threads(self.threads):
            return self.memory.search(codes, skip=max(round(SHARE * len(self.memory)), 1) - 1)

    def residual(self, codes: Codes) -> np.ndarray:
        """(rows,) how far the cells are from what the first network expects, as evidence."""
        parts = self.parts(codes)
        counts = sum(self._scored_cells(codes, k).reshape(len(codes), -1).sum(1) for k in parts)
        residual = self.residuals.rows(parts, np.asarray(counts))
        return residual**ROOT if set(parts) == {Real.kind} else residual

    def parts(self, codes: Codes) -> dict[str, np.ndarray]:
        """Kind -> (rows, fields, *cell): each cell's part of the squared residual of its row."""
        found: list[dict[str, np.ndarray]] = []
        for chunk in codes.chunks(ROWS):
            symbols = None
            if Symbol.kind in chunk.values and self.cell_reader.corruption.hides:
                symbols = self._rarity(chunk)
            with threads(self.threads):
                found.append(self.residuals.of(self.row_reader, self.filled(chunk).to(self.device), symbols))
        parts = {k: np.concatenate([f[k] for f in found]) for k in found[0]}
        return {k: np.where(self._scored_cells(codes, k), p, 0.0) for k, p in parts.items()}

    def _rarity(self, codes: Codes) -> np.ndarray:
        """(rows, fields) surprise of the symbols in nats: that of the row, read in any order.

        Given all other cells, a rare label that implies another rare one is no surprise; by its frequency
        alone, a wrong combination is none. Read one after the other, each cell is met with a share of the
        others known, on average over all orders with any share alike (Uria et al., "A deep and tractable
        density estimator", 2014): by Simpson's rule, with none, half and all of them.
        """
        here = self.cells(codes, kinds=(Symbol.kind,), recheck=False).surprise[Symbol.kind]
        rare, half = np.empty_like(here), np.zeros_like(here)
        for index, field_ in enumerate(self.schema.fields[Symbol.kind]):
            share = shares(field_.counts)  # type: ignore[attr-defined]
            rare[:, index] = -np.log(share)[codes.values[Symbol.kind][:, index].numpy()]
        for hidden in self._halves():
            half += self._hidden_surprise(codes, hidden) / HALVES
        return np.asarray((rare + 4 * half + here) / 6)

    def _halves(self) -> Iterator[dict[str, torch.Tensor]]:
        """Random halves of the scored columns, the same for all rows: each column is in `HALVES` of them."""
        random, names = np.random.default_rng(0), np.array(self.schema.scored)
        for _ in range(HALVES):
            for part in np.array_split(random.permutation(len(names)), 2):
                hidden = {kind: self._nothing(kind) for kind in self.schema.fields}
                for slot in (s for name in names[part] for s in self.schema.slots_of(name)):
                    hidden[slot.kind][0, slot.index] = True
                yield hidden

    @torch.no_grad()
    def _hidden_surprise(self, codes: Codes, hidden: dict[str, torch.Tensor]) -> np.ndarray:
        """(rows, fields) surprise of the hidden symbols in nats; 0 where they are not hidden."""
        rows, codes = len(codes), codes.padded()
        with threads(self.threads):
            said = self.cell_reader(codes.hide(hidden).to(self.device)).likelihoods[Symbol.kind]
            log_p = said.log_prob(codes.values[Symbol.kind].to(self.device)).cpu()[:rows]
        return np.asarray(torch.where(hidden[Symbol.kind], -log_p, 0.0).numpy())

    def neighbours(self, codes: Codes, positions: np.ndarray | None = None, k: int = 1) -> Neighbours:
        """The nearest remembered rows."""
        with threads(self.threads):
            return self.memory.search(codes, positions, apart=self.source.length, k=k)

    def filled(self, codes: Codes) -> Codes:
        """The rows with what is expected in their holes."""
        with threads(self.threads):
            return fill_holes(self.cell_reader, codes, self.device)

    def whole(self, codes: Codes) -> Codes:
        """The rows with the holes of their windows filled, as they are remembered."""
        with threads(self.threads):
            return whole_windows(self.cell_reader, codes, self.device)

    @torch.no_grad()
    def latent(self, codes: Codes) -> np.ndarray:
        """(rows, latent) the code of each row, from the network that answers for cells."""
        reader = self.cell_reader
        read = codes if reader.corruption.hides else self.filled(codes)
        with threads(self.threads):
            parts = [
                reader.encode(c.padded().to(self.device))[0].cpu().numpy()[: len(c)]
                for c in read.chunks(ROWS)
            ]
        return np.concatenate(parts)

    def coordinates(self, codes: Codes) -> np.ndarray:
        """(rows, latent) the codes; without a bottleneck, their first principal components."""
        z = self.latent(codes)
        if not isinstance(self.cell_reader.bottleneck, Identity) or self.axes is None:
            return z
        centre, directions = self.axes
        return np.asarray((z - centre) @ directions.T)

    def cells(
        self,
        codes: Codes,
        *,
        kinds: tuple[str, ...] | None = None,
        recheck: bool = True,
        suspects: Mapping[str, torch.Tensor] | None = None,
        middle: str = "mean",
    ) -> Cells:
        """What is expected in each scored cell, given the others.

        A cell that is probably wrong would mislead the expectation of the others: with `recheck`, rows
        with such cells are read again with those hidden.

        Args:
            codes: rows.
            kinds: only fields of these kinds.
            recheck: see above.
            suspects: kind -> cells that are known to be odd, and hidden from the start.
            middle: what of its distribution is expected: "mean", "median" or "mode".
        """
        found = Cells.blank(codes)
        for start in range(0, len(codes), ROWS):
            rows = np.arange(start, min(start + ROWS, len(codes)))
            chunk = codes[start : start + ROWS]
            with threads(self.threads):
                read = chunk
                if suspects is not None:
                    read = chunk.hide({k: s[start : start + ROWS] for k, s in suspects.items()})
                found.put(self._cells(chunk, read, kinds, middle), rows)
                if not recheck or not self.cell_reader.corruption.hides:
                    continue
                wrong = {k: self.faults.wrong(found.nats[k][rows]) > 0.5 for k in found.nats}
                hit = np.flatnonzero(sum(w.reshape(len(rows), -1).sum(1) for w in wrong.values()))
                if len(hit):
                    again = torch.from_numpy(hit)
                    hidden = {k: torch.from_numpy(w[hit]) for k, w in wrong.items()}
                    found.put(self._cells(chunk[again], read[again].hide(hidden), kinds, middle), rows[hit])
        return found

    @torch.no_grad()
    def guess(self, codes: Codes, middle: str = "mean") -> Cells:
        """What is expected where windows have holes, given all that they show; nothing of other points."""
        found = Cells.blank(codes)
        for start in range(0, len(codes), ROWS):
            rows = slice(start, min(start + ROWS, len(codes)))
            with threads(self.threads):
                self._fill(found, codes[rows], rows, middle)
        return found

    def _fill(self, found: Cells, codes: Codes, rows: slice, middle: str) -> None:
        """Put what is expected in holes of windows into their places."""
        kind = Curve.kind
        gone = ~codes.visible[kind].numpy()
        if not gone.any():
            return
        said = self.cell_reader(codes.padded().to(self.device)).likelihoods[kind]
        quantiles = (said.icdf(torch.tensor(q, device=self.device)) for q in (0.05, 0.95))
        answers = (getattr(said, middle), *quantiles)
        for table, answer in zip((found.expected, found.low, found.high), answers, strict=True):
            part = table[kind][rows]
            part[gone] = answer.cpu().numpy()[: len(codes)][gone]

    @torch.no_grad()
    def _cells(self, codes: Codes, read: Codes, kinds: tuple[str, ...] | None, middle: str) -> Cells:
        """Every cell of `codes`, predicted from the other cells of `read`."""
        rows, codes, read = len(codes), codes.padded(), read.padded()
        found = Cells.blank(codes)
        hides = self.cell_reader.corruption.hides
        for hidden, targets in self._turns(kinds) if hides else self._at_once(kinds):
            turn = read.hide(hidden) if hides or self.cell_reader.white else self.filled(read)
            said = self.cell_reader(turn.to(self.device)).likelihoods
            for slot, cell in targets:
                at = (slice(None), slice(slot.index, slot.index + 1), *cell)
                likelihood = said[slot.kind].narrow(slot.index)
                field_ = self.schema.fields[slot.kind][slot.index]
                value, seen = codes.values[slot.kind], codes.visible[slot.kind].numpy()[at]
                one = value[:, slot.index : slot.index + 1]
                whole = (slice(None), slice(None), *cell)
                log_p = field_.log_prob(likelihood, one.to(self.device)).cpu().numpy()[whole]
                log_q = self.faults.log_q(field_, one.numpy()[whole], len(targets) == 1)
                found.expected[slot.kind][at] = getattr(likelihood, middle).cpu().numpy()[whole]
                found.low[slot.kind][at] = (
                    likelihood.icdf(torch.tensor(0.05, device=self.device)).cpu().numpy()[whole]
                )
                found.high[slot.kind][at] = (
                    likelihood.icdf(torch.tensor(0.95, device=self.device)).cpu().numpy()[whole]
                )
                found.nats[slot.kind][at] = np.where(seen, log_q - log_p, np.nan)
                found.surprise[slot.kind][at] = np.where(seen, -log_p, 0.0)
        found = found.first(rows)
        if hides and Curve.kind in codes.values and (kinds is None or Curve.kind in kinds):
            # A hole is guessed from all that is there: nothing beside it has to be hidden.
            self._fill(found, read[:rows], slice(0, rows), middle)
        return found

    def _turns(self, kinds: tuple[str, ...] | None) -> Iterator[tuple[dict[str, torch.Tensor], list[Target]]]:
        """What to hide in each reading, and which cells to read off: a column, or a block of one."""
        for name in self.schema.scored:
            slots = self.schema.slots_of(name)
            targets = [s for s in slots if kinds is None or s.kind in kinds]
            if not targets:
                continue
            for cell in self.schema.fields[slots[0].kind][slots[0].index].blocks:
                hidden: dict[str, torch.Tensor] = {}
                for slot in slots:
                    nothing = hidden.setdefault(slot.kind, self._nothing(slot.kind))
                    nothing[0, slot.index][cell or ...] = True
                yield hidden, [(slot, cell) for slot in targets]

    def _at_once(
        self, kinds: tuple[str, ...] | None
    ) -> Iterator[tuple[dict[str, torch.Tensor], list[Target]]]:
        scored = set(self.schema.scored)
        yield (
            {},
            [(s, ()) for s in self.schema.slots if s.name in scored and (kinds is None or s.kind in kinds)],
        )

    def _nothing(self, kind: str) -> torch.Tensor:
        fields = self.schema.fields[kind]
        return torch.zeros((1, len(fields), *fields[0].cell), dtype=torch.bool)

    def _scored_cells(self, codes: Codes, kind: str) -> np.ndarray:
        """(rows, fields, *cell) whether a cell is scored and has a value."""
        visible = codes.visible[kind].numpy()
        return np.asarray(visible & self.schema.scored_fields[kind].reshape(1, -1, *[1] * (visible.ndim - 2)))
