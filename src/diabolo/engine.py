"""What a fit leaves behind: the facade that tasks ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from diabolo.cleaning.joining import JudgedCells
from diabolo.cleaning.table import TableErrors
from diabolo.data.columns import Image, Window
from diabolo.data.fields import Batch
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source, read_user_table
from diabolo.detection import CellPredictor, ModelParts, RowScorer
from diabolo.detection.calibration import Calibration
from diabolo.detection.cell_errors import CellErrorModel
from diabolo.detection.cells import CellPredictions
from diabolo.detection.memory import Memory
from diabolo.errors import SchemaError
from diabolo.generation.window_mixture import WindowMixture
from diabolo.images.models import ImageModels
from diabolo.networks.bottlenecks import Identity
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.networks.network import Network
from diabolo.utils.torch_state import torch_threads

if TYPE_CHECKING:
    from diabolo.images.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class Engine:
    """A fitted model.

    Attributes:
        parts: source, schema, networks, memory.
        rows: scores rows.
        predictor: predicts cells.
        axes: (centre, directions) of the latent codes, where `embed` needs them.
        window_mixture: a mixture over the windows of a series, from which new ones are sampled; None for a
            table, and where latent codes are sampled.
        table_errors: checks the cells of a table; None for series and images, and for models of format 3.
        images: models of the images of a column beside the networks; None where there are none.
        history, notes: what happened in training.
        facts: what a user may want to know of the fit: rows, seconds, versions.
    """

    parts: ModelParts
    rows: RowScorer
    predictor: CellPredictor
    axes: tuple[np.ndarray, np.ndarray] | None = None
    window_mixture: WindowMixture | None = None
    table_errors: TableErrors | None = None
    images: ImageModels | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """How data is read."""
        return self.parts.source

    @property
    def schema(self) -> Schema:
        """What each column is."""
        return self.parts.schema

    @property
    def networks(self) -> Mapping[str, Network]:
        """Name -> network."""
        return self.parts.networks

    @property
    def row_network(self) -> Network:
        """The network that answers for rows."""
        return self.parts.row_network

    @property
    def cell_network(self) -> Network:
        """The network that answers for cells."""
        return self.parts.cell_network

    @property
    def memory(self) -> Memory:
        """Remembered rows."""
        return self.parts.memory

    @property
    def calibration(self) -> Calibration:
        """From evidence to bits."""
        of_images = self.images.calibration if self.images is not None and self._has_only_images else None
        return self.rows.calibration if of_images is None else of_images

    @property
    def _has_only_images(self) -> bool:
        """Whether the images of a column are all that is scored."""
        return self.images is not None and self.schema.scored == [self.images.column]

    @property
    def recognizer(self) -> Recognizer | None:
        """Says which images show the same person or thing; None without labels of images."""
        return None if self.images is None else self.images.recognizer

    @property
    def cell_errors(self) -> CellErrorModel:
        """What wrong cells are like."""
        return self.predictor.cell_errors

    @property
    def checkable_columns(self) -> list[str]:
        """The columns that the checks of a table read: all but images and what is ignored."""
        return [
            e.name
            for e in self.schema.entries
            if e.role != "ignored" and not isinstance(e.column, Image | Window)
        ]

    @property
    def device(self) -> str:
        """Where the networks are."""
        return self.parts.device

    @property
    def threads(self) -> int | None:
        """Threads of torch; None for its own choice."""
        return self.parts.threads

    @property
    def samples_latents(self) -> bool:
        """Whether synthetic rows are decoded from latent codes that are sampled."""
        return hasattr(self.cell_network.bottleneck, "latent") and not self.cell_network.corruption.masks

    def with_report(self, *notes: str, **facts: Any) -> Engine:
        """Return the same model with more notes and facts.

        Args:
            notes: sentences; empty ones are left out.
            facts: name -> value.
        """
        more = [note for note in notes if note]
        return replace(self, notes=self.notes + more, facts={**self.facts, **facts})

    def read(self, data: Any) -> Frame:
        """Read the user's data as a frame.

        Raises:
            SchemaError: its columns are not those of the fit.
            DataError: it cannot be read.
        """
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
        """Yield the rows of a frame as batches, with their numbers."""
        return self.parts.chunks(frame)

    def bits(self, frame: Frame) -> np.ndarray:
        """Return (user rows,) the anomaly score of each row in bits."""
        if self.images is None:
            return self.rows.bits(frame)
        return self.images.bits(frame, lambda: self.rows.bits(frame), alone=self._has_only_images)

    def to_user_rows(
        self, frame: Frame, kind: str, values: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the values of one field on the user's rows: see `ModelParts.to_user_rows`.

        Args:
            frame: what was read.
            kind: of the field.
            values: (frame rows, *cell).
            weights: of the points of windows; None for equal ones.
        """
        return self.parts.to_user_rows(frame, kind, values, weights)

    def cells(self, batch: Batch, **options: Any) -> CellPredictions:
        """Predict each scored cell given the others: see `CellPredictor.predict`.

        Args:
            batch: rows.
            options: of `CellPredictor.predict`.
        """
        return self.predictor.predict(batch, **options)

    def judge_cells(self, columns: Mapping[str, pa.Array], nats: Mapping[str, np.ndarray]) -> JudgedCells:
        """Return how likely the cells of rows are wrong: what the network says, and the checks of the table.

        Args:
            columns: name -> values of the rows; text may be missing.
            nats: scored column -> (rows,) evidence of the network.
        """
        verdicts = self.table_errors.judge(columns) if self.table_errors is not None else {}
        nats = {name: values for name, values in nats.items() if name in columns}
        known = {name: verdicts[name] for name in nats if name in verdicts}
        # That the form or the length of a text is unusual does not make the text wrong: the row is anomalous.
        unknown = {n: np.full(len(nats[n]), np.nan) for n in known if not self.schema[n].predicts_values}
        return JudgedCells.join({**nats, **unknown}, known, self.cell_errors)

    def texts_of(self, name: str) -> Sequence[str]:
        """Return the different texts of a column of the fit; empty if they are not known.

        Args:
            name: of the column.
        """
        return () if self.table_errors is None else self.table_errors.texts.table.values.get(name, ())

    def fill_missing(self, batch: Batch) -> Batch:
        """Return the rows with the expected value in place of every missing one."""
        return self.parts.fill_missing(batch)

    @torch.no_grad()
    def latent(self, batch: Batch) -> np.ndarray:
        """Return (rows, latent) the code of each row, from the network that answers for cells."""
        network = self.cell_network
        read = batch if network.corruption.masks else self.fill_missing(batch)
        with torch_threads(self.threads):
            codes = [
                network.encode(c.padded().to(self.device))[0].cpu().numpy()[: len(c)]
                for c in read.chunks(ROWS_PER_READ)
            ]
        return np.concatenate(codes)

    def coordinates(self, batch: Batch) -> np.ndarray:
        """Return (rows, latent) the codes; without a bottleneck, their first principal components."""
        codes = self.latent(batch)
        if not isinstance(self.cell_network.bottleneck, Identity) or self.axes is None:
            return codes
        centre, directions = self.axes
        # In double precision: rounded in single, coordinates would depend on the row's place in the product.
        away = (codes - centre).astype(float) @ directions.T.astype(float)
        return np.asarray(away.astype(codes.dtype))
