"""From data to an engine: prepare the data, train the networks, build the engine."""

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

from diabolo.data.fields import Batch
from diabolo.data.fingerprints import fingerprints
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source
from diabolo.data.splitting import Split
from diabolo.detection import CellPredictor, ModelParts, RowScorer, TrainingRows, fit_evidence
from diabolo.detection.memory import Memory
from diabolo.detection.metrics import MAX_ROWS
from diabolo.engine import Engine
from diabolo.generation.window_mixture import fit_window_mixture
from diabolo.networks.completion import complete_windows
from diabolo.networks.member import Member
from diabolo.networks.network import Network
from diabolo.training.checkpoint import Checkpoint
from diabolo.training.error_rates import fit_cell_errors
from diabolo.training.settings import Training
from diabolo.training.trainer import CheckpointStore, Log, train
from diabolo.utils.progress import Progress
from diabolo.utils.sampling import evenly_spaced
from diabolo.utils.torch_state import forked_rng, torch_threads

# Choices:
MAX_AXES = 16  # principal components of the latent codes
MAX_ROWS_FOR_SCALES = 8192  # rows that the sizes of errors are learnt from
MAX_WINDOWS_FOR_SCALES = 1024  # the same for windows, which overlap
MAX_HELD_OUT_ROWS = 4096  # rows that weights are chosen by
INTERRUPTED_DIVISOR = 20  # after Ctrl-C, the steps of networks that are not yet trained are divided by this
MIN_BUDGET = 0.05  # seconds for a network, whatever those before it took


