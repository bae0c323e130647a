"""What a reader of a report should know before relying on it."""

from __future__ import annotations

import numpy as np

from diabolo.report.formatting import approximate, count, count_of, one_in, percent
from diabolo.report.view import View
from diabolo.utils.text import shorten

MAX_NOTES = 10  # of the fit that are repeated: a choice
MAX_NAMES = 10  # of columns in a sentence: a choice


def caveats(view: View) -> list[str]:
    """Return one paragraph for each caveat, the most general first."""
    return [
        *_about_alarms(view),
        *_about_cells(view),
        *view.caveats(),
        *_about_columns(view),
        *(f"Note of the fit: {shorten(note, 500)}" for note in view.engine.notes[:MAX_NOTES]),
    ]


def _about_alarms(view: View) -> list[str]:
    """What an alarm means, and how exact the scores are."""
    engine, scores = view.engine, view.scores
    units = f"{view.unit}s"
    calibrated = len(engine.calibration.scores)
    sentences = [
        f"An alarm is a statement about rank, not about harm: the anomaly score exceeds that of all but "
        f"{one_in(scores.threshold)} normal {units}. In {count(view.user_table.rows)} {units} without any "
        f"error, about {approximate(scores.alarm_rate * view.user_table.rows)} would be in alarm by chance.",
        *view.alarm_caveats(),
    ]
    if aside := engine.facts.get("set_aside"):
        sentences.append(
            f"{percent(aside)} of the windows for calibration are far from the usual level of the series, or "
            "next to such windows: they were taken for anomalous, and alarms are calibrated on the others."
        )
    limit = float(np.log2(calibrated + 1))
    if view.bits.max() > limit:
        sentences.append(
            f"Scores up to {limit:.1f} bits are counted on {count(calibrated)} calibration {units}; "
            "higher scores are extrapolated: they rank rows, but their exact value is uncertain."
        )
    if scores.alarm_rate > 0.001 * (1 + 1e-9) and view.model.alarm_rate is None:
        sentences.append(
            f"With {count_of(calibrated, f'calibration {view.unit}')}, a rate of false alarms below "
            f"{percent(1 / (calibrated + 1))} cannot be guaranteed; fit on more rows for a stricter level."
        )
    if engine.facts.get("rows") == view.frame.rows:
        why = (
            "no row is its own neighbour, but anomalies that are frequent were learnt as normal."
            if engine.rows.of_seen_rows is None
            else "rows of the fit are also scored by their distance from the other rows, and ranked among "
            f"themselves: up to {percent(scores.alarm_rate)} of them are in alarm, whatever they contain."
        )
        sentences.append(
            "This data has as many rows as the data of the fit and is probably the same. That is fine: " + why
        )
    return sentences


def _about_cells(view: View) -> list[str]:
    """What an expected value is, and which columns have many missing values."""
    sentences = [view.about_expected]
    missing = [n for n, c in view.columns.items() if c.null_count > 0.2 * len(c)]
    if missing:
        names = ", ".join(shorten(n, 40) for n in missing[:5]) + (" and others" if len(missing) > 5 else "")
        sentences.append(
            f"More than a fifth of the values is missing in {names}. "
            "Missing values add nothing to a row's anomaly score."
        )
    return sentences


def _about_columns(view: View) -> list[str]:
    """Which columns are not read."""
    entries, sentences = view.engine.schema.entries, []
    unread = [f"{shorten(e.name, 40)} ({shorten(e.reason, 60)})" for e in entries if e.column is None]
    if unread:
        more = f" and {len(unread) - MAX_NAMES} more" if len(unread) > MAX_NAMES else ""
        sentences.append(f"Not read: {', '.join(unread[:MAX_NAMES])}{more}.")
    known = {e.name for e in entries}
    new = [shorten(n, 40) for n in view.columns if n not in known]
    if new:
        sentences.append(f"Not in the data of the fit, and not read: {', '.join(new[:MAX_NAMES])}.")
    return sentences
