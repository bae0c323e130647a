"""How well a synthetic table stands for a real one, and how much of the real one it gives away.

Tables are data frames: numbers, which may be NaN, and labels as strings, of which one says "missing".
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Numbers = Collection[str]
Floats = NDArray[np.float64]

GONE = "?"  # a missing label
BINS = 10  # of a number, where it is counted together with another column
JUDGED = 6_000  # rows of each table that a judge learns from
MOST_LABELS = 255  # that the trees of scikit-learn take
NEAR = 4_000  # rows of each table between which distances are measured
LEVELS = 30  # shares at which precision and recall are looked at


def as_labels(frame: pd.DataFrame, numbers: Numbers) -> pd.DataFrame:
    """The table with all columns but the numbers as strings."""
    return frame.assign(
        **{
            name: frame[name].astype(object).where(frame[name].notna(), GONE).astype(str).astype(object)
            for name in frame
            if name not in numbers
        }
    )


def shape(real: pd.DataFrame, synthetic: pd.DataFrame, numbers: Numbers) -> float:
    """How alike the columns are one by one, 0 to 1.

    Mean over columns of 1 - the distance of the distributions: Kolmogorov and Smirnov's of numbers (and that
    of the share of missing ones, where it is larger), total variation of labels.
    """
    found = []
    for name in real:
        one, other = real[name], synthetic[name]
        if name in numbers:
            apart = float(ks_2samp(one.dropna(), other.dropna()).statistic) if other.notna().any() else 1.0
            found.append(1 - max(apart, abs(float(one.isna().mean() - other.isna().mean()))))
        else:
            p, q = one.value_counts(normalize=True), other.value_counts(normalize=True)
            found.append(1 - 0.5 * float(p.subtract(q, fill_value=0).abs().sum()))
    return float(np.mean(found))


def trend(real: pd.DataFrame, synthetic: pd.DataFrame, numbers: Numbers) -> float:
    """How alike pairs of columns are, 0 to 1, as SDMetrics' column pair trends have it.

    Mean over pairs of 1 - half the difference of the correlations of two numbers, or 1 - the total variation
    between the joint frequencies, numbers in ten bins of equal width.
    """
    coded = {name: _pair_codes(real[name], synthetic[name], name in numbers) for name in real}
    found = []
    for one, other in combinations(real, 2):
        if one in numbers and other in numbers:
            r, s = (frame[one].corr(frame[other]) for frame in (real, synthetic))
            # A column of one value goes with nothing.
            found.append(1 - abs(np.nan_to_num(r) - np.nan_to_num(s)) / 2)
            continue
        (a, b, _), (c, d, size) = coded[one], coded[other]
        cells = int(max(a.max(), b.max()) + 1) * size
        p = np.bincount(a * size + c, minlength=cells) / len(real)
        q = np.bincount(b * size + d, minlength=cells) / len(synthetic)
        found.append(1 - 0.5 * float(np.abs(p - q).sum()))
    return float(np.mean(found))


def _pair_codes(
    real: pd.Series, synthetic: pd.Series, number: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Both columns as small whole numbers, and how many of them there are."""
    if not number:
        codes, known = pd.factorize(pd.concat([real, synthetic], ignore_index=True))
        return codes[: len(real)], codes[len(real) :], len(known)
    edges = np.histogram_bin_edges(real.dropna(), bins=BINS)[1:-1]
    one, other = (
        np.where(column.isna(), BINS, np.digitize(column, edges)).astype(np.int64)
        for column in (real, synthetic)
    )
    return one, other, BINS + 1


def c2st(
    real: pd.DataFrame, synthetic: pd.DataFrame, numbers: Numbers, seed: int = 0, rows: int = JUDGED
) -> float:
    """AUROC of boosted trees that tell synthetic rows from real ones; .5: they cannot.

    A classifier two-sample test (Lopez-Paz and Oquab, 2017), by cross-validation in two halves.
    """
    both, labels = _mixed(real, synthetic, seed, rows)
    columns = [name for name in both if name not in numbers]
    coded = both.assign(**{name: both[name].astype("category").cat.codes for name in columns})
    places = [coded.columns.get_loc(name) for name in columns if coded[name].max() < MOST_LABELS]
    trees = HistGradientBoostingClassifier(max_iter=80, categorical_features=places)
    return _told_apart(trees, coded.to_numpy(float), labels)


def c2st_linear(
    real: pd.DataFrame, synthetic: pd.DataFrame, numbers: Numbers, seed: int = 0, rows: int = JUDGED
) -> float:
    """The same of logistic regression, which independent columns deceive already."""
    both, labels = _mixed(real, synthetic, seed, rows)
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
    return _told_apart(make_pipeline(coded, LogisticRegression(max_iter=100)), both, labels)


def _mixed(
    real: pd.DataFrame, synthetic: pd.DataFrame, seed: int, rows: int
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    some = [frame.sample(min(rows, len(frame)), random_state=seed) for frame in (real, synthetic)]
    labels = np.repeat([0.0, 1.0], [len(frame) for frame in some])
    return pd.concat(some, ignore_index=True), labels


def _told_apart(judge: object, rows: object, labels: NDArray[np.float64]) -> float:
    halves = StratifiedKFold(2, shuffle=True, random_state=0)
    said = cross_val_predict(judge, rows, labels, cv=halves, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, said))


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
        places += [place] if len(known) <= MOST_LABELS else []
    options = {"max_iter": 100, "categorical_features": places, "early_stopping": False}
    if test[target].nunique() == 2:
        rarer = test[target].value_counts().index[-1]
        trees = HistGradientBoostingClassifier(**options).fit(one.to_numpy(float), train[target] == rarer)
        return float(roc_auc_score(test[target] == rarer, trees.predict_proba(other.to_numpy(float))[:, 1]))
    there, judged = train[target].notna(), test[target].notna()
    regressor = HistGradientBoostingRegressor(**options).fit(one[there].to_numpy(float), train[target][there])
    return float(r2_score(test[target][judged], regressor.predict(other[judged].to_numpy(float))))


