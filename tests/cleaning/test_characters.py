"""How likely a string is as a new value of a column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.data.characters import ALPHABET, END, START, CharacterModel, _repeats, lookup, shape
from tests.cleaning.made_tables import word

few = settings(deadline=None, max_examples=40)
texts = st.text("ab1 é", max_size=6)
weighted = st.lists(st.tuples(texts, st.floats(0.05, 5)), min_size=1, max_size=8, unique_by=lambda x: x[0])
odd = st.text(st.characters(exclude_categories=[]), max_size=30) | st.sampled_from(
    ["", "\0", START, END, START * 5, END + "a", "\ud800", "\udfff\ud800", "a\x03b", "x" * 2_000, "😀" * 50]
)


def model(values: list[str], weights: list[float] | None = None) -> CharacterModel:
    return CharacterModel(values, np.array(weights if weights is not None else np.ones(len(values))))


def p_next(fitted: CharacterModel, before: str, character: str) -> float:
    """The probability of a character after others, of the part of the model that reads characters."""
    encoded = fitted._encode([before + character if character != END else before])
    return float(np.exp(fitted._log_prob_of_characters(encoded, np.zeros(1))[len(before)]))


def new(fitted: CharacterModel, *strings: str) -> np.ndarray:
    return fitted.log_prob(strings, np.zeros(len(strings)))[0]


@few
@given(weighted, st.text("ab1 éz", max_size=4))
def test_the_next_character_has_a_probability_of_one_in_all(
    values: list[tuple[str, float]], before: str
) -> None:
    fitted = model([v for v, _ in values], [w for _, w in values])
    known = sorted({c for v, _ in values for c in v})
    # All characters that nothing is known of are equally likely.
    unknown = p_next(fitted, before, "\u2603") * (ALPHABET - len(known) - 1)
    total = sum(p_next(fitted, before, c) for c in [*known, END]) + unknown
    assert 0.5 < total < 1 + 1e-9


def test_the_next_character_has_a_probability_of_one_in_a_large_alphabet() -> None:
    rng = np.random.default_rng(0)
    values = ["".join(chr(0x4E00 + int(i)) for i in rng.integers(0, 600, 3)) for _ in range(600)]
    fitted = model(values)
    known = sorted({c for v in values for c in v})
    assert sum(p_next(fitted, "??", c) for c in [*known, END]) < 1 + 1e-9


@few
@given(st.lists(texts, min_size=1, max_size=6, unique=True), st.integers(0, 5))
def test_a_string_that_was_counted_with_no_weight_was_not_counted(values: list[str], number: int) -> None:
    number %= len(values)
    weights = np.ones(len(values))
    weights[number] = 0
    rest = [v for i, v in enumerate(values) if i != number]
    asked = [*values, "b1", "11", "éa"]
    found = new(model(values, weights.tolist()), *asked)
    assert found == pytest.approx(new(model(rest), *asked), abs=1e-12)


def test_leaving_a_string_out_is_fitting_without_it() -> None:
    """Every piece of "bob" also occurs in the others: what is left out is its count alone."""
    for rest in (["boba", "xxbob"], ["boba", "xxbob", "bo1", "aab"]):
        for weight in (0.3, 1.0, 4.0):
            fitted = CharacterModel(["bob", *rest], np.r_[weight, np.ones(len(rest))])
            own, oddest = fitted.log_prob(["bob"], np.array([weight]))
            without, oddest_without = model(rest).log_prob(["bob"], np.zeros(1))
            assert own == pytest.approx(without) and oddest == pytest.approx(oddest_without)


def test_leaving_any_string_out_is_nearly_fitting_without_it() -> None:
    rng = np.random.default_rng(0)
    values = list(dict.fromkeys(word(rng, 3, 7) for _ in range(120)))
    own = model(values).log_prob(values, np.ones(len(values)))[0]
    without = [new(model([u for u in values if u != v]), v)[0] for v in values]
    assert np.abs(own - np.array(without)).mean() < 0.05


def test_the_shape_of_a_string_left_out_is_left_out() -> None:
    values = ["12-34", "55-66", "7"]
    fitted = model(values)
    found = fitted._log_prob_of_shapes(values, np.ones(3))
    # Of two other strings, one has this shape; of the shapes, each counts half a string more.
    assert found[:2] == pytest.approx(np.log(1 / (3 + 1 - 1)) - 4 * np.log(10))
    assert found[2] == -np.inf


def test_new_digits_in_a_known_form_are_likely() -> None:
    rng = np.random.default_rng(0)
    fitted = model([f"A-{n}" for n in rng.choice(np.arange(1000, 9999), 300, replace=False)])
    in_form, longer, other = new(fitted, "A-4711", "A-47112", "4711-A")
    assert in_form > np.log(1e-4) - 1 and in_form > longer + 3 and in_form > other + 3


def test_the_oddest_place_is_where_a_character_does_not_belong() -> None:
    rng = np.random.default_rng(0)
    values = [word(rng).title() + " Hospital" for _ in range(200)]
    _, oddest = model(values).log_prob(["Abcde Hospital", "Abcde Hos#ital"], np.zeros(2))
    assert oddest[1] > oddest[0] + 2


def test_strings_may_hold_the_marks_of_start_and_end() -> None:
    """They once shifted the numbers of all other characters."""
    values = ["anna", "bob", "carla"]
    plain, marked = model(values), model([*values, START + END], [1, 1, 1, 0])
    assert new(plain, *values) == pytest.approx(new(marked, *values), abs=1e-12)


@few
@given(st.lists(odd, min_size=1, max_size=6, unique=True), st.lists(odd, min_size=1, max_size=6))
def test_any_strings_have_a_probability(values: list[str], strings: list[str]) -> None:
    fitted = model(values)
    for asked, own in ((values, np.ones(len(values))), (strings, np.zeros(len(strings)))):
        log_prob, oddest = fitted.log_prob(asked, own)
        assert log_prob.shape == oddest.shape == (len(asked),)
        assert np.isfinite(log_prob).all() and (log_prob <= 1e-9).all()
        assert np.isfinite(oddest).all() and (oddest >= 0).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=20))
def test_repeats_are_counted_within_a_string(pairs: list[tuple[int, int]]) -> None:
    owner, key = (np.array([p[i] for p in pairs], dtype=np.int64) for i in (0, 1))
    assert _repeats(owner, key).tolist() == [pairs.count(p) for p in pairs]


@given(st.dictionaries(st.integers(0, 30), st.floats(0, 9)), st.lists(st.integers(-5, 40), max_size=20))
def test_lookup_is_a_dictionary(known: dict[int, float], wanted: list[int]) -> None:
    keys = np.array(sorted(known), dtype=np.int64)
    values = np.array([known[k] for k in sorted(known)])
    found = lookup(keys, values, np.array(wanted, dtype=np.int64))
    assert found.tolist() == [known.get(w, 0.0) for w in wanted]


@given(st.text(max_size=20))
def test_a_shape_keeps_all_but_the_digits(text: str) -> None:
    assert len(shape(text)) == len(text) and shape(shape(text)) == shape(text)
    assert all(a == b or (a in "123456789" and b == "0") for a, b in zip(text, shape(text), strict=True))
