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

from diabolo.calibration import Calibration
from diabolo.checkpoint import Checkpoint
from diabolo.engine import Engine
from diabolo.evidence import Residuals, whole_windows
from diabolo.fields import Codes
from diabolo.memory import Memory, fingerprints
from diabolo.network import Member, Network
from diabolo.schema import Schema
from diabolo.sources import Frame, Source
from diabolo.training import Progress, Training, private_draws, threads, train

TRAINING_WINDOWS = 20_000
AXES = 16


@dataclass(frozen=True)
class Split:
    """Which rows are used for what; every row for one thing only.

    Attributes:
        fit: rows that networks are trained on.
        held_out: rows that the best weights are chosen by; remembered, like those of `fit`.
        calibration: rows that oddness is ranked against; used for nothing else, unless `shared`.
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
) -> Engine:
    """Train the members, remember rows, and calibrate.

    Args:
        frame: what was read.
        source: how it was read.
        schema: what its columns are.
        members: name -> what the network is like.
        training: settings asked for by the user; they go before those of the members.
        seed: of every draw.
        device: "cpu", "cuda", "mps".
        thread_count: of torch; None for its own choice.
        progress: told how far it is.
        checkpoint: a file to go on from if the fit is cut off, and the seconds between two savings.
    """
    began, cpu = time.perf_counter(), time.process_time()
    series = frame.positions is not None
    split = (
        split_rows(frame.rows, seed)
        if frame.positions is None
        else split_windows(frame.positions, source.length)
    )
    fit_rows = split.fit
    if series and len(fit_rows) > TRAINING_WINDOWS:
        fit_rows = fit_rows[np.linspace(0, len(fit_rows) - 1, TRAINING_WINDOWS).round().astype(int)]
    codes = schema.encode(frame[fit_rows])
    held_out = schema.encode(frame[split.held_out[:4096]]) if len(split.held_out) else None
    networks: dict[str, Network] = {}
    history: list[dict[str, Any]] = []
    ignored = schema.say_ignored()
    notes: list[str] = [ignored] if ignored else []
    budget = training.get("budget")
    keeper = None
    if checkpoint is not None:
        # Every row counts, and their order: another one draws other batches.
        rows = [fingerprints(part) for part in (codes, held_out) if part is not None]
        state = [
            hashlib.sha256(np.concatenate(rows).tobytes()).hexdigest(),
            source.to_json(),
            thread_count,
            seed,
            dict(training),
            [(n, m.to_json()) for n, m in members.items()],
        ]
        key = hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()
        keeper = Checkpoint(*checkpoint, key)
    interrupted = False
    with threads(thread_count), private_draws(seed):
        for number, (name, member) in enumerate(members.items()):
            settings = Training().change({**member.training, **training})
            if budget is not None:
                left = max(budget - (time.perf_counter() - began), 0.05)
                settings = replace(settings, budget=left / (len(members) - number))
            if interrupted:
                # Who stops a fit wants an end to it: what was not begun gets a moment only.
                settings = replace(settings, max_steps=settings.steps(len(codes)) // 20 + 1)
            network = Network(schema.fields, schema.scored_fields, member)
            network.start(codes)
            network.to(device)
            outcome = train(
                network,
                codes.to(device),
                held_out.to(device) if held_out is not None else None,
                settings,
                name=name,
                progress=None if interrupted else progress,
                checkpoint=keeper,
            )
            network.settle(codes[:8192].to(device))
            interrupted = interrupted or outcome.interrupted
            networks[name] = network
            history += outcome.history
            notes += outcome.notes
    scored = {k: torch.as_tensor(v) for k, v in schema.scored_fields.items()}
    remembered = np.sort(np.concatenate([split.fit, split.held_out]))
    memory = Memory.fit(
        whole_windows(list(networks.values())[-1], codes, device)
        if series
        else schema.encode(frame[remembered]),
        scored,
        None if frame.positions is None else frame.positions[remembered if not series else fit_rows],
    )
    engine = Engine(
        source=source,
        schema=schema,
        networks=networks,
        residuals=Residuals({}),
        memory=memory,
        calibration=Calibration({}, np.zeros(0), 1.0),
        history=history,
        notes=notes,
        device=device,
        threads=thread_count,
    )
    sample = codes[
        torch.from_numpy(np.linspace(0, len(codes) - 1, min(len(codes), 8192)).round().astype(int))
    ]
    with threads(thread_count):
        engine.residuals = Residuals.fit(engine.row_reader, engine.filled(sample).to(device))
    _calibrate(engine, frame, split)
    engine.error_rate = _error_rate(engine, sample[:2048])
    if split.shared:
        engine.notes.append("too little data to set some aside: alarms are calibrated on the rows of the fit")
    engine.axes = _axes(engine, sample)
    if keeper is not None:
        keeper.remove()
    engine.facts = {
        "rows": frame.rows,
        "rows_trained_on": len(fit_rows),
        "rows_calibrated_on": len(engine.calibration.oddness),
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "seed": seed,
        "device": device,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    return engine


def _calibrate(engine: Engine, frame: Frame, split: Split) -> None:
    evidence: list[dict[str, np.ndarray]] = []
    size = 8192
    for start in range(0, len(split.calibration), size):
        rows = split.calibration[start : start + size]
        where = None if frame.positions is None else frame.positions[rows]
        evidence.append(engine.evidence(engine.schema.encode(frame[rows]), where))
    whole = {k: np.concatenate([e[k] for e in evidence]) for k in evidence[0]}
    engine.calibration = Calibration.fit(whole)
    odd = np.full(frame.rows, np.nan)
    odd[split.calibration] = engine.calibration.join(whole)
    folded = engine.source.fold(frame, odd)
    engine.calibration.rank(folded[np.isfinite(folded)])


def _error_rate(engine: Engine, codes: Codes) -> float:
    """The share of wrong cells in the data, by expectation maximisation over their evidence."""
    nats = np.concatenate([n.ravel() for n in engine.cells(codes, recheck=False).nats.values()])
    nats = nats[~np.isnan(nats)]
    rate = 0.05
    for _ in range(50):
        odds = np.exp(np.clip(nats, -50, 50)) * rate / (1 - rate)
        rate = float(np.clip((odds / (1 + odds)).mean(), 1e-4, 0.5)) if len(nats) else 1e-4
    return rate


def _axes(engine: Engine, codes: Codes) -> tuple[np.ndarray, np.ndarray]:
    """The first principal components of the codes: the latent coordinates where there is no bottleneck."""
    latent = engine.latent(codes)
    centre = latent.mean(0)
    _, _, directions = np.linalg.svd(latent - centre, full_matrices=False)
    # The sign of a component is arbitrary; the largest weight is made positive, so that fits agree.
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    return centre, directions[:AXES]
