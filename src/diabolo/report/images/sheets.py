"""Contact sheets: many images at a glance, and reconstructions beside the originals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diabolo import tasks
from diabolo.report.drawing.png import Thumbnail
from diabolo.report.drawing.thumbnails import make_thumbnail
from diabolo.report.formatting import count_of, format_bits
from diabolo.report.images.shown import MAX_SIDE
from diabolo.utils.sampling import evenly_spaced

if TYPE_CHECKING:
    from diabolo.report.image_view import ImageView

# Choices:
SHEET_SIDE = 96  # pixels of the longer side of an image of a sheet
MAX_ANOMALOUS = 60  # images of a sheet
MIN_ANOMALOUS = 24  # likewise, of data with few alarms
MAX_TYPICAL = 24
N_RECONSTRUCTED = 8


@dataclass(frozen=True)
class Tile:
    """One image of a contact sheet.

    Attributes:
        image: the image.
        name: of its file, or its number.
        score: its anomaly score as text.
        alarm: whether it is an alarm.
    """

    image: Thumbnail
    name: str
    score: str
    alarm: bool


@dataclass(frozen=True)
class Reconstructed:
    """An image beside its reconstruction.

    Attributes:
        name: of its file, or its number.
        before: the image.
        after: its reconstruction.
        error: root mean square of their difference, in percent of the range from black to white.
    """

    name: str
    before: Thumbnail
    after: Thumbnail
    error: float


def contact_sheets(view: ImageView) -> list[tuple[str, list[Tile]]]:
    """Return (title, images) of the most anomalous images and of typical ones.

    Typical are images with scores below the median, evenly chosen. An image is on one sheet only.

    Args:
        view: the data.
    """
    order = np.argsort(-view.bits, kind="stable")
    alarms = int(view.scores.alarm.sum())
    most = min(max(alarms, MIN_ANOMALOUS), MAX_ANOMALOUS, -(-len(order) // 2))
    low = order[max(len(order) // 2, most) :]
    typical = np.sort(low)[evenly_spaced(len(low), MAX_TYPICAL)] if len(low) else low
    sheets = []
    for title, rows in (("most anomalous", order[:most]), ("typical", typical)):
        tiles = [_tile(view, row) for row in view.images.are_present(rows.tolist())]
        if tiles:
            number = "The most anomalous" if title == "most anomalous" else "Typical ones"
            sheets.append((f"{number}: {count_of(len(tiles), 'image')}", tiles))
    return sheets


def _tile(view: ImageView, row: int) -> Tile:
    name, score = view.images.names[row], format_bits(float(view.bits[row]), view.max_bits)
    image = make_thumbnail(
        view.images.small(row), f"{name}, {score}", most=SHEET_SIDE, exact=view.images.are_exact or None
    )
    return Tile(image, name, score, bool(view.scores.alarm[row]))


def reconstructions(view: ImageView) -> list[Reconstructed]:
    """Return evenly chosen images beside their reconstructions by the network.

    Args:
        view: the data.
    """
    rows = view.images.are_present(view.evenly_spaced(N_RECONSTRUCTED).tolist())
    if not rows:
        return []
    frame, _ = view.engine.source.narrow(view.frame, np.array(rows))
    values = tasks.reconstruct(view.model, frame.user_table).columns()[view.column]
    return [_reconstructed(view, row, view.images.of_answer(values, i)) for i, row in enumerate(rows)]


def _reconstructed(view: ImageView, row: int, after: np.ndarray) -> Reconstructed:
    name, before, exact = view.images.names[row], view.images.at(row), view.images.are_exact or None
    error = 100 * float(np.sqrt(np.mean((before.mean(2) - after.mean(2)) ** 2)))
    return Reconstructed(
        name,
        make_thumbnail(before, name, most=MAX_SIDE, exact=exact),
        make_thumbnail(after, f"reconstruction of {name}", most=MAX_SIDE, exact=exact),
        error,
    )
