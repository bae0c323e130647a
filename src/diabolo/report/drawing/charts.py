"""The drawings of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from diabolo.report.drawing.svg import (
    Axis,
    Drawing,
    Scale,
    clock_ticks,
    column_max,
    number_axis,
    number_ticks,
    short,
)

WIDTH = 1040.0
LEFT, RIGHT = 52.0, 10.0
BIT_TICKS = (0, 2, 5, 10, 20, 40, 100, 200, 400, 1000, 2000, 5000, 10_000)
LEVELS = ("common", "unusual", "rare", "very rare")  # of severity, 25 points each


def rise(bits: np.ndarray | float) -> np.ndarray:
    """Bits as a height, ever slower, so that one peak does not flatten all others."""
    return np.asarray(np.log1p(np.maximum(np.asarray(bits, dtype=float), 0) / 10))


def strip(drawing: Drawing, highest: float, threshold: float, top: float, bottom: float) -> Scale:
    """The axis of a strip that shows how odd rows are; the scale of its heights, and of `rise`."""
    scale = Scale(0, float(rise(1.3 * max(highest, threshold))), bottom, top)
    ticks, free = [], bottom + 14
    for tick in BIT_TICKS:
        y = float(scale(rise(tick)))
        if top <= y <= free - 14:
            ticks.append((float(rise(tick)), f"{tick:,}"))
            free = y
    drawing.across(Axis(scale, ticks), LEFT, drawing.width - RIGHT)
    drawing.text(LEFT, top - 6, "oddness, in bits", "label")
    return scale


def alarm_level(drawing: Drawing, scale: Scale, threshold: float) -> None:
    """The line of the alarm level in a strip, which the page's slider moves."""
    y = float(scale(rise(threshold)))
    data = f' data-top="{scale.end:.1f}" data-bottom="{scale.start:.1f}" data-full="{scale.high:.4f}"'
    drawing.line(LEFT, y, drawing.width - RIGHT, y, "threshold", more=data)


def rows(name: str, bits: np.ndarray, threshold: float, labels: Mapping[int, str], *, title: str) -> str:
    """The oddness of every row of a table, in their order; alarms are marked."""
    drawing = Drawing(WIDTH, 246, name)
    scale = Scale(0, max(len(bits) - 1, 1), LEFT + 4, WIDTH - RIGHT - 4)
    top, bottom = 24.0, 212.0
    upright = strip(drawing, float(bits.max()), threshold, top, bottom)
    for kind, chosen in (("stick", bits <= threshold), ("stick alarm", bits > threshold)):
        # One stick for each column of pixels.
        x, height = column_max(scale(np.flatnonzero(chosen)), bits[chosen], int(WIDTH - LEFT - RIGHT))
        steps = "".join(
            f"M{a:.1f} {bottom:.0f}V{b:.1f}" for a, b in zip(x, upright(rise(height)), strict=True)
        )
        if steps:
            drawing.parts.append(f'<path class="{kind}" d="{steps}"/>')
    alarm_level(drawing, upright, threshold)
    for row, label in labels.items():
        kind = "mark" if bits[row] > threshold else "mark quiet"
        drawing.circle(float(scale(row)), float(upright(rise(bits[row]))), 4, kind, title=label)
    drawing.along(Axis(scale, number_ticks(0, max(len(bits) - 1, 1), 8)), top, bottom, grid=False)
    words = (
        f"{len(bits)} rows from left to right, each as high as it is odd; the dashed line is the alarm level."
    )
    return drawing.svg(title, words, "wide")


def levels(
    name: str, level: np.ndarray, found: np.ndarray, chance: np.ndarray | None, now: float, *, unit: str
) -> str:
    """How many alarms there would be at each level, on a logarithmic scale."""
    drawing = Drawing(WIDTH, 236, name)
    along = Axis(
        Scale(float(level[0]), float(level[-1]), LEFT, WIDTH - RIGHT), number_ticks(level[0], level[-1], 8)
    )
    positive = found[found > 0]
    low = float(positive.min()) / 2 if len(positive) else 0.5
    high = max(float(found.max()), low * 10) * 1.3
    top, bottom = 24.0, 200.0
    scale = Scale(math.log10(low), math.log10(high), bottom, top)
    drawing.across(Axis(scale, _decades(low, high)), LEFT, WIDTH - RIGHT)
    drawing.text(LEFT, top - 8, unit, "label")
    if chance is not None:
        inside = chance >= low
        drawing.path(along.scale(level[inside]), scale(np.log10(chance[inside])), "chance")
    x = np.repeat(along.scale(level), 2)[1:]
    y = np.repeat(scale(np.log10(np.maximum(found, low))), 2)[:-1]
    drawing.path(x, y, "count")
    place = f' data-left="{along.scale.start:.1f}" data-right="{along.scale.end:.1f}"'
    here = float(along.scale(now))
    drawing.line(here, top, here, bottom, "threshold", more=place)
    drawing.along(along, top, bottom)
    drawing.text(WIDTH - RIGHT, bottom + 32, "alarm level, in bits", "label", anchor="end")
    words = f"{unit} falls as the alarm level rises; the vertical line is the level now."
    return drawing.svg("Alarms against alarm level", words, "wide")


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis: powers of ten, with 2 and 5 between them where there is room."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    every, between = max(1, math.ceil(len(powers) / 6)), (1, 2, 5) if len(powers) < 4 else (1,)
    values = [d * 10.0**p for p in powers if p % every == 0 for d in between]
    return [(math.log10(v), short(v)) for v in values if low <= v <= high]


