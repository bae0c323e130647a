"""Small forests that predict the numbers of a table from its other columns, kept as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from sklearn.tree import ExtraTreeRegressor

from diabolo.utils.checks import is_text_list, require

MAX_CODES = 128  # steps in which a number is an input: a split need not be finer than this share of the rows
MAX_FLAGS = 20  # labels with at most so many levels are one input for each level
MAX_LEVELS = 24  # levels of longer labels that are told apart; the rest are rare
MIN_LEVEL_SHARE = 0.005  # of the rows: rarer levels count as the rest
MAX_INPUTS = 60  # inputs of a forest, so that wide tables take no longer: those that go most with the target

MAX_TREES = 2_000  # of all columns and folds together
# Least and most trees for each column and fold; 12 in 4 folds are as good as 25 (measured).
TREES_EACH = (3, 12)
MAX_LEAVES = 80
MIN_LEAF_ROWS = 3
MIN_ROWS = 20  # values from which a forest is learnt
INPUT_SHARE = 0.5  # of the inputs that each split chooses from

# A spread is never much less than what is usual in its column: a leaf has few rows.
MIN_SPREAD = 0.3  # of the median error
EXTRA_SPREAD = 0.02  # of the standard deviation of the target


@dataclass(frozen=True)
class Inputs:
    """Encode the columns of a table as small whole numbers that trees split.

    A number becomes its rank in steps, so that no far value stretches the range that thresholds are drawn
    from; a missing value is the median. Labels become a flag for each level, or their order by frequency.

    Attributes:
        edges: column of numbers -> (steps - 1,) ascending values between its steps.
        medians: column of numbers -> step of its median.
        levels: column of labels -> how many levels are told apart; the rest is one more.
    """

    edges: dict[str, np.ndarray]
    medians: dict[str, int]
    levels: dict[str, int]

    @classmethod
    def fit(cls, numbers: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> Self:
        """Learn the steps of numbers and the levels of labels.

        Args:
            numbers: column -> (rows,) values, NaN where there is none.
            labels: column -> (rows,) codes, most frequent first; negative where there is none.
        """
        edges, medians = {}, {}
        for name, values in numbers.items():
            known = values[np.isfinite(values)]
            distinct = np.unique(known)
            if len(distinct) > MAX_CODES:
                distinct = np.unique(np.quantile(known, np.linspace(0, 1, MAX_CODES), method="nearest"))
            edges[name] = distinct[:-1]
            medians[name] = int(np.searchsorted(distinct[:-1], np.median(known))) if len(known) else 0
        levels = {}
        for name, codes in labels.items():
            counts = np.bincount(codes[codes >= 0])
            levels[name] = int(np.sum(counts[:MAX_LEVELS] > max(2, MIN_LEVEL_SHARE * len(codes))))
        return cls(edges, medians, levels)

    @property
    def owners(self) -> list[str]:
        """The column that each input is made of."""
        return [*self.edges, *(name for name, count in self.levels.items() for _ in range(_width(count)))]

    def encode(self, numbers: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return (rows, inputs) codes.

        Args:
            numbers: column -> (rows,) values, NaN where there is none or it is not to be used.
            labels: column -> (rows,) codes.
        """
        parts = []
        for name, edges in self.edges.items():
            values = numbers[name]
            steps = np.searchsorted(edges, values)
            parts.append(np.where(np.isfinite(values), steps, self.medians[name])[:, None])
        for name, count in self.levels.items():
            codes = labels[name]
            if count <= MAX_FLAGS:
                parts.append(codes[:, None] == np.arange(count))
            else:
                parts.append(np.where(codes < 0, count, np.minimum(codes, count))[:, None])
        rows = len(next(iter({**numbers, **labels}.values())))
        return np.concatenate([np.empty((rows, 0)), *parts], 1).astype(np.int16)

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> Self:
        """Make the inputs again.

        Args:
            arrays: "0/edges", "1/edges", ..., in the order of the columns of numbers.
            state: `medians` and `levels`.

        Raises:
            ValueError: they are not those of inputs.
        """
        require(set(state) == {"medians", "levels"}, "inputs of trees")
        medians, levels = state["medians"], state["levels"]
        for counts in (medians, levels):
            require(isinstance(counts, Mapping) and is_text_list(list(counts)), "inputs of trees")
            fits = all(type(count) is int and 0 <= count <= MAX_CODES for count in counts.values())
            require(fits, "inputs of trees")
        edges = {name: np.asarray(arrays.get(f"{at}/edges")) for at, name in enumerate(medians)}
        for values in edges.values():
            require(values.dtype.kind == "f" and values.ndim == 1, "steps of numbers")
            require(bool((np.diff(values) > 0).all()), "steps of numbers")
        return cls(edges, dict(medians), dict(levels))


def _width(levels: int) -> int:
    """Return how many inputs labels of so many levels are."""
    return levels if levels <= MAX_FLAGS else 1


