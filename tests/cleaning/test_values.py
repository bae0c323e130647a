"""What is known of the different values of a column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.cleaning.texts.values import are_missing_words, find_formats, read_strings
from tests.cleaning.made_tables import word


def formats_of(counted: dict[str, int]) -> dict[str, tuple[str | None, bool]] | None:
    """Value that is written unlike the others -> the usual way, and whether it is rare."""
    values = list(counted)
    found = find_formats(values, np.array(list(counted.values())))
    if found is None:
        return None
    assert ((found.p_wrong == 0) | ((found.p_wrong >= 0.5) & (found.p_wrong <= 0.95))).all()
    parts = zip(values, found.p_wrong, found.alike, found.rare, strict=True)
    return {v: (alike, bool(rare)) for v, p, alike, rare in parts if p > 0}


PLAIN = {"5": 60, "7": 60, "12": 60}


def test_a_rare_mark_is_wrong_and_a_shared_one_is_a_style() -> None:
    assert formats_of({**PLAIN, "5 %": 2}) == {"5 %": ("5", True)}
    assert formats_of({**PLAIN, "5%": 20, "7%": 10}) == {"5%": ("5", False), "7%": ("7", False)}
    assert formats_of({"5%": 60, "7%": 60, "7": 20, "5": 5}) == {"7": ("7%", False), "5": ("5%", False)}
    assert formats_of({**PLAIN, "$5": 1, "7 kg": 1}) == {"$5": ("5", True), "7 kg": ("7", True)}


def test_the_share_is_of_the_numbers() -> None:
    found = find_formats(["5", "7", "5 %"], np.array([60, 30, 10]))
    assert found is None  # ten percents of one number, which is but one value that both forms share
    found = find_formats(["5", "7", "5 %", "7 %"], np.array([60, 30, 5, 5]))
    assert found is not None and found.usual_share == pytest.approx(0.9)
    assert found.marks == ["", "", " %", " %"]


@pytest.mark.parametrize(
    "counted",
    [
        PLAIN,
        {"5%": 50, "7%": 40},
        {"<=50K": 60, ">50K": 20, "50K": 1},
        {"red": 50, "blue": 40, "5": 1},
        {"2020-01-02": 40, "2020-01-03": 40},
        {"12:30": 40, "12:31": 40},
        {"1": 80, "2 pieces": 20, "3 boxes": 20},  # numbers that occur with no other mark
        {},
        {"": 5, "?": 3},
    ],
)
def test_one_way_of_writing_is_no_other(counted: dict[str, int]) -> None:
    assert formats_of(counted) is None


def test_words_for_missing_values_are_no_way_of_writing() -> None:
    assert formats_of({**PLAIN, "5 %": 2, "n/a": 500, "?": 30}) == {"5 %": ("5", True)}


def test_the_ways_of_writing_do_not_depend_on_new_values() -> None:
    values, counts = ["5", "7", "12", "5 %", "7 %"], np.array([60, 60, 60, 20, 20])
    alone = find_formats(values, counts)
    new = ["5 kg", "red", "5-7", "7 %x", "99"]
    more = find_formats([*values, *new], np.r_[counts, np.zeros(5, int)])
    assert alone is not None and more is not None
    assert more.p_wrong[:5].tolist() == alone.p_wrong.tolist() and more.alike[:5] == alone.alike
    assert more.usual_share == alone.usual_share
    assert more.p_wrong[5:].tolist() == [0.95, 0, 0, 0.95, 0]


@pytest.mark.parametrize("word", ["n/a", "NA", " NaN ", "null", "NONE", "?", "-", "unknown", "-999", "99"])
def test_words_for_a_missing_value(word: str) -> None:
    assert are_missing_words([word, "oslo"]).tolist() == [True, False]


def test_damaged_values_look_damaged() -> None:
    rng = np.random.default_rng(0)
    values = list(dict.fromkeys(word(rng, 4, 6) + " hospital" for _ in range(300)))
    damaged = ["abcd hos#ital", "abcd hxspital", "abcd hospitaal"]
    counts = np.r_[np.ones(len(values)), np.zeros(3)]
    found = read_strings([*values, *damaged], counts, counts)
    ratio = found.damaged - found.base
    assert ratio[len(values) :].min() > np.quantile(ratio[: len(values)], 0.95)
    assert np.isfinite(found.base).all() and np.isfinite(found.damaged).all()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=[]), max_size=8) | st.sampled_from(["", "\0", "x" * 5_000]),
        min_size=1,
        max_size=50,
        unique=True,
    )
)
def test_any_values_can_be_read(values: list[str]) -> None:
    weights = np.ones(len(values))
    found = read_strings(values, weights, weights)
    for part in (found.base, found.damaged):
        assert part.shape == (len(values),) and np.isfinite(part).all()
    assert (found.base >= -500).all() and (found.base <= 1e-9).all()
    formats = find_formats(values, weights)
    assert formats is None or (formats.p_wrong <= 0.95).all()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text("ab1 ", min_size=1, max_size=6), min_size=32, max_size=45, unique=True), st.data())
def test_what_is_known_of_a_value_does_not_depend_on_new_ones(values: list[str], data: st.DataObject) -> None:
    new = data.draw(st.lists(st.text(max_size=5).filter(lambda v: v not in values), max_size=5, unique=True))
    ones, zeros = np.ones(len(values)), np.zeros(len(new))
    alone = read_strings(values, ones, ones)
    more = read_strings([*values, *new], np.r_[ones, zeros], np.r_[ones, zeros])
    assert more.base[: len(values)] == pytest.approx(alone.base, abs=1e-9)
    assert more.damaged[: len(values)] == pytest.approx(alone.damaged, abs=1e-9)
