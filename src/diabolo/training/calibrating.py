"""Calibrate a model of a series by models of parts of it, which judge the other parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from diabolo.data.fields import Batch
from diabolo.data.sources import Frame
from diabolo.data.splitting import Fold
from diabolo.detection import EncodedRows, ModelParts, RowScorer, TrainingRows, fit_evidence
from diabolo.detection.judged import JudgedRows
from diabolo.detection.memory import Memory
from diabolo.detection.metrics import MAX_ROWS
from diabolo.networks.completion import complete_windows
from diabolo.networks.network import Network
from diabolo.training.networks import train_networks
from diabolo.training.preparation import PreparedData
from diabolo.utils.sampling import evenly_spaced

MAX_COMPARED = 512  # windows that two models are compared on; they overlap, so that more add little


def rows_to_remember(data: PreparedData, networks: Mapping[str, Network], device: str) -> Batch:
    """Return the rows that a memory is made of; windows without missing values.

    Args:
        data: what the networks were trained on.
        networks: name -> network.
        device: where they are.
    """
    if data.source.overlaps:
        return complete_windows(list(networks.values())[-1], data.batch, device)
    # Rows of the calibration too: no row is its own neighbour, so their distances are those of new rows.
    return data.schema.encode(data.frame[evenly_spaced(data.frame.rows, MAX_ROWS)])


def fit_scorer(
    data: PreparedData,
    networks: Mapping[str, Network],
    remembered: Batch,
    *,
    device: str,
    thread_count: int | None,
) -> RowScorer:
    """Return what scores rows, not calibrated: memory and evidence.

    Args:
        data: what the networks were trained on.
        networks: name -> network.
        remembered: the rows that a memory is made of.
        device: where the networks are.
        thread_count: of torch; None for its own choice.
    """
    compared = {k: torch.as_tensor(v) for k, v in data.schema.compared_fields.items()}
    memory = Memory.fit(remembered, compared, data.positions)
    parts = ModelParts(data.source, data.schema, networks, memory, device, thread_count)
    training = TrainingRows(data.frame, data.batch, data.positions, data.sample)
    return RowScorer.uncalibrated(parts, fit_evidence(parts, training))


def learn_part(part: PreparedData, final: RowScorer, training: Mapping[str, Any]) -> RowScorer:
    """Return a scorer like the final one that has learnt only a part of the windows.

    Networks that only fill in missing points are not solved again: see `take_part`.

    Args:
        part: the windows to learn.
        final: the scorer of all windows.
        training: settings that the user requested.
    """
    device, threads = final.parts.device, final.parts.threads
    networks = final.parts.networks
    if not final.parts.rows_are_solved:
        members = {name: network.member for name, network in networks.items()}
        networks = train_networks(part, members, training, device=device, thread_count=threads).networks
    remembered = rows_to_remember(part, networks, device)
    return fit_scorer(part, networks, remembered, device=device, thread_count=threads)


def take_part(data: PreparedData, remembered: Batch, final: RowScorer, learnt: np.ndarray) -> RowScorer:
    """Return a scorer like the final one that remembers only a part of the windows, with the same networks.

    For networks that only fill in missing points: they say nothing of a window by themselves, and what they
    filled in once need not be filled in again.

    Args:
        data: what the final scorer has learnt.
        remembered: the same windows, without missing values.
        final: the scorer of all windows.
        learnt: numbers of the windows of the part in the frame.
    """
    assert data.rows is not None and data.positions is not None
    index = np.flatnonzero(np.isin(data.rows, learnt))
    chosen = torch.from_numpy(index)
    part = replace(data, batch=data.batch[chosen], positions=data.positions[index], rows=data.rows[index])
    device, threads = final.parts.device, final.parts.threads
    return fit_scorer(part, final.parts.networks, remembered[chosen], device=device, thread_count=threads)


def judge_in_time(
    final: RowScorer, frame: Frame, folds: Sequence[Fold], learn_some: Callable[[np.ndarray], RowScorer]
) -> Iterator[JudgedRows]:
    """Yield what models of a part of a series say of the other part, in units of the final model.

    Cross-conformal prediction (Vovk, "Cross-conformal predictors", 2015), by blocks of time. A model of fewer
    windows measures in other units, as its whitening has another ridge: each kind of evidence is multiplied
    by the median ratio between both models on windows that both have learnt.

    Args:
        final: the model of all windows.
        frame: the windows.
        folds: which windows are learnt and which are judged.
        learn_some: returns the scorer that has learnt the windows that it is given.
    """
    for fold in folds:
        scorer = learn_some(fold.learnt)
        rows = fold.learnt[evenly_spaced(len(fold.learnt), MAX_COMPARED)]
        batch, positions = final.parts.schema.encode(frame[rows]), frame.positions_of(rows)
        ours, theirs = (s.scores(EncodedRows(s.parts, batch, positions)) for s in (final, scorer))
        factors = {name: _median_ratio(ours[name], theirs[name]) for name in ours}
        yield scorer.judge(frame, fold.judged, final).scaled(factors)


def _median_ratio(one: np.ndarray, other: np.ndarray) -> float:
    """Return the median of the ratios of two positive quantities; 1 where none is known."""
    known = np.isfinite(one) & np.isfinite(other) & (one > 0) & (other > 0)
    return float(np.median(one[known] / other[known])) if known.any() else 1.0
