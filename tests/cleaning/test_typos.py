"""Which values can be mistyped others, and how likely the mistake is."""

from __future__ import annotations

from math import comb, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.cleaning.texts.typos import (
    DOUBLED,
    EVERYWHERE,
    FIXED,
    LONGER,
    MAX_LENGTH,
    SAME,
    SHORTER,
    Replacements,
    TypoPairs,
    find_typos,
    fold,
)

few = settings(deadline=None, max_examples=150)
Found = dict[tuple[str, str], list[tuple[int, float, str]]]


def pairs_of(values: list[str], counts: list[int], rows: int, words: tuple[str, ...] = ()) -> Found:
    """(right, wrong) -> kind, log probability of the places, new characters."""
    typos = find_typos(values, np.array(counts), rows, words)
    found: Found = {}
    parts = zip(typos.right, typos.wrong, typos.kind, typos.log_base, typos.characters, strict=True)
    for right, wrong, kind, log_base, characters in parts:
        found.setdefault((values[right], values[wrong]), []).append((int(kind), float(log_base), characters))
    return {k: sorted(v) for k, v in found.items()}


def by_definition(right: str, wrong: str) -> list[tuple[int, float, str]]:
    """The ways from one text to another by a mistake of typing, written out."""
    n, ways = len(right), {}
    if n == len(wrong) >= 2:
        places = [i for i in range(n) if right[i] != wrong[i]]
        new, k = [wrong[i] for i in places], len(places)
        if k == 2 and places[1] == places[0] + 1 and new == [right[places[1]], right[places[0]]]:
            ways[False] = (FIXED, log(0.1 / n), "")
        elif 0 < k <= max(0.6 * n, 2 if n < 4 else 1) and (k <= max(1, 0.34 * n) or len(set(new)) == 1):
            ways[False] = (SAME, k * log(0.5) - log(comb(n, k)), "".join(new))
            to = {right[i]: wrong[i] for i in places}
            if not set(to) & set(wrong):
                log_base = len(to) * log(0.5) - log(comb(len(set(right)), len(to)))
                ways[True] = (EVERYWHERE, log_base, "".join(to.values()))
    if len(wrong) == n - 1 and n >= 4 and wrong in {right[:i] + right[i + 1 :] for i in range(n)}:
        ways[False] = (SHORTER, log(0.5 / (n + 1)), "")
    if len(wrong) == n + 1 >= 4:
        for i in range(n + 1):
            if wrong[:i] + wrong[i + 1 :] == right:
                doubled = wrong[i] in (wrong[i - 1 : i] + wrong[i + 1 : i + 2])
                way = (
                    (DOUBLED, log(0.5 / (n + 1) / 2), "")
                    if doubled
                    else (LONGER, log(0.5 / (n + 1)), wrong[i])
                )
                if False not in ways or ways[False][1] < way[1]:
                    ways[False] = way
    if fold(right) == fold(wrong):
        ways[False] = (FIXED, log(0.05), "")
    return sorted(ways.values())


@few
@given(
    st.lists(
        st.tuples(st.text("abA -", min_size=1, max_size=6), st.integers(1, 40)),
        min_size=2,
        max_size=7,
        unique_by=lambda v: v[0],
    )
)
def test_pairs_are_those_of_the_definition(counted: list[tuple[str, int]]) -> None:
    """Without marks after a value, which have a test of their own."""
    values, counts = [v for v, _ in counted], [n for _, n in counted]
    rows = sum(counts)
    found = pairs_of(values, counts, rows)
    for u, n_u in counted:
        for v, n_v in counted:
            if u == v or (v.startswith(u) and not v[len(u) :].strip(" -")):
                continue
            rare_enough = n_v <= 0.1 * rows and (n_v <= 0.1 * n_u or n_v <= 3)
            known = n_u >= rows**0.2 - 1 and n_u >= 2 * n_v
            expected = by_definition(u, v) if rare_enough and known else []
            got = found.get((u, v), [])
            assert [g[0] for g in got] == [e[0] for e in expected], (u, v)
            assert [g[1] for g in got] == pytest.approx([e[1] for e in expected])
            assert [g[2] for g in got] == [e[2] for e in expected]


@pytest.mark.parametrize(
    ("right", "wrong", "kinds"),
    [
        ("birmingham", "birxingham", [SAME]),
        ("birmingham", "birxinghax", [SAME, EVERYWHERE]),
        ("birmingham", "birxinxxax", [SAME, EVERYWHERE]),
        ("birmingham", "bxrxingham", [SAME]),
        ("birmingham", "bzrxingham", []),  # two errors in one value
        ("birmingham", "brimingham", [FIXED]),
        ("birmingham", "birminham", [SHORTER]),
        ("birmingham", "birminggham", [DOUBLED]),
        ("birmingham", "birmingzham", [LONGER]),
        ("birmingham", "BIRMINGHAM", [FIXED]),
        ("new york", "New_York", [FIXED]),
        ("new york", "new  york", [FIXED]),
        ("birmingham", "birmingham*", [FIXED]),
        ("birmingham", "birmingham al", [FIXED]),
        ("birmingham", "birmingham zz", []),  # no other column holds zz
        ("birmingham", "manchester", []),
        ("abc", "abcd", [LONGER]),
        ("abc", "ab", []),
        ("yes", "no", []),
        ("ward 12", "wadr 12", [FIXED]),
        ("ward 12", "ward 21", []),  # another number is another thing
        ("12345", "12354", []),
    ],
)
def test_a_mistake_is_of_its_kind(right: str, wrong: str, kinds: list[int]) -> None:
    found = pairs_of([right, wrong], [100, 1], 400, ("al",))
    assert [kind for kind, *_ in found.get((right, wrong), [])] == kinds
    assert (wrong, right) not in found


