"""Evidence from residuals: how far the cells of a row are from what a network expects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve, Real, Symbol, broadcast_fields
from diabolo.data.fields.base import smoothed_frequencies
from diabolo.data.schema import Schema
from diabolo.data.sources import Source
from diabolo.detection.base import Arrays, EncodedRows, Evidence, RowEvidence, Shapes, TrainingRows
from diabolo.detection.cell_prediction import CellPredictor, Hidden
from diabolo.detection.parts import ModelParts
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.networks.network import Network
from diabolo.utils.checks import require
from diabolo.utils.numerics import ridged, soft_log
from diabolo.utils.torch_state import torch_threads

# Times the largest error in training, from where on a single cell counts as much as it is far out (measured).
EXTREME = 2.0
NUMBERS_EXPONENT = 0.4  # of the residual in rows of numbers only: measured, docs/how-it-detects.md
HALVES = 4  # pairs of halves of a row, from which the surprise of its labels is estimated
MIN_PRESENT = 0.75  # of the points of a window; with fewer its error is no evidence (a choice)
CURVE_RIDGE = 0.01  # share of the mean variance of a window's errors that is added to each point's


class Residual(RowEvidence):
    """Errors of a network's expected values, in units of its errors on training rows.

    A number counts its squared error over the mean squared error of its column, a symbol twice its
    surprise -log p (for a normal error these are the same quantity), a window the squared Mahalanobis
    length of its error curve: errors that always come together count once.

    In the residual of a row, the errors e of numbers count as `(4 asinh(e / 4))^2`: like `e^2` while they are
    usual, like the square of a logarithm beyond, so that one column with heavy tails does not drown the
    others. Only an error larger than any in training by far counts in full.

    Args:
        parts: of the model.
        scales: name -> array: the size of errors by kind of field, and the largest error of a number
            (`largest_error`).
    """

    name = "residual"

    def __init__(self, parts: ModelParts, scales: Arrays) -> None:
        self.parts, self.scales = parts, dict(scales)

    @classmethod
    def fit(cls, parts: ModelParts, training: TrainingRows, fitted: Sequence[Evidence]) -> Self | None:
        """Learn the size of the errors on training rows.

        A network that predicts masked points has seen all of a window: its residual is no evidence.

        Args:
            parts: of the model.
            training: the rows of the fit.
            fitted: not used.
        """
        if parts.rows_are_solved:
            return None
        sample = parts.fill_missing(training.sample).to(parts.device)
        with torch_threads(parts.threads):
            return cls(parts, error_scales(parts.row_network, sample))

    @classmethod
    def restore(cls, parts: ModelParts, arrays: Arrays, state: Mapping[str, Any]) -> Self:
        """Make the evidence again.

        Args:
            parts: of the model.
            arrays: the scales.
            state: empty.

        Raises:
            ValueError: a scale is not above 0.
        """
        for name in {Real.kind, "largest_error"} & arrays.keys():
            require(bool((arrays[name] > 0).all()), "size of an error")
        return cls(parts, arrays)

    @classmethod
    def check(cls, shapes: Shapes, schema: Schema, source: Source) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return the shapes of the scales: one for each cell; a matrix for windows.

        Args:
            shapes: not used.
            schema: of the model.
            source: of the model.
        """
        expected: dict[str, tuple[str, tuple[int, ...]]] = {}
        for kind, fields in schema.fields.items():
            cells = (len(fields), *fields[0].cell)
            points = len(fields) * source.length
            expected[kind] = ("F32", (points, points) if fields[0].follows_time else cells)
        if Real.kind in expected:
            expected["largest_error"] = ("F32", (1,))
        return expected

    def arrays(self) -> dict[str, np.ndarray]:
        return self.scales

    def score(self, rows: EncodedRows) -> np.ndarray:
        squared = self.shares(rows)
        counts = sum(
            self.parts.scored_cells(rows.batch, k).reshape(len(rows.batch), -1).sum(1) for k in squared
        )
        residual = self.of_rows(squared, np.asarray(counts))
        if Curve.kind in squared:
            # What a network says of a window that is mostly predicted is not known from training.
            present = rows.batch.visible[Curve.kind].flatten(1).float().mean(1).numpy()
            residual = np.where(present >= MIN_PRESENT, residual, np.inf)
        return residual**NUMBERS_EXPONENT if set(squared) == {Real.kind} else residual

    def shares(self, rows: EncodedRows) -> dict[str, np.ndarray]:
        chunks: list[dict[str, np.ndarray]] = []
        for chunk in rows.batch.chunks(ROWS_PER_READ):
            symbols = None
            if Symbol.kind in chunk.values and self.parts.cell_network.corruption.masks:
                symbols = self._symbol_surprise(chunk)
            with torch_threads(self.parts.threads):
                filled = self.parts.fill_missing(chunk).to(self.parts.device)
                chunks.append(self.squared_errors(filled, symbols))
        squared = {k: np.concatenate([c[k] for c in chunks]) for k in chunks[0]}
        return {k: np.where(self.parts.scored_cells(rows.batch, k), s, 0.0) for k, s in squared.items()}

    def squared_errors(self, batch: Batch, symbols: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return kind -> (rows, fields, *cell) squared errors in training units; 0 where a value is missing.

        Args:
            batch: rows.
            symbols: (rows, fields) surprise of the symbols in nats, if another network reads them.
        """
        squared = {}
        for kind, (error, there) in raw_errors(self.parts.row_network, batch).items():
            if kind == Symbol.kind:
                nats = error if symbols is None else symbols
                squared[kind] = np.where(there, 2 * nats, 0.0)
            elif kind == Curve.kind:
                flat = np.where(there, error, 0.0).reshape(len(error), -1)
                white = (flat @ self.scales[kind].T).astype(np.float64)
                squared[kind] = (white**2).reshape(error.shape)
            else:
                squared[kind] = np.where(there, (error / self.scales[kind]) ** 2, 0.0).astype(np.float64)
        return squared

    def of_rows(self, squared: Mapping[str, np.ndarray], counts: np.ndarray) -> np.ndarray:
        """Return (rows,) the residual of each row.

        Args:
            squared: kind -> (rows, fields, *cell) squared errors in training units.
            counts: (rows,) the number of cells that count.
        """
        total = np.zeros(len(counts))
        for kind, part in squared.items():
            cells = part.reshape(len(counts), -1)
            total += (soft_log(np.sqrt(cells)) ** 2 if kind == Real.kind else cells).sum(1)
        residual = np.sqrt(total / np.maximum(counts, 1))
        if Real.kind in squared:
            extreme = (
                squared[Real.kind].max(1, initial=0.0) / (EXTREME * self.scales["largest_error"][0]) ** 2
            )
            residual = residual * np.sqrt(1 + extreme)
        return np.asarray(residual)

    def _symbol_surprise(self, batch: Batch) -> np.ndarray:
        """Return (rows, fields) surprise of the symbols in nats: that of the row, read in any order.

        Given all other cells, a rare label that implies another rare one is no surprise; by its frequency
        alone, a wrong combination is none. Read one after the other, each cell is predicted with a share of
        the others known, on average over all orders with any share alike (Uria et al., "A deep and tractable
        density estimator", 2014): by Simpson's rule, with none, half and all of them.
        """
        predictor = CellPredictor(self.parts)
        known = predictor.predict(batch, kinds=(Symbol.kind,), recheck=False).surprise[Symbol.kind]
        rare, half = np.empty_like(known), np.zeros_like(known)
        for index, field in enumerate(self.parts.schema.fields[Symbol.kind]):
            frequencies = smoothed_frequencies(field.counts)  # type: ignore[attr-defined]
            rare[:, index] = -np.log(frequencies)[batch.values[Symbol.kind][:, index].numpy()]
        for hidden in self._halves():
            half += self._hidden_surprise(batch, hidden) / HALVES
        return np.asarray((rare + 4 * half + known) / 6)

    def _halves(self) -> Iterator[Hidden]:
        """Yield random halves of the scored columns, the same for all rows; each column is in `HALVES`."""
        schema = self.parts.schema
        random, names = np.random.default_rng(0), np.array(schema.scored)
        for _ in range(HALVES):
            for part in np.array_split(random.permutation(len(names)), 2):
                hidden = {kind: self.parts.no_cells(kind) for kind in schema.fields}
                for slot in (s for name in names[part] for s in schema.slots_of(name)):
                    hidden[slot.kind][0, slot.index] = True
                yield hidden

    @torch.no_grad()
    def _hidden_surprise(self, batch: Batch, hidden: Hidden) -> np.ndarray:
        """Return (rows, fields) surprise of the hidden symbols in nats; 0 where they are not hidden."""
        rows, batch = len(batch), batch.padded()
        device = self.parts.device
        with torch_threads(self.parts.threads):
            likelihood = self.parts.cell_network(batch.hide(hidden).to(device)).likelihoods[Symbol.kind]
            log_p = likelihood.log_prob(batch.values[Symbol.kind].to(device)).cpu()[:rows]
        return np.asarray(torch.where(hidden[Symbol.kind], -log_p, 0.0).numpy())


def error_scales(network: Network, batch: Batch) -> dict[str, np.ndarray]:
    """Return kind -> the size of a network's errors on rows, and the largest error of a number.

    Args:
        network: what predicts the rows.
        batch: training rows without missing values, on the network's device.
    """
    scales: dict[str, np.ndarray] = {}
    errors: dict[str, list[np.ndarray]] = {}
    for chunk in batch.chunks(ROWS_PER_READ):
        for kind, (error, there) in raw_errors(network, chunk).items():
            errors.setdefault(kind, []).append(np.where(there, error, np.nan))
    for kind, parts in errors.items():
        error = np.concatenate(parts)
        if kind == Curve.kind:
            flat = np.nan_to_num(error.reshape(len(error), -1)).astype(np.float64)
            second_moments = ridged(torch.from_numpy(flat.T @ flat / len(flat)), CURVE_RIDGE)
            scales[kind] = np.linalg.inv(np.linalg.cholesky(second_moments.numpy())).astype(np.float32)
        else:
            total = np.nansum(error.astype(np.float64) ** 2, axis=0)
            square = total / np.maximum(np.isfinite(error).sum(0), 1)
            scales[kind] = np.sqrt(square + 1e-4).astype(np.float32)
        if kind == Real.kind:
            largest = np.nanmax(np.abs(error / scales[kind]), initial=1.0)
            scales["largest_error"] = np.array([largest], np.float32)
    return scales


@torch.no_grad()
def raw_errors(network: Network, batch: Batch) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return kind -> (errors, which cells count): value minus expected value, or -log p of a symbol.

    Args:
        network: what predicts the rows.
        batch: rows, on the network's device.
    """
    rows = len(batch)
    batch = batch.padded()
    likelihoods = network(batch).likelihoods
    errors = {}
    for kind, scored in network.scored.items():
        value: Tensor = batch.values[kind]
        likelihood = likelihoods[kind]
        error = -likelihood.log_prob(value) if kind == Symbol.kind else value - likelihood.mean
        there = batch.visible[kind] & broadcast_fields(scored, value)
        errors[kind] = (error.cpu().numpy()[:rows], there.cpu().numpy()[:rows])
    return errors
