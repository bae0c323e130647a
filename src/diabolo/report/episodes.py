"""The cards of the most anomalous episodes of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diabolo import tasks
from diabolo.data.sources.grid import split_positions
from diabolo.detection.calibration import severity
from diabolo.report.cards import MAX_CARDS, Card, make_card
from diabolo.report.drawing import timeline
from diabolo.report.drawing.axes import format_time
from diabolo.report.expected import PARTS, episode_span, to_floats
from diabolo.report.formatting import count_of, duration
from diabolo.tasks import Episode, Explanation

if TYPE_CHECKING:
    from diabolo.report.series_view import SeriesRows, SeriesView

MIN_CARDS = 4  # of a series with few alarms: a choice
MAX_POINTS = 2_000  # explained around one episode: a choice


def episode_cards(view: SeriesView) -> list[Card]:
    """Return the cards of up to twenty of the most anomalous episodes.

    With fewer than four episodes, cards of the most anomalous points below the alarm level follow.
    """
    alarms = sorted(view.scores.episodes, key=lambda e: -e.bits)[:MAX_CARDS]
    episodes = alarms + _below_alarm(view, MIN_CARDS - len(alarms))
    return [_episode_card(view, number, episode) for number, episode in enumerate(episodes)]


def _episode_card(view: SeriesView, number: int, episode: Episode) -> Card:
    """The card of one episode; the drawing's name is made of its number."""
    series_of, position_of = view.positions
    series, peak = view.series[series_of[episode.peak]], int(position_of[episode.peak])
    start, end = sorted((int(position_of[episode.start]), int(position_of[episode.end])))
    shown = _context(start, end, peak, view.source.length, len(series.rows))
    explanation = tasks.explain(view.model, view.user_table, rows=series.rows[shown].tolist())
    # All windows around an anomalous point are anomalous: the point to show is the one whose value is.
    half = view.source.length // 2
    low, high = max(start - half, shown.start), min(end + half + 1, shown.stop)
    evidence = explanation.bits[low - shown.start : high - shown.start].max(1)
    highest = low + int(evidence.argmax()) if evidence.max() > 0 else peak
    card = make_card(view, explanation, highest - shown.start, int(series.rows[highest]), {})
    card.bits, card.severity = episode.bits, episode.severity
    card.alarm = bool(view.scores.alarm[episode.peak])
    card.title, card.details = _title(view, series, start, end, highest)
    if card.alarm:
        card.details += "".join(f"; {words}" for words in view.engine.rows.words(view.frame, episode.peak))
    card.nearest = _nearest(view, int(series.rows[peak]))
    spans = [episode_span(view, episode)] if card.alarm else []
    segment = _segment(view, series, shown, explanation, spans)
    card.drawing = timeline.zoom(f"zoom{number}", segment, title=card.title)
    card.series = int(series_of[episode.peak])
    card.between = float(segment.x[0]), float(segment.x[-1])
    return card


def _below_alarm(view: SeriesView, most: int) -> list[Episode]:
    """The most anomalous points below the alarm level, each at least a window from any higher score."""
    point, length = view.frame.layout.point, view.source.length
    left = view.bits.copy()
    for episode in view.scores.episodes:
        low, high = sorted((point[episode.start], point[episode.end]))
        left[(point > low - length) & (point < high + length)] = -1
    found: list[Episode] = []
    while len(found) < most and (left > 0).any():
        peak = int(left.argmax())
        bits = float(left[peak])
        found.append(Episode(peak, peak, peak, bits, float(severity(np.array(bits)))))
        left[np.abs(point - point[peak]) < length] = -1
    return found


def _context(start: int, end: int, peak: int, length: int, points: int) -> slice:
    """The positions to show of a series: the episode with some points before and after it."""
    margin = max(length // 2, (end - start) // 3, 4)
    low, high = max(start - margin, 0), min(end + margin + 1, points)
    if high - low > MAX_POINTS:
        low = int(np.clip(peak - MAX_POINTS // 2, low, high - MAX_POINTS))
        high = low + MAX_POINTS
    return slice(low, high)


def _segment(
    view: SeriesView,
    series: SeriesRows,
    positions: slice,
    explanation: Explanation,
    spans: list[timeline.Span],
) -> timeline.SeriesSegment:
    """A part of a series that was explained, for a drawing."""
    parts = {part: {n: to_floats(getattr(explanation, part)[n]) for n in view.channels} for part in PARTS}
    return timeline.SeriesSegment(
        series.x[positions],
        view.dates,
        {n: to_floats(explanation.observed[n]) for n in view.channels},
        view.bits[series.rows[positions]],
        view.scores.levels[series.rows[positions]],
        spans,
        **parts,
        wrong={n: explanation.p_wrong[:, explanation.names.index(n)] >= 0.5 for n in view.channels},
    )


def _title(view: SeriesView, series: SeriesRows, start: int, end: int, highest: int) -> tuple[str, str]:
    """The time of an episode, and a line on its length and its most anomalous value."""
    first, last, at = (view.when(int(series.rows[i])) for i in (start, end, highest))
    if view.dates and first[:10] == last[:10]:
        last = last[11:]
    last = last.removeprefix("row ")
    name = f"{series.label}: " if series.label else ""
    value = f"most anomalous value at {at}"
    if start == end:
        return f"{name}{first}", value
    length = f"{duration(float(series.x[end] - series.x[start]))}, " if view.dates else ""
    return f"{name}{first} to {last}", f"{length}{count_of(end - start + 1, 'point')}; {value}"


def _nearest(view: SeriesView, row: int) -> str:
    """The start of the remembered window that is most similar to the window around a row."""
    frame, memory, source = view.frame, view.engine.memory, view.source
    if frame.positions is None or memory.positions is None:
        return ""
    window = np.abs(frame.layout.start + source.length // 2 - frame.layout.point[row]).argmin()
    window_rows = np.array([window])
    batch = view.engine.schema.encode(frame[window_rows])
    near = view.engine.parts.neighbours(batch, frame.positions[window_rows])
    if near.rows[0, 0] < 0:
        return ""
    # A position counts steps since 1970 (of a numeric time: since 0), apart from its series.
    _, steps = split_positions(memory.positions[near.rows[0]], source.by is not None)
    step = int(steps[0])
    if not source.step:
        on = f"point {step:,}"
    else:
        on = format_time(step * source.step) if view.dates else f"{source.time} = {step * source.step:.12g}"
    return f"the remembered window from {on} on, distance {near.distance[0]:.2g}"
