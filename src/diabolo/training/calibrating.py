"""Calibrate a model of a series by models of parts of it, which judge the other parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from diabolo.data.fields import Batch
from diabolo.data.sources import Frame
from diabolo.data.splitting import Fold, learn_all
from diabolo.detection import EncodedRows, ModelParts, RowScorer, TrainingRows, fit_evidence
from diabolo.detection.judged import JudgedRows
from diabolo.detection.memory import Memory
from diabolo.detection.metrics import MAX_ROWS
from diabolo.networks.completion import complete_windows
from diabolo.networks.member import Member
from diabolo.training.networks import TrainedNetworks, train_networks
from diabolo.training.preparation import PreparedData, prepare
from diabolo.utils.sampling import evenly_spaced

MAX_COMPARED = 512  # windows that two models are compared on; they overlap, so that more add little


def rows_to_remember(data: PreparedData, trained: TrainedNetworks, device: str) -> Batch:
    """Return the rows that a memory is made of; windows without missing values.

    Args:
        data: what the networks were trained on.
        trained: the networks.
        device: where they are.
    """
    if data.source.overlaps:
        return complete_windows(list(trained.networks.values())[-1], data.batch, device)
    # Rows of the calibration too: no row is its own neighbour, so their distances are those of new rows.
    return data.schema.encode(data.frame[evenly_spaced(data.frame.rows, MAX_ROWS)])


def fit_scorer(
    data: PreparedData,
    trained: TrainedNetworks,
    remembered: Batch,
    *,
    device: str,
    thread_count: int | None,
) -> RowScorer:
    """Return what scores rows, not calibrated: memory and evidence.

    Args:
        data: what the networks were trained on.
        trained: the networks.
        remembered: the rows that a memory is made of.
        device: where the networks are.
        thread_count: of torch; None for its own choice.
    """
    scored = {k: torch.as_tensor(v) for k, v in data.schema.scored_fields.items()}
    memory = Memory.fit(remembered, scored, data.positions)
    parts = ModelParts(data.source, data.schema, trained.networks, memory, device, thread_count)
    training = TrainingRows(data.frame, data.batch, data.positions, data.sample)
    return RowScorer.uncalibrated(parts, fit_evidence(parts, training))


def solve(
    data: PreparedData, members: Mapping[str, Member], *, device: str, thread_count: int | None
) -> RowScorer:
    """Return a scorer, not calibrated, of networks that are solved in closed form.

    Args:
        data: what to learn.
        members: name -> what the network is like.
        device: where to compute.
        thread_count: of torch; None for its own choice.
    """
    trained = train_networks(data, members, {"epochs": 0}, device=device, thread_count=thread_count)
    remembered = rows_to_remember(data, trained, device)
    return fit_scorer(data, trained, remembered, device=device, thread_count=thread_count)


def solve_scorer(data: PreparedData, final: RowScorer, learnt: np.ndarray) -> RowScorer:
    """Return a scorer like the final one that has learnt only some of the windows.

    Args:
        data: what the final scorer has learnt.
        final: a scorer whose networks are solved, not trained.
        learnt: numbers of the windows.
    """
    some = prepare(data.frame, data.source, data.schema, seed=data.seed, split=learn_all(learnt))
    members = {name: network.member for name, network in final.parts.networks.items()}
    return solve(some, members, device=final.parts.device, thread_count=final.parts.threads)


def judge_in_time(
    final: RowScorer, frame: Frame, folds: Sequence[Fold], solve_some: Callable[[np.ndarray], RowScorer]
) -> Iterator[JudgedRows]:
    """Yield what models of a part of a series say of the other part, in units of the final model.

    Cross-conformal prediction (Vovk, "Cross-conformal predictors", 2015), by blocks of time. A model of fewer
    windows measures in other units, as its whitening has another ridge: each kind of evidence is multiplied
    by the median ratio between both models on windows that both have learnt.

    Args:
        final: the model of all windows.
        frame: the windows.
        folds: which windows are learnt and which are judged.
        solve_some: returns the scorer that has learnt the windows that it is given.
    """
    for fold in folds:
        scorer = solve_some(fold.learnt)
        rows = fold.learnt[evenly_spaced(len(fold.learnt), MAX_COMPARED)]
        batch, positions = final.parts.schema.encode(frame[rows]), frame.positions_of(rows)
        ours, theirs = (s.scores(EncodedRows(s.parts, batch, positions)) for s in (final, scorer))
        factors = {name: _median_ratio(ours[name], theirs[name]) for name in ours}
        yield scorer.judge(frame, fold.judged, final).scaled(factors)


def _median_ratio(one: np.ndarray, other: np.ndarray) -> float:
    """Return the median of the ratios of two positive quantities; 1 where none is known."""
    known = np.isfinite(one) & np.isfinite(other) & (one > 0) & (other > 0)
    return float(np.median(one[known] / other[known])) if known.any() else 1.0
