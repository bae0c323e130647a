"""What a reader of a report should know before believing it, in plain words."""

from __future__ import annotations

import numpy as np

from diabolo.report.formatting import clipped, count, one_in, percent, rough, several
from diabolo.report.view import View

NOTES = 10


def caveats(view: View) -> list[str]:
    """One paragraph each, the most general first."""
    engine, scores = view.engine, view.scores
    points = "points" if view.series is not None else "rows"
    calibrated = len(engine.calibration.scores)
    said = [
        f"An alarm is a matter of rank, not of harm: it means odder than all but {one_in(scores.threshold)} "
        f"normal {points}. In {count(view.user_table.rows)} {points} without any fault, about "
        f"{rough(scores.alarm_rate * view.user_table.rows)} would be in alarm by chance."
    ]
    if view.series is not None:
        said.append(
            "Neighbouring points share their windows, so alarms come in episodes rather than one by one."
        )
    if aside := engine.facts.get("set_aside"):
        said.append(
            f"{percent(aside)} of the windows that were meant to say what is normal lie far out of the usual "
            "level, or next to such windows: they were taken for odd, and alarms are calibrated on the rest."
        )
    limit = float(np.log2(calibrated + 1))
    if view.bits.max() > limit:
        said.append(
            f"Up to {limit:.1f} bits the scores are counted on {count(calibrated)} calibration {points}; "
            "beyond, they are extrapolated: they rank rows, but their exact size is a guess."
        )
    if scores.alarm_rate > 0.001 * (1 + 1e-9) and view.model.alarm_rate is None:
        said.append(
            f"With {several(calibrated, 'calibration row')}, a rate of false alarms below "
            f"{percent(1 / (calibrated + 1))} cannot be promised; fit on more rows for a stricter level."
        )
    if engine.facts.get("rows") == view.frame.rows:
        why = (
            "no row is its own neighbour, but what is odd and frequent was learnt as normal."
            if engine.rows.of_seen_rows is None
            else "rows of the fit are judged by how far they are from the many too, and ranked among "
            f"themselves: up to {percent(scores.alarm_rate)} of them are in alarm, whatever they hold."
        )
        said.append(
            "This data has as many rows as the data of the fit and is probably the same. That is fine: " + why
        )
    said.append(
        "“Expected” is what the other cells of a row speak for. It is no proof that the cell is wrong, "
        "and no cause: if two columns disagree, either may be at fault."
    )
    holes = [n for n, c in view.columns.items() if c.null_count > 0.2 * len(c)]
    if holes:
        names = ", ".join(clipped(n, 40) for n in holes[:5]) + (" and others" if len(holes) > 5 else "")
        said.append(
            f"More than a fifth of the values is missing in {names}. "
            "Missing cells add nothing to a row's oddness."
        )
    said += _series(view)
    unread = [
        f"{clipped(e.name, 40)} ({clipped(e.reason, 60)})"
        for e in engine.schema.entries
        if e.role == "ignored"
    ]
    if unread:
        more = f" and {len(unread) - 10} more" if len(unread) > 10 else ""
        said.append(f"Not read: {', '.join(unread[:10])}{more}.")
    known = {e.name for e in engine.schema.entries}
    new = [clipped(n, 40) for n in view.columns if n not in known]
    if new:
        said.append(f"Not in the data of the fit, and not read: {', '.join(new[:10])}.")
    said += [f"Note of the fit: {clipped(note, 500)}" for note in engine.notes[:NOTES]]
    return said


def _series(view: View) -> list[str]:
    """What is irregular in the times of a series."""
    source = view.series
    if source is None:
        return []
    said = []
    point = view.frame.layout.point
    twice = len(point) - len(np.unique(point))
    if twice:
        said.append(
            f"{several(twice, 'row shares its', 'rows share their')} time with another row; "
            "the values were averaged."
        )
    if not source.step:
        said.append("The times do not lie on a grid: points were taken as they follow each other.")
    else:
        gaps = [float(np.diff(s.x).max()) for s in view.strands if len(s.x) > 1]
        if gaps and max(gaps) > 3 * source.step:
            longest = max(gaps) / source.step
            said.append(
                f"The longest gap in the times is {count(longest)} steps; what happened there is not known."
            )
    said.append(
        f"A window holds {source.length} points: slower changes than that are seen only as far as "
        "they shift the level."
    )
    return said
