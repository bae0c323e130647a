"""The episodes of a series, one line each."""

from __future__ import annotations

import pyarrow as pa

from diabolo import tasks
from diabolo.tasks.base import Model


def episode_lines(model: Model, table: pa.Table, time: str, channel: str) -> list[str]:
    """Return a line for each episode: its times, most anomalous value, expected range, and level.

    Args:
        model: a model fitted on a series.
        table: rows with the columns of the fit.
        time: the name of the time column.
        channel: the name of the channel to show.
    """
    scores = tasks.score(model, table)
    times, frame = table[time].to_pylist(), model.engine_.read(table)
    lines = []
    for episode in scores.episodes:
        explanation = tasks.explain(model, table, rows=range(episode.start, episode.end + 1))
        highest = int(explanation.bits.argmax())
        observed, low, high = (
            explanation.value(part, channel, highest) for part in ("observed", "low", "high")
        )
        words = model.engine_.rows.words(frame, episode.peak)
        lines.append(
            f"  {times[episode.start]} to {times[episode.end]}  severity {episode.severity:3.0f}   "
            f"at {times[explanation.rows[highest]]}: "
            f"observed {observed:.1f}, expected {low:.1f} to {high:.1f}" + "".join(f"; {w}" for w in words)
        )
    return lines
