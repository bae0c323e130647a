"""Wrong cells in mixed tables: `python -m benchmarks.wrong_cells --data DIR --json OUT [--tables a,b]`.

DIR holds .csv files; NAME_train.csv and NAME_test.csv are one table. What is a number and what a label is
for diabolo to say.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, log_loss

from benchmarks import common, detection, tables
from benchmarks.cell_peers import Asked, CellPredictions, Method, forests, isolation_forest, marginal
from benchmarks.detection import Floats
from benchmarks.robust_vae import robust_vae
from benchmarks.tables import Mask, Table

KINDS = ("noise", "swap")
SHARE = 0.05  # of the cells that are spoilt, or of the rows,
SHARE_OF_COLUMNS = 0.2  # and then of the columns in such a row
MOST_PLANTED = 3  # wrong cells in a row
BIN_CELLS = 200  # at least, in a bin of the reliability table
EDGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)

CLAIM = "With its defaults, fitted on the dirty table itself, diabolo ranks wrong cells before right ones."
PROTOCOL = (
    "at most 10,000 random rows; aupr_*: 5 % of the cells spoilt (noise: 2 deviations on a number, any other "
    "label; swap: the value of another row), fit and asked on the spoilt table, average precision over all "
    "cells that have a value; aupr_rows_*: 20 % of the columns in 5 % of the rows; aupr_macro_*: the first, "
    "mean over columns; log_loss_*: of P(wrong), in nats, beside that of the true rate, known to all; "
    "error_rate_*: as estimated, beside the true one; gap_*: mean of |P(wrong) - share of wrong cells| over "
    "bins of at least 200 cells; repair_*: wrong cells emptied and filled by the same model, the share of "
    "labels that are right, the squared error of numbers over their variance, means over columns. "
    "Fitted on the clean table: precision_K_*: K wrong cells in each of at most "
    "2,000 other rows, the share of the K highest that are wrong; nearer_* and tied_*: rows in which the "
    "value expected in the one wrong cell is nearer the truth than the median or most frequent one is, or as "
    "near. cpu_seconds: fit and answer for the table with noise."
)


def ours(train: pd.DataFrame, numbers: frozenset[str], seed: int) -> Asked:
    """Our default; what it takes for numbers is its own affair."""
    from diabolo import Autoencoder

    model = Autoencoder(seed=seed).fit(train)

    def ask(frame: pd.DataFrame) -> CellPredictions:
        answer = model.explain(frame, neighbours=0)
        # A column that the fit did not score has no evidence.
        said = [pd.DataFrame(part, columns=answer.names) for part in (answer.bits, answer.p_wrong)]
        bits, p_wrong = (part.reindex(columns=frame.columns, fill_value=0.0).to_numpy() for part in said)
        expected = pd.DataFrame({name: values.to_pandas() for name, values in answer.expected.items()})
        return CellPredictions(
            bits,
            p_wrong,
            expected.reindex(columns=frame.columns),
            model.error_rate_,
            repaired=lambda wrong: model.repair(frame.mask(wrong)).to_frame(),
        )

    return ask


def measure(table: Table, method: Method, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """All measures of a method on a table; the evidence for the dirty tables is kept."""
    found: dict[str, Any] = {"details": {}}
    answers = {}
    for number, kind in enumerate(KINDS):
        for scenario in ("", "rows_"):
            random = np.random.default_rng([seed, number])
            shape = table.train.shape
            if scenario:
                chosen = tables.some_rows(shape, SHARE, SHARE_OF_COLUMNS, random)
            else:
                chosen = tables.spread(shape, SHARE, random)
            dirty, wrong = tables.spoil(table.train, table, chosen, kind, random)
            prediction, seconds = common.timed(_fit_and_ask, method, dirty, table.numbers, seed)
            there = dirty.notna().to_numpy()
            found[f"aupr_{scenario}{kind}"] = average_precision_score(
                wrong[there], prediction.evidence[there]
            )
            answers[f"{scenario}{kind}"] = (prediction.evidence, wrong.astype(np.int8))
            if scenario:
                continue
            columns = zip(wrong.T, prediction.evidence.T, there.T, strict=True)
            each = [average_precision_score(w[t], e[t]) for w, e, t in columns if w.any()]
            found[f"aupr_macro_{kind}"] = float(np.mean(each))
            found.setdefault("cpu_seconds", seconds)
            if prediction.repaired is not None:
                mended = repair(table, prediction.repaired(wrong), wrong)
                found |= {f"repair_{name}_{kind}": value for name, value in mended.items()}
            if prediction.p_wrong is not None:
                measures, bins = trust(wrong[there], prediction.p_wrong[there])
                found |= {f"{name}_{kind}": value for name, value in measures.items()}
                if prediction.error_rate is not None:
                    found[f"error_rate_{kind}"] = prediction.error_rate
                found["details"][f"reliability_{kind}"] = bins
    found |= planted(table, method(table.train, table.numbers, seed), seed)
    return found, answers


def _fit_and_ask(method: Method, frame: pd.DataFrame, numbers: frozenset[str], seed: int) -> CellPredictions:
    return method(frame, numbers, seed)(frame)


def trust(wrong: Mask, p_wrong: Floats) -> tuple[dict[str, float], list[dict[str, float]]]:
    """How far probabilities can be trusted, and the reliability table: cells, mean P(wrong), share wrong."""
    rate = float(wrong.mean())
    sure = np.clip(p_wrong, 1e-6, 1 - 1e-6)
    order = np.argsort(p_wrong, kind="stable")
    cuts = [0]
    for cut in np.searchsorted(p_wrong[order], EDGES):
        if min(cut - cuts[-1], len(order) - cut) >= BIN_CELLS:
            cuts.append(int(cut))
    parts = [order[a:b] for a, b in zip(cuts, [*cuts[1:], len(order)], strict=True)]
    bins = [
        {"cells": len(part), "p_wrong": float(p_wrong[part].mean()), "wrong": float(wrong[part].mean())}
        for part in parts
    ]
    gap = sum(b["cells"] * abs(b["p_wrong"] - b["wrong"]) for b in bins) / len(wrong)
    measures = {
        "log_loss": float(log_loss(wrong, sure)),
        "log_loss_base": float(log_loss(wrong, np.full(len(wrong), rate))),
        "error_rate_true": rate,
        "gap": gap,
    }
    return measures, bins


def planted(table: Table, ask: Asked, seed: int) -> dict[str, float | None]:
    """1, 2, 3 wrong cells in each row: are they on top, and is what was expected better than a constant?"""
    found: dict[str, float | None] = {}
    for number, kind in enumerate(KINDS):
        for count in range(1, MOST_PLANTED + 1):
            random = np.random.default_rng([seed, number, count])
            chosen = tables.few(table.test.notna().to_numpy(), count, random)
            spoilt, wrong = tables.spoil(table.test, table, chosen, kind, random)
            prediction = ask(spoilt)
            evidence = np.where(spoilt.notna(), prediction.evidence, -np.inf)
            top = np.argsort(-evidence, axis=1, kind="stable")[:, :count]
            judged = wrong.sum(1) == count
            hits = np.take_along_axis(wrong, top, 1)[judged]
            found[f"precision_{count}_{kind}"] = float(hits.mean())
            if count == 1 and prediction.expected is not None:
                found |= {f"{k}_{kind}": v for k, v in expectation(table, prediction.expected, wrong).items()}
    return found


def expectation(table: Table, expected: pd.DataFrame, wrong: Mask) -> dict[str, float]:
    """Shares of the wrong cells whose expected value is nearer the truth than a constant, or as near."""
    better = []
    for place, name in enumerate(table.test):
        rows = np.flatnonzero(wrong[:, place])
        truth, said = (part[name].iloc[rows].to_numpy() for part in (table.test, expected))
        if name in table.numbers:
            mine, other = np.abs(said - truth), np.abs(table.train[name].median() - truth)
        else:
            mine, other = said != truth, table.train[name].mode()[0] != truth
        better.append(np.sign(other.astype(float) - mine.astype(float)))
    signs = np.concatenate(better)
    return {"nearer": float((signs > 0).mean()), "tied": float((signs == 0).mean())}


def repair(table: Table, repaired: pd.DataFrame, wrong: Mask) -> dict[str, float | None]:
    """How near the truth wrong cells are: the mean over columns of labels, and over those of numbers."""
    accuracy, errors = [], []
    for place, name in enumerate(table.train):
        truth = table.train[name].to_numpy()[wrong[:, place]]
        said = repaired[name].to_numpy()[wrong[:, place]]
        if name in table.numbers:
            errors.append(float(np.mean((said - truth) ** 2) / table.train[name].var()))
        else:
            accuracy.append(float(np.mean(said == truth)))
    found = {"accuracy": accuracy, "smse": errors}
    return {name: float(np.mean(part)) if part else None for name, part in found.items()}


METHODS: dict[str, Method] = {
    common.OURS: ours,
    "marginal": marginal,
    "isolation_forest": isolation_forest,
    "forests": forests,
    "robust_vae": robust_vae,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
    options = common.parse(
        arguments,
        description=f"{CLAIM} Protocol: {PROTOCOL}",
        known_peers=[name for name in METHODS if name != common.OURS],
        default_peers=("marginal", "isolation_forest"),
    )
    rows = tables.run(options, METHODS, measure)
    return detection.report(options, rows, CLAIM, PROTOCOL, "aupr_noise")


if __name__ == "__main__":
    sys.exit(main())
