"""The charts of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from diabolo.report.drawing.axes import Axis, Scale, clock_ticks, format_short, number_axis, number_ticks
from diabolo.report.drawing.downsampling import column_max
from diabolo.report.drawing.png import Thumbnail
from diabolo.report.drawing.svg import Drawing

PAGE_WIDTH = 1040.0  # of a chart as wide as the page; this and other sizes are in units of the drawing
LEFT_MARGIN, RIGHT_MARGIN = 52.0, 10.0
BIT_TICKS = (0, 2, 5, 10, 20, 40, 100, 200, 400, 1000, 2000, 5000, 10_000)
THUMBNAIL_SIZE = 40.0  # of an image on the map: a choice
SEVERITY_GRADES = ("common", "unusual", "rare", "very rare")  # of severity, 25 points each
HISTOGRAM_EDGES = 33  # of 32 bars: a choice
INNER_QUANTILES = (
    0.002,
    0.998,
)  # of values, between which an axis runs: a few extreme ones would squeeze all others


def score_height(bits: np.ndarray | float) -> np.ndarray:
    """Return log(1 + bits / 10): a height at which one peak does not flatten all others."""
    return np.asarray(np.log1p(np.maximum(np.asarray(bits, dtype=float), 0) / 10))


def score_axis(drawing: Drawing, highest: float, threshold: float, top: float, bottom: float) -> Scale:
    """Draw the vertical axis of anomaly scores.

    Args:
        drawing: what to draw it in.
        highest: the highest score, in bits.
        threshold: the alarm level, in bits.
        top: the upper end of the axis.
        bottom: its lower end.

    Returns:
        the scale from `score_height` to the drawing.
    """
    scale = Scale(0, float(score_height(1.3 * max(highest, threshold))), bottom, top)
    ticks, free = [], bottom + 14
    for tick in BIT_TICKS:
        y = float(scale(score_height(tick)))
        if top <= y <= free - 14:
            ticks.append((float(score_height(tick)), f"{tick:,}"))
            free = y
    drawing.vertical_axis(Axis(scale, ticks), LEFT_MARGIN, drawing.width - RIGHT_MARGIN)
    drawing.text(LEFT_MARGIN, top - 6, "anomaly score, in bits", "label")
    return scale


def draw_alarm_level(drawing: Drawing, scale: Scale, threshold: float) -> None:
    """Draw the line of the alarm level, which the slider of the page moves.

    Args:
        drawing: what to draw it in.
        scale: the scale that `score_axis` returned.
        threshold: the alarm level, in bits.
    """
    y = float(scale(score_height(threshold)))
    data = f' data-top="{scale.end:.1f}" data-bottom="{scale.start:.1f}" data-full="{scale.high:.4f}"'
    drawing.line(LEFT_MARGIN, y, drawing.width - RIGHT_MARGIN, y, "threshold", more=data)


def row_scores(
    name: str,
    bits: np.ndarray,
    threshold: float,
    labels: Mapping[int, str],
    *,
    title: str,
    unit: str = "row",
) -> str:
    """Return a chart of the anomaly score of every row of a table, in their order, as SVG.

    Args:
        name: unique in the page.
        bits: (rows,) anomaly scores.
        threshold: the alarm level, in bits; scores above it are alarms.
        labels: row -> text of those that are marked.
        title: of the chart.
        unit: what a row is, in the singular.
    """
    drawing = Drawing(PAGE_WIDTH, 246, name)
    scale = Scale(0, max(len(bits) - 1, 1), LEFT_MARGIN + 4, PAGE_WIDTH - RIGHT_MARGIN - 4)
    top, bottom = 24.0, 212.0
    upright = score_axis(drawing, float(bits.max()), threshold, top, bottom)
    for kind, chosen in (("score", bits <= threshold), ("score alarm", bits > threshold)):
        # One line for each column of pixels.
        x, height = column_max(
            scale(np.flatnonzero(chosen)), bits[chosen], int(PAGE_WIDTH - LEFT_MARGIN - RIGHT_MARGIN)
        )
        steps = "".join(
            f"M{a:.1f} {bottom:.0f}V{b:.1f}" for a, b in zip(x, upright(score_height(height)), strict=True)
        )
        if steps:
            drawing.parts.append(f'<path class="{kind}" d="{steps}"/>')
    draw_alarm_level(drawing, upright, threshold)
    for row, label in labels.items():
        kind = "mark" if bits[row] > threshold else "mark no-alarm"
        drawing.circle(float(scale(row)), float(upright(score_height(bits[row]))), 4, kind, title=label)
    drawing.horizontal_axis(Axis(scale, number_ticks(0, max(len(bits) - 1, 1), 8)), top, bottom, grid=False)
    description = (
        f"{len(bits)} {unit}s from left to right, as high as their anomaly scores; "
        "the dashed line is the alarm level."
    )
    return drawing.svg(title, description, "wide")


def alarm_counts(
    name: str, level: np.ndarray, counts: np.ndarray, chance: np.ndarray | None, current: float, *, unit: str
) -> str:
    """Return a chart of the number of alarms at each level, on a logarithmic scale, as SVG.

    Args:
        name: unique in the page.
        level: (levels,) bits, ascending.
        counts: (levels,) the number of alarms.
        chance: (levels,) the number expected by chance; None to leave it out.
        current: the level in use.
        unit: what is counted.
    """
    drawing = Drawing(PAGE_WIDTH, 236, name)
    along = Axis(
        Scale(float(level[0]), float(level[-1]), LEFT_MARGIN, PAGE_WIDTH - RIGHT_MARGIN),
        number_ticks(level[0], level[-1], 8),
    )
    positive = counts[counts > 0]
    low = float(positive.min()) / 2 if len(positive) else 0.5
    high = max(float(counts.max()), low * 10) * 1.3
    top, bottom = 24.0, 200.0
    scale = Scale(math.log10(low), math.log10(high), bottom, top)
    drawing.vertical_axis(Axis(scale, _decades(low, high)), LEFT_MARGIN, PAGE_WIDTH - RIGHT_MARGIN)
    drawing.text(LEFT_MARGIN, top - 8, unit, "label")
    if chance is not None:
        inside = chance >= low
        drawing.path(along.scale(level[inside]), scale(np.log10(chance[inside])), "chance")
    x = np.repeat(along.scale(level), 2)[1:]
    y = np.repeat(scale(np.log10(np.maximum(counts, low))), 2)[:-1]
    drawing.path(x, y, "count")
    ends = f' data-left="{along.scale.start:.1f}" data-right="{along.scale.end:.1f}"'
    here = float(along.scale(current))
    drawing.line(here, top, here, bottom, "threshold", more=ends)
    drawing.horizontal_axis(along, top, bottom)
    drawing.text(PAGE_WIDTH - RIGHT_MARGIN, bottom + 32, "alarm level, in bits", "label", anchor="end")
    words = f"{unit} by alarm level; the vertical line is the level in use."
    return drawing.svg("Alarms against alarm level", words, "wide")


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis: powers of ten, with 2 and 5 between them where they fit."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    every, between = max(1, math.ceil(len(powers) / 6)), (1, 2, 5) if len(powers) < 4 else (1,)
    values = [d * 10.0**p for p in powers if p % every == 0 for d in between]
    return [(math.log10(v), format_short(v)) for v in values if low <= v <= high]


def histogram(
    name: str, real: np.ndarray, other: np.ndarray, *, title: str, description: str, dates: bool = False
) -> str:
    """Return the histograms of two sets of values as SVG: one as bars, the other as a line.

    Args:
        name: unique in the page.
        real: the values of the bars.
        other: the values of the line.
        title: of the chart.
        description: of the chart.
        dates: whether values are seconds since 1970.
    """
    drawing = Drawing(320, 148, name)
    both = np.concatenate([real, other])
    low, high = np.quantile(both, INNER_QUANTILES)
    axis = number_axis(np.array([low, high]), 10, 310, count=3, margin=0.02)
    if dates:
        axis = Axis(axis.scale, clock_ticks(axis.scale.low, axis.scale.high, 3))
    edges = np.linspace(axis.scale.low, axis.scale.high, HISTOGRAM_EDGES)
    counts = [np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / max(len(v), 1) for v in (real, other)]
    top = Scale(0, max(float(np.max(counts)), 1e-9), 116, 14)
    x = axis.scale(edges)
    for i, share in enumerate(counts[0]):
        if share:
            y = float(top(share))
            drawing.rect(float(x[i]) + 0.5, y, float(x[i + 1] - x[i]) - 1, 116 - y, "bar")
    outline = np.r_[0.0, np.repeat(counts[1], 2), 0.0]
    drawing.path(np.repeat(x, 2), top(outline), "outline")
    drawing.line(10, 116, 310, 116, "base")
    drawing.horizontal_axis(axis, 14, 116, grid=False)
    return drawing.svg(title, description, "small")


def map_places(z: np.ndarray) -> np.ndarray:
    """Return where rows are drawn on a map of two latent coordinates.

    Those beyond the quantiles are drawn at its edge.

    Args:
        z: (rows, 2) coordinates.
    """
    places = []
    for i, (start, end) in enumerate(((16.0, 604.0), (400.0, 14.0))):
        low, high = np.quantile(z[:, i], INNER_QUANTILES)
        scale = number_axis(np.array([low, high]), start, end, margin=0.08).scale
        places.append(scale(np.clip(z[:, i], scale.low, scale.high)))
    return np.stack(places, axis=1)


def latent_map(
    name: str,
    places: np.ndarray,
    severity: np.ndarray,
    labels: Mapping[int, str],
    *,
    names: Sequence[str],
    thumbnails: Mapping[int, Thumbnail] = MappingProxyType({}),
) -> str:
    """Return a map of rows in two latent coordinates as SVG, the most anomalous ones drawn last.

    Args:
        name: unique in the page.
        places: (rows, 2) where they are drawn: see `map_places`.
        severity: (rows,) 0 to 100.
        labels: row -> text of those with a ring.
        names: of the two coordinates.
        thumbnails: row -> image that is drawn at its place, below its dot.
    """
    drawing = Drawing(620, 430, name)
    level = np.clip(severity // 25, 0, 3).astype(int)
    drawing.rect(8, 6, 604, 402, "frame")
    has_image = np.isin(np.arange(len(places)), list(thumbnails))
    _draw_dots(drawing, places, np.where(has_image, -1, level))
    for row, image in thumbnails.items():
        kind = "smooth" if image.smooth else "pixels"
        x, y = places[row].tolist()
        drawing.image(x, y, THUMBNAIL_SIZE, image.uri, kind, title=image.text)
    # On the lower edge of the image, which would hide it.
    places = places + np.outer(has_image, [0, THUMBNAIL_SIZE / 2])
    _draw_dots(drawing, places, np.where(has_image, level, -1))
    for row, label in labels.items():
        drawing.circle(float(places[row, 0]), float(places[row, 1]), 6, "ring", title=label)
    drawing.text(12, 424, f"latent coordinate {names[0]} →", "label")
    drawing.text(608, 424, f"↑ {names[1]}", "label", anchor="end")
    return drawing.svg(
        "Map of the latent space", "Rows with similar latent coordinates lie close together.", "map"
    )


def _draw_dots(drawing: Drawing, places: np.ndarray, level: np.ndarray) -> None:
    """Draw rows in the colours of their severity, the most severe last; those of level -1 are left out."""
    for grade in range(len(SEVERITY_GRADES)):
        drawing.dots(places[level == grade, 0], places[level == grade, 1], f"dot severity{grade}")


def training_curve(
    name: str, epochs: np.ndarray, training: np.ndarray, held_out: np.ndarray, *, title: str
) -> str:
    """Return a chart of the losses on training rows and on held-out rows as SVG.

    Args:
        name: unique in the page.
        epochs: (points,) epochs, ascending.
        training: (points,) loss on training rows, in nats per row; NaN where there is none.
        held_out: (points,) the same on held-out rows.
        title: of the chart.
    """
    drawing = Drawing(500, 210, name)
    top, bottom = 24.0, 176.0
    losses = np.concatenate([training[1:] if len(training) > 5 else training, held_out])
    axis = number_axis(losses, bottom, top, count=4, margin=0.08)
    along = number_axis(np.r_[0.0, epochs], LEFT_MARGIN, 490, count=5, margin=0)
    drawing.vertical_axis(axis, LEFT_MARGIN, 490)
    drawing.text(LEFT_MARGIN, top - 8, "loss, in nats per row", "label")
    low, high = axis.scale.low, axis.scale.high
    drawing.path(along.scale(epochs), axis.scale(np.clip(training, low, high)), "training")
    drawing.path(along.scale(epochs), axis.scale(np.clip(held_out, low, high)), "held-out")
    if np.isfinite(held_out).any():
        best = int(np.nanargmin(held_out))
        drawing.circle(
            float(along.scale(epochs[best])),
            float(axis.scale(held_out[best])),
            4,
            "best",
            title="weights kept",
        )
    drawing.horizontal_axis(along, top, bottom)
    drawing.text(490, bottom + 31, "epochs", "label", anchor="end")
    return drawing.svg(
        title, "Solid: held-out rows. Thin: training rows. The dot marks the weights that were kept.", "curve"
    )
