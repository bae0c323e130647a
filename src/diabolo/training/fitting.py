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

from diabolo.data.columns.convert import to_float
from diabolo.data.fields import Batch, Curve, Real, Symbol
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Series, Source
from diabolo.detection.calibration import Calibration
from diabolo.detection.cell_errors import CellErrorModel
from diabolo.detection.level import LevelEvidence
from diabolo.detection.memory import LIMIT, Memory, fingerprints
from diabolo.detection.residuals import Residuals, whole_windows
from diabolo.detection.seen_rows import SeenRows, short_fingerprints
from diabolo.detection.subsequences import CoveredPoints, SubsequenceEvidence
from diabolo.engine import Engine
from diabolo.generation.window_mixture import WindowMixture, beside
from diabolo.networks.network import Member, Network
from diabolo.training.checkpoint import Checkpoint
from diabolo.training.error_rates import estimate_error_rate, fit_cell_error_model
from diabolo.training.settings import Training
from diabolo.training.trainer import CheckpointStore, Log, train
from diabolo.utils.progress import Progress
from diabolo.utils.sampling import evenly_spaced
from diabolo.utils.torch_state import forked_rng, torch_threads

TRAINING_WINDOWS = 20_000
AXES = 16
FAR_OUT = 2.0  # fences; what lies beyond is "far out" in Tukey's words
MAX_ROWS_FOR_ERRORS = 2048  # rows that errors are planted into
MAX_ROWS_FOR_RANKS = 2_000  # rows of the fit that others of them are ranked against
MAX_ROWS_FOR_SCALES = 8192  # rows that the size of errors is learnt from
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
class PreparedData:
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
    batch: Batch
    positions: np.ndarray | None
    held_out: Batch | None
    seed: int

    @property
    def fingerprint(self) -> str:
        """Of every row: their order counts too, another one draws other batches."""
        rows = [fingerprints(part) for part in (self.batch, self.held_out) if part is not None]
        return hashlib.sha256(np.concatenate(rows).tobytes()).hexdigest()


def prepare(frame: Frame, source: Source, schema: Schema, *, seed: int) -> PreparedData:
    """Split the rows and encode those that training needs."""
    if frame.positions is None:
        split = split_rows(frame.rows, seed)
    else:
        split = split_windows(frame.positions, source.length)
    fit_rows = split.fit
    if frame.positions is not None and len(fit_rows) > TRAINING_WINDOWS:
        fit_rows = fit_rows[evenly_spaced(len(fit_rows), TRAINING_WINDOWS)]
    held_out = schema.encode(frame[split.held_out[:4096]]) if len(split.held_out) else None
    where = None if frame.positions is None else frame.positions[fit_rows]
    return PreparedData(frame, source, schema, split, schema.encode(frame[fit_rows]), where, held_out, seed)


@dataclass
class TrainedNetworks:
    """Networks, and what happened while they were trained."""

    networks: dict[str, Network]
    history: list[dict[str, Any]]
    notes: list[str]
    interrupted: bool = False


