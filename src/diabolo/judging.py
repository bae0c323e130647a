"""How many cells of the data are wrong, and what the evidence of a cell is worth."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from diabolo.engine import Engine
from diabolo.fields import Codes, by_field
from diabolo.training import private_draws

SPOILT = 0.1  # the share of cells that errors are planted into


def error_rate(engine: Engine, codes: Codes) -> float:
    """The share of wrong points or pixels, by expectation maximisation over their evidence.

    Errors planted into single points would be easier to see than those of a sensor or a camera, which come in
    stretches and patches.
    """
    nats = np.concatenate([n.ravel() for n in engine.cells(codes, recheck=False).nats.values()])
    nats = nats[~np.isnan(nats)]
    rate = 0.05
    for _ in range(50):
        odds = np.exp(np.clip(nats, -50, 50)) * rate / (1 - rate)
        rate = float(np.clip((odds / (1 + odds)).mean(), 1e-4, 0.5)) if len(nats) else 1e-4
    return rate


def judge_cells(engine: Engine, codes: Codes, seed: int) -> None:
    """Learn what the evidence of a cell is worth, and how many cells of the data are wrong.

    Errors are planted into rows that were not trained on. Where their evidence is strongest, the data's own
    errors are found too: the share of wrong cells is how often such evidence is met in the data, over how
    often in planted cells, at its lowest (Scott, "A rate of convergence for mixture proportion estimation",
    2015). The odds that a cell is wrong, given its evidence, are a logistic curve (Platt, "Probabilistic
    outputs for support vector machines", 1999) between planted cells and those that are probably right.
    """
    spoilt, planted = _spoilt(engine, codes, seed)
    found, own = ({k: n for k, n in engine.cells(c, recheck=False).nats.items()} for c in (spoilt, codes))
    wrong = np.concatenate([found[k][planted[k]] for k in found])
    here = np.concatenate([n.ravel() for n in own.values()])
    wrong, here = wrong[np.isfinite(wrong)], here[np.isfinite(here)]
    if len(wrong) < 50:
        return
    levels = np.quantile(wrong, np.linspace(0.5, 0.9, 9))
    met = [(here >= level).mean() / (wrong >= level).mean() for level in levels]
    engine.error_rate = float(np.clip(min(met), 1e-4, 0.5))
    sure = np.zeros(len(here))
    for _ in range(3):
        evidence = np.concatenate([wrong, here])[:, None]
        labels = np.r_[np.ones(len(wrong)), np.zeros(len(here))]
        weights = np.r_[np.full(len(wrong), 1 / len(wrong)), (1 - sure) / (1 - sure).sum()]
        fitted = LogisticRegression(C=1e6).fit(evidence, labels, sample_weight=weights * len(wrong))
        engine.odds = (max(float(fitted.coef_[0, 0]), 1e-3), float(fitted.intercept_[0]))
        sure = engine.wrong(here)


def _spoilt(engine: Engine, codes: Codes, seed: int) -> tuple[Codes, dict[str, np.ndarray]]:
    """Rows with errors in a few of their scored cells, and which they are: other rows' values, and noise."""
    with private_draws(seed):
        values, planted = {}, {}
        for kind, value in codes.values.items():
            scored = by_field(torch.as_tensor(engine.schema.scored_fields[kind]), value)
            hit = (torch.rand(value.shape) < SPOILT) & scored & codes.visible[kind]
            other = value[torch.randperm(len(value))]
            if value.is_floating_point():
                other = torch.where(torch.rand(value.shape) < 0.5, other, value + 2 * torch.randn_like(value))
            values[kind] = torch.where(hit, other, value)
            planted[kind] = (hit & (other != value)).numpy()
    return codes.replace(values), planted
