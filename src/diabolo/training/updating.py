"""Update the model of a series with newer points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from diabolo.data.fields import Batch
from diabolo.data.sources import Frame, Series
from diabolo.data.sources.series import MAX_TRAINING_WINDOWS
from diabolo.data.splitting import Fold, Split, overlaps_any
from diabolo.detection import RowScorer
from diabolo.detection.calibration import Calibration
from diabolo.detection.judged import JudgedRows
from diabolo.engine import Engine
from diabolo.errors import DataError, UnsupportedError
from diabolo.networks.window_base import WindowBase
from diabolo.training.calibrating import judge_in_time, learn_part
from diabolo.training.fitting import build_engine
from diabolo.training.networks import train_networks
from diabolo.training.preparation import PreparedData
from diabolo.utils.sampling import evenly_spaced

# Past windows for each newer one, at most: with a third of all windows, newer ones reach the quartiles
# by which the usual levels are measured.
MAX_PAST_RATIO = 2
MIN_WINDOW_LENGTHS = 10  # lengths of a window in the newer points: one anomalous segment affects two of them
# Anomalies are rare: where this share of the windows covers alarms, what is normal has changed. Measured:
# with half, the tails of a slow drift were taken for anomalies, and an eighth of the later points were alarms
# instead of .01.
MIN_CHANGED_SHARE = 0.25
FAR_FACTOR = 2  # multiple of the bits of an alarm that is rare among alarms too; a choice
N_FOLDS = 2  # of the newer windows
MIN_RANKED_SCORES = 2_000  # scores that points are ranked against, as far as there are past ones; a choice


def check_updatable(engine: Engine) -> None:
    """Check that this is the model of a series, and that its networks are solved in closed form.

    Raises:
        UnsupportedError: the model is of another kind, or its networks were trained.
    """
    solved = all(isinstance(n.base, WindowBase) and n.corruption.masks for n in engine.networks.values())
    if not solved or any(line["step"] for line in engine.history):
        raise UnsupportedError(
            "only the model of a series with solved, not trained, networks can be updated with newer rows",
            hint='fit again, on old and new rows together; or use Autoencoder(time="...") without epochs=',
        )


def update(engine: Engine, frame: Frame, threshold: float) -> Engine:
    """Return the model of a series updated with newer points; the given model is not changed.

    All networks are solved again, from remembered windows, repeated to represent all rows of the fit, and
    from newer windows that cover no alarm. For the calibration, each half of the newer windows is scored by
    a model that has not seen it (cross-conformal prediction: Vovk, 2015), including alarms that are not far
    above the threshold. The medians of the evidence come from the newer windows alone. The tail comes from
    past scores too: few points lie in it, and in units of the median it changes slowly.

    Args:
        engine: a fitted model whose networks are solved, not trained.
        frame: newer points, read by `engine`.
        threshold: bits above which a point is an alarm.

    Raises:
        UnsupportedError: the model cannot be updated.
        DataError: there are too few points, or their spacing differs from that of the fit.
    """
    check_updatable(engine)
    source = engine.source
    assert isinstance(source, Series)
    rows, fewest = frame.user_table.rows, MIN_WINDOW_LENGTHS * source.length
    if rows < fewest:
        raise DataError(
            f"{rows:,} newer points are too few for an update: at least {fewest:,} are needed, ten windows",
            hint=f"collect at least {fewest:,} points first",
        )
    newer = source.extend(frame.user_table)
    if source.has_no_clock:
        assert frame.positions is not None
        frame = replace(frame, positions=frame.positions + source.end)
    bits = engine.bits(frame)
    levels = (threshold, FAR_FACTOR * threshold)
    anomalous, far = (_covers_alarm(frame, bits > level, source.length) for level in levels)
    changed = bool(anomalous.mean() >= MIN_CHANGED_SHARE)
    learnt, calibrating = (np.flatnonzero(~covered | changed) for covered in (anomalous, far))
    folds = _folds(frame, learnt, calibrating, source.length)
    data = _with_remembered(engine, frame, newer, learnt)
    members = {name: network.member for name, network in engine.networks.items()}
    trained = train_networks(data, members, {"epochs": 0}, device=engine.device, thread_count=engine.threads)

    def judge(final: RowScorer, remembered: Batch) -> list[JudgedRows]:
        def learn_some(rows: np.ndarray) -> RowScorer:
            return learn_part(_with_remembered(engine, frame, newer, rows), final, {"epochs": 0})

        return list(judge_in_time(final, frame, folds, learn_some))

    updated = build_engine(data, trained, judge, device=engine.device, thread_count=engine.threads)
    calibration = _with_past(updated.calibration, engine.calibration)
    chosen = learnt[evenly_spaced(len(learnt), MAX_TRAINING_WINDOWS)]
    batch, positions = engine.schema.encode(frame[chosen]), frame.positions_of(chosen)
    previous = {e.name: e for e in engine.rows.evidence}
    evidence = tuple(
        e.updated(previous[e.name], batch, positions) if e.name in previous else e
        for e in updated.rows.evidence
    )
    updated = replace(updated, rows=replace(updated.rows, evidence=evidence, calibration=calibration))
    share = float((bits > threshold).mean())
    note = f"what is normal has changed: {share:.0%} of the newer points were alarms, and all are learnt from"
    facts = {
        **engine.facts,
        **updated.facts,
        "rows": int(engine.facts["rows"]) + frame.rows,
        "rows_calibrated_on": len(calibration.scores),
        "left_out": round(1 - len(learnt) / frame.rows, 4),
    }
    return updated.with_report(*([note] if changed else []), **facts)


def _covers_alarm(frame: Frame, alarms: np.ndarray, length: int) -> np.ndarray:
    """Return (windows,) flags of those that cover an alarm, for (user rows,) flags of the alarms."""
    is_alarm = np.zeros(frame.layout.points + 1, int)
    is_alarm[1 + frame.layout.point[alarms]] = 1
    count_before = np.cumsum(is_alarm)
    return np.asarray(count_before[frame.layout.start + length] > count_before[frame.layout.start])


def _with_remembered(engine: Engine, frame: Frame, source: Series, learnt: np.ndarray) -> PreparedData:
    """Return remembered windows, repeated to represent all rows of the fit, and newer ones."""
    memory, rows = engine.memory, learnt[evenly_spaced(len(learnt), MAX_TRAINING_WINDOWS)]
    assert memory.positions is not None and frame.positions is not None
    count = min(engine.facts["rows_trained_on"], MAX_PAST_RATIO * max(len(rows), 1))
    past = np.linspace(0, len(memory) - 1, count).round().astype(int)
    return PreparedData(
        frame,
        source,
        engine.schema,
        Split(learnt, learnt[:0], learnt[:0]),
        Batch.concatenate([memory.rows[torch.from_numpy(past)], engine.schema.encode(frame[rows])]),
        np.concatenate([memory.positions[past], frame.positions[rows]]),
        None,
        engine.facts["seed"],
    )


def _folds(frame: Frame, learnt: np.ndarray, calibrating: np.ndarray, length: int) -> list[Fold]:
    """Return halves of the newer windows, in blocks that take turns, each judged by the other."""
    assert frame.positions is not None
    number_of, found = np.arange(frame.rows) * 2 * N_FOLDS // frame.rows % N_FOLDS, []
    for number in range(N_FOLDS):
        near = overlaps_any(frame.positions, number_of == number, length)
        found.append(Fold(learnt[~near[learnt]], calibrating[number_of[calibrating] == number]))
    return found


def _with_past(now: Calibration, before: Calibration) -> Calibration:
    """Return the calibration on newer points with past scores added, which lie in the tail too."""
    past = before.scores
    few = max(MAX_PAST_RATIO * len(now.scores), MIN_RANKED_SCORES - len(now.scores))
    ranked = now.ranked(np.concatenate([now.scores, past[evenly_spaced(len(past), few)]]))
    tails = [c.tail for c in (now, before) if c.tail is not None]
    independent = (now.independent or 0.0) + (before.independent or 0.0)
    tail = max(tails, key=lambda t: t.scale).above(ranked.scores, independent) if tails else None
    return replace(ranked, tail=tail, independent=independent)
