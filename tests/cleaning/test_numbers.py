"""Wrong numbers are found in made tables, and right ones are left alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from diabolo.cleaning.numbers.column import has_context
from diabolo.cleaning.numbers.errors import N_FOLDS, NumberErrors
from diabolo.cleaning.numbers.scale import Scale, other_digits
from diabolo.cleaning.verdicts import Verdicts

ROWS = 600
Table = tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]

# column, row, what is done to the value, the way it is told, whether it can be put right
PLANTED = [
    ("height", 10, lambda v: 10 * v, "10 times what is expected", True),
    ("height", 20, lambda v: v / 10, "1/10 of what is expected", True),
    ("weight", 30, lambda v: -v, "negative, though", True),
    ("weight", 40, lambda v: 999.0, "a code for a missing value", False),
    ("price", 50, lambda v: 7.3e9, "far outside the range", False),
]


def people(seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, ROWS)
    height = np.round(rng.normal(165 + 12 * sex, 6), 1)
    weight = np.round((height / 100) ** 2 * rng.normal(23, 2, ROWS))
    price = np.round(np.exp(rng.normal(10, 0.6, ROWS)))
    labels = {"sex": sex, "place": rng.integers(0, 5, ROWS)}
    return {"height": height, "weight": weight, "price": price}, labels, np.arange(ROWS) % N_FOLDS


def dirty() -> tuple[Table, dict[str, np.ndarray]]:
    numbers, labels, folds = people()
    clean = {name: column.copy() for name, column in numbers.items()}
    for column, row, spoil, _, _ in PLANTED:
        numbers[column][row] = spoil(numbers[column][row])
    return (numbers, labels, folds), clean


@pytest.fixture(scope="module")
def judged() -> tuple[Table, dict[str, np.ndarray], NumberErrors, dict[str, Verdicts]]:
    (numbers, labels, folds), clean = dirty()
    model = NumberErrors.fit(numbers, labels, folds, 0)
    return (numbers, labels, folds), clean, model, model.judge(numbers, labels, folds)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: f"{p[0]}-{p[1]}")
def test_planted_errors_are_found_and_put_right(judged, planted):
    column, row, _, reason, can_be_put_right = planted
    _, clean, _, verdicts = judged
    found = verdicts[column]
    assert found.log_odds[row] > 0
    assert reason in found.reasons[row]
    if can_be_put_right:
        assert found.suggestions[row] == pytest.approx(clean[column][row])
        assert found.confidence[row] > 0.8
    else:
        assert found.suggestions[row] is None and found.confidence[row] == 0


def test_right_values_beside_errors_are_not_suspected(judged):
    _, _, _, verdicts = judged
    planted = {(column, row) for column, row, *_ in PLANTED}
    wrong = {(name, int(row)) for name, v in verdicts.items() for row in np.flatnonzero(v.log_odds > 0)}
    assert len(wrong - planted) <= 1


def test_a_clean_table_is_clean():
    numbers, labels, folds = people(1)
    verdicts = NumberErrors.fit(numbers, labels, folds, 0).judge(numbers, labels, folds)
    assert sum(int((v.log_odds > 0).sum()) for v in verdicts.values()) <= 1
    assert all(reason is None for reason in verdicts["price"].reasons[verdicts["price"].log_odds < -4])


def test_a_frequent_largest_value_is_a_top_code():
    numbers, labels, folds = people(2)
    top = numbers["price"] > np.quantile(numbers["price"], 0.985)
    labels["income"] = top.astype(int)
    numbers["price"][top] = 999_999
    verdicts = NumberErrors.fit(numbers, labels, folds, 0).judge(numbers, labels, folds)
    assert (verdicts["price"].log_odds[top] < 0).all()


def test_a_code_that_comes_with_anything_is_no_value():
    numbers, labels, folds = people(3)
    rows = np.arange(7, ROWS, 100)
    numbers["price"][rows] = -1
    verdicts = NumberErrors.fit(numbers, labels, folds, 0).judge(numbers, labels, folds)
    assert (verdicts["price"].log_odds[rows] > 0).all()


def test_a_row_of_the_fit_is_not_its_own_witness():
    numbers, labels, folds = people()
    numbers["height"][5] = 1650.0
    model = NumberErrors.fit(numbers, labels, folds, 0)
    own = model.judge(numbers, labels, folds)["height"].log_odds[5]
    only = set(np.unique(model.forest.fold[model.forest.target == 0]))
    assert only == set(range(N_FOLDS))
    codes = model.inputs.encode(numbers, labels)
    for fold in range(N_FOLDS):  # without the trees of the other folds, the answer is the same
        rows = np.flatnonzero(folds == fold)
        mean = model.forest.predict(0, codes[rows], folds[rows])[0]
        trees = np.flatnonzero((model.forest.target == 0) & (model.forest.fold == fold))
        value = model.forest.value[model.forest.leaves(trees, codes[rows])].astype(float)
        assert np.array_equal(mean, value.mean(1)[:, 0])
    assert own > 0


def test_the_own_occurrence_does_not_count(judged):
    _, _, model, _ = judged
    column = model.columns["height"]
    value, mean, spread = column.atoms[:1], np.zeros(1), np.ones(1)
    seen = column.plausible(value, mean, spread, np.ones(1, bool))
    assert seen <= column.plausible(value, mean, spread, np.zeros(1, bool))


def test_answers_do_not_depend_on_the_other_rows(judged):
    (numbers, labels, folds), _, model, verdicts = judged
    rows = np.array([40, 3, 10, 599])
    part = model.judge(
        {n: c[rows] for n, c in numbers.items()}, {n: c[rows] for n, c in labels.items()}, folds[rows]
    )
    for name, found in part.items():
        np.testing.assert_allclose(found.log_odds, verdicts[name].log_odds[rows], rtol=1e-12)
        assert found.reasons.tolist() == verdicts[name].reasons[rows].tolist()


def test_new_rows_are_judged_by_all_trees(judged):
    _, clean, model, _ = judged
    numbers = {name: column[:4].copy() for name, column in clean.items()}
    numbers["height"][2] *= 10
    labels = {"sex": np.array([0, 1, -1, 0]), "place": np.array([0, 7, 2, -1])}
    found = model.judge(numbers, labels, np.full(4, -1))["height"]
    assert found.log_odds[2] > 0 and (np.delete(found.log_odds, 2) < 0).all()


def test_the_fit_is_kept_in_arrays_and_json(judged):
    (numbers, labels, folds), _, model, verdicts = judged
    state = json.loads(json.dumps(model.state()))
    again = NumberErrors.restore(model.arrays(), state)
    for name, found in again.judge(numbers, labels, folds).items():
        np.testing.assert_array_equal(found.log_odds, verdicts[name].log_odds)
    assert all(isinstance(array, np.ndarray) for array in model.arrays().values())
    assert sum(array.nbytes for array in model.arrays().values()) < 400_000


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("trees/left", lambda a: np.zeros_like(a)),
        ("trees/feature", lambda a: a + 100),
        ("trees/value", lambda a: a * np.nan),
        ("small", lambda a: a[::-1]),
        ("small", lambda a: a[1:]),
        ("small", lambda a: -a),
    ],
)
def test_invalid_arrays_are_refused(judged, name, spoil):
    model = judged[2]
    arrays = model.arrays()
    with pytest.raises(ValueError, match="invalid"):
        NumberErrors.restore({**arrays, name: spoil(arrays[name])}, model.state())
    with pytest.raises(ValueError, match="invalid"):
        NumberErrors.restore({n: a for n, a in arrays.items() if n != name}, model.state())


def test_the_same_seed_gives_the_same_trees():
    numbers, labels, folds = people()
    first, second = (NumberErrors.fit(numbers, labels, folds, 3).arrays() for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 30])
def test_tiny_tables(rows):
    numbers = {"a": np.arange(rows) * 1.5, "b": np.full(rows, np.nan), "c": np.full(rows, 3.0)}
    labels = {"l": np.zeros(rows, int)}
    folds = np.arange(rows) % N_FOLDS
    model = NumberErrors.fit(numbers, labels, folds, 0)
    verdicts = model.judge(numbers, labels, folds)
    assert all(len(v.log_odds) == rows and not np.isnan(v.log_odds).any() for v in verdicts.values())
    assert np.isneginf(verdicts["b"].log_odds).all()
    NumberErrors.restore(model.arrays(), json.loads(json.dumps(model.state())))


def test_odd_columns():
    numbers, labels, folds = people()
    numbers |= {
        "missing": np.full(ROWS, np.nan),
        "constant": np.full(ROWS, 7.0),
        "huge": np.where(np.arange(ROWS) % 2, 1e300, 1e-300),
        "endless": np.where(np.arange(ROWS) == 3, np.inf, numbers["price"]),
        "flags": (np.arange(ROWS) % 3 == 0).astype(float),
    }
    verdicts = NumberErrors.fit(numbers, labels, folds, 0).judge(numbers, labels, folds)
    assert np.isneginf(verdicts["missing"].log_odds).all()
    for name in ("constant", "huge", "flags"):
        assert (verdicts[name].log_odds < 0).all(), name
    assert not any(np.isnan(v.log_odds).any() for v in verdicts.values())


def test_other_digits():
    others, length = other_digits(np.array([125, 10, 0]))
    assert length.tolist() == [3, 2, 0]
    assert {215, 152, 126, 925} <= set(others[0]) and not {125, 25, 521} & set(others[0])
    assert 1 not in others[1] and not others[2].any()


def test_a_round_number_is_more_frequent_than_its_neighbours():
    scale = Scale.fit(np.concatenate([np.arange(20.0, 60), np.repeat(40.0, 30)]))
    round_one, other, finer = scale.cell(np.array([40.0, 41, 41.5]), np.zeros(3, bool))
    assert round_one > other > 10 * finer


def test_context():
    flags = np.random.default_rng(0).random((400, 5)) < 0.3
    assert not has_context(flags, np.arange(400) % 80 == 0)
    flags[:8, 2] = True
    assert has_context(flags, np.arange(400) < 8)
