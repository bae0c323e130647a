"""The anomalous episodes of a series, one line for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from diabolo import tasks

if TYPE_CHECKING:
    from diabolo.estimator.autoencoder import Autoencoder


def describe_episodes(model: Autoencoder, table: pa.Table, time: str, channel: str) -> list[str]:
    """Describe each episode by its most anomalous point: the observed value, the expected range, the level.

    Args:
        model: a model fitted to the series.
        table: the series.
        time: name of its time column.
        channel: name of the channel to describe.
    """
    answer = tasks.score(model, table)
    times, frame = table[time].to_pylist(), model.engine_.read(table)
    lines = []
    for episode in answer.episodes:
        found = tasks.explain(model, table, rows=range(episode.start, episode.end + 1))
        worst = int(found.bits.argmax())
        got, low, high = (found.value(part, channel, worst) for part in ("got", "low", "high"))
        words = model.engine_.rows.words(frame, episode.peak)
        lines.append(
            f"  {times[episode.start]} to {times[episode.end]}  severity {episode.severity:3.0f}   "
            f"at {times[found.rows[worst]]}: got {got:.1f}, expected {low:.1f} to {high:.1f}"
            + "".join(f"; {text}" for text in words)
        )
    return lines
