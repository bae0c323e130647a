"""What is expected in the cells of rows, given the other cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from diabolo.data.fields import Batch
from diabolo.data.schema import Slot
from diabolo.detection.cell_errors import CellErrorModel
from diabolo.detection.cells import CellPredictions
from diabolo.detection.parts import ModelParts
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.networks.likelihoods import log_mass
from diabolo.utils.torch_state import torch_threads

LOW, HIGH = 0.05, 0.95  # quantiles of the expected range: nine values in ten lie between them

Target = tuple[Slot, tuple[slice, ...]]
Hidden = dict[str, torch.Tensor]


@dataclass(frozen=True)
class CellPredictor:
    """Predicts every scored cell of rows from the other cells.

    Attributes:
        parts: of the model.
        cell_errors: what wrong cells are like in data like that of the fit.
    """

    parts: ModelParts
    cell_errors: CellErrorModel = field(default_factory=CellErrorModel)

    @torch.no_grad()
    def predict(
        self,
        batch: Batch,
        *,
        kinds: tuple[str, ...] | None = None,
        recheck: bool = True,
        suspects: Mapping[str, torch.Tensor] | None = None,
        middle: str = "mean",
    ) -> CellPredictions:
        """Predict each scored cell, given the others.

        A cell that is probably wrong would mislead the prediction of the others: with `recheck`, rows with
        such cells are read again with those hidden.

        Args:
            batch: rows.
            kinds: only fields of these kinds; None for all.
            recheck: see above.
            suspects: kind -> (rows, fields, *cell) cells known to be anomalous, hidden from the start.
            middle: the expected value of a distribution: "mean", "median" or "mode".
        """
        predictions = CellPredictions.empty(batch)
        for start in range(0, len(batch), ROWS_PER_READ):
            rows = np.arange(start, min(start + ROWS_PER_READ, len(batch)))
            chunk = batch[start : start + ROWS_PER_READ]
            with torch_threads(self.parts.threads):
                read = chunk
                if suspects is not None:
                    read = chunk.hide({k: s[start : start + ROWS_PER_READ] for k, s in suspects.items()})
                predictions.update(self._predict(chunk, read, kinds, middle), rows)
                if not recheck or not self.parts.cell_network.corruption.masks:
                    continue
                wrong = {k: self.cell_errors.wrong(n[rows]) > 0.5 for k, n in predictions.nats.items()}
                doubtful = np.flatnonzero(sum(w.reshape(len(rows), -1).sum(1) for w in wrong.values()))
                if len(doubtful):
                    again = torch.from_numpy(doubtful)
                    hidden = {k: torch.from_numpy(w[doubtful]) for k, w in wrong.items()}
                    reread = self._predict(chunk[again], read[again].hide(hidden), kinds, middle)
                    predictions.update(reread, rows[doubtful])
        return predictions

    @torch.no_grad()
    def predict_missing(self, batch: Batch, middle: str = "mean") -> CellPredictions:
        """Predict the missing points of windows only, given all that are there.

        Args:
            batch: windows.
            middle: as in `predict`.
        """
        predictions = CellPredictions.empty(batch)
        for start in range(0, len(batch), ROWS_PER_READ):
            rows = slice(start, min(start + ROWS_PER_READ, len(batch)))
            with torch_threads(self.parts.threads):
                self._fill(predictions, batch[rows], rows, middle)
        return predictions

    def _fill(self, predictions: CellPredictions, batch: Batch, rows: slice, middle: str) -> None:
        """Write what is expected at the missing points of windows into some rows of the predictions."""
        device = self.parts.device
        for kind, fields in self.parts.schema.fields.items():
            if not fields[0].follows_time or bool(batch.visible[kind].all()):
                continue
            missing = ~batch.visible[kind].numpy()
            likelihood = self.parts.cell_network(batch.padded().to(device)).likelihoods[kind]
            quantiles = (likelihood.icdf(torch.tensor(q, device=device)) for q in (LOW, HIGH))
            answers = (getattr(likelihood, middle), *quantiles)
            tables = (predictions.expected, predictions.low, predictions.high)
            for table, answer in zip(tables, answers, strict=True):
                part = table[kind][rows]
                part[missing] = answer.cpu().numpy()[: len(batch)][missing]

    def _predict(
        self, batch: Batch, read: Batch, kinds: tuple[str, ...] | None, middle: str
    ) -> CellPredictions:
        """Predict every cell of `batch` from the other cells of `read`."""
        network, device = self.parts.cell_network, self.parts.device
        rows, batch, read = len(batch), batch.padded(), read.padded()
        predictions = CellPredictions.empty(batch)
        masks = network.corruption.masks
        for hidden, targets in self._hidden_in_turn(kinds) if masks else self._all_at_once(kinds):
            shown = read.hide(hidden) if network.completes else self.parts.fill_missing(read)
            likelihoods = network(shown.to(device)).likelihoods
            for slot, cell in targets:
                at = (slice(None), slice(slot.index, slot.index + 1), *cell)
                whole = (slice(None), slice(None), *cell)
                likelihood = likelihoods[slot.kind].narrow(slot.index)
                field_ = self.parts.schema.fields[slot.kind][slot.index]
                seen = batch.visible[slot.kind].numpy()[at]
                value = batch.values[slot.kind][:, slot.index : slot.index + 1]
                log_p = log_mass(field_, likelihood, value.to(device)).cpu().numpy()[whole]
                log_q = self.cell_errors.log_q(field_, value.numpy()[whole], len(targets) == 1)
                predictions.expected[slot.kind][at] = getattr(likelihood, middle).cpu().numpy()[whole]
                for table, quantile in ((predictions.low, LOW), (predictions.high, HIGH)):
                    bound = likelihood.icdf(torch.tensor(quantile, device=device))
                    table[slot.kind][at] = bound.cpu().numpy()[whole]
                predictions.nats[slot.kind][at] = np.where(seen, log_q - log_p, np.nan)
                predictions.surprise[slot.kind][at] = np.where(seen, -log_p, 0.0)
        predictions = predictions.head(rows)
        if masks and kinds is None:
            # A missing point is predicted from all that is there: nothing next to it has to be hidden.
            self._fill(predictions, read[:rows], slice(0, rows), middle)
        return predictions

    def _hidden_in_turn(self, kinds: tuple[str, ...] | None) -> Iterator[tuple[Hidden, list[Target]]]:
        """Yield what to hide, and which cells to predict then: a column, or a block of one."""
        schema = self.parts.schema
        for name in schema.scored:
            slots = schema.slots_of(name)
            targets = [s for s in slots if kinds is None or s.kind in kinds]
            if not targets:
                continue
            for cell in schema.fields[slots[0].kind][slots[0].index].blocks:
                hidden: Hidden = {}
                for slot in slots:
                    flags = hidden.setdefault(slot.kind, self.parts.no_cells(slot.kind))
                    flags[0, slot.index][cell or ...] = True
                yield hidden, [(slot, cell) for slot in targets]

    def _all_at_once(self, kinds: tuple[str, ...] | None) -> Iterator[tuple[Hidden, list[Target]]]:
        """Yield nothing to hide, and all cells to predict: for networks that read all of a row."""
        schema, scored = self.parts.schema, set(self.parts.schema.scored)
        targets = [s for s in schema.slots if s.name in scored and (kinds is None or s.kind in kinds)]
        yield {}, [(slot, ()) for slot in targets]
