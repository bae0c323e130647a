"""How anomalous a row is that the fit itself has seen: evidence from its distance to the bulk of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from diabolo.data.fields import Batch, Real, Symbol
from diabolo.data.fingerprints import short_fingerprints
from diabolo.data.schema import Schema
from diabolo.data.sources import Source
from diabolo.detection.base import Arrays, EncodedRows, Evidence, RowEvidence, Shapes, TrainingRows
from diabolo.detection.calibration import MAX_CALIBRATION_ROWS, Calibration
from diabolo.detection.memory import Neighbours
from diabolo.detection.parts import ModelParts
from diabolo.detection.residuals import Residual
from diabolo.utils.checks import require
from diabolo.utils.sampling import evenly_spaced
from diabolo.utils.torch_state import torch_threads

NEIGHBOUR_SHARE = 0.1  # of the remembered rows: the distance to the farthest of the nearest tenth counts
RESIDUAL_EXPONENT = 0.5  # of the residual of rows of the fit, which the network has learnt (measured)
# Of the chances that a row of the fit has to be anomalous, those of being so as a new row is.
AS_NEW_SHARE = 1 / 8
UNKNOWN = -1.0  # bits of a row whose cells were not checked
CELLS_SHARE = 1 / 3  # of the chances that a row of the fit is anomalous otherwise, those by a wrong cell
MAX_RANKED_ROWS = 2_000  # rows of the fit that others of them are ranked against


class SeenRows(RowEvidence):
    """The distance of a row of the fit to the nearest tenth of the remembered rows.

    Anomalies that come in groups were learnt as normal, and each row of a group has its like nearby:
    clustered anomalies stand out only by their distance to the bulk of the data (k nearest neighbours with a
    large k: Ramaswamy et al., "Efficient algorithms for mining outliers from large data sets", 2000). The
    network has learnt them too, so that its residual counts less: by the root of what it counts in new rows.

    A row that is anomalous all alone is told by its nearest row. Both are computed, and the rarer answer
    counts, at 8/7 of its share by the distance to the bulk and at 8 times that of a new row: so no more rows
    are as anomalous as that than its bits say (weighted Bonferroni: Genovese et al., "False discovery control
    with p-value weighting", 2006).

    A third answer is how rare it is among the rows of the fit that one of their cells is as surely wrong.

    Args:
        fingerprints: (rows,) of every row of the fit, ascending.
        calibration: from evidence to bits, of rows of the fit.
        cell_bits: (rows,) -log2 of the share of the rows of the fit of which a cell is as surely wrong;
            `UNKNOWN` of rows that were not checked. None if none was.
    """

    name = "knn_distance"

    def __init__(
        self, fingerprints: np.ndarray, calibration: Calibration, cell_bits: np.ndarray | None = None
    ) -> None:
        self.fingerprints, self.calibration, self.cell_bits = fingerprints, calibration, cell_bits

    def with_cells(self, batch: Batch, log_odds: np.ndarray) -> SeenRows:
        """Return the same evidence, with how surely a cell of the rows of the fit is wrong.

        Args:
            batch: rows of the fit.
            log_odds: (rows,) log odds that one of their cells is wrong.
        """
        rank = np.searchsorted(np.sort(-log_odds), -log_odds, side="right")
        bits = np.full(len(self.fingerprints), UNKNOWN, np.float32)
        np.maximum.at(bits, self._places(batch), np.log2((len(rank) + 1) / rank).astype(np.float32))
        return SeenRows(self.fingerprints, self.calibration, bits)

    @classmethod
    def fit(cls, parts: ModelParts, training: TrainingRows, fitted: Sequence[Evidence]) -> Self | None:
        """Remember the rows of the fit, and rank some of them among themselves.

        Labels alone do not tell a row of the fit from a new one that happens to be equal to it; windows and
        images are not told apart like this.

        Args:
            parts: of the model.
            training: the rows of the fit.
            fitted: the residual is needed.
        """
        residual = next((e for e in fitted if isinstance(e, Residual)), None)
        kinds = set(training.batch.values)
        if (
            residual is None
            or parts.source.overlaps
            or Real.kind not in kinds
            or kinds - {Real.kind, Symbol.kind}
        ):
            return None
        frame = training.frame
        prints = np.concatenate([short_fingerprints(batch) for _, batch in parts.chunks(frame)])
        ranked = evenly_spaced(frame.rows, MAX_RANKED_ROWS)
        rows = EncodedRows(parts, parts.schema.encode(frame[ranked]))
        return cls(np.unique(prints), Calibration.fit(_evidence(rows, residual.score(rows))))

    @classmethod
    def restore(cls, parts: ModelParts, arrays: Arrays, state: Mapping[str, Any]) -> Self:
        """Make the evidence again.

        Args:
            parts: of the model.
            arrays: `fingerprints` and `scores`.
            state: of the calibration.

        Raises:
            ValueError: an array is not ascending, or the calibration is none.
        """
        for name in ("fingerprints", "scores"):
            ascending = bool((arrays[name][1:] >= arrays[name][:-1]).all())
            require(ascending, f"order of {name!r}")
        calibration = Calibration.from_json(state, arrays["scores"])
        calibration.check({cls.name, Residual.name})
        if "cell_bits" in arrays:
            require(bool((arrays["cell_bits"] >= UNKNOWN).all()), "evidence of cells")
        return cls(arrays["fingerprints"], calibration, arrays.get("cell_bits"))

    @classmethod
    def check(cls, shapes: Shapes, schema: Schema, source: Source) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return the shapes of the arrays.

        Args:
            shapes: of the arrays in the file.
            schema: of the model.
            source: of the model.

        Raises:
            ValueError: the model is none of numbers and labels, or the arrays are too long.
        """
        fits = not source.overlaps and {Real.kind, Symbol.kind} >= set(schema.fields)
        require(fits, "evidence on the rows of the fit")
        seen, ranked = (int(np.prod(shapes[name])) for name in ("fingerprints", "scores"))
        sizes = 1 <= seen <= MAX_CALIBRATION_ROWS and 1 <= ranked <= MAX_CALIBRATION_ROWS
        require(sizes, "number of rows")
        cells = {"cell_bits": ("F32", (seen,))} if "cell_bits" in shapes else {}
        return {"fingerprints": ("I32", (seen,)), "scores": ("F64", (ranked,)), **cells}

    def arrays(self) -> dict[str, np.ndarray]:
        cells = {} if self.cell_bits is None else {"cell_bits": self.cell_bits}
        return {"fingerprints": self.fingerprints, "scores": self.calibration.scores, **cells}

    def state(self) -> dict[str, Any]:
        return self.calibration.to_json()

    def score(self, rows: EncodedRows) -> np.ndarray:
        return bulk_neighbours(rows).distance

    def shares(self, rows: EncodedRows) -> dict[str, np.ndarray]:
        return rows.parts.memory.shares(rows.complete, bulk_neighbours(rows).rows[:, 0])

    def contains(self, batch: Batch) -> np.ndarray:
        """Return (rows,) whether the fit has seen a row with this content."""
        return np.asarray(self.fingerprints[self._places(batch)] == short_fingerprints(batch))

    def _places(self, batch: Batch) -> np.ndarray:
        """Return (rows,) where the fingerprint of each row is, if the fit has seen it."""
        place = np.searchsorted(self.fingerprints, short_fingerprints(batch))
        return np.minimum(place, len(self.fingerprints) - 1)

    def bits(self, rows: EncodedRows, residual: np.ndarray) -> np.ndarray:
        """Return (rows,) the anomaly score of rows of the fit by bulk and by cells; NaN of new ones.

        Args:
            rows: rows of a table.
            residual: (rows,) their residual.
        """
        bits, known = np.full(len(rows.batch), np.nan), self.contains(rows.batch)
        if known.any():
            evidence = _evidence(rows[np.flatnonzero(known)], residual[known])
            bits[known] = self.calibration.bits(self.calibration.join(evidence))
            if self.cell_bits is not None:
                of_cells = self.cell_bits[self._places(rows.batch)[known]]
                joined = np.maximum(bits[known] + np.log2(1 - CELLS_SHARE), of_cells + np.log2(CELLS_SHARE))
                bits[known] = np.where(of_cells == UNKNOWN, bits[known], joined)
        return bits

    def join(self, as_new: np.ndarray, as_seen: np.ndarray) -> np.ndarray:
        """Return (rows,) the bits that count.

        Args:
            as_new: (rows,) the bits that rows would have if they were new.
            as_seen: (rows,) the bits by the distance to the bulk; NaN of new rows.
        """
        rarer = np.maximum(as_new + np.log2(AS_NEW_SHARE), as_seen + np.log2(1 - AS_NEW_SHARE))
        return np.where(np.isnan(as_seen), as_new, np.maximum(rarer, 0))


def bulk_neighbours(rows: EncodedRows) -> Neighbours:
    """Return the farthest row of the nearest tenth of the remembered rows."""
    memory = rows.parts.memory
    skip = max(round(NEIGHBOUR_SHARE * len(memory)), 1) - 1
    with torch_threads(rows.parts.threads):
        return memory.search(rows.batch, skip=skip)


def _evidence(rows: EncodedRows, residual: np.ndarray) -> dict[str, np.ndarray]:
    return {SeenRows.name: bulk_neighbours(rows).distance, Residual.name: residual**RESIDUAL_EXPONENT}
