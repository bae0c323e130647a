"""Quality of synthetic tables: measures beyond those of `diabolo.evaluation`.

Tables are data frames: numbers, which may be NaN, and labels as strings, one of which means "missing".
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from diabolo.evaluation import MISSING, Table, nearest_rows

Numbers = Collection[str]
Floats = NDArray[np.float64]

MAX_ROWS = 6_000  # of each table that a classifier is trained on
MAX_CATEGORIES = 255  # that scikit-learn's trees accept
N_SHARES = 30  # at which precision and recall are measured


def as_labels(frame: pd.DataFrame, numbers: Numbers) -> pd.DataFrame:
    """Return the table with all columns but the numbers as strings."""
    return frame.assign(
        **{
            name: frame[name].astype(object).where(frame[name].notna(), MISSING).astype(str).astype(object)
            for name in frame
            if name not in numbers
        }
    )


def as_table(frame: pd.DataFrame, numbers: Numbers) -> Table:
    """Return the table in the form that `diabolo.evaluation` reads."""
    return {name: frame[name].to_numpy(float if name in numbers else object) for name in frame}


def c2st_linear(
    real: pd.DataFrame, synthetic: pd.DataFrame, numbers: Numbers, seed: int = 0, rows: int = MAX_ROWS
) -> float:
    """Return the AUROC of logistic regression that separates synthetic rows from real ones.

    Without interactions, it does not see the dependence between columns.
    """
    samples = [frame.sample(min(rows, len(frame)), random_state=seed) for frame in (real, synthetic)]
    labels = np.repeat([0.0, 1.0], [len(frame) for frame in samples])
    both = pd.concat(samples, ignore_index=True)
    columns = [name for name in both if name not in numbers]
    scaler = make_pipeline(SimpleImputer(), StandardScaler())
    if not both[sorted(numbers)].isna().any().any():
        scaler = make_pipeline(StandardScaler())
    encoder = ColumnTransformer(
        [
            ("numbers", scaler, [n for n in both if n in numbers]),
            ("labels", OneHotEncoder(handle_unknown="ignore", min_frequency=5), columns),
        ]
    )
    classifier = make_pipeline(encoder, LogisticRegression(max_iter=100))
    halves = StratifiedKFold(2, shuffle=True, random_state=0)
    probabilities = cross_val_predict(classifier, both, labels, cv=halves, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, probabilities))


def task_of(frame: pd.DataFrame, numbers: Numbers) -> str:
    """Return the column to predict: the last one with two values, or else the last number."""
    binary = [name for name in frame if frame[name].nunique(dropna=False) == 2]
    candidates = binary or [name for name in frame if name in numbers] or list(frame)
    return str(candidates[-1])


def mle(train: pd.DataFrame, test: pd.DataFrame, target: str, numbers: Numbers) -> float:
    """Evaluate boosted trees trained on one table on another (machine learning efficacy).

    The measure is AUROC if the target has two values, the rarer one being positive, else R^2.
    """
    features = [name for name in train if name != target]
    train_x, test_x, categorical = train[features].copy(), test[features].copy(), []
    for index, name in enumerate(features):
        if name in numbers:
            continue
        known = sorted(set(train_x[name]) | set(test_x[name]))
        train_x[name], test_x[name] = (pd.Categorical(f[name], known).codes for f in (train_x, test_x))
        categorical += [index] if len(known) <= MAX_CATEGORIES else []
    options = {"max_iter": 100, "categorical_features": categorical, "early_stopping": False}
    if test[target].nunique() == 2:
        rarer = test[target].value_counts().index[-1]
        trees = HistGradientBoostingClassifier(**options).fit(train_x.to_numpy(float), train[target] == rarer)
        return float(roc_auc_score(test[target] == rarer, trees.predict_proba(test_x.to_numpy(float))[:, 1]))
    fitted, evaluated = train[target].notna(), test[target].notna()
    regressor = HistGradientBoostingRegressor(**options).fit(
        train_x[fitted].to_numpy(float), train[target][fitted]
    )
    return float(r2_score(test[target][evaluated], regressor.predict(test_x[evaluated].to_numpy(float))))


def precision_and_recall(real: Floats, synthetic: Floats) -> tuple[float, float]:
    """Return alpha-precision and beta-recall, 0 to 1.

    Alaa et al., "How faithful is your synthetic data?" (ICML 2022).

    Precision: for each share a, the ball around the mean of the real rows that contains the share a of them
    should contain the share a of the synthetic rows. Recall: for the share a of the real rows, the nearest
    synthetic row should be nearer than the nearest other real row, and in the ball that contains the share a
    of the synthetic rows. Both are 1 minus twice the mean absolute difference over the shares.
    """
    shares = np.linspace(0, 1, N_SHARES)
    centre, synthetic_centre = real.mean(0), synthetic.mean(0)
    radii, synthetic_radii = (np.linalg.norm(part - centre, axis=1) for part in (real, synthetic))
    inside = (synthetic_radii <= np.quantile(radii, shares)[:, None]).mean(1)
    real_distances, _ = nearest_rows(real, real, exclude_self=True)
    distances, nearest = nearest_rows(real, synthetic)
    depth = np.linalg.norm(synthetic - synthetic_centre, axis=1)
    in_ball = depth[nearest] <= np.quantile(depth, shares)[:, None]
    covered = ((distances <= real_distances) & in_ball).mean(1)
    precision, recall = (1 - 2 * float(np.abs(shares - part).mean()) for part in (inside, covered))
    return precision, recall
