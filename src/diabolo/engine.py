"""What a fit leaves behind, and the questions that tasks are made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from diabolo.data.fields import Batch, Curve, Real, Symbol
from diabolo.data.fields.base import smoothed_frequencies
from diabolo.data.schema import Schema, Slot
from diabolo.data.sources import Frame, Source, read_user_table
from diabolo.detection.calibration import Calibration
from diabolo.detection.cell_errors import CellErrorModel
from diabolo.detection.cells import CellPredictions
from diabolo.detection.level import LevelEvidence
from diabolo.detection.memory import Memory, Neighbours
from diabolo.detection.residuals import Residuals
from diabolo.detection.seen_rows import SHARE, SeenRows
from diabolo.detection.subsequences import CoveredPoints, SubsequenceEvidence
from diabolo.errors import SchemaError
from diabolo.generation.window_mixture import WindowMixture
from diabolo.networks.bottlenecks import Identity
from diabolo.networks.completion import ROWS_PER_READ, complete_windows, fill_missing
from diabolo.networks.likelihoods import log_mass
from diabolo.networks.network import Network
from diabolo.utils.torch_state import torch_threads

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
    seen_rows: SeenRows | None = None
    level: LevelEvidence | None = None
    subsequences: SubsequenceEvidence | None = None
    window_mixture: WindowMixture | None = None
    cell_errors: CellErrorModel = field(default_factory=CellErrorModel)
    axes: tuple[np.ndarray, np.ndarray] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    threads: int | None = 1

    @property
    def row_network(self) -> Network:
        """The network that answers for rows."""
        return next(iter(self.networks.values()))

    @property
    def cell_network(self) -> Network:
        """The network that answers for cells."""
        return list(self.networks.values())[-1]

    @property
    def samples_latents(self) -> bool:
        """Whether new rows are decoded from codes that are drawn."""
        return hasattr(self.cell_network.bottleneck, "latent") and not self.cell_network.corruption.masks

    def read(self, data: Any) -> Frame:
        """The user's data as a frame; its columns are checked."""
        user_table = read_user_table(data)
        columns = user_table.table.num_columns
        if not user_table.named and columns != len(self.schema.entries):
            expected = len(self.schema.entries)
            raise SchemaError(
                f"X has {columns} features, but Autoencoder is expecting {expected} features as input",
                hint="give it the columns of the fit, in their order",
            )
        self.schema.check(user_table.table.column_names)
        return self.source.read(user_table)

    def chunks(self, frame: Frame) -> Iterator[tuple[slice, Batch]]:
        """The rows as codes, a piece at a time."""
        wide = max(math.prod(f[0].cell) for f in self.schema.fields.values())
        size = max(CHUNK // wide, min(512, NUMBERS // wide), 64)
        for rows in frame.chunks(size):
            yield rows, self.schema.encode(frame[rows])

    def bits(self, frame: Frame) -> np.ndarray:
        """(user rows,) how odd each row is; rows of the fit are judged by the crowd too."""
        odd, beside = np.empty(frame.rows), np.full(frame.rows, np.nan)
        course = (
            None
            if self.subsequences is None
            else CoveredPoints.of(frame, self.source.length, self.subsequences.channels)
        )
        for rows, batch in self.chunks(frame):
            where = None if frame.positions is None else frame.positions[rows]
            if course is not None:
                course.take(rows, batch)
            evidence, known = self.evidence(batch, where), self.contains(batch)
            odd[rows] = self.calibration.join(evidence)
            if self.seen_rows is not None and known.any():
                seen = self.evidence_of_known(batch[torch.from_numpy(known)], evidence["residual"][known])
                beside[rows][known] = self.seen_rows.bits(seen)
        more = 0.0 if course is None else self.local_evidence(frame, course).max(1)
        bits = self.calibration.bits(self.source.fold(frame, odd) + more)
        return bits if self.seen_rows is None else self.seen_rows.join(bits, beside)

    def local_evidence(self, frame: Frame, course: CoveredPoints) -> np.ndarray:
        """(user rows, channels) evidence of single points and short stretches, as a logarithm."""
        assert self.subsequences is not None
        with torch_threads(self.threads):
            return course.fold(frame, self.subsequences.evidence(course))

    def contains(self, batch: Batch) -> np.ndarray:
        """(rows,) which rows are judged as rows of the fit."""
        return np.zeros(len(batch), bool) if self.seen_rows is None else self.seen_rows.contains(batch)

    def to_user_rows(
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
            return self.source.at_centre(frame, values)
        if trust is None:
            return self.source.fold(frame, values)
        weights = np.where(np.isfinite(values), trust, np.nan)
        return np.asarray(self.source.fold(frame, values * weights) / self.source.fold(frame, weights))

    def evidence(self, batch: Batch, positions: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Evidence -> (rows,): residual, distance to the nearest remembered row, and level of a series."""
        # Rows of labels have few distances: the mean of five tells apart those that are alike.
        labels = set(batch.values) == {Symbol.kind}
        near = self.neighbours(self.whole(batch), positions, k=5 if labels else 1)
        finite = np.isfinite(near.distances)
        distance = np.where(finite, near.distances, 0).sum(1) / np.maximum(finite.sum(1), 1)
        found = {"distance": np.where(finite[:, 0], distance, np.inf)}
        # A network that guesses hidden points has seen all of a window here: what it says then is no news.
        if Curve.kind not in batch.values or not self.row_network.corruption.masks:
            found["residual"] = self.residual(batch)
        if self.level is not None:
            found["level"] = self.level.evidence(self.level.excess(batch))
        return found

    def evidence_of_known(self, batch: Batch, residual: np.ndarray) -> dict[str, np.ndarray]:
        """Evidence -> (rows,) of rows of the fit, whose residual is known: that, and how far the crowd is."""
        return {"crowd": self.from_crowd(batch).distance, "residual": residual}

    def from_crowd(self, batch: Batch) -> Neighbours:
        """The farthest remembered row of the nearest tenth."""
        with torch_threads(self.threads):
            return self.memory.search(batch, skip=max(round(SHARE * len(self.memory)), 1) - 1)

    def residual(self, batch: Batch) -> np.ndarray:
        """(rows,) how far the cells are from what the first network expects, as evidence."""
        parts = self.parts(batch)
        counts = sum(self._scored_cells(batch, k).reshape(len(batch), -1).sum(1) for k in parts)
        residual = self.residuals.rows(parts, np.asarray(counts))
        return residual**ROOT if set(parts) == {Real.kind} else residual

    def parts(self, batch: Batch) -> dict[str, np.ndarray]:
        """Kind -> (rows, fields, *cell): each cell's part of the squared residual of its row."""
        found: list[dict[str, np.ndarray]] = []
        for chunk in batch.chunks(ROWS_PER_READ):
            symbols = None
            if Symbol.kind in chunk.values and self.cell_network.corruption.masks:
                symbols = self._rarity(chunk)
            with torch_threads(self.threads):
                found.append(self.residuals.of(self.row_network, self.filled(chunk).to(self.device), symbols))
        parts = {k: np.concatenate([f[k] for f in found]) for k in found[0]}
        return {k: np.where(self._scored_cells(batch, k), p, 0.0) for k, p in parts.items()}

    def _rarity(self, batch: Batch) -> np.ndarray:
        """(rows, fields) surprise of the symbols in nats: that of the row, read in any order.

        Given all other cells, a rare label that implies another rare one is no surprise; by its frequency
        alone, a wrong combination is none. Read one after the other, each cell is met with a share of the
        others known, on average over all orders with any share alike (Uria et al., "A deep and tractable
        density estimator", 2014): by Simpson's rule, with none, half and all of them.
        """
        here = self.cells(batch, kinds=(Symbol.kind,), recheck=False).surprise[Symbol.kind]
        rare, half = np.empty_like(here), np.zeros_like(here)
        for index, field_ in enumerate(self.schema.fields[Symbol.kind]):
            share = smoothed_frequencies(field_.counts)  # type: ignore[attr-defined]
            rare[:, index] = -np.log(share)[batch.values[Symbol.kind][:, index].numpy()]
        for hidden in self._halves():
            half += self._hidden_surprise(batch, hidden) / HALVES
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
    def _hidden_surprise(self, batch: Batch, hidden: dict[str, torch.Tensor]) -> np.ndarray:
        """(rows, fields) surprise of the hidden symbols in nats; 0 where they are not hidden."""
        rows, batch = len(batch), batch.padded()
        with torch_threads(self.threads):
            said = self.cell_network(batch.hide(hidden).to(self.device)).likelihoods[Symbol.kind]
            log_p = said.log_prob(batch.values[Symbol.kind].to(self.device)).cpu()[:rows]
        return np.asarray(torch.where(hidden[Symbol.kind], -log_p, 0.0).numpy())

    def neighbours(self, batch: Batch, positions: np.ndarray | None = None, k: int = 1) -> Neighbours:
        """The nearest remembered rows."""
        with torch_threads(self.threads):
            return self.memory.search(batch, positions, apart=self.source.length, k=k)

    def filled(self, batch: Batch) -> Batch:
        """The rows with what is expected in their holes."""
        with torch_threads(self.threads):
            return fill_missing(self.cell_network, batch, self.device)

    def whole(self, batch: Batch) -> Batch:
        """The rows with the holes of their windows filled, as they are remembered."""
        with torch_threads(self.threads):
            return complete_windows(self.cell_network, batch, self.device)

    @torch.no_grad()
    def latent(self, batch: Batch) -> np.ndarray:
        """(rows, latent) the code of each row, from the network that answers for cells."""
        reader = self.cell_network
        read = batch if reader.corruption.masks else self.filled(batch)
        with torch_threads(self.threads):
            parts = [
                reader.encode(c.padded().to(self.device))[0].cpu().numpy()[: len(c)]
                for c in read.chunks(ROWS_PER_READ)
            ]
        return np.concatenate(parts)

    def coordinates(self, batch: Batch) -> np.ndarray:
        """(rows, latent) the codes; without a bottleneck, their first principal components."""
        z = self.latent(batch)
        if not isinstance(self.cell_network.bottleneck, Identity) or self.axes is None:
            return z
        centre, directions = self.axes
        # In double precision: in single, rounding makes coordinates depend on the other rows of the product.
        return np.asarray(((z - centre).astype(float) @ directions.T.astype(float)).astype(z.dtype))

    def cells(
        self,
        batch: Batch,
        *,
        kinds: tuple[str, ...] | None = None,
        recheck: bool = True,
        suspects: Mapping[str, torch.Tensor] | None = None,
        middle: str = "mean",
    ) -> CellPredictions:
        """What is expected in each scored cell, given the others.

        A cell that is probably wrong would mislead the expectation of the others: with `recheck`, rows
        with such cells are read again with those hidden.

        Args:
            batch: rows.
            kinds: only fields of these kinds.
            recheck: see above.
            suspects: kind -> cells that are known to be odd, and hidden from the start.
            middle: what of its distribution is expected: "mean", "median" or "mode".
        """
        found = CellPredictions.empty(batch)
        for start in range(0, len(batch), ROWS_PER_READ):
            rows = np.arange(start, min(start + ROWS_PER_READ, len(batch)))
            chunk = batch[start : start + ROWS_PER_READ]
            with torch_threads(self.threads):
                read = chunk
                if suspects is not None:
                    read = chunk.hide({k: s[start : start + ROWS_PER_READ] for k, s in suspects.items()})
                found.update(self._cells(chunk, read, kinds, middle), rows)
                if not recheck or not self.cell_network.corruption.masks:
                    continue
                wrong = {k: self.cell_errors.wrong(found.nats[k][rows]) > 0.5 for k in found.nats}
                hit = np.flatnonzero(sum(w.reshape(len(rows), -1).sum(1) for w in wrong.values()))
                if len(hit):
                    again = torch.from_numpy(hit)
                    hidden = {k: torch.from_numpy(w[hit]) for k, w in wrong.items()}
                    found.update(
                        self._cells(chunk[again], read[again].hide(hidden), kinds, middle), rows[hit]
                    )
        return found

    @torch.no_grad()
    def guess(self, batch: Batch, middle: str = "mean") -> CellPredictions:
        """What is expected where windows have holes, given all that they show; nothing of other points."""
        found = CellPredictions.empty(batch)
        for start in range(0, len(batch), ROWS_PER_READ):
            rows = slice(start, min(start + ROWS_PER_READ, len(batch)))
            with torch_threads(self.threads):
                self._fill(found, batch[rows], rows, middle)
        return found

    def _fill(self, found: CellPredictions, batch: Batch, rows: slice, middle: str) -> None:
        """Put what is expected in holes of windows into their places."""
        kind = Curve.kind
        gone = ~batch.visible[kind].numpy()
        if not gone.any():
            return
        said = self.cell_network(batch.padded().to(self.device)).likelihoods[kind]
        quantiles = (said.icdf(torch.tensor(q, device=self.device)) for q in (0.05, 0.95))
        answers = (getattr(said, middle), *quantiles)
        for table, answer in zip((found.expected, found.low, found.high), answers, strict=True):
            part = table[kind][rows]
            part[gone] = answer.cpu().numpy()[: len(batch)][gone]

    @torch.no_grad()
    def _cells(
        self, batch: Batch, read: Batch, kinds: tuple[str, ...] | None, middle: str
    ) -> CellPredictions:
        """Every cell of `batch`, predicted from the other cells of `read`."""
        rows, batch, read = len(batch), batch.padded(), read.padded()
        found = CellPredictions.empty(batch)
        hides = self.cell_network.corruption.masks
        for hidden, targets in self._turns(kinds) if hides else self._at_once(kinds):
            turn = read.hide(hidden) if self.cell_network.completes else self.filled(read)
            said = self.cell_network(turn.to(self.device)).likelihoods
            for slot, cell in targets:
                at = (slice(None), slice(slot.index, slot.index + 1), *cell)
                likelihood = said[slot.kind].narrow(slot.index)
                field_ = self.schema.fields[slot.kind][slot.index]
                value, seen = batch.values[slot.kind], batch.visible[slot.kind].numpy()[at]
                one = value[:, slot.index : slot.index + 1]
                whole = (slice(None), slice(None), *cell)
                log_p = log_mass(field_, likelihood, one.to(self.device)).cpu().numpy()[whole]
                log_q = self.cell_errors.log_q(field_, one.numpy()[whole], len(targets) == 1)
                found.expected[slot.kind][at] = getattr(likelihood, middle).cpu().numpy()[whole]
                found.low[slot.kind][at] = (
                    likelihood.icdf(torch.tensor(0.05, device=self.device)).cpu().numpy()[whole]
                )
                found.high[slot.kind][at] = (
                    likelihood.icdf(torch.tensor(0.95, device=self.device)).cpu().numpy()[whole]
                )
                found.nats[slot.kind][at] = np.where(seen, log_q - log_p, np.nan)
                found.surprise[slot.kind][at] = np.where(seen, -log_p, 0.0)
        found = found.head(rows)
        if hides and Curve.kind in batch.values and (kinds is None or Curve.kind in kinds):
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

    def _scored_cells(self, batch: Batch, kind: str) -> np.ndarray:
        """(rows, fields, *cell) whether a cell is scored and has a value."""
        visible = batch.visible[kind].numpy()
        return np.asarray(visible & self.schema.scored_fields[kind].reshape(1, -1, *[1] * (visible.ndim - 2)))
