"""The checks of a whole table: what is read how, words and traces, and model files."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo.cleaning.table import TableErrors
from tests.cleaning.made_tables import (
    Table,
    as_arrays,
    assert_same,
    change,
    checks,
    p_wrong,
    pick,
    places,
    suspects,
    verdicts,
)


def with_numbers(seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    return {**places(seed=seed), "weight": [f"{w:.1f}" for w in rng.normal(50, 10, 400)]}


@pytest.fixture(scope="module")
def fitted() -> TableErrors:
    return checks(change(places(), "city", {5: "Birmingxam", 9: "n/a", 11: "Caf\u00c3\u00a9"}))


@pytest.mark.parametrize("word", ["n/a", "?", "NULL"])
def test_a_word_for_a_missing_value_is_suspect_where_it_is_rare(word: str) -> None:
    table = places()
    found = verdicts(change(table, "code", {3: word}))["code"]
    assert p_wrong(found)[3] > 0.85 and found.reasons[3] == "stands for a missing value"
    assert found.suggestions[3] is None
    many = verdicts(change(table, "code", dict.fromkeys(range(0, 400, 10), word)))["code"]
    assert not (p_wrong(many) > 0.5).any()


@pytest.mark.parametrize(
    ("written", "right", "why"),
    [
        ("{} kg", "{}", "a number with a unit or a mark"),
        ("${}", "{}", "a number with a unit or a mark"),
        ("heavy", None, "text in a column of numbers"),
    ],
)
def test_text_among_numbers_is_found(written: str, right: str | None, why: str) -> None:
    table = with_numbers()
    value = str(table["weight"][8])
    found = verdicts(change(table, "weight", {8: written.format(value)}))["weight"]
    assert p_wrong(found)[8] > 0.9 and found.reasons[8] == why
    assert found.suggestions[8] == (None if right is None else value)


def test_traces_of_programs_are_found_where_they_are_rare() -> None:
    table = places()
    table["name"] = [f"{n} é & {n}" for n in table["name"]]
    written = {
        3: str(table["name"][3]).encode().decode("cp1252"),
        4: str(table["name"][4]).replace("&", "&amp;"),
    }
    found = verdicts(change(table, "name", written))
    assert suspects(found) == {("name", 3), ("name", 4)}
    for row in (3, 4):
        assert found["name"].suggestions[row] == table["name"][row]
    everywhere = {**table, "name": [str(n).replace("&", "&amp;") for n in table["name"]]}
    assert suspects(verdicts(everywhere)) == set()


def test_without_anything_to_judge_there_are_no_checks() -> None:
    for values in ([None, None], ["a", "a"], [[1], [2]]):
        assert TableErrors.fit({"a": pa.array(values)}, ["a"], 0) is None
    assert TableErrors.fit({"a": pa.array(["a", "b"])}, [], 0) is None


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_a_few_rows_are_suspected_of_nothing(rows: int) -> None:
    table = places(rows)
    columns = as_arrays(table)
    found = TableErrors.fit(columns, list(table), 0)
    assert rows == 1 or found is not None
    if found is not None:
        assert suspects(found.judge(columns)) == set()


def test_columns_that_are_not_there_are_left_out(fitted: TableErrors) -> None:
    table = places()
    some = {name: table[name] for name in ("city", "region")}
    found = fitted.judge(as_arrays(some))
    assert list(found) == ["city", "region"] and len(found["city"].log_odds) == 400
    assert fitted.judge({}) == {} and fitted.judge({"other": pa.array(["a"])}) == {}
    assert len(fitted.judge(as_arrays(pick(table, [])))["city"].log_odds) == 0


@pytest.mark.xfail(reason="a row is known by all its cells: without one column it vouches for itself")
def test_a_row_does_not_vouch_for_itself_when_a_column_is_not_there() -> None:
    dirty = change(places(), "city", {6: "Zzyzx"})
    fitted = checks(dirty)
    without = {n: v for n, v in dirty.items() if n != "name"}
    whole, some = (p_wrong(fitted.judge(as_arrays(t))["city"])[6] for t in (dirty, without))
    assert some > whole / 2


def test_any_type_of_text_is_judged_alike() -> None:
    table = change(places(), "city", {5: "Birmingxam"})
    expected = verdicts(table)
    for convert in (
        lambda a: a.dictionary_encode(),
        lambda a: a.cast(pa.large_string()),
        lambda a: pa.chunked_array([a[:100], a[100:100], a[100:]]),
        lambda a: pa.chunked_array([a[:100].dictionary_encode(), a[100:].dictionary_encode()]),
    ):
        columns = {n: convert(a) for n, a in as_arrays(table).items()}
        fitted = TableErrors.fit(columns, list(table), 0)
        assert fitted is not None
        for name, verdict in fitted.judge(columns).items():
            assert_same(verdict, expected[name])


def restored(fitted: TableErrors) -> TableErrors:
    return TableErrors.restore(fitted.arrays(), json.loads(json.dumps(fitted.state())))


@pytest.mark.parametrize("table", [change(places(), "city", {5: "Birmingxam"}), with_numbers()])
def test_what_was_fitted_survives_a_model_file(table: Table) -> None:
    fitted = checks(table)
    again = restored(fitted)
    new = change(pick(table, range(30)), "city", {0: "Glasgw", 1: "Nowhere", 2: "Leeds*"})
    for asked in (table, new):
        expected = fitted.judge(as_arrays(asked))
        for name, verdict in again.judge(as_arrays(asked)).items():
            assert_same(verdict, expected[name])
    assert again.state() == fitted.state()
    assert all(np.array_equal(a, fitted.arrays()[n]) for n, a in again.arrays().items())


def as_bytes(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8).copy()


FORGED_ARRAYS = {
    "strings that are no json": {"strings": np.array([255, 254], np.uint8)},
    "no strings": {"strings": np.zeros(0, np.uint8)},
    "too few columns of strings": {"strings": as_bytes([["a"]])},
    "no columns of strings": {"strings": as_bytes([])},
    "strings of numbers": {"strings": as_bytes([[1], [2], [3], [4]])},
    "nothing for strings": {"strings": as_bytes([None] * 4)},
    "empty columns of strings": {"strings": as_bytes([[]] * 4)},
    "more arrays": {"more": np.zeros(3)},
    "more arrays of numbers": {"numbers/more": np.zeros(3)},
}


@pytest.mark.parametrize("changes", FORGED_ARRAYS.values(), ids=FORGED_ARRAYS)
def test_forged_arrays_are_refused(fitted: TableErrors, changes: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError):
        TableErrors.restore({**fitted.arrays(), **changes}, fitted.state())


@pytest.mark.parametrize("name", ["hashes", "codes", "right", "strings"])
def test_arrays_of_another_kind_are_refused(fitted: TableErrors, name: str) -> None:
    arrays, state = fitted.arrays(), fitted.state()
    array = arrays[name]
    shapes = [] if name == "strings" else [array[None], array.ravel()[:1].reshape(1, 1, 1)]
    for wrong in (array[:-1], array[..., :-1], array[:0], array.astype(np.float64), *shapes):
        with pytest.raises((ValueError, KeyError)):
            TableErrors.restore({**arrays, name: wrong}, state)
    with pytest.raises(KeyError):
        TableErrors.restore({n: a for n, a in arrays.items() if n != name}, state)


def test_codes_without_a_value_are_refused(fitted: TableErrors) -> None:
    arrays, state = fitted.arrays(), fitted.state()
    for wrong in (-2, 10_000, 2**31 - 1):
        codes = arrays["codes"].copy()
        codes[0, 0] = wrong
        with pytest.raises(ValueError, match="codes of texts"):
            TableErrors.restore({**arrays, "codes": codes}, state)


def test_a_column_without_any_value_is_refused(fitted: TableErrors) -> None:
    arrays = fitted.arrays()
    with pytest.raises(ValueError):
        TableErrors.restore({**arrays, "codes": np.full_like(arrays["codes"], -1)}, fitted.state())


FORGED_STATES: dict[str, tuple[list[str], Any]] = {
    "no kinds": (["kinds"], {}),
    "a kind without text": (["kinds", "city", "text"], False),
    "a kind with a number for a flag": (["kinds", "city", "group"], 1),
    "ranges of labels": (["kinds", "city", "edges"], [1.0]),
    "a rate of one": (["texts", "rate"], 1.0),
    "a rate of nothing": (["texts", "rate"], 0),
    "a rate that is no number": (["texts", "rate"], float("nan")),
    "a rate that is text": (["texts", "rate"], "0.01"),
    "too few shares": (["texts", "shares"], [1.0]),
    "a share of nothing": (["texts", "shares"], [0.4, 0.1, 0.3, 0.2, 0.0]),
    "an infinite share": (["texts", "shares"], [0.4, 0.1, 0.3, 0.2, float("inf")]),
    "typing errors of no column": (["texts", "learnt"], {"other": [{}, 1.0, 1.0]}),
    "typing errors below zero": (["texts", "learnt", "city"], [{"x": -1.0}, 1.0, 1.0]),
    "typing errors that are no numbers": (["texts", "learnt", "city"], [{"x": "1"}, 1.0, 1.0]),
    "names that are numbers": (["traces"], [1]),
    "names that are one text": (["missing_words"], "city"),
}


@pytest.mark.parametrize(("path", "value"), FORGED_STATES.values(), ids=FORGED_STATES)
def test_forged_states_are_refused(fitted: TableErrors, path: list[str], value: Any) -> None:
    state = json.loads(json.dumps(fitted.state()))
    place = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises((ValueError, KeyError)):
        TableErrors.restore(fitted.arrays(), state)


def test_incomplete_states_are_refused(fitted: TableErrors) -> None:
    for part in ("kinds", "missing_words", "traces", "texts", "numbers"):
        with pytest.raises(KeyError):
            TableErrors.restore(fitted.arrays(), {k: v for k, v in fitted.state().items() if k != part})