def histograms(
    name: str, real: np.ndarray, expected: np.ndarray, *, title: str, words: str, dates: bool = False
) -> str:
    """How the values of a column are spread: as they are (bars), and as they are expected or drawn (line)."""
    drawing = Drawing(320, 148, name)
    both = np.concatenate([real, expected])
    low, high = np.quantile(both, [0.002, 0.998])
    axis = number_axis(np.array([low, high]), 10, 310, count=3, margin=0.02)
    if dates:
        axis = Axis(axis.scale, clock_ticks(axis.scale.low, axis.scale.high, 3))
    edges = np.linspace(axis.scale.low, axis.scale.high, 33)
    counts = [
        np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / max(len(v), 1) for v in (real, expected)
    ]
    top = Scale(0, max(float(np.max(counts)), 1e-9), 116, 14)
    x = axis.scale(edges)
    for i, share in enumerate(counts[0]):
        if share:
            y = float(top(share))
            drawing.rect(float(x[i]) + 0.5, y, float(x[i + 1] - x[i]) - 1, 116 - y, "bar")
    outline = np.r_[0.0, np.repeat(counts[1], 2), 0.0]
    drawing.path(np.repeat(x, 2), top(outline), "outline")
    drawing.line(10, 116, 310, 116, "base")
    drawing.along(axis, 14, 116, grid=False)
    return drawing.svg(title, words, "small")


def latent_map(
    name: str, z: np.ndarray, severity: np.ndarray, labels: Mapping[int, str], *, names: Sequence[str]
) -> str:
    """Rows as points in two latent coordinates, the oddest ones drawn last."""
    drawing = Drawing(620, 430, name)
    # Quantiles: a few rows far out would squeeze all others into one spot; those are drawn at the edge.
    axes = []
    for i, (start, end) in enumerate(((16.0, 604.0), (400.0, 14.0))):
        low, high = np.quantile(z[:, i], [0.002, 0.998])
        axes.append(number_axis(np.array([low, high]), start, end, margin=0.08).scale)
    clipped = [np.clip(z[:, i], a.low, a.high) for i, a in enumerate(axes)]
    px, py = axes[0](clipped[0]), axes[1](clipped[1])
    level = np.clip(severity // 25, 0, 3).astype(int)
    drawing.rect(8, 6, 604, 402, "frame")
    for grade in range(4):
        drawing.dots(px[level == grade], py[level == grade], f"dot s{grade}")
    for row, label in labels.items():
        drawing.circle(float(px[row]), float(py[row]), 6, "ring", title=label)
    drawing.text(12, 424, f"latent coordinate {names[0]} →", "label")
    drawing.text(608, 424, f"↑ {names[1]}", "label", anchor="end")
    return drawing.svg(
        "Map of the latent space", "Rows that the model reads alike lie close together.", "map"
    )


def training(name: str, epochs: np.ndarray, fitted: np.ndarray, held_out: np.ndarray, *, title: str) -> str:
    """The loss on training rows and on held-out rows, over the epochs."""
    drawing = Drawing(500, 210, name)
    top, bottom = 24.0, 176.0
    losses = np.concatenate([fitted[1:] if len(fitted) > 5 else fitted, held_out])
    axis = number_axis(losses, bottom, top, count=4, margin=0.08)
    along = number_axis(np.r_[0.0, epochs], LEFT, 490, count=5, margin=0)
    drawing.across(axis, LEFT, 490)
    drawing.text(LEFT, top - 8, "loss, in nats per row", "label")
    low, high = axis.scale.low, axis.scale.high
    drawing.path(along.scale(epochs), axis.scale(np.clip(fitted, low, high)), "fitted")
    drawing.path(along.scale(epochs), axis.scale(np.clip(held_out, low, high)), "held")
    if np.isfinite(held_out).any():
        best = int(np.nanargmin(held_out))
        drawing.circle(
            float(along.scale(epochs[best])),
            float(axis.scale(held_out[best])),
            4,
            "best",
            title="weights kept",
        )
    drawing.along(along, top, bottom)
    drawing.text(490, bottom + 31, "epochs", "label", anchor="end")
    return drawing.svg(
        title, "Solid: held-out rows. Thin: training rows. The dot marks the weights that were kept.", "curve"
    )
