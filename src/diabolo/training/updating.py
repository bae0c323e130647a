"""A model of a series goes on learning: from what it remembers and from newer points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from diabolo.data.fields import Batch
from diabolo.data.sources import Frame, Series
from diabolo.data.sources.series import MAX_TRAINING_WINDOWS
from diabolo.data.splitting import Split, overlaps_any
from diabolo.detection.calibration import Calibration
from diabolo.engine import Engine
from diabolo.errors import DataError, UnsupportedError
from diabolo.networks.window_base import WindowBase
from diabolo.training.fitting import PreparedData, build_engine, train_networks
from diabolo.utils.sampling import evenly_spaced

# The past counts at most so many times as much as what is new: a third of all windows is enough for the
# quartiles, by which usual levels are told, to reach them.
HORIZON = 2
FEWEST = 10  # windows' lengths in newer points: one odd stretch spoils two of them
# What is odd is rare: where so many windows cover alarms, it is what is normal that has changed. A limit of
# half took the tails of a slow drift for odd, and then an eighth of the points to come were alarms, not .01.
CHANGED = 0.25
FAR = 2  # times the bits of an alarm: one that would be rare among alarms too
FOLDS = 2
RANKS = 2_000  # points that oddness is ranked against, at least, as far as there are some of the past


def check_updatable(engine: Engine) -> None:
    """Raise `UnsupportedError` if it is no model of a series, or its networks were trained, not solved."""
    solved = all(isinstance(n.base, WindowBase) and n.corruption.masks for n in engine.networks.values())
    if not solved or any(line["step"] for line in engine.history):
        raise UnsupportedError(
            "only a model of a series whose networks are solved, not trained, learns from newer rows",
            hint='fit again, on old and new rows together; or Autoencoder(time="...") without epochs=',
        )


def update(engine: Engine, frame: Frame, threshold: float) -> Engine:
    """The model of a series as it is after newer points; the one before stays as it was.

    All is solved anew, from remembered windows, each as often as it takes to stand for the rows of the fit,
    and from newer windows that cover no alarm. Each half of the newer windows is judged by a model that has
    not seen it (cross-conformal prediction: Vovk, 2015), alarms among them too if they are not far out: what
    is usual now is theirs alone to say. How far beyond it normal points lie, those of the past say too: of a
    tail few points tell, and in units of its median it changes slowly.

    Args:
        engine: a fitted model whose networks are solved, not trained.
        frame: newer points, read by `engine`.
        threshold: bits above which a point is an alarm.

    Raises:
        UnsupportedError: the model learns otherwise.
        DataError: the points are too few, or spaced otherwise.
    """
    check_updatable(engine)
    source = engine.source
    assert isinstance(source, Series)
    rows, fewest = frame.user_table.rows, FEWEST * source.length
    if rows < fewest:
        raise DataError(
            f"{rows:,} newer points are too few to tell what is normal: ten windows have {fewest:,}",
            hint="collect more of them first",
        )
    newer = source.extend(frame.user_table)
    if source.has_no_clock:
        assert frame.positions is not None
        frame = replace(frame, positions=frame.positions + source.end)
    bits = engine.bits(frame)
    odd, far = (_covers(frame, bits > level, source.length) for level in (threshold, FAR * threshold))
    changed = bool(odd.mean() >= CHANGED)
    learnt, judging = (np.flatnonzero(~hit | changed) for hit in (odd, far))
    made = _solve(engine, frame, newer, Split(learnt, learnt[:0], learnt))
    calibration = _calibrate(engine, frame, newer, learnt, judging)
    seen = learnt[evenly_spaced(len(learnt), MAX_TRAINING_WINDOWS)]
    batch, positions = engine.schema.encode(frame[seen]), frame.positions_of(seen)
    previous = {e.name: e for e in engine.rows.evidence}
    evidence = tuple(
        e.updated(previous[e.name], batch, positions) if e.name in previous else e for e in made.rows.evidence
    )
    made = replace(made, rows=replace(made.rows, evidence=evidence, calibration=calibration))
    share = float((bits > threshold).mean())
    note = f"what is normal has changed: {share:.0%} of the newer points were alarms, and all are learnt"
    facts = {
        **engine.facts,
        **made.facts,
        "rows": int(engine.facts["rows"]) + frame.rows,
        "rows_calibrated_on": len(calibration.scores),
        "left_out": round(1 - len(learnt) / frame.rows, 4),
    }
    return made.with_report(*([note] if changed else []), **facts)


def _covers(frame: Frame, alarms: np.ndarray, length: int) -> np.ndarray:
    """(windows,) which cover a point that is an alarm."""
    there = np.zeros(frame.layout.points + 1, int)
    there[1 + frame.layout.point[alarms]] = 1
    upto = np.cumsum(there)
    return np.asarray(upto[frame.layout.start + length] > upto[frame.layout.start])


def _solve(engine: Engine, frame: Frame, source: Series, split: Split) -> Engine:
    """A model of what is remembered and of some of the newer windows."""
    memory, rows = engine.memory, split.fit[evenly_spaced(len(split.fit), MAX_TRAINING_WINDOWS)]
    assert memory.positions is not None and frame.positions is not None
    count = min(engine.facts["rows_trained_on"], HORIZON * max(len(rows), 1))
    old = np.linspace(0, len(memory) - 1, count).round().astype(int)
    data = PreparedData(
        frame,
        source,
        engine.schema,
        split,
        Batch.concatenate([memory.rows[torch.from_numpy(old)], engine.schema.encode(frame[rows])]),
        np.concatenate([memory.positions[old], frame.positions[rows]]),
        None,
        engine.facts["seed"],
    )
    members = {name: network.member for name, network in engine.networks.items()}
    where, threads = engine.device, engine.threads
    trained = train_networks(data, members, {"epochs": 0}, device=where, thread_count=threads)
    return build_engine(data, trained, device=where, thread_count=threads)


def _calibrate(
    engine: Engine, frame: Frame, source: Series, learnt: np.ndarray, judging: np.ndarray
) -> Calibration:
    """What the evidence looks like on newer windows that are not learnt, and its tail on past ones too."""
    assert frame.positions is not None
    judged, fold = [], np.arange(frame.rows) * 2 * FOLDS // frame.rows % FOLDS
    for number in range(FOLDS):
        near = overlaps_any(frame.positions, fold == number, source.length)
        split = Split(learnt[~near[learnt]], learnt[:0], judging[fold[judging] == number])
        judged.append(_solve(engine, frame, source, split).calibration)
    now, past = np.concatenate([c.scores for c in judged]), engine.calibration.scores
    past = past[evenly_spaced(len(past), max(HORIZON * len(now), RANKS - len(now)))]
    logs = {n: np.mean([np.log(c.medians[n]) for c in judged]) for n in judged[0].medians}
    medians = {name: float(np.exp(log)) for name, log in logs.items()}
    return Calibration(medians, past, 1.0).ranked(np.concatenate([now, past]))
