"""Estimate how many cells of the data are wrong, and calibrate the evidence of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.isotonic import IsotonicRegression

from diabolo.data.fields import Batch, Real, Symbol
from diabolo.data.fields.real import SHIFT_STDEV
from diabolo.data.schema import Schema, Slot
from diabolo.data.sources import Frame
from diabolo.data.splitting import Split
from diabolo.detection import CellPredictor, ModelParts
from diabolo.detection.cell_errors import CellErrorModel
from diabolo.utils.sampling import evenly_spaced
from diabolo.utils.torch_state import forked_rng

MAX_ROWS_FOR_ERRORS = 2048  # rows that errors are planted into
MAX_WINDOWS_FOR_RATE = 256  # windows whose points an error rate is estimated from
PLANTED_SHARE = 0.05  # of the cells, that errors are planted into in one round
MAX_TRIES = 10  # attempts to plant an error that changes the cell
ENOUGH_PLANTED, MAX_ROUNDS = 5_000, 8  # errors after which planting stops, and rounds of planting
MIN_PLANTED = 30  # errors; nothing is learnt from fewer
# Nats: if the strongest tenth of planted evidence is no stronger, errors cannot be told from the rest ...
WEAK_EVIDENCE = 1.0
MAX_RATE_IF_WEAK = 0.01  # ... and the error rate is taken to be this at most (a choice)
INITIAL_RATE = 0.05  # of wrong points, from which expectation maximisation starts
MIN_RATE, MAX_RATE = 1e-4, 0.5  # of wrong cells; choices
LEVEL_QUANTILES = np.linspace(0.5, 0.9, 9)  # of planted evidence, at which the data is compared with it
# The rate is that of the half of the columns with the least strong evidence, of three at least, and of those
# that have no more than that by so many standard deviations (choices).
LEAST_SHARE, MIN_LEAST, N_DEVIATIONS, MAX_STEPS = 2, 3, 2.0, 10
PRIOR_ERRORS, PRIOR_RATE = 0.1, 0.01  # errors, and their rate, before any is observed
KNOT_QUANTILES = np.r_[0.01, 0.03, np.linspace(0.05, 0.95, 19), 0.97, 0.99]  # of planted evidence
MIN_PROBABILITY, MAX_PROBABILITY = 1e-5, 0.98  # as far as a curve through few cells can be trusted
MIN_NUMBERS = 50  # numbers that the mix of error types is learnt from at least
PRIOR_SHARE = 0.001  # of wrong cells, equal for all error types, before any is observed


def fit_cell_errors(
    parts: ModelParts, frame: Frame, split: Split, sample: Batch, seed: int
) -> CellErrorModel:
    """Fit the model of wrong cells: a full model for single values, an error rate for points and pixels.

    Errors planted into single points or pixels would be easier to see than those of a sensor or a camera,
    which come in segments and patches.

    Args:
        parts: of the model.
        frame: the rows of the fit.
        split: which of them no network was trained on.
        sample: rows that networks were trained on.
        seed: of the planted errors.
    """
    predictor = CellPredictor(parts)
    if any(fields[0].cell for fields in parts.schema.fields.values()):
        most = MAX_WINDOWS_FOR_RATE if parts.source.overlaps else MAX_ROWS_FOR_ERRORS
        return CellErrorModel(estimate_error_rate(predictor, sample[:most]))
    aside = split.set_aside
    aside = aside[evenly_spaced(len(aside), MAX_ROWS_FOR_ERRORS)]
    return fit_cell_error_model(predictor, parts.schema.encode(frame[aside]), seed)


def estimate_error_rate(predictor: CellPredictor, batch: Batch) -> float:
    """Return the share of wrong points or pixels, by expectation maximisation over their evidence.

    Args:
        predictor: of cells.
        batch: rows of windows or images.
    """
    nats = np.concatenate([n.ravel() for n in predictor.predict(batch, recheck=False).nats.values()])
    nats = nats[~np.isnan(nats)]
    rate = INITIAL_RATE
    for _ in range(50):
        odds = np.exp(np.clip(nats, -50, 50)) * rate / (1 - rate)
        rate = float(np.clip((odds / (1 + odds)).mean(), MIN_RATE, MAX_RATE)) if len(nats) else MIN_RATE
    return rate


def fit_cell_error_model(predictor: CellPredictor, batch: Batch, seed: int) -> CellErrorModel:
    """Learn the share of wrong cells, the types of errors, and the probability of an error by its evidence.

    Errors are planted into rows that were not trained on. Where their evidence is strongest, the data's own
    errors are found too: the share of wrong cells is how often such evidence occurs in the data, over how
    often in planted cells, at its lowest (Scott, "A rate of convergence for mixture proportion estimation",
    2015). That is an upper bound, and a poor one where columns say little of each other, so that planted
    errors resemble the other cells: there at most one cell in a hundred is taken to be wrong.

    Given its evidence, a cell is wrong with probability rate * planted / observed, densities of evidence
    whose ratio is a rising curve (isotonic regression: Zadrozny and Elkan, "Transforming classifier scores
    into accurate multiclass probability estimates", 2002).

    Args:
        predictor: of cells.
        batch: rows of single values that no network was trained on.
        seed: of the planted errors.
    """
    model = CellErrorModel(error_types=_error_types(predictor, batch))
    predictor = replace(predictor, cell_errors=model)
    own = _by_column(predictor, batch)
    columns: list[list[np.ndarray]] = [[] for _ in own.T]
    for number in range(MAX_ROUNDS):
        corrupted, where = corrupt_cells(predictor.parts.schema, model, batch, seed + number)
        evidence = _by_column(predictor, corrupted)
        for found, nats, wrong in zip(columns, evidence.T, where.T, strict=True):
            found.append(nats[wrong & np.isfinite(nats)])
        if sum(len(part) for found in columns for part in found) >= ENOUGH_PLANTED:
            break
    by_column = [np.concatenate(found) for found in columns]
    planted, observed = np.concatenate(by_column), own[np.isfinite(own)]
    if len(planted) < MIN_PLANTED:
        return model
    levels = np.quantile(planted, LEVEL_QUANTILES)
    bounds = [(observed >= level).mean() / (planted >= level).mean() for level in levels]
    rate = min(*bounds, _shared_rate(own, by_column))
    rate = float(np.clip(rate, MIN_RATE, MAX_RATE))
    # Many real errors weaken all evidence, but they occur as often as planted ones at every strength of it.
    falling = min(bounds) < bounds[0] / 2
    if levels[-1] < WEAK_EVIDENCE or (levels[-1] < 2 * WEAK_EVIDENCE and falling):
        rate = min(rate, MAX_RATE_IF_WEAK)
    knots, probability = _probability_curve(planted, observed, rate)
    log_odds = np.log(probability / (1 - probability))
    return replace(model, rate=rate, knots=tuple(knots.tolist()), log_odds=tuple(log_odds.tolist()))


def _shared_rate(own: np.ndarray, planted: Sequence[np.ndarray]) -> float:
    """Return the share of wrong cells that the columns have in common.

    Rare values that are right look like errors, in some columns more than in others; errors of all kinds
    occur in all columns. So the columns count that have the least strong evidence beside planted errors, and
    those that differ from them by chance.

    Args:
        own: (rows, columns) evidence of the data's own cells.
        planted: of each column, the evidence of planted errors.
    """
    counts = []
    for column, errors in zip(own.T, planted, strict=True):
        cells = column[np.isfinite(column)]
        if not len(cells) or not len(errors):
            continue
        levels = np.quantile(errors, LEVEL_QUANTILES)
        as_strong = (cells[:, None] >= levels).sum(0)
        found = len(cells) * (errors[:, None] >= levels).mean(0)
        best = int(np.argmin((as_strong + 1) / found))
        counts.append(((as_strong[best] + 1) / found[best], as_strong[best], found[best]))
    bounds, strong, expected = np.array(sorted(counts)).T.reshape(3, -1)
    least = np.arange(len(bounds)) < max(-(-len(bounds) // LEAST_SHARE), MIN_LEAST)
    for _ in range(MAX_STEPS):
        rate = (strong[least].sum() + PRIOR_ERRORS) / (expected[least].sum() + PRIOR_ERRORS / PRIOR_RATE)
        by_chance = rate * expected + N_DEVIATIONS * np.sqrt(rate * expected)
        more = least | (strong <= by_chance)
        if (more == least).all():
            break
        least = more
    return float(rate)


def _probability_curve(
    planted: np.ndarray, observed: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return (knots,) evidence and (knots,) the probability that a cell with it is wrong.

    One more right cell is counted at the strongest evidence: where the data has no cell with such evidence,
    a low rate says that the next one is more likely a right cell than an error.
    """
    observed = np.append(observed, max(planted.max(), observed.max()))
    weights = np.full(len(planted), rate / len(planted)), np.full(len(observed), 1 / len(observed))
    curve = IsotonicRegression(out_of_bounds="clip").fit(
        np.concatenate([planted, observed]),
        np.r_[np.ones(len(planted)), np.zeros(len(observed))],
        sample_weight=np.r_[weights],
    )
    knots = np.unique(np.quantile(planted, KNOT_QUANTILES))
    share = curve.predict(knots)
    return knots, np.clip(share / (1 - share + 1e-9), MIN_PROBABILITY, MAX_PROBABILITY)


def _error_types(predictor: CellPredictor, batch: Batch) -> dict[str, tuple[float, ...]]:
    """Return the shares of the types of errors in numbers, by expectation maximisation.

    A number that its row does not predict is the value of another row, a shifted value or an arbitrary one;
    its distance from the usual values tells which. Labels have no distance, and a network that was fitted on
    wrong labels predicts arbitrary ones too: labels are taken to be swapped as often as numbers.
    """
    if Real.kind not in batch.values:
        return {}
    schema = predictor.parts.schema
    surprise = predictor.predict(batch, kinds=(Real.kind,), recheck=False).surprise[Real.kind]
    values, visible = batch.values[Real.kind].numpy(), batch.visible[Real.kind].numpy()
    columns = []
    for index in np.flatnonzero(schema.scored_fields[Real.kind]):
        present = visible[:, index]
        log_q = schema.fields[Real.kind][index].log_prob_if_wrong(values[present, index])
        columns.append(np.concatenate([-surprise[None, present, index], log_q]))
    likelihoods = np.exp(np.concatenate(columns, 1)) if columns else np.zeros((4, 0))
    if likelihoods.shape[1] < MIN_NUMBERS:
        return {}
    shares = np.full(len(likelihoods), 0.01)
    shares[0] = 1 - shares[1:].sum()
    for _ in range(100):
        joint = shares[:, None] * likelihoods
        shares = (joint / joint.sum(0)).mean(1)
    # As if a few cells of each type had been observed, so that none is ruled out.
    types = shares[1:] + PRIOR_SHARE / len(shares[1:])
    types = types / types.sum()
    return {Real.kind: tuple(types.tolist()), Symbol.kind: (float(types[0]), float(1 - types[0]))}


def _by_column(predictor: CellPredictor, batch: Batch) -> np.ndarray:
    """Return (rows, scored columns) the evidence of each cell: the sum over its fields, in nats."""
    schema, nats = predictor.parts.schema, predictor.predict(batch, recheck=False).nats
    columns = [sum(nats[s.kind][:, s.index] for s in schema.slots_of(name)) for name in schema.scored]
    return np.stack(columns, axis=1)


def corrupt_cells(schema: Schema, model: CellErrorModel, batch: Batch, seed: int) -> tuple[Batch, np.ndarray]:
    """Plant errors into a few of the scored cells of rows.

    A wrong value comes from another row, or is a number with noise added or a label sampled at random, in the
    shares of the model.

    Args:
        schema: of the rows.
        model: the mix of the types of errors.
        batch: rows of single values.
        seed: of the errors.

    Returns:
        the rows with errors, and (rows, scored columns) flags of the cells that were changed.
    """
    corrupted = {kind: value.clone() for kind, value in batch.values.items()}
    planted = np.zeros((len(batch), len(schema.scored)), bool)
    with forked_rng(seed):
        for column, name in enumerate(schema.scored):
            slots = schema.slots_of(name)
            present = torch.stack([batch.visible[s.kind][:, s.index] for s in slots]).all(0)
            hit = (torch.rand(len(batch)) < PLANTED_SHARE) & present
            # A sample that changes nothing is repeated: every column gets the same share of errors.
            for _ in range(MAX_TRIES):
                other, changed = torch.randperm(len(batch)), torch.zeros(len(batch), dtype=torch.bool)
                for slot in slots:
                    value = batch.values[slot.kind][:, slot.index]
                    wrong = value[other]
                    if len(slots) == 1:
                        swapped_share = model.error_types.get(slot.kind, (0.5,))[0]
                        swapped = torch.rand(len(batch)) < swapped_share
                        wrong = torch.where(swapped, wrong, _unusual(schema, slot, value))
                    target = corrupted[slot.kind]
                    target[:, slot.index] = torch.where(hit, wrong, target[:, slot.index])
                    changed |= hit & (wrong != value)
                planted[:, column] |= changed.numpy()
                hit &= ~changed
                if not hit.any():
                    break
    return batch.replace(corrupted), planted


def _unusual(schema: Schema, slot: Slot, value: torch.Tensor) -> torch.Tensor:
    """Return numbers with noise added, or labels sampled at random."""
    field: Any = schema.fields[slot.kind][slot.index]
    if not value.is_floating_point():
        # Symbol 0 stands for values that were not seen in the fit.
        return torch.randint(1, max(len(field.counts), 2), value.shape)
    # Within the range of the data, wrong values included.
    low, high = float(field.edges[0]), float(field.edges[-1])
    return (value + SHIFT_STDEV * torch.randn_like(value)).clamp(low, high)
