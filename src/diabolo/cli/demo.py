"""The odd stretches of a series, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from diabolo import tasks
from diabolo.report.episodes import odd_level

if TYPE_CHECKING:
    from diabolo.estimator.autoencoder import Autoencoder


def episode_lines(model: Autoencoder, table: pa.Table, time: str, channel: str) -> list[str]:
    """Of each stretch that is in alarm: its oddest point, what was expected there, and its level."""
    answer = tasks.score(model, table)
    times, frame = table[time].to_pylist(), model.engine_.read(table)
    lines = []
    for episode in answer.episodes:
        found = tasks.explain(model, table, rows=range(episode.start, episode.end + 1))
        worst = int(found.bits.argmax())
        got, low, high = (found.value(part, channel, worst) for part in ("got", "low", "high"))
        level = odd_level(model.engine_, frame, episode.peak)
        lines.append(
            f"  {times[episode.start]} to {times[episode.end]}  severity {episode.severity:3.0f}   "
            f"at {times[found.rows[worst]]}: got {got:.1f}, expected {low:.1f} to {high:.1f}"
            + (f"; {level}" if level else "")
        )
    return lines