def train_networks(
    data: PreparedData,
    members: Mapping[str, Member],
    training: Mapping[str, Any],
    *,
    device: str,
    thread_count: int | None,
    progress: Progress | None = None,
    keeper: CheckpointStore | None = None,
    log: Log | None = None,
) -> TrainedNetworks:
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
    trained = TrainedNetworks({}, [], [])
    batch = data.batch.to(device)
    held_out = data.held_out.to(device) if data.held_out is not None else None
    with torch_threads(thread_count), forked_rng(data.seed):
        for number, (name, member) in enumerate(members.items()):
            settings = Training().change(member.training).change(training)
            if budget is not None:
                left = max(budget - (time.perf_counter() - began), 0.05)
                settings = replace(settings, budget=left / (len(members) - number))
            if trained.interrupted:
                # Who stops a fit wants an end to it: what was not begun gets a moment only.
                settings = replace(settings, max_steps=settings.steps(len(batch)) // 20 + 1)
            network = Network(data.schema.fields, data.schema.scored_fields, member, data.schema.holes)
            network.start(data.batch)
            network.to(device)
            outcome = train(
                network,
                network.bridged(batch),
                None if held_out is None else network.bridged(held_out),
                settings,
                name=name,
                progress=None if trained.interrupted else progress,
                checkpoint=keeper,
                log=log,
            )
            network.settle(batch[:MAX_ROWS_FOR_SCALES])
            trained.interrupted = trained.interrupted or outcome.interrupted
            trained.networks[name] = network
            trained.history += outcome.history
            trained.notes += outcome.notes
    return trained


def build_engine(
    data: PreparedData, trained: TrainedNetworks, *, device: str, thread_count: int | None
) -> Engine:
    """Remember rows, learn the size of the errors, and calibrate: trained networks become a model."""
    frame, schema, split = data.frame, data.schema, data.split
    scored = {k: torch.as_tensor(v) for k, v in schema.scored_fields.items()}
    reader = list(trained.networks.values())[-1]
    if data.positions is None:
        # Calibration rows too: no row counts as its own neighbour, so their distances are those of new rows.
        memory = Memory.fit(schema.encode(frame[evenly_spaced(frame.rows, LIMIT)]), scored)
    else:
        windows = whole_windows(reader, data.batch, device)
        memory = Memory.fit(windows, scored, data.positions)
    overlap = Curve.kind in data.batch.values
    said = [*data.source.notes, schema.doubts_note(), schema.ignored_note(), *trained.notes]
    brief = None
    if overlap and data.positions is not None and data.source.length >= 4:  # a stretch has two points or more
        with torch_threads(thread_count):
            brief = SubsequenceEvidence.fit(data.batch, data.positions)
    engine = Engine(
        source=data.source,
        schema=schema,
        networks=trained.networks,
        residuals=Residuals({}),
        memory=memory,
        calibration=Calibration({}, np.zeros(0), 1.0),
        level=LevelEvidence.fit(data.batch) if overlap else None,
        subsequences=brief,
        history=trained.history,
        notes=[note for note in said if note],
        device=device,
        threads=thread_count,
    )
    sample = data.batch[
        torch.from_numpy(evenly_spaced(len(data.batch), FEW_WINDOWS if overlap else MAX_ROWS_FOR_SCALES))
    ]
    with torch_threads(thread_count):
        engine.residuals = Residuals.fit(engine.row_network, engine.filled(sample).to(device))
    set_aside = _calibrate(engine, frame, split)
    fresh = np.sort(np.concatenate([split.held_out, split.calibration]))
    fresh = fresh[evenly_spaced(len(fresh), MAX_ROWS_FOR_ERRORS)]
    if {Real.kind, Symbol.kind} >= set(data.batch.values):
        engine.cell_errors = fit_cell_error_model(engine, schema.encode(frame[fresh]), data.seed)
        # Labels alone do not tell a row of the fit from a new one that happens to be like it.
        if frame.positions is None and Real.kind in data.batch.values:
            engine.seen_rows = _crowd(engine, frame)
    else:
        engine.cell_errors = CellErrorModel(
            estimate_error_rate(engine, sample[: FEW_WINDOWS // 4 if overlap else 2048])
        )
    if split.shared:
        engine.notes.append("too little data to set some aside: alarms are calibrated on the rows of the fit")
    if overlap and not engine.samples_latents:
        engine.window_mixture = _loom(engine, data, windows)
    engine.axes = _axes(engine, sample)
    engine.facts = {
        "rows": frame.rows,
        "rows_trained_on": len(data.batch),
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
    trained = train_networks(
        data,
        members,
        training,
        device=device,
        thread_count=thread_count,
        progress=progress,
        keeper=keeper,
        log=log,
    )
    engine = build_engine(data, trained, device=device, thread_count=thread_count)
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
    if engine.subsequences is not None:
        course = CoveredPoints.of(frame, engine.source.length, engine.subsequences.channels, rows)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        where = None if frame.positions is None else frame.positions[part]
        batch = engine.schema.encode(frame[part])
        evidence.append(engine.evidence(batch, where))
        if course is not None:
            course.take(slice(start, start + size), batch)
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
        folded = folded + engine.local_evidence(frame, course).max(1)
    engine.calibration.rank(folded[np.isfinite(folded)])
    return 1 - len(rows) / len(split.calibration)


def _loom(engine: Engine, data: PreparedData, windows: Batch) -> WindowMixture:
    """How windows are distributed; those that were set aside belong to it too."""
    split, schema = data.split, data.schema
    aside = np.setdiff1d(np.concatenate([split.held_out, split.calibration]), split.fit)
    aside = aside[evenly_spaced(len(aside), len(aside) * len(windows) // max(len(split.fit), 1))]
    if len(aside):
        windows = Batch.concatenate([windows, engine.whole(schema.encode(data.frame[aside]))])
    known, _ = beside(windows, schema.fields, schema.scored_fields)
    return WindowMixture.fit(windows, known, _there(data.frame, data.source), data.seed)


def _there(frame: Frame, source: Source) -> np.ndarray:
    """(points, channels) which values of a series are there, in the order of time."""
    assert isinstance(source, Series)
    columns, order = frame.user_table.columns(), np.argsort(frame.layout.point, kind="stable")
    return np.stack([np.isfinite(to_float(columns[name], name))[order] for name in source.channels], 1)


def _crowd(engine: Engine, frame: Frame) -> SeenRows:
    """Know the rows of the fit again, and rank them among themselves."""
    prints = np.concatenate([short_fingerprints(batch) for _, batch in engine.chunks(frame)])
    batch = engine.schema.encode(frame[evenly_spaced(frame.rows, MAX_ROWS_FOR_RANKS)])
    return SeenRows.fit(prints, engine.evidence_of_known(batch, engine.residual(batch)))


def overlapping(positions: np.ndarray, chosen: np.ndarray, length: int) -> np.ndarray:
    """(rows,) which windows are chosen, or overlap one that is."""
    there = np.sort(positions[chosen])
    if len(there) == 0:
        return chosen
    place = np.searchsorted(there, positions)
    before = positions - there[np.maximum(place - 1, 0)]
    after = there[np.minimum(place, len(there) - 1)] - positions
    return np.asarray(np.minimum(np.abs(before), np.abs(after)) < length)


def _axes(engine: Engine, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """The first principal components of the codes: the latent coordinates where there is no bottleneck."""
    latent = engine.latent(batch)
    centre = latent.mean(0)
    _, _, directions = np.linalg.svd(latent - centre, full_matrices=False)
    # The sign of a component is arbitrary; the largest weight is made positive, so that fits agree.
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    return centre, directions[:AXES]
