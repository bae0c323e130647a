"""The drawing of a series with its expected values."""

import re

import numpy as np
import pytest

from diabolo.report.drawing import timeline
from diabolo.report.series_view import MAX_LINE_POINTS

LIMIT = 2 * 1024 * 1024


def test_long_series_of_many_channels_fit_into_the_page():
    points, channels = 100_000, 5
    draw = np.random.default_rng(0)
    x = np.arange(points) * 60.0
    noise = [draw.normal(size=points) for _ in range(channels)]
    noise[0][77_777] = 50
    for values in noise:
        values[draw.integers(0, points, 2000)] = np.nan
    names = [f"c{i}" for i in range(channels)]
    spans = [timeline.Span(x[i], x[i + 30], x[i + 9], 20.0) for i in range(0, points - 40, 3000)]
    segment = timeline.SeriesSegment(
        x,
        True,
        dict(zip(names, noise, strict=True)),
        draw.exponential(3, points),
        np.full(points, 10.0),
        spans,
        **{
            part: {n: draw.normal(size=points) + shift for n in names}
            for part, shift in (("expected", 0), ("low", -3), ("high", 3))
        },
        wrong={},
    )
    drawing = timeline.draw("long", segment, 10.0, max_points=MAX_LINE_POINTS // channels)
    assert len("".join(drawing.parts)) < 0.75 * LIMIT
    # The spike is the highest point of its channel; around an episode nothing is left out.
    paths = re.findall(r'class="observed" d="([^"]*)"', drawing.parts[-2])
    places = [points_of(path) for path in paths]
    assert len(places) == channels
    top = min(places[0], key=lambda p: p[1])
    assert top[0] == pytest.approx(4 * 77_777, abs=1)
    near = [p for p in places[1] if 4 * 3000 <= p[0] <= 4 * 3030]
    assert len(near) >= 25


def points_of(path):
    """The points of a path as `Drawing` writes it: M, then steps."""
    found = []
    for run in path.split("M")[1:]:
        numbers = re.findall(r"-?\d+", run.removesuffix("h0"))
        found += np.cumsum(np.array(numbers, int).reshape(-1, 2), axis=0).tolist()
    return found
