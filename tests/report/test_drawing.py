import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.report.drawing.axes import (
    Scale,
    clock_ticks,
    format_short,
    format_time,
    number_axis,
    number_ticks,
)
from diabolo.report.drawing.downsampling import column_max, downsample, downsampled_indices
from diabolo.report.drawing.svg import Drawing
from diabolo.report.formatting import approximate, duration, format_number, format_value, one_in, percent
from diabolo.utils.progress import progress_bar, time_left


def test_downsampling_keeps_spikes_ends_and_order():
    x = np.arange(100_000.0)
    y = np.sin(x / 1000)
    y[51_234], y[77_777] = 40, -40
    thin_x, thin_y = downsample(x, y, 500)
    assert len(thin_x) <= 2000
    assert (np.diff(thin_x) > 0).all()
    assert thin_x[0] == 0 and thin_x[-1] == x[-1]
    assert 51_234 in thin_x and 77_777 in thin_x
    assert thin_y.max() == 40 and thin_y.min() == -40


def test_downsampling_accepts_missing_values_and_equal_places():
    y = np.full(10_000, np.nan)
    y[5000:5010] = 1
    assert np.isfinite(downsample(np.arange(10_000.0), y, 100)[1]).sum() >= 1
    assert len(downsample(np.zeros(10_000), np.arange(10_000.0), 100)[0]) <= 4


def test_the_highest_of_each_column():
    x, y = column_max(np.arange(1000.0), np.where(np.arange(1000) == 333, 9.0, np.nan), 10)
    assert x.tolist() == [333] and y.tolist() == [9]
    assert len(column_max(np.arange(3.0), np.full(3, np.nan), 10)[0]) == 0


numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=400, deadline=None)
@given(numbers, numbers)
def test_axes_hold_any_numbers(a, b):
    axis = number_axis(np.array([a, b, np.nan]), 0, 100)
    assert np.isfinite(axis.scale(np.array([a, b]))).all()
    assert len(axis.ticks) <= 12
    for value, label in axis.ticks:
        assert label and -5 <= float(axis.scale(value)) <= 105


@given(st.floats(0, 4e9), st.floats(1e-3, 4e9))
def test_clocks_have_few_ticks_within(start, span):
    ticks = clock_ticks(start, start + span)
    assert len(ticks) <= 24
    assert all(start - 1e-3 <= value <= start + span + 1e-3 for value, _ in ticks)


def test_ticks_are_round():
    assert number_ticks(0, 10, 5) == [(0, "0"), (2, "2"), (4, "4"), (6, "6"), (8, "8"), (10, "10")]
    assert [label for _, label in number_ticks(-0.1, 0.1, 4)] == ["-0.10", "-0.05", "0.00", "0.05", "0.10"]
    assert [label for _, label in clock_ticks(0, 86_400, 4)] == [
        "1 Jan 00:00",
        "06:00",
        "12:00",
        "18:00",
        "2 Jan 00:00",
    ]
    assert [format_short(v) for v in (12_345_678, 4500, 0.00123, float("inf"))] == [
        "12.3M",
        "4.5k",
        "0.00123",
        "∞",
    ]
    assert [label for _, label in number_ticks(0, 150_000, 3)] == ["0", "50k", "100k", "150k"]
    assert format_time(0) == "1970-01-01 00:00" and format_time(1e30)


def test_drawings_are_well_formed():
    drawing = Drawing(100, 50, 'a"b')
    x = np.array([0.0, 1, np.nan, 3, 50, 51])
    drawing.path(x, x, "observed", apart=10)
    drawing.band(x, x - 1, x + 1, "range")
    drawing.dots(x, x, "dot")
    drawing.rect(1, 1, 0, -5, "episode", title="<i>")
    drawing.circle(1, 1, 2, "mark", title="&")
    drawing.text(1, 1, "</svg><script>")
    root = ET.fromstring(drawing.svg("<t>", "d & d"))
    assert root[0].text == "<t>" and root[1].text == "d & d"
    path = root.find("path").get("d")
    assert path.count("M") == 3 and "M3 3h0" in path
    assert root.find("text").text == "</svg><script>"
    assert root.find("rect").get("height") == "0" and root.find("rect").get("width") == "1.5"


def test_relative_paths_end_at_the_given_points():
    x, y = np.linspace(0, 900, 5000), 50 + 40 * np.sin(np.arange(5000.0))
    drawing = Drawing(900, 100, "path")
    drawing.path(x, y, "observed")
    path = ET.fromstring(drawing.svg("t", "d")).find("path").get("d")
    numbers = [float(v) for v in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", path)]
    there = np.cumsum(np.array(numbers).reshape(-1, 2), axis=0)
    assert np.abs(there - np.stack([x, y], 1)).max() < 0.051


def test_bars_of_one_height_are_one_bar():
    drawing = Drawing(90, 10, "bars")
    y = np.array([5.0, 5, 5, 2, 2, 0, 4])
    drawing.bars(np.arange(8.0), y, 10, np.array([1, 1, 1, 1, 1, 0, 1], bool), "bits")
    assert drawing.parts == ['<path class="bits" d="M0 10l0-5 3 0 0-3 2 0 0 8ZM6 10l0-6 1 0 0 6Z"/>']


def test_a_few_missing_values_keep_their_ends():
    y = np.sin(np.arange(50_000.0))
    y[12_345] = y[30_000] = np.nan
    kept = downsampled_indices(np.arange(50_000.0), y, 100)
    assert {12_344, 12_345, 12_346, 29_999, 30_000, 30_001} <= set(kept.tolist())


def test_a_scale_without_a_range_is_in_the_middle():
    assert Scale(2, 2, 0, 10)(np.array([2.0, 5.0])).tolist() == [5, 5]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (percent(0.0005), "0.05 %"),
        (percent(0.47), "47 %"),
        (percent(1), "100 %"),
        (one_in(10), "1 in 1,000"),
        (one_in(2), "1 in 4"),
        (one_in(400), "1 in 10^120"),
        (approximate(0.02541), "0.025"),
        (approximate(2345), "2,345"),
        (duration(43_500), "12 h 5 min"),
        (duration(86_399.9), "24 h"),
        (duration(6_804_000), "78 d 18 h"),
        (duration(40), "40 s"),
        (format_number(123_456.78), "123457"),
        (format_number(98_721.5, 4), "98722"),
        (format_number(-2.0), "-2"),
        (format_number(0.000012345), "1.2345e-05"),
        (format_value(None), None),
        (format_value(float("nan")), None),
        (format_value(True), "yes"),
        (format_value("a\nb\u202e"), "a b "),
        (format_value("x" * 100), "x" * 59 + "…"),
        (time_left(3 * 3600), "3 h 0 min"),
    ],
)
def test_numbers_are_shown_with_sensible_digits(text, wanted):
    assert text == wanted


def test_the_bar_is_silent_without_a_terminal(capsys):
    show = progress_bar()
    show("fit", 0.5, 3.0)
    show("fit", 1.0, 0.0)
    assert capsys.readouterr() == ("", "")


def test_the_bar_shows_what_is_left(monkeypatch, capsys):
    pytest.importorskip("rich")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    show = progress_bar()
    show("masked", 0.25, 200.0)
    show("masked", 1.0, 0.0)
    captured = capsys.readouterr()
    assert captured.out == "" and "masked" in captured.err
