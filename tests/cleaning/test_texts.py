"""Planted errors in labels and texts are found, with the right value and a reason that names it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.cleaning.table import TableErrors
from diabolo.cleaning.texts.errors import TextErrors
from tests.cleaning.made_tables import (
    CITIES,
    Table,
    as_arrays,
    assert_same,
    by_texts,
    change,
    checks,
    p_wrong,
    pick,
    places,
    rows_where,
    suspects,
    text_table,
    verdicts,
    word,
)

TYPOS = {
    "Birmingham": "Birmingxam",
    "Liverpool": "Lverpool",
    "Manchester": "Manchesster",
    "Sheffield": "Shefifeld",
    "Glasgow": "Glasgpw",
}


@pytest.mark.parametrize("seed", [0, 1])
def test_typing_errors_of_labels_are_found_and_named(seed: int) -> None:
    table = places(seed=seed)
    wrong = {rows_where(table, "city", right)[seed]: typo for right, typo in TYPOS.items()}
    found = verdicts(change(table, "city", wrong))
    assert suspects(found) == {("city", row) for row in wrong}
    for row in wrong:
        right = str(table["city"][row])
        assert found["city"].suggestions[row] == right and found["city"].confidence[row] > 0.9
        assert found["city"].reasons[row] == f"typo of {right!r}"


def test_the_same_typing_error_five_times_is_found_where_others_are_made_alike() -> None:
    """An x in place of another letter, as in the codes and regions of the table."""
    rng = np.random.default_rng(0)
    table = places(1_500, seed=3)
    rows = rows_where(table, "city", "Glasgow")[:5]
    for name in ("code", "region", "city"):
        changes = {}
        for row in rng.choice(sorted(set(range(1_500)) - set(rows)), 40, replace=False).tolist():
            value = str(table[name][row])
            place = int(rng.integers(len(value)))
            changes[row] = value[:place] + "x" + value[place + 1 :]
        table = change(table, name, changes)
    found = verdicts(change(table, "city", dict.fromkeys(rows, "Glasgxw")))["city"]
    assert (p_wrong(found)[rows] > 0.9).all()
    assert {*found.suggestions[rows]} == {"Glasgow"} and {*found.reasons[rows]} == {"typo of 'Glasgow'"}


def test_the_same_typing_error_twice_is_found() -> None:
    table = places()
    rows = rows_where(table, "city", "Glasgow")
    once, twice = (
        by_texts(change(table, "city", dict.fromkeys(rows[:n], "Glasgxw")))["city"] for n in (1, 2)
    )
    assert p_wrong(once)[rows[0]] > 0.9 and (p_wrong(twice)[rows[:2]] > 0.5).all()


def in_new_row(table: Table, row: int) -> Table:
    """A row of a table that the fit did not have: its name is another one."""
    return change(pick(table, [row]), "name", {0: "Somebody"})


@pytest.mark.parametrize("right", list(TYPOS))
def test_a_typing_error_of_the_fit_is_one_in_new_rows_too(right: str) -> None:
    table = places()
    row = rows_where(table, "city", right)[0]
    dirty = change(table, "city", {row: TYPOS[right]})
    assert p_wrong(by_texts(dirty, in_new_row(dirty, row))["city"])[0] > 0.9


def test_a_doubtful_cell_of_the_fit_does_not_vouch_for_new_rows() -> None:
    table = places()
    row = rows_where(table, "city", "Birmingham")[0]
    dirty = change(table, "city", {row: "Lverpool"})  # P(wrong) .9955 in the fit, .0002 in the new row
    dirty = change(dirty, "region", {r: "Quux" for r in rows_where(table, "city", "Cardiff")[:2]})
    assert p_wrong(by_texts(dirty)["city"])[row] > 0.9
    assert p_wrong(by_texts(dirty, in_new_row(dirty, row))["city"])[0] > 0.5


@pytest.mark.parametrize("write", [str.upper, lambda v: f" {v}"])
def test_another_letter_case_and_spaces_are_found(write: Any) -> None:
    table = places()
    rows = [3, 9, 200]
    found = verdicts(change(table, "city", {r: write(table["city"][r]) for r in rows}))
    assert suspects(found) == {("city", r) for r in rows}
    assert [found["city"].suggestions[r] for r in rows] == [table["city"][r] for r in rows]


@pytest.mark.parametrize("tail", ["*", " Scot", ", North", " (Mid)"])
def test_what_was_appended_is_found(tail: str) -> None:
    table = places()
    found = verdicts(change(table, "city", {4: f"{table['city'][4]}{tail}"}))
    assert suspects(found) == {("city", 4)}
    assert found["city"].suggestions[4] == table["city"][4]
    assert found["city"].reasons[4] == f"typo of {table['city'][4]!r}"


def test_the_value_of_another_column_is_found() -> None:
    table = places()
    found = verdicts(change(table, "city", {4: str(table["region"][4])}))
    assert suspects(found) == {("city", 4)}
    assert found["city"].reasons[4] == "a value of another column"
    assert found["city"].suggestions[4] == table["city"][4]


def test_a_label_of_another_row_is_found_if_it_contradicts_two_columns() -> None:
    table = places(1_000)
    row = rows_where(table, "city", "Glasgow")[0]
    dirty = change(table, "city", {row: "Cardiff"})
    for found in (verdicts(dirty), by_texts(dirty)):
        assert p_wrong(found["city"]).argmax() == row and p_wrong(found["city"])[row] > 0.5
        assert found["city"].suggestions[row] == "Glasgow"
    assert "'Glasgow' comes with this code in" in str(found["city"].reasons[row])


def test_a_stuck_value_is_found() -> None:
    rng = np.random.default_rng(1)
    ids: list[str | None] = [f"K{i:03d}" for i in rng.integers(0, 60, 600)]
    towns = [word(rng, 5, 9).title() for _ in range(60)]
    table: Table = {"id": ids, "town": [towns[int(str(i)[1:])] for i in ids]}
    stuck = rng.choice(600, 12, replace=False).tolist()
    dirty = change(table, "town", dict.fromkeys(stuck, "Default"))
    found = by_texts({**dirty, "name": table["id"]})
    assert suspects(verdicts(dirty)) == {("town", row) for row in stuck} == suspects(found)
    assert {found["town"].reasons[row] for row in stuck} == {
        "comes with anything, unlike the other values of the column"
    }
    assert suspects(verdicts(table)) == set()


@pytest.mark.parametrize(("number", "is_style"), [(2, False), (60, True)])
def test_a_minority_format_is_found(number: int, is_style: bool) -> None:
    rng = np.random.default_rng(0)
    table = {**places(), "share": [str(v) for v in rng.integers(1, 5, 400)]}
    rows = rng.choice(400, number, replace=False).tolist()
    found = verdicts(change(table, "share", {row: f"{table['share'][row]} %" for row in rows}))
    assert suspects(found) == {("share", row) for row in rows}
    for row in rows:
        assert found["share"].suggestions[row] == table["share"][row]
        assert found["share"].is_style[row] == is_style
        said = str(found["share"].reasons[row])
        assert said.startswith("written with '%', unlike ") or (
            not is_style and said == f"typo of {table['share'][row]!r}"
        )


def clean(kind: str, seed: int) -> Table:
    """A table without errors."""
    rng = np.random.default_rng(seed)
    table, rows = places(500, seed), 500
    if kind == "ids":
        table["id"] = [f"ID-{i:06d}" for i in rng.permutation(rows)]
        table["hash"] = [f"{int(i):08x}" for i in rng.integers(0, 2**32, rows)]
    if kind == "codes":
        codes = [f"{word(rng, 2, 3).upper()}{int(rng.integers(100, 999))}" for _ in range(80)]
        picked = rng.integers(0, 80, rows)
        table["product"] = [codes[i] for i in picked]
        prices = [f"{p}.99" for p in rng.integers(1, 400, 80)]
        table["price"] = [f"EUR {prices[i]}" for i in picked]
    if kind == "zip codes":
        table["zip"] = [f"{int(z):05d}" for z in rng.choice(rng.integers(1_000, 99_999, 60), rows)]
    if kind == "names":
        surnames = [word(rng, 4, 8).title() for _ in range(60)]
        first = [word(rng, 3, 7).title() for _ in range(40)]
        table["name"] = [f"{rng.choice(first)} {rng.choice(surnames)}" for _ in range(rows)]
        table["mail"] = [str(n).lower().replace(" ", ".") + "@mail.org" for n in table["name"]]
    if kind == "free text":
        words = [word(rng, 2, 9) for _ in range(200)]
        table["note"] = [" ".join(rng.choice(words, rng.integers(3, 15))) + "." for _ in range(rows)]
    if kind == "holes":
        for name in table:
            table[name] = [None if rng.random() < 0.2 else v for v in table[name]]
    return table


@pytest.mark.parametrize("kind", ["plain", "ids", "codes", "zip codes", "names", "free text", "holes"])
def test_of_clean_tables_hardly_a_cell_is_suspected(kind: str) -> None:
    cells, found = 0, set()
    for seed in (0, 1):
        table = clean(kind, seed)
        fitted = checks(table)
        again = [clean(kind, seed + 10)] if kind in ("plain", "holes") else []
        for number, asked in enumerate([table, *again]):
            found |= {(seed, number, *cell) for cell in suspects(fitted.judge(as_arrays(asked)))}
            cells += sum(len(v) for v in asked.values())
    assert len(found) <= cells / 1_000, found


@pytest.fixture(scope="module")
def dirty() -> Table:
    table = places(300, seed=1)
    table = change(table, "city", {5: "Birmingxam", 6: "Tokyo", 7: f"{table['city'][7]}*"})
    return change(
        table, "region", {9: "Mid" if table["region"][9] != "Mid" else "Scot", 10: "Quux", 11: "n/a"}
    )


@pytest.fixture(scope="module")
def fitted(dirty: Table) -> TableErrors:
    return checks(dirty)


@pytest.fixture(scope="module")
def batch(dirty: Table) -> Table:
    """Rows of the fit, and new ones with values that it never saw."""
    new: Table = {
        "city": [
            "Leeds",
            "Glasgow*",
            "Glasgw",
            "York",
            "York*",
            "York Mid",
            "é☃",
            "x" * 300,
            "Cardiff",
            None,
            "ok",
        ],
        "code": [
            "A-1",
            "GLA-17",
            "GLA-77",
            "B-22",
            "999",
            "C-333-4",
            "CAR-19",
            "CAR-1",
            "CAR-19",
            None,
            "<5",
        ],
        "region": ["Mid", "Scot", "Scot", "Nor", "North", "Northh", "Wales", "?", "\ufffd", None, "A\x00b"],
        "name": ["Abc", "12", "Zed 99", "Qq", "1-2", "&amp;", "nan", "\x02\x03", "\n", "bob", "bob*"],
    }
    some = pick(dirty, range(30))
    return {name: [*some[name], *new[name]] for name in dirty}


@settings(deadline=None, max_examples=12)
@given(st.data())
def test_a_verdict_does_not_depend_on_the_other_rows(
    fitted: TableErrors, batch: Table, data: st.DataObject
) -> None:
    whole = fitted.judge(as_arrays(batch))
    rows = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=41))
    part = fitted.judge(as_arrays(pick(batch, rows)))
    for name, verdict in whole.items():
        at = {f: getattr(verdict, f)[rows] for f in verdict.__dataclass_fields__}
        assert_same(part[name], type(verdict)(**at))


def test_a_row_alone_has_the_verdict_that_it_has_in_the_table(fitted: TableErrors, dirty: Table) -> None:
    """A row does not vouch for itself: its own values are left out of what it is compared with."""
    whole = fitted.judge(as_arrays(dirty))
    for row in (5, 6, 7, 9, 10, 11, 50):
        alone = fitted.judge(as_arrays(pick(dirty, [row])))
        for name, verdict in whole.items():
            at = {f: getattr(verdict, f)[[row]] for f in verdict.__dataclass_fields__}
            assert_same(alone[name], type(verdict)(**at))
    assert p_wrong(whole["city"])[5] > 0.9


def test_an_unusual_value_is_as_suspicious_in_the_fit_as_in_a_new_row() -> None:
    """Within what the row itself teaches of rates."""
    table = places(500, seed=4)
    row = rows_where(table, "city", "Sheffield")[0]
    with_it = change(table, "city", {row: "Shefxield"})
    own = p_wrong(checks(with_it).judge(as_arrays(with_it))["city"])[row]
    new = p_wrong(checks(table).judge(as_arrays(pick(with_it, [row])))["city"])[0]
    assert own > 0.9 and new > 0.9


def test_rows_in_another_order_are_judged_alike(dirty: Table, fitted: TableErrors) -> None:
    order = np.random.default_rng(0).permutation(300).tolist()
    found = checks(pick(dirty, order)).judge(as_arrays(pick(dirty, order)))
    expected = fitted.judge(as_arrays(dirty))
    for name, verdict in expected.items():
        assert found[name].log_odds == pytest.approx(verdict.log_odds[order], abs=1e-6)
        assert found[name].suggestions.tolist() == verdict.suggestions[order].tolist()


odd_text = st.text(st.characters(exclude_categories=[]), max_size=12) | st.sampled_from(
    [
        "",
        "\0",
        "\x02",
        "\x03",
        "\ud800",
        "x" * 3_000,
        "\u202e",
        "é",
        "e\u0301",
        "1e999",
        "nan",
        "'",
        '"',
        "\\",
    ]
)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(*[st.none() | odd_text] * 2), min_size=1, max_size=25),
    st.lists(st.tuples(*[st.none() | odd_text] * 2), min_size=1, max_size=5),
)
def test_any_texts_can_be_judged(
    rows: list[tuple[str | None, str | None]], new: list[tuple[str | None, str | None]]
) -> None:
    columns = {"a": [r[0] for r in rows], "b": [r[1] for r in rows]}
    if any(all(v is None for v in values) for values in columns.values()):
        return
    table = text_table(columns, ["a", "b"])
    found = TextErrors.fit(table)
    asked = {"a": [r[0] for r in new], "b": [r[1] for r in new]}
    groups = {
        n: np.array([table.values[n].index(v) if v in table.values[n] else -1 for v in asked[n]])
        for n in asked
    }
    own = found.judge(columns, table.groups, np.arange(len(rows)))
    for verdict, texts in [
        *((v, columns[n]) for n, v in own.items()),
        *((v, asked[n]) for n, v in found.judge(asked, groups, np.full(len(new), -1)).items()),
    ]:
        assert not np.isnan(verdict.log_odds).any() and not np.isnan(verdict.confidence).any()
        p = p_wrong(verdict)
        assert ((p >= 0) & (p <= 1)).all() and (
            (verdict.confidence >= 0) & (verdict.confidence <= 1 + 1e-9)
        ).all()
        assert ((p == 0) == np.array([t is None for t in texts])).all()


def test_one_column_alone_can_be_judged() -> None:
    table = {"city": places()["city"]}
    found = verdicts(change(table, "city", {5: "Birmingxam", 6: f"{table['city'][6]}*"}))
    assert suspects(found) == {("city", 5), ("city", 6)}
    assert found["city"].suggestions[5] == "Birmingham" and found["city"].suggestions[6] in CITIES


def test_what_most_rows_of_an_entity_agree_on_is_right() -> None:
    """Many sources report the times of the same flights, each wrong in a fifth of them."""
    rng = np.random.default_rng(0)
    true = [f"{h}:{m:02d}" for h, m in zip(rng.integers(0, 24, 60), rng.integers(0, 60, 60), strict=True)]
    flights = np.repeat(np.arange(60), 15)
    time = [
        true[f] if rng.random() > 0.2 else f"{rng.integers(0, 24)}:{rng.integers(0, 60):02d}" for f in flights
    ]
    table = {"flight": [f"AA{f:03d}" for f in flights], "time": time}
    found = by_texts(table)["time"]
    wrong = np.array([t != true[f] for t, f in zip(time, flights, strict=True)])
    called = p_wrong(found) > 0.5
    assert (called & wrong).sum() > 0.8 * wrong.sum() and (called & ~wrong).sum() <= 2
    right = [s == true[f] for s, f, c in zip(found.suggestions, flights, called, strict=True) if c]
    assert np.mean(right) > 0.95
