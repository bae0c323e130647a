"""Wrong cells in mixed tables: `python -m benchmarks.wrong_cells --data DIR --json OUT [--tables a,b]`.

DIR holds .csv files; NAME_train.csv and NAME_test.csv are one table. diabolo determines which
columns are numbers.
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
SHARE = 0.05  # of the cells, or of the rows, that are corrupted
SHARE_OF_COLUMNS = 0.2  # of the columns, where rows are corrupted
MAX_WRONG = 3  # wrong cells in a test row
BIN_CELLS = 200  # minimum in a bin of the reliability table
BIN_EDGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)

CLAIM = (
    "With its defaults, fitted on the corrupted table itself, diabolo ranks wrong cells before right ones."
)
PROTOCOL = (
    "at most 10,000 random rows; aupr_*: 5 % of the cells corrupted (noise: 2 deviations on a number, any "
    "other label; swap: the value of another row), fitted and evaluated on the corrupted table, average "
    "precision over all cells that have a value; aupr_rows_*: 20 % of the columns in 5 % of the rows; "
    "aupr_macro_*: aupr_* of each column, mean over columns; log_loss_*: of P(wrong), in nats, and of the "
    "true error rate as constant probability; error_rate_*: estimated and true; gap_*: mean of "
    "|P(wrong) - share of wrong cells| over bins of at least 200 cells; repair_*: wrong cells emptied and "
    "imputed by the same model, the share of labels that are right, the squared error of numbers over their "
    "variance, means over columns. "
    "Fitted on the clean table: precision_K_*: K wrong cells in each of at most "
    "2,000 other rows, the share of the K highest that are wrong; nearer_* and tied_*: rows in which the "
    "value expected in the one wrong cell is nearer the truth than the median or most frequent one is, or as "
    "near. cpu_seconds: fit and predict the table with noise."
)


def ours(train: pd.DataFrame, numbers: frozenset[str], seed: int) -> Asked:
    """Predict cells with the defaults of diabolo, which determines the columns of numbers itself."""
    from diabolo import Autoencoder

    model = Autoencoder(seed=seed).fit(train)

    def ask(frame: pd.DataFrame) -> CellPredictions:
        explanation = model.explain(frame, neighbours=0)
        # A column that is not scored has no evidence.
        parts = [pd.DataFrame(p, columns=explanation.names) for p in (explanation.bits, explanation.p_wrong)]
        bits, p_wrong = (part.reindex(columns=frame.columns, fill_value=0.0).to_numpy() for part in parts)
        expected = pd.DataFrame({name: values.to_pandas() for name, values in explanation.expected.items()})
        return CellPredictions(
            bits,
            p_wrong,
            expected.reindex(columns=frame.columns),
            model.error_rate_,
            repaired=lambda wrong: model.repair(frame.mask(wrong)).to_frame(),
        )

    return ask


def measure(table: Table, method: Method, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return all measures of a method on a table, and the evidence for the corrupted tables."""
    results: dict[str, Any] = {"details": {}}
    scored = {}
    for number, kind in enumerate(KINDS):
        for scenario in ("", "rows_"):
            random = np.random.default_rng([seed, number])
            shape = table.train.shape
            if scenario:
                chosen = tables.some_rows(shape, SHARE, SHARE_OF_COLUMNS, random)
            else:
                chosen = tables.spread(shape, SHARE, random)
            corrupted, wrong = tables.corrupt_cells(table.train, table, chosen, kind, random)
            prediction, seconds = common.timed(_fit_and_predict, method, corrupted, table.numbers, seed)
            present = corrupted.notna().to_numpy()
            results[f"aupr_{scenario}{kind}"] = average_precision_score(
                wrong[present], prediction.evidence[present]
            )
            scored[f"{scenario}{kind}"] = (prediction.evidence, wrong.astype(np.int8))
            if scenario:
                continue
            columns = zip(wrong.T, prediction.evidence.T, present.T, strict=True)
            by_column = [average_precision_score(w[p], e[p]) for w, e, p in columns if w.any()]
            results[f"aupr_macro_{kind}"] = float(np.mean(by_column))
            results.setdefault("cpu_seconds", seconds)
            if prediction.repaired is not None:
                repair_measures = repair(table, prediction.repaired(wrong), wrong)
                results |= {f"repair_{name}_{kind}": value for name, value in repair_measures.items()}
            if prediction.p_wrong is not None:
                measures, bins = calibration(wrong[present], prediction.p_wrong[present])
                results |= {f"{name}_{kind}": value for name, value in measures.items()}
                if prediction.error_rate is not None:
                    results[f"error_rate_{kind}"] = prediction.error_rate
                results["details"][f"reliability_{kind}"] = bins
    results |= top_cells(table, method(table.train, table.numbers, seed), seed)
    return results, scored


