"""The latent space in a report: a map of the rows, and what its widest axes stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from diabolo import tasks
from diabolo.data.columns import Image
from diabolo.data.columns.image import to_pixels
from diabolo.detection.calibration import severity
from diabolo.errors import UnsupportedError
from diabolo.report.drawing import charts
from diabolo.report.drawing.png import Thumbnail, thumbnail
from diabolo.report.formatting import clipped, shown
from diabolo.report.view import SAMPLE, View

RINGS = 20
AXES, STEPS, REACH = 2, 7, 2.0  # traversals: how many, and how far in deviations
COLUMNS = 6  # shown in a traversal of a table


def latent_map(view: View) -> str:
    """The map of at most 2,000 rows or windows; empty without two coordinates.

    Rings are the oddest alarms of a table. The alarms of an episode of a series lie on one spot, or on one
    line: of each episode only the window around its oddest point gets a ring.
    """
    engine = view.engine
    oddest = sorted(view.scores.episodes, key=lambda e: -e.bits)[:RINGS]
    ringed = engine.source.at_centre(view.frame, np.arange(view.frame.rows))[
        np.array([e.peak for e in oddest], int)
    ]
    rows = np.unique(np.r_[view.even(SAMPLE - len(ringed)), ringed])
    z = engine.coordinates(engine.schema.encode(view.frame[rows]))
    if z.shape[1] < 2 or len(z) < 3 or not np.isfinite(z).all():
        return ""
    # A bottleneck has its coordinates in no order: some may hardly vary.
    widest = np.argsort(-z.std(0), kind="stable")[:2]
    labels = {
        int(at): f"{view.when(e.peak)}: {e.bits:.1f} bits"
        for at, e in zip(np.searchsorted(rows, ringed), oddest, strict=True)
    }
    odd = severity(view.frame_bits[rows])
    return charts.latent_map("latent", z[:, widest], odd, labels, names=[f"z{i}" for i in widest])


@dataclass(frozen=True)
class Traversal:
    """A walk along a latent axis, from a code in the middle of all.

    Attributes:
        name: of the axis.
        steps: places on the way, in deviations from the mean.
        lines: (column, what is decoded at each step): texts or pictures.
    """

    name: str
    steps: list[str]
    lines: list[tuple[str, list[str | Thumbnail | None]]]


def traversals(view: View) -> list[Traversal]:
    """Walks along the two widest axes; none if the model has no way back from its coordinates."""
    engine = view.engine
    try:
        tasks.check_decodable(engine)
    except UnsupportedError:
        return []
    centre, scale = tasks.latent_moments(engine)
    steps = np.linspace(-REACH, REACH, STEPS)
    made = []
    for axis in np.argsort(-scale, kind="stable")[:AXES]:
        z = np.tile(centre, (STEPS, 1))
        z[:, axis] += steps * scale[axis]
        decoded = tasks.decode_latents(engine, z)
        moved = sorted(decoded, key=lambda name: -_change(view, name, decoded[name]))
        lines = [(clipped(n, 40), _cells(view, n, decoded[n])) for n in moved[:COLUMNS]]
        made.append(Traversal(f"z{axis}", [f"{s:+.1f}" if abs(s) > 1e-9 else "0" for s in steps], lines))
    return made


def _change(view: View, name: str, values: pa.Array) -> float:
    """How much a column changes on the way: of its spread, or in labels."""
    column = view.engine.schema[name]
    if isinstance(column, Image):
        return float("inf")
    value = column.encode(values, name)[0][0].astype(float)
    if column.kind in ("number", "datetime"):
        return float(np.ptp(value))
    return float(len(np.unique(value)) - 1)


def _cells(view: View, name: str, values: pa.Array) -> list[str | Thumbnail | None]:
    column = view.engine.schema[name]
    if isinstance(column, Image):
        return [thumbnail(column, picture) for picture in to_pixels(values)]
    return [shown(value, digits=3) for value in values.to_pylist()]
