"""From data to an engine: split, train, remember, calibrate."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from diabolo.data.columns.number import to_float
from diabolo.data.fields import Codes, Curve, Real, Symbol
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Series, Source
from diabolo.detection.calibration import Calibration
from diabolo.detection.cell_errors import Faults
from diabolo.detection.level import Level
from diabolo.detection.memory import LIMIT, Memory, fingerprints
from diabolo.detection.residuals import Residuals, whole_windows
from diabolo.detection.seen_rows import Crowd, short_prints
from diabolo.detection.subsequences import Brief, Course
from diabolo.engine import Engine
from diabolo.generation.window_mixture import Loom, beside
from diabolo.networks.network import Member, Network
from diabolo.training.checkpoint import Checkpoint
from diabolo.training.error_rates import error_rate, judge_cells
from diabolo.training.settings import Training
from diabolo.training.trainer import Keeper, Log, train
from diabolo.utils.progress import Progress
from diabolo.utils.sampling import even
from diabolo.utils.torch_state import private_draws, threads

TRAINING_WINDOWS = 20_000
AXES = 16
FAR_OUT = 2.0  # fences; what lies beyond is "far out" in Tukey's words
FRESH = 2048  # rows that errors are planted into
RANKED = 2_000  # rows of the fit that others of them are ranked against
SETTLING = 8192  # rows that the size of errors is learnt from
FEW_WINDOWS = 1024  # windows, which overlap


@dataclass(frozen=True)
class Split:
    """Which rows are used for what; every row for one thing only. Of a table, all are remembered.

    Attributes:
        fit: rows that networks are trained on.
        held_out: rows that the best weights are chosen by; remembered, like those of `fit`.
        calibration: rows that oddness is ranked against; no network sees them, unless `shared`.
        shared: the data is too small to spare rows: it is calibrated on the rows it was fitted on.
    """

    fit: np.ndarray
    held_out: np.ndarray
    calibration: np.ndarray
    shared: bool = False


def split_rows(rows: int, seed: int) -> Split:
    """A random split of a table."""
    order = np.random.default_rng(seed).permutation(rows)
    if rows < 40:
        return Split(np.sort(order), order[:0], np.sort(order), shared=True)
    calibration = int(np.clip(0.15 * rows, 10, 2_000))
    held_out = int(np.clip(0.1 * rows, 0, 1_000)) if rows >= 200 else 0
    first, second = calibration, calibration + held_out
    return Split(np.sort(order[second:]), np.sort(order[first:second]), np.sort(order[:first]))


def split_windows(positions: np.ndarray, length: int) -> Split:
    """Blocks of a series: neighbouring windows are nearly the same row, so they stay on one side."""
    rows = len(positions)
    if rows < 16 * length:
        every = np.arange(rows)
        return Split(every, every[:0], every, shared=True)
    blocks = 4
    size = int(0.15 * rows / blocks)
    starts = ((np.arange(blocks) + 0.5) * rows / blocks - size / 2).astype(int)
    calibration = np.concatenate([np.arange(s, s + size) for s in starts])
    near = np.zeros(rows, bool)
    for s in starts:
        low, high = positions[s] - length, positions[s + size - 1] + length
        near |= (positions > low) & (positions < high)
    rest = np.flatnonzero(~near)
    held_out = rest[len(rest) - len(rest) // 10 :]
    fit = rest[positions[rest] < positions[held_out[0]] - length]
    return Split(fit, held_out, calibration)


@dataclass(frozen=True)
class Prepared:
    """Data that is read and split: all that training and what follows it need.

    Attributes:
        frame, source, schema: what was read, how, and what its columns are.
        split: which rows are used for what.
        codes: rows that networks are trained on: of very many windows, an even choice.
        positions: (rows,) their places in time; None for a table.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        seed: of every draw.
    """

    frame: Frame
    source: Source
    schema: Schema
    split: Split
    codes: Codes
    positions: np.ndarray | None
    held_out: Codes | None
    seed: int

    @property
    def fingerprint(self) -> str:
        """Of every row: their order counts too, another one draws other batches."""
        rows = [fingerprints(part) for part in (self.codes, self.held_out) if part is not None]
        return hashlib.sha256(np.concatenate(rows).tobytes()).hexdigest()


def prepare(frame: Frame, source: Source, schema: Schema, *, seed: int) -> Prepared:
    """Split the rows and encode those that training needs."""
    if frame.positions is None:
        split = split_rows(frame.rows, seed)
    else:
        split = split_windows(frame.positions, source.length)
    fit_rows = split.fit
    if frame.positions is not None and len(fit_rows) > TRAINING_WINDOWS:
        fit_rows = fit_rows[even(len(fit_rows), TRAINING_WINDOWS)]
    held_out = schema.encode(frame[split.held_out[:4096]]) if len(split.held_out) else None
    where = None if frame.positions is None else frame.positions[fit_rows]
    return Prepared(frame, source, schema, split, schema.encode(frame[fit_rows]), where, held_out, seed)


@dataclass
class Trained:
    """Networks, and what happened while they were trained."""

    networks: dict[str, Network]
    history: list[dict[str, Any]]
    notes: list[str]
    interrupted: bool = False


def train_members(
    data: Prepared,
    members: Mapping[str, Member],
    training: Mapping[str, Any],
    *,
    device: str,
    thread_count: int | None,
    progress: Progress | None = None,
    keeper: Keeper | None = None,
    log: Log | None = None,
) -> Trained:
    """Train one network after the other.

    Args:
        data: what to train on.
        members: name -> what the network is like.
        training: settings asked for by the user; they go before those of the members.
        device: "cpu", "cuda", "mps".
        thread_count: of torch; None for its own choice.
        progress: told how far it is.
        keeper: keeps runs that are cut off.
        log: told each line of history.
    """
    began, budget = time.perf_counter(), training.get("budget")
    trained = Trained({}, [], [])
    codes = data.codes.to(device)
    held_out = data.held_out.to(device) if data.held_out is not None else None
    with threads(thread_count), private_draws(data.seed):
        for number, (name, member) in enumerate(members.items()):
            settings = Training().change(member.training).change(training)
            if budget is not None:
                left = max(budget - (time.perf_counter() - began), 0.05)
                settings = replace(settings, budget=left / (len(members) - number))
            if trained.interrupted:
                # Who stops a fit wants an end to it: what was not begun gets a moment only.
                settings = replace(settings, max_steps=settings.steps(len(codes)) // 20 + 1)
            network = Network(data.schema.fields, data.schema.scored_fields, member, data.schema.holes)
            network.start(data.codes)
            network.to(device)
            outcome = train(
                network,
                network.bridged(codes),
                None if held_out is None else network.bridged(held_out),
                settings,
                name=name,
                progress=None if trained.interrupted else progress,
                checkpoint=keeper,
                log=log,
            )
            network.settle(codes[:SETTLING])
            trained.interrupted = trained.interrupted or outcome.interrupted
            trained.networks[name] = network
            trained.history += outcome.history
            trained.notes += outcome.notes
    return trained


def assemble(data: Prepared, trained: Trained, *, device: str, thread_count: int | None) -> Engine:
    """Remember rows, learn the size of the errors, and calibrate: trained networks become a model."""
    frame, schema, split = data.frame, data.schema, data.split
    scored = {k: torch.as_tensor(v) for k, v in schema.scored_fields.items()}
    reader = list(trained.networks.values())[-1]
    if data.positions is None:
        # Calibration rows too: no row counts as its own neighbour, so their distances are those of new rows.
        memory = Memory.fit(schema.encode(frame[even(frame.rows, LIMIT)]), scored)
    else:
        windows = whole_windows(reader, data.codes, device)
        memory = Memory.fit(windows, scored, data.positions)
    overlap = Curve.kind in data.codes.values
    said = [*data.source.notes, schema.say_doubts(), schema.say_ignored(), *trained.notes]
    brief = None
    if overlap and data.positions is not None and data.source.length >= 4:  # a stretch has two points or more
        with threads(thread_count):
            brief = Brief.fit(data.codes, data.positions)
    engine = Engine(
        source=data.source,
        schema=schema,
        networks=trained.networks,
        residuals=Residuals({}),
        memory=memory,
        calibration=Calibration({}, np.zeros(0), 1.0),
        level=Level.fit(data.codes) if overlap else None,
        brief=brief,
        history=trained.history,
        notes=[note for note in said if note],
        device=device,
        threads=thread_count,
    )
    sample = data.codes[torch.from_numpy(even(len(data.codes), FEW_WINDOWS if overlap else SETTLING))]
    with threads(thread_count):
        engine.residuals = Residuals.fit(engine.row_reader, engine.filled(sample).to(device))
    set_aside = _calibrate(engine, frame, split)
    fresh = np.sort(np.concatenate([split.held_out, split.calibration]))
    fresh = fresh[even(len(fresh), FRESH)]
    if {Real.kind, Symbol.kind} >= set(data.codes.values):
        engine.faults = judge_cells(engine, schema.encode(frame[fresh]), data.seed)
        # Labels alone do not tell a row of the fit from a new one that happens to be like it.
        if frame.positions is None and Real.kind in data.codes.values:
            engine.crowd = _crowd(engine, frame)
    else:
        engine.faults = Faults(error_rate(engine, sample[: FEW_WINDOWS // 4 if overlap else 2048]))
    if split.shared:
        engine.notes.append("too little data to set some aside: alarms are calibrated on the rows of the fit")
    if overlap and not engine.has_codes:
        engine.loom = _loom(engine, data, windows)
    engine.axes = _axes(engine, sample)
    engine.facts = {
        "rows": frame.rows,
        "rows_trained_on": len(data.codes),
        "rows_calibrated_on": len(engine.calibration.oddness),
        "set_aside": round(set_aside, 4),
        "seed": data.seed,
        **({"interrupted": True} if trained.interrupted else {}),
        "device": device,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    return engine


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
) -> Engine:
    """From data to a model, in three steps: prepare, train, assemble; see each for its arguments.

    `checkpoint` is a file to go on from if the fit is cut off, and the seconds between two savings.
    """
    began, cpu = time.perf_counter(), time.process_time()
    data, keeper = prepare(frame, source, schema, seed=seed), None
    if checkpoint is not None:
        described = [(name, member.to_json()) for name, member in members.items()]
        state = [data.fingerprint, source.to_json(), thread_count, seed, dict(training), described]
        keeper = Checkpoint(*checkpoint, hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest())
    trained = train_members(
        data,
        members,
        training,
        device=device,
        thread_count=thread_count,
        progress=progress,
        keeper=keeper,
        log=log,
    )
    engine = assemble(data, trained, device=device, thread_count=thread_count)
    if keeper is not None:
        keeper.remove()
    spent = {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
    }
    engine.facts = {**engine.facts, **spent}
    return engine


def _calibrate(engine: Engine, frame: Frame, split: Split) -> float:
    """Calibrate; returns the share of the calibration rows that were not fit for it."""
    rows = split.calibration
    evidence: list[dict[str, np.ndarray]] = []
    size, course = 8192, None
    if engine.brief is not None:
        course = Course.of(frame, engine.source.length, engine.brief.channels, rows)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        where = None if frame.positions is None else frame.positions[part]
        codes = engine.schema.encode(frame[part])
        evidence.append(engine.evidence(codes, where))
        if course is not None:
            course.take(slice(start, start + size), codes)
    whole = {k: np.concatenate([e[k] for e in evidence]) for k in evidence[0]}
    if engine.level is not None and frame.positions is not None:
        far = whole["level"] > engine.level.evidence(np.array([[FAR_OUT]]))
        # Who fits on a whole series fits on its odd stretches too. Left in, one of them would set the
        # threshold for all others. Where they are the rule, they are what is normal.
        odd_ones = overlapping(frame.positions[rows], far, engine.source.length)
        fit_for_it = ~odd_ones | (odd_ones.mean() >= 0.5)
        rows, whole = rows[fit_for_it], {k: v[fit_for_it] for k, v in whole.items()}
    engine.calibration = Calibration.fit(whole)
    odd = np.full(frame.rows, np.nan)
    odd[rows] = engine.calibration.join(whole)
    folded = engine.source.fold(frame, odd)
    if course is not None:
        folded = folded + engine.briefly(frame, course).max(1)
    engine.calibration.rank(folded[np.isfinite(folded)])
    return 1 - len(rows) / len(split.calibration)


def _loom(engine: Engine, data: Prepared, windows: Codes) -> Loom:
    """How windows are distributed; those that were set aside belong to it too."""
    split, schema = data.split, data.schema
    aside = np.setdiff1d(np.concatenate([split.held_out, split.calibration]), split.fit)
    aside = aside[even(len(aside), len(aside) * len(windows) // max(len(split.fit), 1))]
    if len(aside):
        windows = Codes.concatenate([windows, engine.whole(schema.encode(data.frame[aside]))])
    known, _ = beside(windows, schema.fields, schema.scored_fields)
    return Loom.fit(windows, known, _there(data.frame, data.source), data.seed)


def _there(frame: Frame, source: Source) -> np.ndarray:
    """(points, channels) which values of a series are there, in the order of time."""
    assert isinstance(source, Series)
    columns, order = frame.native.columns(), np.argsort(frame.place.point, kind="stable")
    return np.stack([np.isfinite(to_float(columns[name], name))[order] for name in source.channels], 1)


def _crowd(engine: Engine, frame: Frame) -> Crowd:
    """Know the rows of the fit again, and rank them among themselves."""
    prints = np.concatenate([short_prints(codes) for _, codes in engine.chunks(frame)])
    codes = engine.schema.encode(frame[even(frame.rows, RANKED)])
    return Crowd.fit(prints, engine.evidence_of_known(codes, engine.residual(codes)))


def overlapping(positions: np.ndarray, chosen: np.ndarray, length: int) -> np.ndarray:
    """(rows,) which windows are chosen, or overlap one that is."""
    there = np.sort(positions[chosen])
    if len(there) == 0:
        return chosen
    place = np.searchsorted(there, positions)
    before = positions - there[np.maximum(place - 1, 0)]
    after = there[np.minimum(place, len(there) - 1)] - positions
    return np.asarray(np.minimum(np.abs(before), np.abs(after)) < length)


def _axes(engine: Engine, codes: Codes) -> tuple[np.ndarray, np.ndarray]:
    """The first principal components of the codes: the latent coordinates where there is no bottleneck."""
    latent = engine.latent(codes)
    centre = latent.mean(0)
    _, _, directions = np.linalg.svd(latent - centre, full_matrices=False)
    # The sign of a component is arbitrary; the largest weight is made positive, so that fits agree.
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    return centre, directions[:AXES]