def test_only_well_known_values_are_mistyped() -> None:
    values = ["london", "london1", "lomdon"]
    assert ("london", "lomdon") in pairs_of(values, [50, 0, 3], 400)
    assert ("london", "lomdon") in pairs_of(values, [50, 0, 5], 400)
    assert ("london", "lomdon") not in pairs_of(values, [50, 0, 6], 400)  # more than a tenth
    assert ("london", "lomdon") in pairs_of(values, [6, 0, 3], 400)
    assert ("london", "lomdon") not in pairs_of(values, [5, 0, 3], 400)  # less than twice as frequent
    assert ("london", "lomdon") not in pairs_of(values, [2, 0, 1], 4_000)  # itself rare
    assert ("london", "lomdon") not in pairs_of(values, [900, 0, 90], 400)  # not rare


def test_names_and_codes_that_occur_once_are_no_typos() -> None:
    values = [f"code{i:04d}" for i in range(300)]
    assert pairs_of(values, [1] * 300, 300) == {}


def test_a_new_value_is_no_typo_of_another_new_one() -> None:
    """It was, when something was appended to it: the verdict changed with the other rows of the batch."""
    values = ["london", "york", "york*", "york al", "london*"]
    typos = find_typos(values, np.array([100, 0, 0, 0, 0]), 400, {"al"}, new_from=1)
    assert [(values[u], values[v]) for u, v in zip(typos.right, typos.wrong, strict=True)] == [
        ("london", "london*")
    ]


def test_pairs_of_new_values_do_not_depend_on_other_new_ones() -> None:
    known, new = ["london", "madrid", "rome"], ["lomdon", "romee", "Rome", "madird", "london *", "x"]
    counts = [60, 50, 40]
    together = pairs_of([*known, *new], [*counts, *[0] * len(new)], 300)
    alone: Found = {}
    for value in new:
        alone |= pairs_of([*known, value], [*counts, 0], 300)
    assert together == alone and len(alone) == 5


def test_log_prob_is_by_kind_places_and_characters() -> None:
    learnt = Replacements({"x": 12.0}, same=10.0, other=4.0)
    log_x, log_y = log((12 + 8 / 60) / 20), log((8 / 60) / 20)
    assert learnt.log_prob("x") == pytest.approx(log_x) and learnt.log_prob("y") == pytest.approx(log_y)
    kinds = [SAME, SHORTER, LONGER, DOUBLED, FIXED, EVERYWHERE]
    typos = TypoPairs(
        np.arange(6), np.arange(6), np.array(kinds), np.full(6, -2.0), ["xy", "", "x", "", "", "x"]
    )
    same = (10 + 6) / (14 + 10)
    expected = [log(same) + log_x + log_y, log(1 - same), log(1 - same) + log_x, log(1 - same), 0]
    assert typos.log_prob(learnt) == pytest.approx(np.array([*expected, log(same) + log_x]) - 2)
    none = find_typos([], np.zeros(0), 0, ())
    assert none.log_prob(learnt).shape == (0,) and none.joined(typos).kind.tolist() == kinds


def test_what_was_learnt_is_added_and_taken_away() -> None:
    learnt = Replacements({"x": 3.0}, 3.0, 1.0)
    part = Replacements({"x": 1.0, "y": 2.0}, 3.0, 2.0)
    learnt.add(part)
    assert learnt == Replacements({"x": 4.0, "y": 2.0}, 6.0, 3.0)
    assert learnt.without(part, 0.5) == Replacements({"x": 3.5, "y": 1.0}, 4.5, 2.0)


@given(st.lists(st.text(st.characters(exclude_categories=[]), max_size=12), max_size=6, unique=True))
def test_any_values_can_be_compared(values: list[str]) -> None:
    long = "ab" * MAX_LENGTH
    values = list(dict.fromkeys([*values, "", "abcd", "\0", "\ud800a", long, long + "c", "x" * MAX_LENGTH]))
    counts = np.random.default_rng(0).integers(0, 30, len(values))
    typos = find_typos(values, counts, int(counts.sum()), {"abcd"})
    log_prob = typos.log_prob(Replacements())
    assert np.isfinite(log_prob).all() and (log_prob <= 0).all()
    assert all(0 < len(values[i]) <= MAX_LENGTH for i in [*typos.wrong])


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text) == fold(f" {text} ")
