"""Predictions for the cells of a table, and the methods that diabolo is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest, RandomForestClassifier

from benchmarks.detection import Floats


@dataclass(frozen=True)
class CellPredictions:
    """Predictions of a method for each cell.

    Attributes:
        evidence: (rows, columns), higher = more likely wrong.
        p_wrong: (rows, columns) probabilities, if the method gives any.
        expected: the expected values, if the method gives any.
        error_rate: the estimated share of wrong cells, if the method gives one.
        repaired: (mask of wrong cells) -> the table with these cells replaced, if the method can.
    """

    evidence: Floats
    p_wrong: Floats | None = None
    expected: pd.DataFrame | None = None
    error_rate: float | None = None
    repaired: Callable[[NDArray[np.bool_]], pd.DataFrame] | None = None


Asked = Callable[[pd.DataFrame], CellPredictions]
Method = Callable[[pd.DataFrame, frozenset[str], int], Asked]
"""(table to fit, its columns of numbers, seed) -> a function that predicts the cells of a table."""


def marginal(train: pd.DataFrame, numbers: frozenset[str], seed: int) -> Asked:
    """Score the rarity of a value, comparable between columns: log(1 / symbols) - log(share)."""
    encoders = [Coder(train[name], name in numbers, 64) for name in train]
    constants = {n: train[n].mean() if n in numbers else train[n].mode()[0] for n in train}

    def ask(frame: pd.DataFrame) -> CellPredictions:
        evidence = np.stack([encoder.ratio(frame[n]) for n, encoder in zip(frame, encoders, strict=True)], 1)
        return CellPredictions(evidence, repaired=lambda wrong: frame.mask(wrong).fillna(constants))

    return ask


def isolation_forest(train: pd.DataFrame, numbers: frozenset[str], seed: int) -> Asked:
    """Give each cell the score of its row by the isolation forest of scikit-learn."""
    encoders = [Coder(train[name], name in numbers, 256) for name in train]

    def codes(frame: pd.DataFrame) -> Floats:
        return np.stack([encoder.encode(frame[n]) for n, encoder in zip(frame, encoders, strict=True)], 1)

    forest = IsolationForest(random_state=seed).fit(codes(train))

    def ask(frame: pd.DataFrame) -> CellPredictions:
        return CellPredictions(np.repeat(-forest.score_samples(codes(frame))[:, None], frame.shape[1], 1))

    return ask


def forests(train: pd.DataFrame, numbers: frozenset[str], seed: int) -> Asked:
    """Fit a random forest to each column given the others: log(1 / symbols) - log p, out of bag if fitted."""
    encoders = [Coder(train[name], name in numbers, 32) for name in train]

    def codes(frame: pd.DataFrame) -> NDArray[np.int64]:
        return np.stack([encoder.encode(frame[n]) for n, encoder in zip(frame, encoders, strict=True)], 1)

    fitted = codes(train)
    models = [
        RandomForestClassifier(min_samples_leaf=5, oob_score=True, random_state=seed).fit(
            np.delete(fitted, column, 1), fitted[:, column]
        )
        for column in range(fitted.shape[1])
    ]

    def ask(frame: pd.DataFrame) -> CellPredictions:
        symbols, evidence = codes(frame), np.zeros(frame.shape)
        for column, forest in enumerate(models):
            others = np.delete(symbols, column, 1)
            p = forest.oob_decision_function_ if frame is train else forest.predict_proba(others)
            n_symbols = len(forest.classes_)
            index = np.searchsorted(forest.classes_, symbols[:, column]).clip(max=n_symbols - 1)
            known = forest.classes_[index] == symbols[:, column]
            likelihood = np.where(known, np.take_along_axis(p, index[:, None], 1)[:, 0], 0)
            evidence[:, column] = -np.log((np.nan_to_num(likelihood) + 1e-4) * n_symbols)
        return CellPredictions(evidence)

    return ask


class Coder:
    """Encoder of a column as integers from 0: labels, or bins of about equal mass; -1 if missing."""

    def __init__(self, column: pd.Series, number: bool, bins: int) -> None:
        known = column.dropna()
        inner = np.linspace(0, 1, bins + 1)[1:-1]
        self.edges = np.unique(np.quantile(known, inner)) if number else np.zeros(0)
        self.levels = None if number else pd.Index(known.unique())
        counts = np.bincount(self.encode(known) + 1) + 1.0
        self.shares = counts / counts.sum()

    def encode(self, column: pd.Series) -> NDArray[np.int64]:
        if self.levels is not None:
            return np.asarray(self.levels.get_indexer(column), dtype=np.int64)
        return np.where(column.isna(), -1, np.searchsorted(self.edges, column, side="right"))

    def ratio(self, column: pd.Series) -> Floats:
        return np.asarray(-np.log(self.shares[self.encode(column) + 1] * len(self.shares)))