def copies(rows: pd.DataFrame, fitted: pd.DataFrame) -> float:
    """The share of rows that stand in the fitted table just like that."""
    one, other = (
        pd.util.hash_pandas_object(frame[list(fitted)].astype(str), index=False) for frame in (rows, fitted)
    )
    return float(one.isin(other).mean())


class Space:
    """Rows as points: numbers as their rank in the fitted table, labels as corners; no column counts above 1.

    Args:
        fitted: the table that ranks and labels are taken from.
        numbers: its columns of numbers.
    """

    def __init__(self, fitted: pd.DataFrame, numbers: Numbers) -> None:
        self.ranks = {n: np.sort(fitted[n].dropna().to_numpy(float)) for n in fitted if n in numbers}
        self.labels = {n: np.asarray(pd.unique(fitted[n]), dtype=object) for n in fitted if n not in numbers}

    def __call__(self, frame: pd.DataFrame, rows: int = NEAR) -> Floats:
        """(rows, numbers) at most so many of the rows, which are in no order."""
        frame, parts = frame.iloc[:rows], []
        for name, known in self.ranks.items():
            x = frame[name].to_numpy(float)
            ends = (np.searchsorted(known, x, side) for side in ("left", "right"))
            rank = sum(ends) / (2 * max(len(known), 1))
            parts.append(np.where(np.isnan(x), -1.0, rank)[:, None])
        for name, values in self.labels.items():
            parts.append((frame[name].to_numpy(object)[:, None] == values) / 2)
        return np.concatenate(parts, axis=1)


def nearest(points: Floats, others: Floats, itself: bool = False) -> tuple[Floats, NDArray[np.int64]]:
    """(points,) the distance to the nearest of the others, by sums of differences, and which it is."""
    found = NearestNeighbors(n_neighbors=2 if itself else 1, metric="manhattan", algorithm="brute").fit(
        others
    )
    distance, index = found.kneighbors(points)
    return distance[:, -1], index[:, -1]


def precision_and_recall(real: Floats, synthetic: Floats) -> tuple[float, float]:
    """Alpha-precision and beta-recall, 0 to 1 (Alaa et al., "How faithful is your synthetic data?", 2022).

    For each share a, the ball around the mean of the real rows that holds a of them should hold a of the
    synthetic ones; and a of the real rows should have a synthetic one, of those in the ball of the synthetic
    table that holds a of it, nearer than the nearest other real row. Both are 1 - twice the mean difference.
    """
    shares = np.linspace(0, 1, LEVELS)
    centre, middle = real.mean(0), synthetic.mean(0)
    out, theirs = (np.linalg.norm(part - centre, axis=1) for part in (real, synthetic))
    inside = (theirs <= np.quantile(out, shares)[:, None]).mean(1)
    between, _ = nearest(real, real, itself=True)
    near, which = nearest(real, synthetic)
    depth = np.linalg.norm(synthetic - middle, axis=1)
    reached = depth[which] <= np.quantile(depth, shares)[:, None]
    covered = ((near <= between) & reached).mean(1)
    precision, recall = (1 - 2 * float(np.abs(shares - part).mean()) for part in (inside, covered))
    return precision, recall


def privacy(
    fitted: pd.DataFrame, unseen: pd.DataFrame, synthetic: pd.DataFrame, numbers: Numbers, target: str
) -> dict[str, float]:
    """What the synthetic table tells of the rows that were fitted, held against rows that were not.

    Returns:
        `copies`, `copies_real`: share of the synthetic and of the unseen rows that were fitted like that.
        `closest`, `closest_real`: median distance of those to the nearest fitted row.
        `closer`: share of synthetic rows nearer to a fitted row than to any of as many unseen ones; .5.
        `membership`: AUROC of the distance to the nearest synthetic row, fitted against unseen rows; .5.
        `attribute`, `attribute_real`: how often the nearest synthetic row, by all other columns, has the
            target of a fitted and of an unseen row.
    """
    space = Space(fitted, numbers)
    count = min(NEAR, len(fitted), len(unseen), len(synthetic))
    seen, new, made = (space(frame, count) for frame in (fitted, unseen, synthetic))
    every = space(fitted, 10 * NEAR)
    to_seen, to_new = nearest(made, seen)[0], nearest(made, new)[0]
    closer = float((to_seen < to_new).mean() + (to_seen == to_new).mean() / 2)
    from_seen, from_new = nearest(seen, made)[0], nearest(new, made)[0]
    ranked = np.r_[-from_seen, -from_new]
    rest = Space(fitted.drop(columns=target), set(numbers) - {target})
    points = [rest(frame, count) for frame in (fitted, unseen, synthetic)]
    known = synthetic[target].to_numpy()[:count]
    hits = []
    for frame, part in zip((fitted, unseen), points, strict=False):
        told, true = known[nearest(part, points[2])[1]], frame[target].to_numpy()[:count]
        hits.append(float(np.mean(told == true)))
    return {
        "copies": copies(synthetic, fitted),
        "copies_real": copies(unseen, fitted),
        "closest": float(np.median(nearest(made, every)[0])),
        "closest_real": float(np.median(nearest(new, every)[0])),
        "closer": closer,
        "membership": float(roc_auc_score(np.repeat([1, 0], [len(seen), len(new)]), ranked)),
        "attribute": hits[0],
        "attribute_real": hits[1],
    }