def _fit_and_predict(
    method: Method, frame: pd.DataFrame, numbers: frozenset[str], seed: int
) -> CellPredictions:
    return method(frame, numbers, seed)(frame)


def calibration(wrong: Mask, p_wrong: Floats) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Return measures of calibration, and the reliability table: cells, mean P(wrong), share wrong."""
    rate = float(wrong.mean())
    clipped = np.clip(p_wrong, 1e-6, 1 - 1e-6)
    order = np.argsort(p_wrong, kind="stable")
    cuts = [0]
    for cut in np.searchsorted(p_wrong[order], BIN_EDGES):
        if min(cut - cuts[-1], len(order) - cut) >= BIN_CELLS:
            cuts.append(int(cut))
    parts = [order[a:b] for a, b in zip(cuts, [*cuts[1:], len(order)], strict=True)]
    bins = [
        {"cells": len(part), "p_wrong": float(p_wrong[part].mean()), "wrong": float(wrong[part].mean())}
        for part in parts
    ]
    gap = sum(b["cells"] * abs(b["p_wrong"] - b["wrong"]) for b in bins) / len(wrong)
    measures = {
        "log_loss": float(log_loss(wrong, clipped)),
        "log_loss_base": float(log_loss(wrong, np.full(len(wrong), rate))),
        "error_rate_true": rate,
        "gap": gap,
    }
    return measures, bins


def top_cells(table: Table, predict: Asked, seed: int) -> dict[str, float | None]:
    """Return precision for 1, 2 and 3 wrong cells in each row, and how good expected values are."""
    results: dict[str, float | None] = {}
    for number, kind in enumerate(KINDS):
        for count in range(1, MAX_WRONG + 1):
            random = np.random.default_rng([seed, number, count])
            chosen = tables.few(table.test.notna().to_numpy(), count, random)
            corrupted, wrong = tables.corrupt_cells(table.test, table, chosen, kind, random)
            prediction = predict(corrupted)
            evidence = np.where(corrupted.notna(), prediction.evidence, -np.inf)
            top = np.argsort(-evidence, axis=1, kind="stable")[:, :count]
            complete = wrong.sum(1) == count
            hits = np.take_along_axis(wrong, top, 1)[complete]
            results[f"precision_{count}_{kind}"] = float(hits.mean())
            if count == 1 and prediction.expected is not None:
                results |= {
                    f"{k}_{kind}": v for k, v in compare_expected(table, prediction.expected, wrong).items()
                }
    return results


def compare_expected(table: Table, expected: pd.DataFrame, wrong: Mask) -> dict[str, float]:
    """Return the shares of wrong cells whose expected value beats a constant, or ties with it."""
    comparisons = []
    for index, name in enumerate(table.test):
        rows = np.flatnonzero(wrong[:, index])
        truth, predicted = (part[name].iloc[rows].to_numpy() for part in (table.test, expected))
        if name in table.numbers:
            error, baseline = np.abs(predicted - truth), np.abs(table.train[name].median() - truth)
        else:
            error, baseline = predicted != truth, table.train[name].mode()[0] != truth
        comparisons.append(np.sign(baseline.astype(float) - error.astype(float)))
    signs = np.concatenate(comparisons)
    return {"nearer": float((signs > 0).mean()), "tied": float((signs == 0).mean())}


def repair(table: Table, repaired: pd.DataFrame, wrong: Mask) -> dict[str, float | None]:
    """Return accuracy of repaired labels and scaled squared error of repaired numbers, means over columns."""
    accuracy, errors = [], []
    for index, name in enumerate(table.train):
        truth = table.train[name].to_numpy()[wrong[:, index]]
        values = repaired[name].to_numpy()[wrong[:, index]]
        if name in table.numbers:
            errors.append(float(np.mean((values - truth) ** 2) / table.train[name].var()))
        else:
            accuracy.append(float(np.mean(values == truth)))
    measures = {"accuracy": accuracy, "smse": errors}
    return {name: float(np.mean(part)) if part else None for name, part in measures.items()}


METHODS: dict[str, Method] = {
    common.OURS: ours,
    "marginal": marginal,
    "isolation_forest": isolation_forest,
    "forests": forests,
    "robust_vae": robust_vae,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
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
