"""How well a synthetic table stands for a real one: measures beyond those of `diabolo.evaluation`.

Tables are data frames: numbers, which may be NaN, and labels as strings, of which one says "missing".
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
N_LEVELS = 30  # shares at which precision and recall are measured


def as_labels(frame: pd.DataFrame, numbers: Numbers) -> pd.DataFrame:
    """The table with all columns but the numbers as strings."""
    return frame.assign(
        **{
            name: frame[name].astype(object).where(frame[name].notna(), MISSING).astype(str).astype(object)
            for name in frame
            if name not in numbers
        }
    )


def as_table(frame: pd.DataFrame, numbers: Numbers) -> Table:
    """The table as `diabolo.evaluation` takes it."""
    return {name: frame[name].to_numpy(float if name in numbers else object) for name in frame}


def c2st_linear(
    real: pd.DataFrame, synthetic: pd.DataFrame, numbers: Numbers, seed: int = 0, rows: int = MAX_ROWS
) -> float:
    """AUROC of logistic regression that tells synthetic rows from real ones; columns alone deceive it."""
    some = [frame.sample(min(rows, len(frame)), random_state=seed) for frame in (real, synthetic)]
    labels = np.repeat([0.0, 1.0], [len(frame) for frame in some])
    both = pd.concat(some, ignore_index=True)
    columns = [name for name in both if name not in numbers]
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    if not both[sorted(numbers)].isna().any().any():
        scaled = make_pipeline(StandardScaler())
    coded = ColumnTransformer(
        [
            ("numbers", scaled, [n for n in both if n in numbers]),
            ("labels", OneHotEncoder(handle_unknown="ignore", min_frequency=5), columns),
        ]
    )
    classifier = make_pipeline(coded, LogisticRegression(max_iter=100))
    halves = StratifiedKFold(2, shuffle=True, random_state=0)
    probabilities = cross_val_predict(classifier, both, labels, cv=halves, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, probabilities))


def task_of(frame: pd.DataFrame, numbers: Numbers) -> str:
    """The column that models are made to predict: the last one with two values, or the last number."""
    two = [name for name in frame if frame[name].nunique(dropna=False) == 2]
    left = two or [name for name in frame if name in numbers] or list(frame)
    return str(left[-1])


def mle(train: pd.DataFrame, test: pd.DataFrame, target: str, numbers: Numbers) -> float:
    """How good boosted trees that learn from one table are on another (machine learning efficacy).

    AUROC where the target has two values, the rarer one against the other; R^2 of a number.
    """
    features = [name for name in train if name != target]
    one, other, places = train[features].copy(), test[features].copy(), []
    for place, name in enumerate(features):
        if name in numbers:
            continue
        known = sorted(set(one[name]) | set(other[name]))
        one[name], other[name] = (pd.Categorical(f[name], known).codes for f in (one, other))
        places += [place] if len(known) <= MAX_CATEGORIES else []
    options = {"max_iter": 100, "categorical_features": places, "early_stopping": False}
    if test[target].nunique() == 2:
        rarer = test[target].value_counts().index[-1]
        trees = HistGradientBoostingClassifier(**options).fit(one.to_numpy(float), train[target] == rarer)
        return float(roc_auc_score(test[target] == rarer, trees.predict_proba(other.to_numpy(float))[:, 1]))
    there, judged = train[target].notna(), test[target].notna()
    regressor = HistGradientBoostingRegressor(**options).fit(one[there].to_numpy(float), train[target][there])
    return float(r2_score(test[target][judged], regressor.predict(other[judged].to_numpy(float))))


def precision_and_recall(real: Floats, synthetic: Floats) -> tuple[float, float]:
    """Alpha-precision and beta-recall, 0 to 1 (Alaa et al., "How faithful is your synthetic data?", 2022).

    For each share a, the ball around the mean of the real rows that holds a of them should hold a of the
    synthetic ones; and a of the real rows should have a synthetic one, of those in the ball of the synthetic
    table that holds a of it, nearer than the nearest other real row. Both are 1 - twice the mean difference.
    """
    shares = np.linspace(0, 1, N_LEVELS)
    centre, middle = real.mean(0), synthetic.mean(0)
    out, theirs = (np.linalg.norm(part - centre, axis=1) for part in (real, synthetic))
    inside = (theirs <= np.quantile(out, shares)[:, None]).mean(1)
    between, _ = nearest_rows(real, real, exclude_self=True)
    near, which = nearest_rows(real, synthetic)
    depth = np.linalg.norm(synthetic - middle, axis=1)
    reached = depth[which] <= np.quantile(depth, shares)[:, None]
    covered = ((near <= between) & reached).mean(1)
    precision, recall = (1 - 2 * float(np.abs(shares - part).mean()) for part in (inside, covered))
    return precision, recall
