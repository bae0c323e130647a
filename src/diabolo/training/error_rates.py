"""How many cells of the data are wrong, and what the evidence of a cell is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.isotonic import IsotonicRegression

from diabolo.data.fields import Batch, Real, Symbol
from diabolo.data.fields.real import SHIFT_STDEV
from diabolo.data.schema import Slot
from diabolo.detection.cell_errors import CellErrorModel
from diabolo.engine import Engine
from diabolo.utils.torch_state import forked_rng

SPOILT = 0.05  # the share of cells that errors are planted into
TRIES = 10
ENOUGH = 5_000  # planted errors: more tell little more
ROUNDS = 8  # of planting, at most
WEAK = 1.0  # nats: if the strongest tenth of planted evidence is no stronger, errors cannot be told
UNTOLD = 0.01  # the share of wrong cells where they do
FEW = 30  # planted errors, from which nothing is learnt
KNOTS = np.r_[0.01, 0.03, np.linspace(0.05, 0.95, 19), 0.97, 0.99]  # quantiles of planted evidence
SURE = 0.98  # as far as a curve through few cells can be trusted
PRIOR = 0.001  # the share of cells that are taken to be wrong, in each way alike, before any is seen


def estimate_error_rate(engine: Engine, batch: Batch) -> float:
    """The share of wrong points or pixels, by expectation maximisation over their evidence.

    Errors planted into single points would be easier to see than those of a sensor or a camera, which come in
    stretches and patches.
    """
    nats = np.concatenate([n.ravel() for n in engine.cells(batch, recheck=False).nats.values()])
    nats = nats[~np.isnan(nats)]
    rate = 0.05
    for _ in range(50):
        odds = np.exp(np.clip(nats, -50, 50)) * rate / (1 - rate)
        rate = float(np.clip((odds / (1 + odds)).mean(), 1e-4, 0.5)) if len(nats) else 1e-4
    return rate


def fit_cell_error_model(engine: Engine, batch: Batch, seed: int) -> CellErrorModel:
    """Learn in which ways cells of the data are wrong, how many are, and what their evidence is worth.

    Errors are planted into rows that were not trained on. Where their evidence is strongest, the data's own
    errors are found too: the share of wrong cells is how often such evidence is met in the data, over how
    often in planted cells, at its lowest (Scott, "A rate of convergence for mixture proportion estimation",
    2015). That is a bound, and a poor one where columns say little of each other, so that planted errors look
    like the rest: there one cell in a hundred is taken to be wrong, or fewer.

    Given its evidence, a cell is wrong with probability rate * planted / met, densities of evidence whose
    ratio is a rising curve (isotonic regression: Zadrozny and Elkan, "Transforming classifier scores into
    accurate multiclass probability estimates", 2002).
    """
    faults = CellErrorModel(error_types=_ways(engine, batch))
    engine = replace(engine, cell_errors=faults)
    own, wrong = _by_column(engine, batch), np.zeros(0)
    met = own[np.isfinite(own)]
    for number in range(ROUNDS):
        spoilt, planted = _corrupt_cells(engine, batch, seed + number)
        found = _by_column(engine, spoilt)
        wrong = np.concatenate([wrong, found[planted & np.isfinite(found)]])
        if len(wrong) >= ENOUGH:
            break
    if len(wrong) < FEW:
        return faults
    levels = np.quantile(wrong, np.linspace(0.5, 0.9, 9))
    bounds = [(met >= level).mean() / (wrong >= level).mean() for level in levels]
    rate = float(np.clip(min(bounds), 1e-4, 0.5))
    # Many real errors weaken all evidence, but they are met as often as planted ones at every strength of it.
    falling = min(bounds) < bounds[0] / 2
    if levels[-1] < WEAK or (levels[-1] < 2 * WEAK and falling):
        rate = min(rate, UNTOLD)
    curve = IsotonicRegression(out_of_bounds="clip").fit(
        np.concatenate([wrong, met]),
        np.r_[np.ones(len(wrong)), np.zeros(len(met))],
        sample_weight=np.r_[np.full(len(wrong), rate / len(wrong)), np.full(len(met), 1 / len(met))],
    )
    knots = np.unique(np.quantile(wrong, KNOTS))
    share = curve.predict(knots)
    probability = np.clip(share / (1 - share + 1e-9), 1e-5, SURE)
    return replace(
        faults,
        rate=rate,
        knots=tuple(knots.tolist()),
        odds=tuple(np.log(probability / (1 - probability)).tolist()),
    )


def _ways(engine: Engine, batch: Batch) -> dict[str, tuple[float, ...]]:
    """The shares of the ways in which numbers are wrong, by expectation maximisation.

    A number that its row does not expect is another row's value, or was moved, or is anything: which, its
    distance from the usual values says. Labels have none, and a network that was fitted on wrong labels
    expects those that anything would bring: labels are taken to be swapped as often as numbers.
    """
    if Real.kind not in batch.values:
        return {}
    surprise = engine.cells(batch, kinds=(Real.kind,), recheck=False).surprise[Real.kind]
    scored = engine.schema.scored_fields[Real.kind]
    values, visible = batch.values[Real.kind].numpy(), batch.visible[Real.kind].numpy()
    parts = []
    for index in np.flatnonzero(scored):
        there = visible[:, index]
        log_q = engine.schema.fields[Real.kind][index].log_prob_if_wrong(values[there, index])
        parts.append(np.concatenate([-surprise[None, there, index], log_q]))
    likely = np.exp(np.concatenate(parts, 1)) if parts else np.zeros((4, 0))
    if likely.shape[1] < 50:
        return {}
    shares = np.full(len(likely), 0.01)
    shares[0] = 1 - shares[1:].sum()
    for _ in range(100):
        blame = shares[:, None] * likely
        shares = (blame / blame.sum(0)).mean(1)
    # As if a few cells of each way had been seen, so that none is ruled out.
    ways = shares[1:] + PRIOR / len(shares[1:])
    ways = ways / ways.sum()
    return {Real.kind: tuple(ways.tolist()), Symbol.kind: (float(ways[0]), float(1 - ways[0]))}


def _by_column(engine: Engine, batch: Batch) -> np.ndarray:
    """(rows, scored columns) the evidence of each cell, of all its fields together."""
    nats = engine.cells(batch, recheck=False).nats
    return np.stack(
        [
            sum(nats[s.kind][:, s.index] for s in engine.schema.slots_of(name))
            for name in engine.schema.scored
        ],
        axis=1,
    )


def _corrupt_cells(engine: Engine, batch: Batch, seed: int) -> tuple[Batch, np.ndarray]:
    """Rows with errors in a few of their scored cells, and (rows, scored columns) which they are.

    Values of other rows, and numbers moved by noise or labels drawn at random, as often as the engine knows.
    """
    spoilt = {kind: value.clone() for kind, value in batch.values.items()}
    planted = np.zeros((len(batch), len(engine.schema.scored)), bool)
    with forked_rng(seed):
        for place, name in enumerate(engine.schema.scored):
            slots = engine.schema.slots_of(name)
            there = torch.stack([batch.visible[s.kind][:, s.index] for s in slots]).all(0)
            hit = (torch.rand(len(batch)) < SPOILT) & there
            # A draw that changes nothing is repeated: every column is spoilt as often.
            for _ in range(TRIES):
                other, changed = torch.randperm(len(batch)), torch.zeros(len(batch), dtype=torch.bool)
                for slot in slots:
                    value = batch.values[slot.kind][:, slot.index]
                    drawn = value[other]
                    if len(slots) == 1:
                        swapped = (
                            torch.rand(len(batch)) < engine.cell_errors.error_types.get(slot.kind, (0.5,))[0]
                        )
                        drawn = torch.where(swapped, drawn, _strange(engine, slot, value))
                    spoilt[slot.kind][:, slot.index] = torch.where(
                        hit, drawn, spoilt[slot.kind][:, slot.index]
                    )
                    changed |= hit & (drawn != value)
                planted[:, place] |= changed.numpy()
                hit &= ~changed
    return batch.replace(spoilt), planted


def _strange(engine: Engine, slot: Slot, value: torch.Tensor) -> torch.Tensor:
    """Numbers moved by noise, and labels drawn at random."""
    field: Any = engine.schema.fields[slot.kind][slot.index]
    if not value.is_floating_point():
        # Symbol 0 is what was never seen.
        return torch.randint(1, max(len(field.counts), 2), value.shape)
    # The range that was seen is that of the data with its errors.
    low, high = float(field.edges[0]), float(field.edges[-1])
    return (value + SHIFT_STDEV * torch.randn_like(value)).clamp(low, high)
