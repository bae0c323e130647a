"""Read and split data: all that training and building a model need."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from diabolo.data.fields import Batch
from diabolo.data.fingerprints import fingerprints
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source
from diabolo.data.splitting import Split
from diabolo.utils.sampling import evenly_spaced

# Choices:
MAX_ROWS_FOR_SCALES = 8192  # rows that the sizes of errors are learnt from
MAX_WINDOWS_FOR_SCALES = 1024  # the same for windows, which overlap
MAX_HELD_OUT_ROWS = 4096  # rows that weights are chosen by


@dataclass(frozen=True)
class PreparedData:
    """Data that is read and split: all that training and building need.

    Attributes:
        frame, source, schema: the data, what read it, and what its columns are.
        split: which rows are used for what.
        rows: (rows,) the numbers of the rows of `batch` in the frame; None where it holds others too.
        batch: rows that networks are trained on; a sample at equal distances if there are very many windows.
        positions: (rows,) their positions in time; None for a table.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        seed: of every random number.
    """

    frame: Frame
    source: Source
    schema: Schema
    split: Split
    batch: Batch
    positions: np.ndarray | None
    held_out: Batch | None
    seed: int
    rows: np.ndarray | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all rows in their order, which decides about the batches."""
        rows = [fingerprints(part) for part in (self.batch, self.held_out) if part is not None]
        return hashlib.sha256(np.concatenate(rows).tobytes()).hexdigest()

    @property
    def sample(self) -> Batch:
        """Training rows at equal distances, few enough for one pass through a network."""
        most = MAX_WINDOWS_FOR_SCALES if self.source.overlaps else MAX_ROWS_FOR_SCALES
        return self.batch[torch.from_numpy(evenly_spaced(len(self.batch), most))]


def prepare(
    frame: Frame, source: Source, schema: Schema, *, seed: int, split: Split | None = None
) -> PreparedData:
    """Split the rows and encode those that training needs.

    Args:
        frame: the rows of the fit.
        source: what read them.
        schema: what their columns are.
        seed: of every random number.
        split: which rows are used for what; None for the split of the source.
    """
    split = source.split(frame, seed) if split is None else split
    fit_rows, most = split.fit, source.max_training_rows
    if most is not None and len(fit_rows) > most:
        fit_rows = fit_rows[evenly_spaced(len(fit_rows), most)]
    held_out = schema.encode(frame[split.held_out[:MAX_HELD_OUT_ROWS]]) if len(split.held_out) else None
    batch, positions = schema.encode(frame[fit_rows]), frame.positions_of(fit_rows)
    return PreparedData(frame, source, schema, split, batch, positions, held_out, seed, fit_rows)
