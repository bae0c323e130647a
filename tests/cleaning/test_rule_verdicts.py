"""Which cell of a row that violates a rule gets the blame, and what it should be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from diabolo.cleaning.rules.base import Rule
from diabolo.cleaning.rules.kinds import Determines, Sum
from diabolo.cleaning.rules.parsing import read_rules
from diabolo.cleaning.rules.slips import is_slip
from diabolo.cleaning.rules.verdicts import judge_rules
from diabolo.cleaning.table import TableErrors
from diabolo.cleaning.verdicts import Verdicts
from tests.cleaning.made_rules import changed, column, orders, read

ROW = 7
Judged = dict[str, tuple[float, object, object]]


def judged(table: dict[str, pa.Array], *stated: str, known: dict[str, float] | None = None) -> Judged:
    """Column -> P(wrong), suggestion and reason of one row, by the rules alone and what else is known."""
    columns = read(table)
    rules = [
        replace(rule, stated=bool(stated)).fit(columns)
        for rule in read_rules(list(stated) or list(DEFAULT), list(table))
    ]
    rows = len(next(iter(table.values())))
    verdicts = {name: Verdicts.empty(rows) for name in table}
    for name, log_odds in (known or {}).items():
        verdicts[name].log_odds[ROW] = log_odds
    judge_rules(rules, columns, np.arange(rows), verdicts)
    others = [n for n, v in verdicts.items() for row in np.flatnonzero(v.log_odds > 0) if row != ROW]
    assert not others
    with np.errstate(over="ignore"):
        found = {n: float(1 / (1 + np.exp(-v.log_odds[ROW]))) for n, v in verdicts.items()}
    return {n: (p, verdicts[n].suggestions[ROW], verdicts[n].reasons[ROW]) for n, p in found.items() if p > 0}


DEFAULT = ("provider -> city", "provider -> size", "size -> provider", "net + tax = gross", "start <= end")


def test_rows_without_violations_are_not_suspected() -> None:
    assert judged(orders()) == {}


def test_a_value_that_no_other_row_has_is_wrong() -> None:
    found = judged(changed(orders(), "size", {ROW: 999_999}))
    usual = orders()["size"][ROW].as_py()
    p, suggestion, reason = found["size"]
    assert p > 0.8 and suggestion == str(usual)
    provider = orders()["provider"].to_pylist()
    others = provider.count(provider[ROW]) - 1  # the row does not vouch for itself
    assert reason == f"{provider[ROW]!r} comes with {usual} in {others} of {others} rows"
    assert found.get("provider", (0,))[0] < 0.2


def test_the_cell_that_breaks_two_rules_gets_the_blame() -> None:
    table = orders()
    other = next(p for p in table["provider"].to_pylist() if p[-1] != table["provider"][ROW].as_py()[-1])
    at = table["provider"].to_pylist().index(other)
    assert table["city"][at] != table["city"][ROW] and table["size"][at] != table["size"][ROW]
    found = judged(changed(table, "provider", {ROW: other}))
    assert found["provider"][0] > 0.8 and found["provider"][1] == table["provider"][ROW].as_py()
    assert found.get("city", (0,))[0] < 0.3 and found.get("size", (0,))[0] < 0.3


def test_the_blame_is_shared_where_nothing_else_is_known() -> None:
    rng = np.random.default_rng(0)
    number = rng.integers(0, 5, 300)
    number[ROW] = 2
    table = {"name": pa.array([f"n{i}" for i in number]), "code": pa.array([f"c{i}" for i in number])}
    swapped = changed(table, "code", {ROW: "c3"})
    found = judged(swapped, "name -> code", "code -> name")
    assert all(0.3 < found[name][0] < 0.7 for name in table)
    assert sum(p for p, _, _ in found.values()) < 1.01  # never both
    assert (found["name"][1], found["code"][1]) == ("n3", "c2")
    surer = judged(swapped, "name -> code", "code -> name", known={"name": 3.0, "code": -3.0})
    assert surer["name"][0] > 0.9 > 0.2 > surer.get("code", (0,))[0]


def test_values_that_have_exceptions_anyway_are_not_suspected() -> None:
    table = orders()
    same = [r for r, p in enumerate(table["provider"].to_pylist()) if p == table["provider"][ROW].as_py()]
    found = changed(table, "city", {row: "elsewhere" for row in same[:4]})
    columns = read(found)
    verdicts = {name: Verdicts.empty(len(columns["city"].texts)) for name in columns}
    rule = Determines("provider", "city").fit(columns)
    judge_rules([rule], columns, np.arange(400), verdicts)
    assert rule.violations(columns).sum() == 4 and (verdicts["city"].log_odds < 0).all()


@pytest.mark.parametrize("name", ["net", "tax", "gross"])
@pytest.mark.parametrize("slip", ["decimal", "sign", "digit"])
def test_a_slip_in_a_sum_is_found_and_corrected(name: str, slip: str) -> None:
    right = 1234.56
    table = changed(changed(orders(), "net", {ROW: right}), "tax", {ROW: 1_876.54})
    table = changed(table, "gross", {ROW: 3_111.10})
    right = table[name][ROW].as_py()
    lost = float(str(right)[0] + str(right)[2:])
    wrong = {"decimal": right * 100, "sign": -right, "digit": lost}[slip]
    found = judged(changed(table, name, {ROW: round(wrong, 2)}))
    assert found[name][0] > 0.5 and float(str(found[name][1])) == right
    assert all(found.get(other, (0,))[0] < 0.5 for other in ("net", "tax", "gross") if other != name)


def test_without_a_slip_all_terms_share_the_blame() -> None:
    table = changed(orders(), "gross", {ROW: orders()["gross"][ROW].as_py() + 77.13})
    found = judged(table, "net + tax = gross")
    assert all(found[name][0] == pytest.approx(0.98 / 3, abs=0.01) for name in ("net", "tax", "gross"))
    assert "net + tax = gross is off by +77.13; " in str(found["gross"][2])


def test_a_row_is_judged_alike_alone_and_among_others() -> None:
    table = changed(orders(), "net", {ROW: 10.25})
    table = changed(changed(table, "tax", {ROW: 5.0}), "gross", {ROW: 99.0})
    rules = [parse(table, text).fit(read(orders())) for text in ("net + tax = gross", "provider -> size")]
    table = changed(table, "size", {ROW: None})
    table["size"] = pa.array([str(v) if v is not None else "?x" for v in table["size"].to_pylist()])
    said = []
    for rows in (slice(0, 400), slice(ROW, ROW + 1)):
        columns = read({name: values[rows] for name, values in table.items()})
        verdicts = {name: Verdicts.empty(rows.stop - rows.start) for name in columns}
        judge_rules(rules, columns, np.full(rows.stop - rows.start, -1), verdicts)
        place = ROW - rows.start
        said.append({n: (v.suggestions[place], v.reasons[place]) for n, v in verdicts.items()})
    assert said[0] == said[1]
    assert said[0]["gross"] == ("15.25", "net + tax = gross is off by +83.75; 15.25 would be right")
    usual = orders()["size"][ROW].as_py()
    assert f"comes with {usual} in " in str(said[0]["size"][1])


def parse(table: dict[str, pa.Array], text: str) -> Rule:
    return read_rules(text, list(table))[0]


def test_large_totals_are_corrected_to_the_cent() -> None:
    table = changed(orders(), "net", {ROW: 123_456_789_012.34})
    found = judged(changed(changed(table, "tax", {ROW: 0.0}), "gross", {ROW: 1.0}), "net + tax = gross")
    assert found["gross"][1] == "123456789012.34"


def test_a_sum_is_worked_out_for_all_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, excess = [], Sum.excess
    monkeypatch.setattr(Sum, "excess", lambda self, columns: calls.append(1) or excess(self, columns))
    rule = parse(orders(), "net + tax = gross").fit(read(orders()))
    counts = []
    for wrong in (1, 40):
        calls.clear()
        columns = read(changed(orders(), "gross", dict.fromkeys(range(wrong), 1.0)))
        judge_rules([rule], columns, np.full(400, -1), {name: Verdicts.empty(400) for name in columns})
        counts.append(len(calls))
    assert counts[0] == counts[1]


def test_dates_in_the_wrong_order_share_the_blame() -> None:
    table = changed(orders(), "end", {ROW: orders()["start"][0].as_py().replace(year=2020)})
    found = judged(table)
    assert 0.45 < found["start"][0] <= 0.5 and 0.45 < found["end"][0] <= 0.5
    assert found["end"][2] == f"below start '{table['start'][ROW].as_py()}'"


def test_a_value_that_is_only_written_otherwise_violates_nothing() -> None:
    table = read(changed(orders(), "city", {ROW: "CITY"}))
    verdicts = {name: Verdicts.empty(400) for name in table}
    verdicts["city"].is_style[ROW] = True
    judge_rules([Determines("provider", "city").fit(table)], table, np.arange(400), verdicts)
    assert not np.isfinite(verdicts["city"].log_odds).any()


def test_rules_of_absent_columns_are_not_asked() -> None:
    rule = Determines("a", "b").fit({"a": column("1", "1"), "b": column("2", "2")})
    judge_rules([rule], {"a": column("1")}, np.zeros(1, int), {"a": Verdicts.empty(1)})


@pytest.mark.parametrize(
    ("observed", "right", "is_one"),
    [
        *(
            ("-5", "5", True),
            ("50", "5", True),
            ("0.05", "5", True),
            ("123", "132", True),
            ("1234", "123", True),
        ),
        *(
            ("6", "5", False),
            ("12", "13", False),
            ("124", "123", True),
            ("321", "123", False),
            ("0", "5", False),
        ),
        *(("5", "5", False), ("x", "5", False), ("987", "123", False)),
    ],
)
def test_slips(observed: str, right: str, is_one: bool) -> None:
    assert is_slip(observed, right) == is_one


@pytest.fixture(scope="module")
def checks() -> TableErrors:
    table = changed(changed(orders(), "size", {ROW: 999_999}), "end", {9: None})
    found = TableErrors.fit(
        table, ["provider", "size", "net", "tax", "gross"], 0, read_rules("start <= end", list(table))
    )
    assert found is not None
    return found


def test_a_table_keeps_stated_and_found_rules(checks: TableErrors) -> None:
    texts = [(rule.text, rule.stated) for rule in checks.rules]
    assert texts[0] == ("start <= end", True)  # about columns that are not judged
    assert set(texts[1:]) == {
        *(("net + tax = gross", False), ("provider -> size", False), ("size -> provider", False)),
    }
    again = TableErrors.restore(checks.arrays(), checks.state())
    assert again.rules == checks.rules


def test_rules_count_in_the_verdicts_of_a_table(checks: TableErrors) -> None:
    wrong = changed(orders(), "size", {3: 999_999})
    with_rules, without = (c.judge(wrong)["size"].log_odds[3] for c in (checks, replace(checks, rules=())))
    assert with_rules >= without and with_rules > 2
    broken = [(rule.text, np.flatnonzero(v).tolist()) for rule, v in checks.violations(wrong)[0]]
    assert ("provider -> size", [3]) in broken
    gone = {name: values for name, values in wrong.items() if name != "provider"}
    assert all("provider" not in rule.text for rule, _ in checks.violations(gone)[0])
