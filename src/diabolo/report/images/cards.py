"""The cards of the most anomalous images: the image, what is expected, and where it is anomalous."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from diabolo import tasks
from diabolo.detection.calibration import severity
from diabolo.report.cards import MAX_CARDS, Card
from diabolo.report.drawing.heat_map import HeatScale
from diabolo.report.drawing.png import Thumbnail
from diabolo.report.drawing.thumbnails import fit_map, make_thumbnail
from diabolo.report.formatting import format_value
from diabolo.report.images.shown import MAX_SIDE
from diabolo.utils.text import shorten

if TYPE_CHECKING:
    from diabolo.data.sources import Frame
    from diabolo.report.image_view import ImageView
    from diabolo.tasks import Explanation

MIN_CARDS = 6  # of data with few alarms: a choice
MAX_AT_ONCE = 4  # images that are explained together: a choice
MAX_DETAILS = 3  # other columns of a row that are named: a choice


@dataclass
class ImageCard(Card):
    """One of the most anomalous images.

    Attributes:
        row: its number.
        shown: (what it is, the image) from left to right.
    """

    row: int = 0
    shown: list[tuple[str, Thumbnail]] = field(default_factory=list)


@dataclass(frozen=True)
class _Explained:
    """What is known of one image.

    Attributes:
        expected: what was expected in its place, from 0 to 1.
        nearest: the most similar remembered image; None if there is none.
        bits: (height, width) of its pixels, at the size of its thumbnail.
    """

    expected: np.ndarray
    nearest: np.ndarray | None
    bits: np.ndarray


def image_cards(view: ImageView) -> tuple[list[Card], HeatScale]:
    """Return the cards of up to twenty of the most anomalous images, and the colours of their heat maps.

    Those are the alarms, but at least a twentieth of the images, and at least six.

    Args:
        view: the data.
    """
    most = min(max(view.user_table.rows // 20, int(view.scores.alarm.sum()), MIN_CARDS), MAX_CARDS)
    rows = view.images.are_present(np.argsort(-view.bits, kind="stable")[:most].tolist())
    # A few at a time: the heat map of a photograph takes as much memory as the photograph.
    groups = [rows[i : i + MAX_AT_ONCE] for i in range(0, len(rows), MAX_AT_ONCE)]
    explained = [one for group in groups for one in _explain(view, group)]
    scale = HeatScale.of([e.bits for e in explained], calibrated=view.has_detector)
    return [_card(view, row, e, scale) for row, e in zip(rows, explained, strict=True)], scale


def _explain(view: ImageView, rows: list[int]) -> list[_Explained]:
    """Explain some images."""
    # Rows of a table are independent: the answer about one is the same without the others.
    frame, _ = view.engine.source.narrow(view.frame, np.array(rows))
    explanation = tasks.explain(view.model, frame.user_table)
    expected = _expected(view, explanation, frame)
    nearest = _nearest(view, explanation)
    maps = explanation.maps[view.column]
    return [
        _Explained(expected[line], nearest.get(line), fit_map(maps[line], *view.images.small(row).shape[:2]))
        for line, row in enumerate(rows)
    ]


def _nearest(view: ImageView, explanation: Explanation) -> dict[int, np.ndarray]:
    """Return line -> the most similar remembered image."""
    neighbours = explanation.neighbours
    values = neighbours.get(view.column)
    if values is None:
        return {}
    return {int(line): view.images.of_answer(values, at) for at, line in enumerate(neighbours["row"])}


def _expected(view: ImageView, explanation: Explanation, frame: Frame) -> list[np.ndarray]:
    """Return what was expected in the place of images: of the detector, else of the networks."""
    models = view.engine.images
    if models is None or models.defects is None:
        values = explanation.expected[view.column]
        return [view.images.of_answer(values, line) for line in range(len(explanation.rows))]
    images, _ = models.images(frame)
    expected = [models.defects.expected(image) for image in images]
    if not view.images.are_exact:
        return expected
    stored = [images.decoded(line) for line in range(len(images))]
    return [
        view.images.to_unit(one.black + image * (one.white - one.black))
        for one, image in zip(stored, expected, strict=True)
    ]


def _card(view: ImageView, row: int, explained: _Explained, scale: HeatScale) -> ImageCard:
    """Return the card of one image."""
    bits, name, small = float(view.bits[row]), view.images.names[row], view.images.small(row)
    exact = view.images.are_exact or None
    heat = scale.draw_over(small, explained.bits)
    highest = float(explained.bits.max())
    shown = [
        ("Observed", small, f"{name}, as observed"),
        ("Where", heat, f"{name}: anomalous pixels, up to {highest:.0f} bits"),
        ("Expected", explained.expected, f"what was expected in place of {name}"),
    ]
    if explained.nearest is not None:
        shown.append(("Nearest", explained.nearest, f"the most similar remembered image to {name}"))
    return ImageCard(
        bits,
        float(severity(np.array(bits))),
        bool(view.scores.alarm[row]),
        [],
        title=name[:1].upper() + name[1:] if name.startswith("image ") else name,
        details="; ".join(_details(view, row)),
        max_bits=view.engine.calibration.max_bits,
        row=row,
        shown=[(k, make_thumbnail(pixels, t, most=MAX_SIDE, exact=exact)) for k, pixels, t in shown],
    )


def _details(view: ImageView, row: int) -> list[str]:
    """How else the user knows the image: its row, the pandas index, and other columns."""
    index, texts = view.user_table.index, [f"row {row:,}"]
    if index is not None and str(index[row]) != str(row):
        texts.append(f"index {shorten(str(index[row]), 40)}")
    others = [name for name in view.columns if name != view.column][:MAX_DETAILS]
    values = ((name, format_value(view.columns[name][row].as_py())) for name in others)
    return texts + [f"{shorten(name, 30)} {value}" for name, value in values if value]
