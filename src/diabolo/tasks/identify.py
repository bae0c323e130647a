"""Identify images: name who each shows, by a gallery of people who are known; the others are unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.data.images.folder import LABEL_COLUMN
from diabolo.data.sources import UserTable
from diabolo.errors import DataError, OptionError
from diabolo.images.recognition.gallery import Gallery
from diabolo.tasks.base import Answer, Model
from diabolo.tasks.recognition import (
    ImageVectors,
    check_present,
    needed_recognizer,
    needed_vectors,
    or_missing,
)


@dataclass
class Identified(Answer):
    """Who each image shows.

    Attributes:
        label: (rows,) the label of the most similar person of the gallery; None if nobody is similar enough.
        similarity: (rows,) to that person, whether or not it is enough.
        present: (rows,) whether there is an image that can be read; the answers about others are missing.
        threshold: the similarity from which on a person is named.
        people: the labels of the gallery.
    """

    user_table: UserTable
    label: list[str | None]
    similarity: np.ndarray
    present: np.ndarray
    threshold: float
    people: list[str]

    def columns(self) -> dict[str, Any]:
        """Return the label of each image, and the similarity."""
        labels = pa.array(self.label, pa.string())
        return {"label": labels, "similarity": or_missing(self.similarity, self.present)}


def identify(
    model: Model,
    data: Any,
    *,
    gallery: Any,
    labels: Sequence[str | None] | str | None = None,
    false_accept_rate: float = 0.01,
) -> Identified:
    """Name who or what each image shows, by the labelled images of a gallery; unknown ones get no name.

    The people of the gallery need not be those of the fit: they are added and removed without a new one. The
    more people it holds, the more similar an image must be: each of n people may be mistaken for a stranger
    at a rate of `false_accept_rate / n` (Bonferroni).

    Args:
        model: a model that was fitted to images with labels.
        data: rows with the columns of the fit.
        gallery: images of known people, with the columns of the fit.
        labels: who is on each image of the gallery, None where it is not known; or the name of its column
            that says so; None for the column of the fit.
        false_accept_rate: the share of images of people who are not in the gallery that may be given a name.

    Returns:
        The labels and similarities.

    Raises:
        UnsupportedError: the model was not fitted with labels, or to too few images for a threshold.
        OptionError: the rate is not between 0 and 1, or the gallery has no such labels.
        DataError: the data or the gallery cannot be read.
    """
    engine = model.engine_
    recognizer = needed_recognizer(engine, "identify", instead="model.match(data, gallery=gallery)")
    recognizer.threshold(false_accept_rate)  # refuses a rate before work starts
    known = needed_vectors(engine, gallery)
    people = enrolled(known, _labels_of(known.user_table, model.labels if labels is None else labels))
    threshold = recognizer.threshold(false_accept_rate / len(people.people))
    asked = needed_vectors(engine, data)
    label, similarity = named(asked, people, threshold)
    return Identified(asked.user_table, label, similarity, asked.present, threshold, people.people)


def enrolled(read: ImageVectors, labels: Sequence[str | None]) -> Gallery:
    """Return a gallery of the images that are present and have a label.

    Args:
        read: the images.
        labels: who is on each.

    Raises:
        DataError: no image is left.
    """
    check_present(read, "gallery")
    rows = [i for i in np.flatnonzero(read.present).tolist() if labels[i] is not None]
    if not rows:
        raise DataError("gallery: no image has a label", hint='labels=["Ann", "Bob", ...]')
    people = Gallery()
    people.enrol([str(labels[i]) for i in rows], read.vectors[rows])
    return people


def named(read: ImageVectors, people: Gallery, threshold: float) -> tuple[list[str | None], np.ndarray]:
    """Return the label of each image, None for nobody, and its similarity.

    Args:
        read: the images; the similarity of one that is not present counts for nothing.
        people: those who are known.
        threshold: the least similarity.
    """
    found = people.identify(read.vectors, threshold)
    labels = [label if there else None for (label, _), there in zip(found, read.present, strict=True)]
    return labels, np.array([similarity for _, similarity in found])


def _labels_of(table: UserTable, labels: Sequence[str | None] | str | None) -> list[str | None]:
    """Return the label of each row of a gallery.

    Raises:
        OptionError: the gallery has no such column, or the labels are not as many as its rows.
    """
    if not isinstance(labels, str | Iterable | None):
        raise OptionError(f"labels={labels!r}: expected a column or a list", hint='labels=["Ann", "Bob"]')
    if labels is None or isinstance(labels, str):
        name = LABEL_COLUMN if labels is None else labels
        columns = table.table.column_names
        if name not in columns:
            raise OptionError(
                f"labels={labels!r}: the gallery has no column {name!r}, only {', '.join(columns)}",
                hint='labels=["Ann", "Bob", ...], one for each image',
            )
        labels = table.table[name].to_pylist()
    names = list(labels)
    if len(names) != table.rows:
        raise OptionError(
            f"labels: {len(names)} for the {table.rows} rows of the gallery", hint="one for each row"
        )
    # A missing label of pandas is NaN, which does not equal itself.
    return [None if label is None or label != label else str(label) for label in names]
