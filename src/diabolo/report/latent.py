"""The latent space in a report: a map of the rows, and traversals of its widest axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from diabolo import tasks
from diabolo.data.columns import Image
from diabolo.data.columns.image import to_pixels
from diabolo.detection.calibration import severity
from diabolo.errors import UnsupportedError
from diabolo.report.cards import Content
from diabolo.report.drawing import charts
from diabolo.report.drawing.png import thumbnail
from diabolo.report.formatting import format_value
from diabolo.report.view import View
from diabolo.utils.text import shorten

MAX_POINTS = 2_000  # of the map: a choice
MAX_THUMBNAILS = 40  # on the map: a choice
MAX_RINGS = 20  # around points of the map: a choice
N_AXES = 2  # that are traversed: a choice
N_STEPS = 7  # of a traversal: a choice
MAX_DEVIATIONS = 2.0  # of a traversal, in standard deviations of the axis: a choice
MAX_COLUMNS = 6  # of a traversal of a table: a choice


def latent_map(view: View) -> str:
    """Return the map of at most 2,000 rows or windows as SVG; empty without two coordinates.

    Rings mark the most anomalous alarms of a table. The alarms of an episode of a series lie on one spot, or
    on one line: of each episode only the window around its most anomalous point gets a ring.
    """
    engine = view.engine
    episodes = sorted(view.scores.episodes, key=lambda e: -e.bits)[:MAX_RINGS]
    peaks = np.array([e.peak for e in episodes], int)
    ringed = engine.source.at_centre(view.frame, np.arange(view.frame.rows))[peaks]
    rows = np.unique(np.r_[view.evenly_spaced(MAX_POINTS - len(ringed)), ringed])
    z = engine.coordinates(engine.schema.encode(view.frame[rows]))
    if z.shape[1] < 2 or len(z) < 3 or not np.isfinite(z).all():
        return ""
    # A bottleneck has its coordinates in no order: some may hardly vary.
    widest = np.argsort(-z.std(0), kind="stable")[:2]
    labels = {
        int(at): f"{view.when(e.peak)}: {e.bits:.1f} bits"
        for at, e in zip(np.searchsorted(rows, ringed), episodes, strict=True)
    }
    names = [f"z{i}" for i in widest]
    places = charts.map_places(z[:, widest])
    chosen = spread_out(places, charts.THUMBNAIL_SIZE, MAX_THUMBNAILS)
    shown = view.thumbnails(rows[chosen].tolist())
    thumbnails = {int(at): shown[int(rows[at])] for at in chosen if int(rows[at]) in shown}
    grades = severity(view.frame_bits[rows])
    return charts.latent_map("latent", places, grades, labels, names=names, thumbnails=thumbnails)


def spread_out(places: np.ndarray, apart: float, most: int) -> list[int]:
    """Return the numbers of points that lie apart, so that what is drawn there does not overlap.

    Points are tried in an order that covers all of them evenly, however many are chosen.

    Args:
        places: (points, 2) places.
        apart: the smallest distance of two of them, along x or along y.
        most: largest number of points.

    Example:
        >>> spread_out(np.array([[0.0, 0.0], [1.0, 1.0], [9.0, 0.0]]), 5, 10)
        [0, 2]
    """
    chosen: list[int] = []
    for at in np.random.default_rng(0).permutation(len(places)) if len(places) > most else range(len(places)):
        away = np.abs(places[chosen] - places[at]).max(1)
        if len(chosen) < most and (away >= apart).all():
            chosen.append(int(at))
    return chosen


@dataclass(frozen=True)
class Traversal:
    """The mean latent code, moved along one latent axis and decoded.

    Attributes:
        name: of the axis.
        steps: the positions on the axis, in standard deviations from the mean.
        lines: (column, its decoded value at each step).
    """

    name: str
    steps: list[str]
    lines: list[tuple[str, list[Content]]]


def traversals(view: View) -> list[Traversal]:
    """Return traversals of the two widest axes; none if the model cannot decode its coordinates."""
    engine = view.engine
    try:
        tasks.check_decodable(engine)
    except UnsupportedError:
        return []
    centre, scale = tasks.latent_moments(engine)
    steps = np.linspace(-MAX_DEVIATIONS, MAX_DEVIATIONS, N_STEPS)
    names = [f"{step:+.1f}" if abs(step) > 1e-9 else "0" for step in steps]
    found = []
    for axis in np.argsort(-scale, kind="stable")[:N_AXES]:
        z = np.tile(centre, (N_STEPS, 1))
        z[:, axis] += steps * scale[axis]
        decoded = tasks.decode_latents(engine, z)
        by_change = sorted(decoded, key=lambda name: -_change(view, name, decoded[name]))
        lines = [(shorten(n, 40), _contents(view, n, decoded[n])) for n in by_change[:MAX_COLUMNS]]
        found.append(Traversal(f"z{axis}", names, lines))
    return found


def _change(view: View, name: str, values: pa.Array) -> float:
    """How much a column changes: its range in standard units, or the number of other labels."""
    column = view.engine.schema[name]
    if isinstance(column, Image):
        return float("inf")
    value = column.encode(values, name)[0][0].astype(float)
    if column.kind in ("number", "datetime"):
        return float(np.ptp(value))
    return float(len(np.unique(value)) - 1)


def _contents(view: View, name: str, values: pa.Array) -> list[Content]:
    """Decoded values as cells show them."""
    column = view.engine.schema[name]
    if isinstance(column, Image):
        return [thumbnail(column, pixels) for pixels in to_pixels(values)]
    return [format_value(value, digits=3) for value in values.to_pylist()]
