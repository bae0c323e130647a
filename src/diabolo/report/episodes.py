"""The oddest episodes of a series, as cards of a report."""

from __future__ import annotations

import numpy as np

from diabolo import tasks
from diabolo.data.sources import Series
from diabolo.detection.calibration import severity
from diabolo.report.drawing import timeline
from diabolo.report.drawing.svg import moment
from diabolo.report.expected import floats, span
from diabolo.report.formatting import duration, several
from diabolo.report.rows import CARDS, Card, make_card
from diabolo.report.view import SeriesRows, View
from diabolo.tasks import Episode, Explanation

QUIET = 4  # cards of a series without alarms: its oddest stretches
POINTS = 2_000  # points explained around one episode
BRIEF = np.log(2)  # evidence from which on it is said


def episodes(view: View, source: Series) -> list[Card]:
    """The up to twenty oddest episodes; with few of them, the oddest quiet stretches too."""
    strand_of, place_of = view.places
    cards = []
    alarms = sorted(view.scores.episodes, key=lambda e: -e.bits)[:CARDS]
    for number, episode in enumerate(alarms + _quiet(view, source, QUIET - len(alarms))):
        strand, peak = view.strands[strand_of[episode.peak]], int(place_of[episode.peak])
        start, end = sorted((int(place_of[episode.start]), int(place_of[episode.end])))
        around = _around(start, end, peak, source.length, len(strand.rows))
        rows = strand.rows[around]
        said = tasks.explain(view.model, view.user_table, rows=rows.tolist())
        # The windows around an odd point are all odd: what is shown is the point whose value is oddest.
        wide = source.length // 2
        low, high = max(start - wide, around.start), min(end + wide + 1, around.stop)
        evidence = said.bits[low - around.start : high - around.start].max(1)
        oddest = low + int(evidence.argmax()) if evidence.max() > 0 else peak
        card = make_card(view, said, oddest - around.start, int(strand.rows[oddest]), {})
        card.bits, card.severity, card.alarm = (
            episode.bits,
            episode.severity,
            bool(view.scores.alarm[episode.peak]),
        )
        card.title, card.about = _title(view, strand, start, end, oddest)
        if card.alarm:
            why = view.engine.rows.words(view.frame, episode.peak)
            card.about += "".join(f"; {words}" for words in why)
        card.nearest = _nearest(view, source, int(strand.rows[peak]))
        spans = [span(view, episode)] if card.alarm else []
        seen = _stretch(view, strand, around, said, spans)
        card.picture = timeline.zoom(f"zoom{number}", seen, title=card.title)
        card.series, card.between = int(strand_of[episode.peak]), (float(seen.x[0]), float(seen.x[-1]))
        cards.append(card)
    return cards


def _quiet(view: View, source: Series, wanted: int) -> list[Episode]:
    """The oddest stretches that are no alarms, each at least a window from everything odder."""
    point = view.frame.layout.point
    left = view.bits.copy()
    for episode in view.scores.episodes:
        low, high = sorted((point[episode.start], point[episode.end]))
        left[(point > low - source.length) & (point < high + source.length)] = -1
    found: list[Episode] = []
    while len(found) < wanted and (left > 0).any():
        peak = int(left.argmax())
        bits = float(left[peak])
        found.append(Episode(peak, peak, peak, bits, float(severity(np.array(bits)))))
        left[np.abs(point - point[peak]) < source.length] = -1
    return found


def _around(start: int, end: int, peak: int, length: int, points: int) -> slice:
    """The places to show of a series: the episode with something before and after it."""
    margin = max(length // 2, (end - start) // 3, 4)
    low, high = max(start - margin, 0), min(end + margin + 1, points)
    if high - low > POINTS:
        low = int(np.clip(peak - POINTS // 2, low, high - POINTS))
        high = low + POINTS
    return slice(low, high)


def _stretch(
    view: View, strand: SeriesRows, places: slice, said: Explanation, spans: list[timeline.Span]
) -> timeline.SeriesSegment:
    """A part of a series that was explained, for a drawing."""
    parts = {
        part: {n: floats(getattr(said, part)[n]) for n in view.channels}
        for part in ("expected", "low", "high")
    }
    return timeline.SeriesSegment(
        strand.x[places],
        view.dates,
        {n: floats(said.got[n]) for n in view.channels},
        view.bits[strand.rows[places]],
        spans,
        **parts,
        wrong={n: said.p_wrong[:, said.names.index(n)] >= 0.5 for n in view.channels},
    )


def _title(view: View, strand: SeriesRows, start: int, end: int, oddest: int) -> tuple[str, str]:
    """When it was, and a line on its length and its oddest point."""
    first, last, top = (view.when(int(strand.rows[i])) for i in (start, end, oddest))
    if view.dates and first[:10] == last[:10]:
        last = last[11:]
    last = last.removeprefix("row ")
    name = f"{strand.label}: " if strand.label else ""
    if start == end:
        return f"{name}{first}", f"oddest value at {top}"
    length = f"{duration(float(strand.x[end] - strand.x[start]))}, " if view.dates else ""
    return f"{name}{first} to {last}", f"{length}{several(end - start + 1, 'point')}; oddest value at {top}"


def _nearest(view: View, source: Series, row: int) -> str:
    """When the remembered window starts that is most like the one around a row."""
    frame = view.frame
    memory = view.engine.memory
    if frame.positions is None or memory.positions is None:
        return ""
    window = np.abs(frame.layout.start + source.length // 2 - frame.layout.point[row]).argmin()
    picked = np.array([window])
    batch = view.engine.schema.encode(frame[picked])
    near = view.engine.parts.neighbours(batch, frame.positions[picked])
    if near.places[0, 0] < 0:
        return ""
    # A position counts steps since 1970 (of a numeric time: since 0); series of one table lie far apart.
    step = int(memory.positions[near.places[0, 0]]) % (1 << 40)
    if not view.dates or not source.step:
        return f"the remembered window from point {step:,} on, distance {near.distance[0]:.2g}"
    return f"the remembered window from {moment(step * source.step)} on, distance {near.distance[0]:.2g}"