@dataclass(frozen=True)
class PreparedData:
    """Data that is read and split: all that training and building need.

    Attributes:
        frame, source, schema: the data, what read it, and what its columns are.
        split: which rows are used for what.
        batch: rows that networks are trained on; a sample at equal distances if there are very many windows.
        positions: (rows,) their positions in time; None for a table.
        held_out: rows to choose the best weights by; None if there are too few to spare.
        seed: of every random number.
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
        """SHA-256 of all rows in their order, which decides about the batches."""
        rows = [fingerprints(part) for part in (self.batch, self.held_out) if part is not None]
        return hashlib.sha256(np.concatenate(rows).tobytes()).hexdigest()

    @property
    def sample(self) -> Batch:
        """Training rows at equal distances, few enough for one pass through a network."""
        most = MAX_WINDOWS_FOR_SCALES if self.source.overlaps else MAX_ROWS_FOR_SCALES
        return self.batch[torch.from_numpy(evenly_spaced(len(self.batch), most))]


def prepare(frame: Frame, source: Source, schema: Schema, *, seed: int) -> PreparedData:
    """Split the rows and encode those that training needs.

    Args:
        frame: the rows of the fit.
        source: what read them.
        schema: what their columns are.
        seed: of every random number.
    """
    split = source.split(frame, seed)
    fit_rows, most = split.fit, source.max_training_rows
    if most is not None and len(fit_rows) > most:
        fit_rows = fit_rows[evenly_spaced(len(fit_rows), most)]
    held_out = schema.encode(frame[split.held_out[:MAX_HELD_OUT_ROWS]]) if len(split.held_out) else None
    batch, positions = schema.encode(frame[fit_rows]), frame.positions_of(fit_rows)
    return PreparedData(frame, source, schema, split, batch, positions, held_out, seed)


@dataclass
class TrainedNetworks:
    """Networks, and the records of their training.

    Attributes:
        networks: name -> network.
        history: lines of all members, in their order.
        notes: what the user should know.
        interrupted: whether Ctrl-C ended a run.
    """

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
    store: CheckpointStore | None = None,
    log: Log | None = None,
) -> TrainedNetworks:
    """Train one network after the other.

    Args:
        data: what to train on.
        members: name -> what the network is like.
        training: settings that the user requested; they override those of the members.
        device: "cpu", "cuda" or "mps".
        thread_count: of torch; None for its own choice.
        progress: called with the progress.
        store: where runs are saved to and resumed from; None for neither.
        log: called with each line of history.
    """
    began, budget = time.perf_counter(), training.get("budget")
    trained = TrainedNetworks({}, [], [])
    batch = data.batch.to(device)
    held_out = data.held_out.to(device) if data.held_out is not None else None
    with torch_threads(thread_count), forked_rng(data.seed):
        for number, (name, member) in enumerate(members.items()):
            settings = Training().change(member.training).change(training)
            if budget is not None:
                left = max(budget - (time.perf_counter() - began), MIN_BUDGET)
                settings = replace(settings, budget=left / (len(members) - number))
            if trained.interrupted:
                steps = settings.steps(len(batch)) // INTERRUPTED_DIVISOR + 1
                settings = replace(settings, max_steps=steps)
            schema = data.schema
            network = Network(schema.fields, schema.scored_fields, member, schema.can_be_missing)
            network.initialise(data.batch)
            network.to(device)
            result = train(
                network,
                network.base.interpolated(batch),
                None if held_out is None else network.base.interpolated(held_out),
                settings,
                name=name,
                progress=None if trained.interrupted else progress,
                checkpoint=store,
                log=log,
            )
            network.fit_scales(batch[:MAX_ROWS_FOR_SCALES])
            trained.interrupted = trained.interrupted or result.interrupted
            trained.networks[name] = network
            trained.history += result.history
            trained.notes += result.notes
    return trained


def build_engine(
    data: PreparedData, trained: TrainedNetworks, *, device: str, thread_count: int | None
) -> Engine:
    """Build a model from trained networks: its memory, its evidence and its calibration.

    Args:
        data: what the networks were trained on.
        trained: the networks.
        device: where they are.
        thread_count: of torch; None for its own choice.
    """
    frame, schema, source, split = data.frame, data.schema, data.source, data.split
    scored = {k: torch.as_tensor(v) for k, v in schema.scored_fields.items()}
    if source.overlaps:
        cell_network = list(trained.networks.values())[-1]
        remembered = complete_windows(cell_network, data.batch, device)
    else:
        # Rows of the calibration too: no row is its own neighbour, so their distances are those of new rows.
        remembered = schema.encode(frame[evenly_spaced(frame.rows, MAX_ROWS)])
    memory = Memory.fit(remembered, scored, data.positions)
    parts = ModelParts(source, schema, trained.networks, memory, device, thread_count)
    evidence = fit_evidence(parts, TrainingRows(frame, data.batch, data.positions, data.sample))
    scorer, calibrated = RowScorer.fit(parts, evidence, frame, split.calibration)
    cell_errors = fit_cell_errors(parts, frame, split, data.sample, data.seed)
    notes = [*source.notes, schema.doubts_note(), schema.ignored_note(), *trained.notes]
    if split.shared:
        notes.append(
            "there is too little data to set rows aside: alarms are calibrated on the rows of the fit"
        )
    engine = Engine(parts, scorer, CellPredictor(parts, cell_errors), history=trained.history)
    if source.overlaps and not engine.samples_latents:
        mixture = fit_window_mixture(parts, frame, split, remembered, data.seed)
        engine = replace(engine, window_mixture=mixture)
    return replace(engine, axes=_axes(engine.latent(data.sample))).with_report(
        *(note for note in notes if note),
        rows=frame.rows,
        rows_trained_on=len(data.batch),
        rows_calibrated_on=len(scorer.calibration.scores),
        set_aside=round(1 - len(calibrated) / len(split.calibration), 4),
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
    """
    began, cpu = time.perf_counter(), time.process_time()
    data, store = prepare(frame, source, schema, seed=seed), None
    if checkpoint is not None:
        described = [(name, member.to_json()) for name, member in members.items()]
        state = [data.fingerprint, source.to_json(), thread_count, seed, dict(training), described]
        store = Checkpoint(*checkpoint, hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest())
    trained = train_networks(
        data,
        members,
        training,
        device=device,
        thread_count=thread_count,
        progress=progress,
        store=store,
        log=log,
    )
    engine = build_engine(data, trained, device=device, thread_count=thread_count)
    if store is not None:
        store.remove()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    return engine.with_report(seconds=round(seconds, 2), cpu_seconds=round(cpu_seconds, 2))


def _axes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre and the first principal components of latent codes (rows, latent)."""
    centre = codes.mean(0)
    _, _, directions = np.linalg.svd(codes - centre, full_matrices=False)
    # The sign of a component is arbitrary; the largest weight is made positive, so that fits agree.
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    return centre, directions[:MAX_AXES]