@dataclass(frozen=True)
class Forest:
    """Extremely randomised trees of several targets (Geurts et al., 2006), each learnt without one fold.

    Attributes:
        feature: (nodes,) input that an inner node asks for, -1 in a leaf.
        threshold: (nodes,) codes up to this one go left.
        left: (nodes,) child, counted from the first node of its tree.
        right: (nodes,) the other child.
        value: (nodes, 2) mean of the target, and mean distance of the target from its prediction.
        start: (trees,) first node of each tree.
        target: (trees,) number of the column that the tree predicts.
        fold: (trees,) the fold that the tree has not seen.
        floor: (targets,) least spread of a prediction.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    start: np.ndarray
    target: np.ndarray
    fold: np.ndarray
    floor: np.ndarray

    def predict(self, target: int, codes: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (rows,) the expected value and (rows,) the usual distance from it; 0 and 1 without trees.

        Args:
            target: number of the column.
            codes: (rows, inputs).
            folds: (rows,) the fold of a row, so that only trees answer that have not seen it.
        """
        mean, spread = np.zeros(len(codes)), np.ones(len(codes))
        for fold in np.unique(folds):
            trees = np.flatnonzero((self.target == target) & (self.fold == fold))
            if len(trees):
                rows = np.flatnonzero(folds == fold)
                found = self.value[self.leaves(trees, codes[rows])].astype(float).mean(1)
                mean[rows], spread[rows] = found[:, 0], np.maximum(found[:, 1], 0) + self.floor[target]
        return mean, spread

    def leaves(self, trees: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return (rows, trees) the node that each row ends in.

        Args:
            trees: numbers of the trees.
            codes: (rows, inputs).
        """
        start = self.start[trees].astype(np.int64)[None, :]
        rows = np.arange(len(codes))[:, None]
        node = np.broadcast_to(start, (len(codes), len(trees)))
        while True:
            feature = self.feature[node]
            inner = feature >= 0
            if not inner.any():
                return node
            goes_left = codes[rows, np.maximum(feature, 0)] <= self.threshold[node]
            child = start + np.where(goes_left, self.left[node], self.right[node])
            node = np.where(inner, child, node)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return name -> array, for a model file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], inputs: int, targets: int, folds: int) -> Self:
        """Make the forest again.

        Args:
            arrays: what `arrays` gave.
            inputs: how many inputs there are.
            targets: how many columns are predicted.
            folds: how many folds there are.

        Raises:
            ValueError: the arrays are not those of such a forest.
        """
        require({field.name for field in fields(cls)} <= set(arrays), "arrays of trees")
        forest = cls(**{field.name: np.asarray(arrays[field.name]) for field in fields(cls)})
        nodes, trees = len(forest.feature), len(forest.start)
        ones = (forest.threshold, forest.left, forest.right)
        require(all(a.shape == (nodes,) for a in (forest.feature, *ones)), "nodes of trees")
        require(forest.value.shape == (nodes, 2) and bool(np.isfinite(forest.value).all()), "values of trees")
        require(all(a.shape == (trees,) for a in (forest.start, forest.target, forest.fold)), "trees")
        require(forest.floor.shape == (targets,) and bool((forest.floor > 0).all()), "spread of trees")
        for array in (forest.feature, *ones, forest.start, forest.target, forest.fold):
            require(array.dtype.kind == "i", "type of trees")
        _within(forest.feature, -1, inputs, "inputs of trees")
        _within(forest.target, 0, targets, "targets of trees")
        _within(forest.fold, 0, folds, "folds of trees")
        require(bool((np.diff(forest.start) > 0).all()) and (not trees or forest.start[0] == 0), "trees")
        sizes = np.diff([*forest.start.tolist(), nodes]) if trees else np.zeros(0, int)
        require(bool((sizes > 0).all()) and sizes.sum() == nodes, "trees")
        position = np.arange(nodes) - np.repeat(forest.start, sizes)
        inner = forest.feature >= 0
        for child in (forest.left, forest.right):  # A child comes after its parent: no walk runs in a circle.
            within = (child > position) & (child < np.repeat(sizes, sizes))
            require(bool(within[inner].all()), "children of trees")
        return forest


def _within(array: np.ndarray, least: int, end: int, what: str) -> None:
    """Raise `ValueError` unless all numbers lie from `least` to before `end`."""
    require(not array.size or (int(array.min()) >= least and int(array.max()) < end), what)


def grow(
    codes: np.ndarray, owners: Sequence[str], targets: Mapping[str, np.ndarray], folds: np.ndarray, seed: int
) -> Forest:
    """Return a forest that predicts each target from the inputs of the other columns.

    Args:
        codes: (rows, inputs).
        owners: the column that each input is made of.
        targets: column -> (rows,) value on its scale, NaN where there is nothing to learn from.
        folds: (rows,) fold of each row.
        seed: of the random splits.
    """
    least, most = TREES_EACH
    kinds = np.unique(folds)
    count = int(np.clip(MAX_TREES // max(len(targets) * len(kinds), 1), least, most))
    parts: list[dict[str, np.ndarray]] = []
    floor = np.ones(len(targets))
    for number, (name, target) in enumerate(targets.items()):
        known = np.flatnonzero(np.isfinite(target))
        chosen = _choose(codes[known], np.array([owner != name for owner in owners], bool), target[known])
        if len(known) < MIN_ROWS or not len(chosen):
            continue
        trees = []
        for fold in kinds:
            rows = known[folds[known] != fold]
            if len(rows) >= MIN_ROWS // 2:
                trees += _grow_fold(codes[rows], target[rows], chosen, count, seed)
                for tree in trees[-count:]:
                    tree["target"], tree["fold"] = np.array([number]), np.array([fold])
        floor[number] = _set_spreads(trees, codes[known], target[known], folds[known])
        parts += trees
    return _join(parts, floor)


def _choose(codes: np.ndarray, allowed: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the inputs that may be used; the ones that correlate most with the target if they are many."""
    usable = np.flatnonzero(allowed & (codes != codes[:1]).any(0))
    if len(usable) <= MAX_INPUTS:
        return usable
    ranks = np.argsort(np.argsort(target)).astype(np.float32)
    table = codes[:, usable].astype(np.float32)
    table -= table.mean(0)
    link = np.abs((ranks - ranks.mean()) @ table) / np.maximum(np.sqrt((table**2).sum(0)), 1e-9)
    return np.sort(usable[np.argsort(-link, kind="stable")[:MAX_INPUTS]])


def _grow_fold(
    codes: np.ndarray, target: np.ndarray, chosen: np.ndarray, count: int, seed: int
) -> list[dict[str, np.ndarray]]:
    """Return the trees that these rows teach, as arrays without spreads."""
    table, trees = codes[:, chosen].astype(np.float32), []
    # One tree after the other: a forest of scikit-learn takes several times as long to set up as to learn.
    for random_state in np.random.RandomState(seed).randint(np.iinfo(np.int32).max, size=count):
        model = ExtraTreeRegressor(
            max_leaf_nodes=MAX_LEAVES,
            min_samples_leaf=MIN_LEAF_ROWS,
            max_features=INPUT_SHARE,
            random_state=int(random_state),
        )
        tree = model.fit(table, target, check_input=False).tree_
        inner = tree.children_left >= 0
        trees.append(
            {
                "feature": np.where(inner, chosen[np.maximum(tree.feature, 0)], -1).astype(np.int16),
                "threshold": np.where(inner, np.floor(tree.threshold), 0).astype(np.int16),
                "left": np.where(inner, tree.children_left, 0).astype(np.int16),
                "right": np.where(inner, tree.children_right, 0).astype(np.int16),
                "value": np.repeat(tree.value[:, :, 0], 2, 1).astype(np.float16),
            }
        )
    return trees


def _set_spreads(
    trees: list[dict[str, np.ndarray]], codes: np.ndarray, target: np.ndarray, folds: np.ndarray
) -> float:
    """Fill in how far targets are from predictions of trees that have not seen them; return the least."""
    forest = _join([{**tree, "target": np.zeros(1, int)} for tree in trees], np.ones(1))
    error = np.abs(target - forest.predict(0, codes, folds)[0])
    usual = float(np.median(error))
    numbers = np.arange(len(trees))
    for fold in np.unique(forest.fold):
        seen = folds != fold
        own = numbers[forest.fold == fold]
        leaves = forest.leaves(own, codes[seen]) - forest.start[own][None, :]
        for position, number in enumerate(own):
            value = trees[number]["value"]
            at = leaves[:, position]
            total, rows = (np.bincount(at, w, len(value)) for w in (error[seen], None))
            # As if one more row with the usual error were in the leaf.
            value[:, 1] = (total + usual) / (rows + 1)
    return MIN_SPREAD * usual + EXTRA_SPREAD * float(np.std(target)) + 1e-6


def _join(parts: list[dict[str, np.ndarray]], floor: np.ndarray) -> Forest:
    """Return one forest of several trees."""
    sizes = [len(part["feature"]) for part in parts]
    empty = {"threshold": np.int16, "feature": np.int16, "left": np.int16, "right": np.int16}
    joined = {n: np.concatenate([np.zeros(0, t), *(p[n] for p in parts)]) for n, t in empty.items()}
    return Forest(
        **joined,
        value=np.concatenate([np.zeros((0, 2), np.float16), *(part["value"] for part in parts)]),
        start=np.cumsum([0, *sizes])[:-1].astype(np.int32),
        target=np.concatenate([np.zeros(0), *(part["target"] for part in parts)]).astype(np.int32),
        fold=np.concatenate([np.zeros(0), *(part["fold"] for part in parts)]).astype(np.int16),
        floor=floor,
    )
