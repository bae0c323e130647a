"""What a fit learns of the images of a column beside its networks: one model for each use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from diabolo.data.images import ImageSequence, PixelRange
from diabolo.data.sources import Frame
from diabolo.detection.calibration import Calibration
from diabolo.utils.files import select_prefix
from diabolo.utils.progress import Progress

if TYPE_CHECKING:
    from diabolo.images.defects.detector import DefectDetector
    from diabolo.images.denoising.denoiser import Denoiser
    from diabolo.images.recognition.recognizer import Recognizer

# The models that a fit can be asked for: name -> module and class, imported when a model has images.
USES = {
    "defects": ("diabolo.images.defects.detector", "DefectDetector"),
    "denoising": ("diabolo.images.denoising.denoiser", "Denoiser"),
    "recognition": ("diabolo.images.recognition.recognizer", "Recognizer"),
}

# Steps of a denoiser without a budget of time, so that the same seed gives the same model: about two minutes
# on a processor that is fast in bfloat16.
DENOISER_STEPS = 1_800


@dataclass(frozen=True)
class ImageModels:
    """Models of the images of one column.

    Attributes:
        column: its name.
        pixel_range: what black and white are in arrays, and how many channels are read.
        defects: says how anomalous images are, and where; None if it was not asked for.
        denoiser: removes noise; likewise.
        recognizer: says which images show the same person or thing; likewise.
    """

    column: str
    pixel_range: PixelRange
    defects: DefectDetector | None = None
    denoiser: Denoiser | None = None
    recognizer: Recognizer | None = None

    @classmethod
    def fit(
        cls,
        frame: Frame,
        column: str,
        pixel_range: PixelRange,
        uses: Collection[str],
        *,
        labels: str | None = None,
        noise: float | None = None,
        budget: float | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Learn the models that are asked for.

        Args:
            frame: the rows of the fit.
            column: the one with the images.
            pixel_range: what black and white are in them.
            uses: which of `USES`.
            labels: the column that says who or what an image shows; None without.
            noise: standard deviation of the noise to remove, in stored values; None for a range.
            budget: seconds that the denoiser may train; None for its own number of steps.
            seed: of every random number.
            progress: called with the progress.
        """
        images, rows = _present(frame, pixel_range, column)
        defects = denoiser = recognizer = None
        if "defects" in uses:
            defects = _model_of("defects").fit(images, seed=seed, progress=progress)
        if "denoising" in uses:
            level = None if noise is None else noise / (pixel_range.white - pixel_range.black)
            steps = DENOISER_STEPS if budget is None else None
            denoiser = _model_of("denoising").fit(
                images, noise=level, steps=steps, budget=budget, seed=seed, progress=progress
            )
        if "recognition" in uses:
            names = (
                None if labels is None else _labels(frame.user_table.columns()[labels].take(pa.array(rows)))
            )
            recognizer = _model_of("recognition").fit(images, names, seed=seed, progress=progress)
        return cls(column, pixel_range, defects, denoiser, recognizer)

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        return [] if self.denoiser is None else list(self.denoiser.notes)

    @cached_property
    def calibration(self) -> Calibration | None:
        """From anomaly scores of images to bits; None without a model of defects."""
        if self.defects is None:
            return None
        return Calibration({}, np.zeros(0), 1.0).ranked(np.asarray(self.defects.calibration, dtype=float))

    def images(self, frame: Frame) -> tuple[ImageSequence, np.ndarray]:
        """Return the images that are present and can be decoded, and the numbers of their rows.

        Args:
            frame: the rows that were read.
        """
        return _present(frame, self.pixel_range, self.column)

    def bits(self, frame: Frame, others: Callable[[], np.ndarray], *, alone: bool) -> np.ndarray:
        """Return (rows,) the anomaly score of each row in bits.

        Beside other columns, a row is as anomalous as the rarer of its image and the rest; twice the smaller
        of two p-values is a p-value (Bonferroni), which is one bit less.

        Args:
            frame: the rows that were read.
            others: returns (rows,) bits of the rows without their images, which also stand for missing
                images; called only where they count.
            alone: whether no other column is scored.
        """
        calibration = self.calibration
        if calibration is None or self.defects is None:
            return others()
        images, rows = self.images(frame)
        own = calibration.bits(np.array([self.defects.score(image) for image in images], dtype=float))
        if alone and len(rows) == frame.rows:
            return own
        bits = others().copy()
        bits[rows] = own if alone else np.maximum(np.maximum(own, bits[rows]) - 1, 0)
        return bits

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what is stored as arrays, by names that begin with the model's."""
        return {f"{use}/{k}": v for use, model in self._models() for k, v in model.arrays().items()}

    def state(self) -> dict[str, Any]:
        """Return what is stored as plain values."""
        return {
            "column": self.column,
            "pixel_range": asdict(self.pixel_range),
            "models": {use: model.state() for use, model in self._models()},
        }

    def _models(self) -> list[tuple[str, Any]]:
        models = zip(USES, (self.defects, self.denoiser, self.recognizer), strict=True)
        return [(use, model) for use, model in models if model is not None]

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> Self:
        """Return the inverse of `arrays` and `state`.

        Raises:
            ValueError: they are not what a fit leaves behind.
        """
        pixel_range = PixelRange(**state["pixel_range"])
        pixel_range.check()
        models = {}
        for use, stored in state["models"].items():
            models[use] = _model_of(use).restore(select_prefix(arrays, f"{use}/"), stored)
        if sum(k.split("/")[0] in models for k in arrays) != len(arrays):
            raise ValueError("it holds arrays that belong to no model of images")
        return cls(
            str(state["column"]),
            pixel_range,
            models.get("defects"),
            models.get("denoising"),
            models.get("recognition"),
        )


def _model_of(use: str) -> Any:
    """Return the class of a model."""
    module, name = USES[use]
    return getattr(import_module(module), name)


def _labels(values: pa.Array) -> list[str | None]:
    """Return labels as text; None for missing ones."""
    return [None if value is None else str(value) for value in values.to_pylist()]


def _present(frame: Frame, pixel_range: PixelRange, name: str) -> tuple[ImageSequence, np.ndarray]:
    """Return the images of a column that are present, and the numbers of their rows."""
    # As the frame has it: an image that cannot be decoded is missing there.
    rows = np.flatnonzero(frame.present(name))
    values = frame.user_table.columns()[name].take(pa.array(rows))
    return ImageSequence(values, pixel_range, name), rows
