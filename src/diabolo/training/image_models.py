"""Which models of images a fit needs beside its networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from diabolo.data.columns import Image
from diabolo.data.columns.image import channels_first, is_image
from diabolo.data.images import PixelRange, image_size
from diabolo.data.sources import Frame
from diabolo.engine import Engine
from diabolo.errors import OptionError
from diabolo.images.models import ImageModels
from diabolo.training.options import seconds
from diabolo.utils.progress import Progress

# Pixels of the shorter side, from which images are denoised by a model of patches; smaller ones are denoised
# whole, by the network (a choice: a patch of training has 32 to 96).
MIN_SIDE_FOR_PATCHES = 48


def check_labels(labels: str | None, columns: Mapping[str, Any]) -> None:
    """Check the option `labels` before work starts.

    Args:
        labels: the option.
        columns: name -> values of the fit.

    Raises:
        OptionError: there is no such column.
    """
    if labels is None:
        return
    if labels not in columns:
        raise OptionError(
            f"labels={labels!r}: the data has no such column", hint=f"one of {', '.join(columns)}"
        )


def add_image_models(
    engine: Engine, frame: Frame, options: Mapping[str, Any], seed: int, progress: Progress | None
) -> Engine:
    """Return a model with models of its images, where there are any and they are of use.

    Args:
        engine: after the fit of its networks.
        frame: the rows of the fit.
        options: name -> value of every option of `Autoencoder`.
        seed: of every random number.
        progress: called with the progress.

    Raises:
        OptionError: labels are given, but no column holds images.
    """
    column = next((n for n in engine.schema.scored if isinstance(engine.schema[n], Image)), None)
    if column is None:
        if options["labels"] is not None:
            raise OptionError(
                "labels say who or what an image shows, and no column that is scored holds images",
                hint='categorical=["..."] for a column of labels in a table',
            )
        return engine
    uses = []
    if options["recipe"] == "default" and options["members"] is None:
        uses.append("defects")
    if options["recipe"] == "denoising" and _shorter_side(frame, column) >= MIN_SIDE_FOR_PATCHES:
        uses.append("denoising")
    if options["labels"] is not None:
        uses.append("recognition")
    if not uses:
        return engine
    budget, noise = options["budget"], options["noise"]
    own = engine.schema[column]
    assert isinstance(own, Image)
    models = ImageModels.fit(
        frame,
        column,
        engine.source.pixel_range(column) or PixelRange.of(frame.user_table.columns()[column]),
        uses,
        labels=options["labels"],
        noise=None if noise is None else noise * own.scale,
        budget=None if budget is None else seconds(budget),
        seed=seed,
        progress=progress,
    )
    return replace(engine, images=models).with_report(*models.notes)


def _shorter_side(frame: Frame, column: str) -> int:
    """Return the pixels of the shorter side of the first image that is present."""
    values = frame.user_table.columns()[column].drop_null()
    if is_image(values.type):
        return int(min(channels_first(values[:1], column)[0].shape[2:]))
    return min(image_size(values[0].as_py())[:2])
