"""From data to an engine: prepare the data, train the networks, build the engine."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from diabolo.cleaning.rules.base import Rule
from diabolo.cleaning.table import TableErrors
from diabolo.data.fields import Batch
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source
from diabolo.data.splitting import learn_windows
from diabolo.detection import CellPredictor, RowScorer
from diabolo.detection.judged import JudgedRows
from diabolo.engine import Engine
from diabolo.generation.window_mixture import fit_window_mixture
from diabolo.networks.member import Member
from diabolo.training.calibrating import fit_scorer, judge_in_time, learn_part, rows_to_remember, take_part
from diabolo.training.checkpoint import Checkpoint
from diabolo.training.error_rates import fit_cell_errors
from diabolo.training.networks import TrainedNetworks, are_solved, train_networks
from diabolo.training.preparation import PreparedData, prepare
from diabolo.training.trainer import Log
from diabolo.utils.progress import Progress
from diabolo.utils.sampling import evenly_spaced

# Choices:
MAX_AXES = 16  # principal components of the latent codes
MIN_INDEPENDENT = 8  # windows of a series, below which a note says that alarm rates are extrapolated
MAX_CHECKED_ROWS = 10_000  # of a table, whose cells count for the scores of its rows
MIN_LOG_ODDS = -50.0  # of a cell
INTERRUPTED_STEPS = 20  # of each network of the models that calibrate, after Ctrl-C


def build_engine(
    data: PreparedData,
    trained: TrainedNetworks,
    judge: Callable[[RowScorer, Batch], list[JudgedRows]] | None = None,
    *,
    device: str,
    thread_count: int | None,
    rules: Sequence[Rule] = (),
) -> Engine:
    """Build a model from trained networks: its memory, its evidence and its calibration.

    Args:
        data: what the networks were trained on.
        trained: the networks.
        judge: returns what models that had not learnt some rows say of them, in units of the given model,
            which is then calibrated on that, for the model and the windows that it remembers; None to judge
            the rows that are set aside for calibration.
        device: where the networks are.
        thread_count: of torch; None for its own choice.
        rules: dependencies between the columns of a table that the user states.
    """
    frame, schema, source, split = data.frame, data.schema, data.source, data.split
    remembered = rows_to_remember(data, trained.networks, device)
    scorer = fit_scorer(data, trained.networks, remembered, device=device, thread_count=thread_count)
    parts = scorer.parts
    judged = judge(scorer, remembered) if judge is not None else [scorer.judge(frame, split.calibration)]
    scorer = scorer.calibrated(frame, judged)
    cell_errors = fit_cell_errors(parts, frame, split, data.sample, data.seed)
    notes = [*source.notes, schema.doubts_note(), schema.ignored_note(), *trained.notes]
    if split.shared:
        notes.append(
            "there is too little data to set rows aside: alarms are calibrated on the rows of the fit"
        )
    notes.append(_about_independence(frame, scorer))
    engine = Engine(parts, scorer, CellPredictor(parts, cell_errors), history=trained.history)
    if source.overlaps and not engine.samples_latents:
        mixture = fit_window_mixture(parts, frame, split, remembered, data.seed)
        engine = replace(engine, window_mixture=mixture)
    if not source.overlaps:
        columns = frame.user_table.columns()
        checks = TableErrors.fit(columns, engine.checkable_columns, data.seed, rules)
        engine = _with_cells(replace(engine, table_errors=checks), frame)
    return replace(engine, axes=_axes(engine.latent(data.sample))).with_report(
        *(note for note in notes if note),
        rows=frame.rows,
        rows_trained_on=len(data.batch),
        rows_calibrated_on=len(scorer.calibration.scores),
        set_aside=round(sum(p.left_out for p in judged) / sum(len(p.rows) + p.left_out for p in judged), 4),
        seed=data.seed,
        **({"interrupted": True} if trained.interrupted else {}),
        device=device,
        torch=torch.__version__,
        python=platform.python_version(),
    )


def fit_engine(
    frame: Frame,
    source: Source,
    schema: Schema,
    members: Mapping[str, Member],
    training: Mapping[str, Any],
    *,
    seed: int,
    device: str,
    thread_count: int | None,
    progress: Progress | None = None,
    checkpoint: tuple[str, float] | None = None,
    log: Log | None = None,
    rules: Sequence[Rule] = (),
) -> Engine:
    """Fit a model in three steps: `prepare`, `train_networks`, `build_engine`.

    Args:
        frame: the rows of the fit.
        source: what read them.
        schema: what their columns are.
        members: name -> what the network is like.
        training: settings that the user requested.
        seed: of every random number.
        device: "cpu", "cuda" or "mps".
        thread_count: of torch; None for its own choice.
        progress: called with the progress.
        checkpoint: a file to resume from if the fit is interrupted, and seconds between two savings.
        log: called with each line of history.
        rules: dependencies between the columns of a table that the user states.
    """
    began, cpu = time.perf_counter(), time.process_time()
    solved = are_solved(members, training)
    folds = source.folds(frame, solved=solved)
    learnt = partial(_prepare_windows, frame, source, schema, seed, hold_out=not solved)
    data = learnt(np.arange(frame.rows)) if folds else prepare(frame, source, schema, seed=seed)
    store = None
    if checkpoint is not None:
        described = [(name, member.to_json()) for name, member in members.items()]
        state = [data.fingerprint, source.to_json(), thread_count, seed, dict(training), described]
        store = Checkpoint(*checkpoint, hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest())
    trained = train_networks(
        data,
        members,
        _with_share(training, 1 / 2 if folds else 1),
        device=device,
        thread_count=thread_count,
        progress=progress,
        store=store,
        log=log,
    )
    for_folds = _with_share(training, 1 / (2 * max(len(folds), 1)))
    if trained.interrupted:
        for_folds = {**for_folds, "min_steps": 1, "max_steps": INTERRUPTED_STEPS}

    def judge(final: RowScorer, remembered: Batch) -> list[JudgedRows]:
        def learn_some(rows: np.ndarray) -> RowScorer:
            if final.parts.rows_are_solved:
                return take_part(data, remembered, final, rows)
            return learn_part(learnt(rows), final, for_folds)

        return list(judge_in_time(final, frame, folds, learn_some))

    engine = build_engine(
        data, trained, judge if folds else None, device=device, thread_count=thread_count, rules=rules
    )
    if store is not None:
        store.remove()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    return engine.with_report(seconds=round(seconds, 2), cpu_seconds=round(cpu_seconds, 2))


def _with_cells(engine: Engine, frame: Frame) -> Engine:
    """Return a model whose rows of the fit are anomalous too if a cell of them is wrong."""
    seen, checks = engine.rows.of_seen_rows, engine.table_errors
    if seen is None or checks is None:
        return engine
    rows = evenly_spaced(frame.rows, MAX_CHECKED_ROWS)
    columns = {name: values.take(pa.array(rows)) for name, values in frame.user_table.columns().items()}
    verdicts = checks.judge(columns)
    of_cells = [verdicts[n].log_odds for n in engine.schema.scored if n in verdicts]
    if not of_cells:
        return engine
    log_odds = np.logaddexp.reduce(np.maximum(of_cells, MIN_LOG_ODDS), axis=0)
    known = seen.with_cells(engine.schema.encode(frame[rows]), log_odds)
    evidence = tuple(known if e is seen else e for e in engine.rows.evidence)
    return replace(engine, rows=replace(engine.rows, evidence=evidence))


def _prepare_windows(
    frame: Frame, source: Source, schema: Schema, seed: int, rows: np.ndarray, *, hold_out: bool
) -> PreparedData:
    """Return the data of a fit that learns some windows.

    Args:
        frame: all windows.
        source: what read them.
        schema: what their columns are.
        seed: of every random number.
        rows: the windows to learn.
        hold_out: whether some of them choose the best weights.
    """
    assert frame.positions is not None
    split = learn_windows(rows, frame.positions, source.length, hold_out=hold_out)
    return prepare(frame, source, schema, seed=seed, split=split)


def _about_independence(frame: Frame, scorer: RowScorer) -> str:
    """Return a note if a series is too short for its alarm rate to be counted; else an empty string."""
    independent = scorer.calibration.independent
    if independent is None or independent >= MIN_INDEPENDENT:
        return ""
    number = max(round(independent), 1)
    return (
        f"{frame.user_table.rows:,} points are about {number} independent window{'s' * (number > 1)}: "
        f"alarm rates below 1 in {number + 1} are extrapolated"
    )


def _with_share(training: Mapping[str, Any], share: float) -> Mapping[str, Any]:
    """Return settings with a share of the time that the user allows, if there is a bound."""
    budget = training.get("budget")
    return training if budget is None else {**training, "budget": budget * share}


def _axes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre and the first principal components of latent codes (rows, latent)."""
    centre = codes.mean(0)
    _, _, directions = np.linalg.svd(codes - centre, full_matrices=False)
    # The sign of a component is arbitrary; the largest weight is made positive, so that fits agree.
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    return centre, directions[:MAX_AXES]
