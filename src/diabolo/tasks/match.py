"""Match rows: find the nearest rows of a gallery, in latent coordinates or by who is on an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diabolo.data.sources import UserTable
from diabolo.errors import OptionError
from diabolo.tasks.base import Answer, Model
from diabolo.tasks.embed import embed, latent_moments
from diabolo.tasks.recognition import (
    ImageVectors,
    check_present,
    image_vectors,
    needed_vectors,
    or_missing,
)
from diabolo.utils.checks import check_int
from diabolo.utils.numerics import nearest_exact

MAX_PAIRS_AT_ONCE = 4_000_000  # of rows whose distances are computed in one matrix product: bounds memory
SPARE_CANDIDATES = 2  # whose distance is computed exactly beyond the `k` wanted


@dataclass
class Matches(Answer):
    """The nearest rows of a gallery, `k` lines for each row, nearest first.

    Attributes:
        nearest: (rows, k) rows of the gallery, counted from 0; -1 where there is no image to compare.
        distance: (rows, k) the distance of each; 1 is the root mean square between unrelated rows.
        similarity: (rows, k) cosine of the angle between the coordinates less their mean over the remembered
            rows, or between the vectors of images: 1 for the same direction.
    """

    user_table: UserTable
    nearest: np.ndarray
    distance: np.ndarray
    similarity: np.ndarray

    def columns(self) -> dict[str, Any]:
        """Return the row, the rank from 1, the row of the gallery, the distance and the similarity."""
        rows, k = self.nearest.shape
        return {
            "row": np.repeat(np.arange(rows), k),
            "rank": np.tile(np.arange(1, k + 1), rows),
            "gallery": self._of_present(self.nearest),
            "distance": self._of_present(self.distance),
            "similarity": self._of_present(self.similarity),
        }

    def _of_present(self, values: np.ndarray) -> Any:
        """Return the values of the lines, missing where there is no image to compare."""
        compared = self.nearest.ravel() >= 0
        return values.ravel() if compared.all() else or_missing(values.ravel(), compared)


def match(model: Model, data: Any, *, gallery: Any, k: int = 1) -> Matches:
    """Find the rows of a gallery that are nearest in latent coordinates.

    A model that was fitted to images with labels compares them by what tells people apart, see
    `Recognizer`; rows without an image that can be read have no match, and match nothing.

    The distance is Euclidean, of coordinates that are not standardized: a coordinate that hardly varies
    contains little information, and standardizing would give it the same weight as any other (on handwritten
    digits, 97.5 against 96.7 % of the nearest rows were of the same class; the cosine gave 97.1). Rows of the
    gallery that are equal to the row are found, too.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        gallery: the rows to search, with the columns of the fit.
        k: the number of nearest rows for each row of `data`.

    Returns:
        The nearest rows, their distances and similarities.

    Raises:
        OptionError: the gallery has fewer than `k` rows, or `k` is not a positive integer.
        DataError: the data or the gallery cannot be read, or columns are missing.
    """
    asked = image_vectors(model.engine_, data)
    if asked is not None:
        return match_images(asked, needed_vectors(model.engine_, gallery), k)
    centre, scale = latent_moments(model.engine_)
    queries, known = embed(model, data), embed(model, gallery)
    _check_k(k, len(known.z))
    # The root mean square distance of two independent rows.
    unit = np.sqrt(2 * (scale**2).sum())
    rows, candidates = ((e.z - centre) / unit for e in (queries, known))
    found, distance = _nearest(rows, candidates, k)
    lengths = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(candidates, axis=1)[found]
    similarity = (rows[:, None] * candidates[found]).sum(2) / np.maximum(lengths, 1e-12)
    # Rounding may take the cosine of equal rows beyond 1.
    return Matches(queries.user_table, found, distance, similarity.clip(-1, 1))


def match_images(asked: ImageVectors, known: ImageVectors, k: int) -> Matches:
    """Return the nearest images of a gallery by their unit vectors.

    The distance is sqrt(1 - similarity), which is 1 for vectors at a right angle: Euclidean, up to a factor.

    Args:
        asked: the images.
        known: those of the gallery.
        k: how many for each image.

    Raises:
        OptionError: the gallery has fewer than `k` images, or `k` is not a positive integer.
        DataError: the gallery has no image that can be read.
    """
    check_present(known, "gallery")
    rows = np.flatnonzero(known.present)
    _check_k(k, len(rows))
    found, apart = _nearest(asked.vectors.astype(float), known.vectors[rows].astype(float), k)
    distance = apart / np.sqrt(2)
    similarity = (1 - distance**2).clip(-1, 1)
    nearest = np.where(asked.present[:, None], rows[found], -1)
    return Matches(asked.user_table, nearest, distance, similarity)


def _check_k(k: int, rows: int) -> None:
    """Raise `OptionError` if a gallery has fewer than `k` rows, or `k` is not a positive integer."""
    if check_int("k", k) > rows:
        raise OptionError(f"k={k}: the gallery has {rows} rows", hint=f"k={rows}")


def _nearest(rows: np.ndarray, gallery: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the nearest rows of a gallery, and their distances, both (rows, k).

    Args:
        rows: (rows, coordinates).
        gallery: (rows of the gallery, coordinates).
        k: how many for each row.
    """
    known = torch.from_numpy(gallery)
    nearest, squared = [], []
    step = max(MAX_PAIRS_AT_ONCE // len(known), 1)
    for start in range(0, len(rows), step):
        part = torch.from_numpy(rows[start : start + step])
        squares = part.square().sum(1)[:, None] - 2 * part @ known.T + known.square().sum(1)
        exact, found = nearest_exact(
            squares, partial(_squared_distances, part, known), k, spare=SPARE_CANDIDATES
        )
        nearest.append(found)
        squared.append(exact)
    return torch.cat(nearest).numpy(), torch.cat(squared).sqrt().numpy()


def _squared_distances(rows: Tensor, gallery: Tensor, index: Tensor) -> Tensor:
    """Return (rows, any number) the squared distance of each row to the rows of a gallery at `index`."""
    return (rows[:, None] - gallery[index]).square().sum(2)
