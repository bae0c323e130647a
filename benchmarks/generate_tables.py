"""Synthetic rows of tables: `python -m benchmarks.generate_tables --data DIR --json OUT [--tables a,b]`.

DIR holds .csv files; NAME_train.csv is fitted, NAME_test.csv stays unseen. diabolo determines which
columns are numbers.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from threadpoolctl import threadpool_limits

from benchmarks import common, detection, tables
from benchmarks.metrics import synthetic
from diabolo import evaluation

UNSEEN_SHARE = 0.2  # of a table in one file
N_SAMPLES = 2  # of rows, on which a classifier two-sample test is repeated
CLAIM = "With its defaults, diabolo generates tables that boosted trees can hardly separate from real ones."
PROTOCOL = (
    "NAME_train is fitted, NAME_test unseen; of a table in one file, a random 80 % and 20 %. As many "
    "rows are generated as were fitted. shape, trend: against the fitted rows (SDMetrics' definitions). "
    "c2st: AUROC of boosted trees between at most 6,000 generated and 6,000 unseen rows, twofold cross- "
    "validation, mean of 2 samples of rows; .5 is perfect (c2st_fit: against fitted rows; c2st_linear: "
    "logistic regression, against unseen rows). mle: boosted trees trained on generated rows, evaluated on "
    "unseen ones: AUROC of the last column with two values, else R2 of the last number (mle_real: trained "
    "on the fitted rows). alpha_precision, beta_recall: Alaa et al. 2022, against unseen rows. "
    "copies, closest, closer, membership, attribute: what is revealed of fitted rows, *_real what "
    "unseen rows reveal (diabolo.evaluation). cpu_seconds: the fit; rows_per_second: "
    "generated in a CPU second; bytes: of the model file."
)


@dataclass(frozen=True)
class Generated:
    """A generated table, and its cost where known."""

    table: pd.DataFrame
    fit_seconds: float
    seconds: float
    bytes: int | None = None


Method = Callable[[pd.DataFrame, pd.DataFrame, frozenset[str], int], Generated]
"""(rows to fit, unseen rows, columns of numbers, seed) -> as many generated rows as were fitted."""


def ours(
    recipe: str, fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int
) -> Generated:
    """Generate with the default of diabolo, or another recipe."""
    from diabolo import Autoencoder

    model, fit_seconds = common.timed(Autoencoder(recipe, seed=seed).fit, fitted)
    model.generate(10, seed=seed)  # imports are not timed
    generated, seconds = common.timed(lambda: model.generate(len(fitted), seed=seed).to_frame())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.diabolo"
        model.save(path)
        return Generated(generated, fit_seconds, seconds, path.stat().st_size)


def real(fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int) -> Generated:
    """Return the unseen rows, half of which are compared with the other half: the best possible result."""
    return Generated(unseen, 0.0, 0.0)


def marginals(fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int) -> Generated:
    """Shuffle the real values of each column."""
    random = np.random.default_rng(seed)
    generated, seconds = common.timed(
        lambda: pd.DataFrame({n: random.permutation(fitted[n].to_numpy()) for n in fitted})
    )
    return Generated(generated, 0.0, seconds)


def copula(fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int) -> Generated:
    """Sample from a Gaussian copula: ranks as normal scores, labels ordered by frequency; values are real."""
    random = np.random.default_rng(seed)

    def fit() -> tuple[dict[str, np.ndarray], np.ndarray]:
        sorted_values, scores = {}, []
        for name in fitted:
            column = fitted[name]
            keys = column if name in numbers else column.map(column.value_counts())
            order = np.lexsort((random.random(len(column)), pd.factorize(column)[0], keys.fillna(-np.inf)))
            sorted_values[name] = column.to_numpy()[order]
            rank = np.empty(len(order))
            rank[order] = (np.arange(len(order)) + 0.5) / len(order)
            scores.append(ndtri(rank))
        return sorted_values, np.corrcoef(scores)

    (values, correlation), fit_seconds = common.timed(fit)

    def sample() -> pd.DataFrame:
        z = random.multivariate_normal(np.zeros(len(correlation)), correlation, len(fitted))
        indices = (ndtr(z) * len(fitted)).astype(int).clip(0, len(fitted) - 1)
        return pd.DataFrame({name: values[name][indices[:, i]] for i, name in enumerate(values)})

    generated, seconds = common.timed(sample)
    return Generated(generated, fit_seconds, seconds)


def deep(
    kind: str, fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int
) -> Generated:
    """Generate with TVAE or CTGAN as published (package ctgan, Business Source License: only measured)."""
    import ctgan
    import torch

    torch.manual_seed(seed)
    np.random.seed(seed)
    complete = synthetic.as_labels(fitted, numbers)
    incomplete_columns = [n for n in numbers if complete[n].isna().any()]
    for name in incomplete_columns:  # ctgan accepts no missing values
        complete[f"{name} is there"] = complete[name].notna().astype(str)
        complete[name] = complete[name].fillna(complete[name].mean())
    labels = [name for name in complete if name not in numbers]
    model = getattr(ctgan, kind)(enable_gpu=False)
    _, fit_seconds = common.timed(model.fit, complete, labels)
    generated, seconds = common.timed(model.sample, len(fitted))
    for name in incomplete_columns:
        generated[name] = generated[name].where(generated.pop(f"{name} is there") == "True")
    return Generated(generated[list(fitted)], fit_seconds, seconds)


METHODS: dict[str, Method] = {
    common.OURS: partial(ours, "default"),
    "masked": partial(ours, "masked"),
    "variational": partial(ours, "variational"),
    "quantized": partial(ours, "quantized"),
    "real": real,
    "marginals": marginals,
    "copula": copula,
    "tvae": partial(deep, "TVAE"),
    "ctgan": partial(deep, "CTGAN"),
}


def split(paths: Sequence[Path], seed: int) -> tuple[pd.DataFrame, pd.DataFrame, frozenset[str]]:
    """Return the rows to fit, unseen ones, both shuffled, and the names of the columns of numbers."""
    random = np.random.default_rng(seed)
    frames = [pd.read_csv(path) for path in paths]
    frames = [frame.iloc[random.permutation(len(frame))].reset_index(drop=True) for frame in frames]
    if len(frames) == 1:
        held = round(UNSEEN_SHARE * len(frames[0]))
        frames = [frames[0].iloc[held:].reset_index(drop=True), frames[0].iloc[:held]]
    scored, numbers = tables.kinds(frames[0])
    return frames[0][scored], frames[1][scored], numbers


def measure(
    fitted: pd.DataFrame, unseen: pd.DataFrame, generated: Generated, numbers: frozenset[str]
) -> dict[str, float | None]:
    """Return all measures of a generated table."""
    train, test, new = (
        synthetic.as_labels(part, numbers) for part in (fitted, unseen, generated.table[list(fitted)])
    )
    if generated.table is unseen:
        new, test = test.iloc[::2], test.iloc[1::2]
    target = synthetic.task_of(train, numbers)
    fit, held, new_rows = (synthetic.as_table(part, numbers) for part in (train, test, new))
    space = evaluation.DistanceSpace(fit)
    precision, recall = synthetic.precision_and_recall(space(held), space(new_rows))
    privacy = evaluation.privacy_report(fit, new_rows, held, target=target)
    return {
        "shape": common.mean(evaluation.column_similarity(fit, new_rows).values()),
        "trend": common.mean(evaluation.pair_similarity(fit, new_rows).values()),
        "c2st": common.mean(
            evaluation.two_sample_test(held, new_rows, seed=s).auroc for s in range(N_SAMPLES)
        ),
        "c2st_fit": common.mean(
            evaluation.two_sample_test(fit, new_rows, seed=s).auroc for s in range(N_SAMPLES)
        ),
        "c2st_linear": synthetic.c2st_linear(test, new, numbers),
        "mle": synthetic.mle(new, test, target, numbers),
        "mle_real": synthetic.mle(train, test, target, numbers),
        "alpha_precision": precision,
        "beta_recall": recall,
        "copies": privacy.copies,
        "closest": privacy.distance_to_closest,
        "attribute": privacy.attribute_accuracy,
        "copies_real": privacy.copies_real,
        "closest_real": privacy.distance_to_closest_real,
        "closer": privacy.closer_to_fit,
        "membership": privacy.membership_auroc,
        "attribute_real": privacy.attribute_accuracy_real,
        "cpu_seconds": generated.fit_seconds,
        "rows_per_second": len(new) / generated.seconds if generated.seconds else None,
        "bytes": generated.bytes,
    }


def run(options: common.Options) -> list[dict[str, Any]]:
    """Measure diabolo and the peers on every table and seed; one row each, failures included."""
    rows = []
    with threadpool_limits(1):
        for name, paths in tables.find(options.data, options.sets).items():
            for seed in range(options.seeds):
                parts = split(paths, seed)
                for method in (common.OURS, *options.peers):
                    file = (
                        options.scores
                        and detection.raw_folder(options.scores, method) / f"{name}.{seed}.parquet"
                    )
                    rows.append(
                        detection.attempt(
                            method, name, seed, partial(_run_method, method, *parts, seed, file)
                        )
                    )
    return rows


def _run_method(
    method: str,
    fitted: pd.DataFrame,
    unseen: pd.DataFrame,
    numbers: frozenset[str],
    seed: int,
    file: Path | None,
) -> dict[str, Any]:
    generated = METHODS[method](fitted, unseen, numbers, seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        generated.table.to_parquet(file)
    return {"train": len(fitted), "test": len(fitted)} | measure(fitted, unseen, generated, numbers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = common.parse(
        arguments,
        description=f"{CLAIM} Protocol: {PROTOCOL}",
        known_peers=[name for name in METHODS if name != common.OURS],
        default_peers=("real", "marginals", "copula"),
    )
    return detection.report(options, run(options), CLAIM, PROTOCOL, "c2st")


if __name__ == "__main__":
    sys.exit(main())
