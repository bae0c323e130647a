"""New rows of tables: `python -m benchmarks.generate_tables --data DIR --json OUT [--tables a,b]`.

DIR holds .csv files; of NAME_train.csv and NAME_test.csv the first is fitted, and the second stays unseen.
What is a number and what a label is for diabolo to say.
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

UNSEEN = 0.2  # of a table in one file
N_SAMPLES = 2  # of rows, which a classifier two-sample test is repeated on
CLAIM = "With its defaults, diabolo generates tables that boosted trees can hardly tell from real ones."
PROTOCOL = (
    "NAME_train is fitted, NAME_test unseen; of a table in one file, a random 80 % and 20 %. As many "
    "rows are generated as were fitted. shape, trend: against the fitted rows (SDMetrics' definitions). "
    "c2st: AUROC of boosted trees between at most 6,000 generated and 6,000 unseen rows, twofold cross- "
    "validation, mean of 2 draws of rows; .5 is perfect (c2st_fit: against fitted rows; c2st_linear: "
    "logistic regression, against unseen rows). mle: boosted trees that learn from generated rows, on "
    "unseen ones: AUROC of the last column with two values, else R2 of the last number (mle_real: that "
    "learn from the fitted rows). alpha_precision, beta_recall: Alaa et al. 2022, against unseen rows. "
    "copies, closest, closer, membership, attribute: what is given away of fitted rows, *_real what "
    "unseen rows give away (diabolo.evaluation). cpu_seconds: the fit; rows_per_second: "
    "generated in a CPU second; bytes: of the model file."
)


@dataclass(frozen=True)
class Made:
    """What a method made: a table, and what that took where it is known."""

    table: pd.DataFrame
    fit_seconds: float
    seconds: float
    bytes: int | None = None


Method = Callable[[pd.DataFrame, pd.DataFrame, frozenset[str], int], Made]
"""(rows to fit, unseen rows, columns of numbers, seed) -> as many new rows as were fitted."""


def ours(recipe: str, fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int) -> Made:
    """Our default, or another recipe."""
    from diabolo import Autoencoder

    model, fit_seconds = common.timed(Autoencoder(recipe, seed=seed).fit, fitted)
    model.generate(10, seed=seed)  # imports are not what a row costs
    made, seconds = common.timed(lambda: model.generate(len(fitted), seed=seed).to_frame())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.diabolo"
        model.save(path)
        return Made(made, fit_seconds, seconds, path.stat().st_size)


def real(fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int) -> Made:
    """The unseen rows themselves, half of which are compared with the other half: what can be reached."""
    return Made(unseen, 0.0, 0.0)


def marginals(fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int) -> Made:
    """Every column by itself: real values, shuffled."""
    random = np.random.default_rng(seed)
    made, seconds = common.timed(
        lambda: pd.DataFrame({n: random.permutation(fitted[n].to_numpy()) for n in fitted})
    )
    return Made(made, 0.0, seconds)


def copula(fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int) -> Made:
    """A Gaussian copula: ranks as normal scores, labels by how frequent they are; values are real ones."""
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

    def draw() -> pd.DataFrame:
        z = random.multivariate_normal(np.zeros(len(correlation)), correlation, len(fitted))
        places = (ndtr(z) * len(fitted)).astype(int).clip(0, len(fitted) - 1)
        return pd.DataFrame({name: values[name][places[:, i]] for i, name in enumerate(values)})

    made, seconds = common.timed(draw)
    return Made(made, fit_seconds, seconds)


def deep(kind: str, fitted: pd.DataFrame, unseen: pd.DataFrame, numbers: frozenset[str], seed: int) -> Made:
    """TVAE or CTGAN as their authors publish them (package ctgan, Business Source License: measured only)."""
    import ctgan
    import torch

    torch.manual_seed(seed)
    np.random.seed(seed)
    whole = synthetic.as_labels(fitted, numbers)
    gone = [n for n in numbers if whole[n].isna().any()]
    for name in gone:  # it accepts no missing values
        whole[f"{name} is there"] = whole[name].notna().astype(str)
        whole[name] = whole[name].fillna(whole[name].mean())
    labels = [name for name in whole if name not in numbers]
    model = getattr(ctgan, kind)(enable_gpu=False)
    _, fit_seconds = common.timed(model.fit, whole, labels)
    made, seconds = common.timed(model.sample, len(fitted))
    for name in gone:
        made[name] = made[name].where(made.pop(f"{name} is there") == "True")
    return Made(made[list(fitted)], fit_seconds, seconds)


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
    """The rows to fit, unseen ones, both shuffled, and which of the columns are numbers."""
    random = np.random.default_rng(seed)
    frames = [pd.read_csv(path) for path in paths]
    frames = [frame.iloc[random.permutation(len(frame))].reset_index(drop=True) for frame in frames]
    if len(frames) == 1:
        held = round(UNSEEN * len(frames[0]))
        frames = [frames[0].iloc[held:].reset_index(drop=True), frames[0].iloc[:held]]
    scored, numbers = tables.kinds(frames[0])
    return frames[0][scored], frames[1][scored], numbers


def measure(
    fitted: pd.DataFrame, unseen: pd.DataFrame, made: Made, numbers: frozenset[str]
) -> dict[str, float | None]:
    """All measures of a generated table."""
    seen, new, rows = (
        synthetic.as_labels(part, numbers) for part in (fitted, unseen, made.table[list(fitted)])
    )
    judged = new
    if made.table is unseen:
        rows, judged = new.iloc[::2], new.iloc[1::2]
    target = synthetic.task_of(seen, numbers)
    fit, held, new_rows = (synthetic.as_table(part, numbers) for part in (seen, judged, rows))
    space = evaluation.DistanceSpace(fit)
    precision, recall = synthetic.precision_and_recall(space(held), space(new_rows))
    disclosed = evaluation.privacy_report(fit, new_rows, held, target=target)
    return {
        "shape": common.mean(evaluation.column_similarity(fit, new_rows).values()),
        "trend": common.mean(evaluation.pair_similarity(fit, new_rows).values()),
        "c2st": common.mean(
            evaluation.two_sample_test(held, new_rows, seed=s).auroc for s in range(N_SAMPLES)
        ),
        "c2st_fit": common.mean(
            evaluation.two_sample_test(fit, new_rows, seed=s).auroc for s in range(N_SAMPLES)
        ),
        "c2st_linear": synthetic.c2st_linear(judged, rows, numbers),
        "mle": synthetic.mle(rows, judged, target, numbers),
        "mle_real": synthetic.mle(seen, judged, target, numbers),
        "alpha_precision": precision,
        "beta_recall": recall,
        "copies": disclosed.copies,
        "closest": disclosed.distance_to_closest,
        "attribute": disclosed.attribute_accuracy,
        "copies_real": disclosed.copies_real,
        "closest_real": disclosed.distance_to_closest_real,
        "closer": disclosed.closer_to_fit,
        "membership": disclosed.membership_auroc,
        "attribute_real": disclosed.attribute_accuracy_real,
        "cpu_seconds": made.fit_seconds,
        "rows_per_second": len(rows) / made.seconds if made.seconds else None,
        "bytes": made.bytes,
    }


def run(options: common.Options) -> list[dict[str, Any]]:
    """Measure our default and the peers on every table and seed; one row each, failures included."""
    rows = []
    with threadpool_limits(1):
        for name, paths in tables.find(options.data, options.sets).items():
            for seed in range(options.seeds):
                parts = split(paths, seed)
                for method in (common.OURS, *options.peers):
                    file = (
                        options.scores
                        and detection.folder_of(options.scores, method) / f"{name}.{seed}.parquet"
                    )
                    rows.append(
                        detection.attempt(method, name, seed, partial(_measured, method, *parts, seed, file))
                    )
    return rows


def _measured(
    method: str,
    fitted: pd.DataFrame,
    unseen: pd.DataFrame,
    numbers: frozenset[str],
    seed: int,
    file: Path | None,
) -> dict[str, Any]:
    made = METHODS[method](fitted, unseen, numbers, seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        made.table.to_parquet(file)
    return {"train": len(fitted), "test": len(fitted)} | measure(fitted, unseen, made, numbers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns the exit code."""
    options = common.parse(
        arguments,
        description=f"{CLAIM} Protocol: {PROTOCOL}",
        known_peers=[name for name in METHODS if name != common.OURS],
        default_peers=("real", "marginals", "copula"),
    )
    return detection.report(options, run(options), CLAIM, PROTOCOL, "c2st")


if __name__ == "__main__":
    sys.exit(main())
