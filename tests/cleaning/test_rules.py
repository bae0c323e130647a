"""Rules between columns: stated, counted, violated, and written to model files."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo.cleaning.rules.base import Rule, quoted
from diabolo.cleaning.rules.kinds import KINDS, Determines, Order, Sum, describe_rules, rule_from_json
from diabolo.cleaning.rules.parsing import parse_rule, read_rules
from diabolo.cleaning.rules.stated import check_stated
from diabolo.cleaning.rules.values import (
    decimals,
    find_date_format,
    known_texts,
    to_seconds,
    without_midnight,
)
from diabolo.errors import OptionError
from tests.cleaning.made_rules import changed, column, orders, read

NAMES = ["a", "b", "c", "total cost", "education-num", "x -> y", "p = q", "start", "end"]
STATED: dict[str, Rule] = {
    "a -> b": Determines("a", "b"),
    "a->b": Determines("a", "b"),
    "total cost -> education-num": Determines("total cost", "education-num"),
    '"x -> y" -> `p = q`': Determines("x -> y", "p = q"),
    "a + b = c": Sum(("a", "b"), (), "c"),
    "c == a + b": Sum(("a", "b"), (), "c"),
    "a - b = c": Sum(("a",), ("b",), "c"),
    "a + total cost - b = c": Sum(("a", "total cost"), ("b",), "c"),
    "a = b": Sum(("a",), (), "b"),
    "start <= end": Order("start", "end"),
    "start < end": Order("start", "end", True),
    "end >= start": Order("start", "end"),
    "end > start": Order("start", "end", True),
}


@pytest.mark.parametrize("text", STATED)
def test_rules_are_read(text: str) -> None:
    rule = parse_rule(text, NAMES)
    assert rule == STATED[text]
    assert parse_rule(rule.text, NAMES) == rule  # what is shown can be stated


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("a -> bb", "names the column 'bb'", "did you mean 'b'?"),
        ("zzz <= a", "names the column 'zzz'", "the columns are: a, b"),
        ("a", "cannot be read", "rules are like"),
        ("a -> b -> c", "cannot be read", "rules are like"),
        ("a -> ", "cannot be read", "rules are like"),
        ("a + b -> c", "cannot be read", "rules are like"),
        ("a + b <= c", "cannot be read", "rules are like"),
        ("a + b = c - a", "names 'a' twice", "rules are like"),
        ("a + b = c + start", "cannot be read", "rules are like"),
        ("a+b = c", "names the column 'a+b'", "put spaces around the operators: 'a + b'"),
        ("a <-> b", "is two rules", "rules=['a -> b', 'b -> a']"),
        ("a <= a", "names 'a' twice", "rules are like"),
        (3, "expected text, got 3", "for example"),
    ],
)
def test_a_wrong_rule_is_explained(text: Any, said: str, hint: str) -> None:
    with pytest.raises(OptionError) as error:
        parse_rule(text, NAMES)
    assert said in error.value.message and hint in str(error.value.hint)


def test_one_rule_may_stand_by_itself() -> None:
    assert read_rules("a -> b", NAMES) == read_rules(["a -> b"], NAMES) == (Determines("a", "b"),)
    assert read_rules(None, NAMES) == ()


@pytest.mark.parametrize(
    "name", ["a", "education-num", "a b", "a - b", "x -> y", "p = q", 'say "x"', "a < `b`", " a"]
)
def test_names_are_quoted_where_they_must_be(name: str) -> None:
    assert (quoted(name) == name) == (name in ("a", "education-num", "a b"))
    assert parse_rule(f"{quoted(name)} -> other", [name, "other"]).columns == (name, "other")


def test_what_is_determined_is_counted() -> None:
    table = {
        "city": column("Oslo", "Oslo", "Oslo", "Rome", None, "Lima", "Lima", "n/a"),
        "code": column(*"11121344"),
    }
    rule = Determines("city", "code").fit(table)
    assert (
        rule.usual["Oslo"] == ("1", 3, 3) and rule.usual["Lima"] == (None, 1, 2) and "Rome" not in rule.usual
    )
    assert rule.violations(table).tolist() == [False] * 5 + [
        True,
        True,
        False,
    ]  # Lima has two codes, equally often
    assert (rule.holds, rule.applies, rule.holds_in) == (4, 6, "4 of 6 rows")
    new = {"city": column("Oslo", "Oslo", "Bergen"), "code": column("1", "9", "9")}
    assert rule.violations(new).tolist() == [False, True, False]


def test_sums_allow_for_rounding() -> None:
    rng = np.random.default_rng(0)
    net, tax = rng.gamma(2, 500, 200), rng.gamma(2, 100, 200)
    rounded = {"net": net.round(1), "tax": tax.round(1), "gross": (net + tax).round(1)}
    table = read({name: pa.array(values) for name, values in rounded.items()})
    rule = Sum(("net", "tax"), (), "gross").fit(table)
    assert rule.tolerance == pytest.approx(0.15, rel=0.05) and rule.holds == 200
    exact = Sum(("net", "tax"), (), "gross").fit(read(orders()))
    assert exact.tolerance < 0.001 and exact.holds == exact.applies == 400
    less = Sum(("gross",), ("tax",), "net").fit(read(changed(orders(), "tax", {3: 0.0, 4: None})))
    assert (less.holds, less.applies) == (398, 399)


@pytest.mark.parametrize("size", [1e9, 1e13])
def test_large_numbers_may_cancel_in_a_sum(size: float) -> None:
    rng = np.random.default_rng(0)
    q, p = (size * (1 + rng.random(200))).round(2), rng.gamma(2, 10, 200).round(2)
    table = {"o": pa.array((q + p).round(2)), "q": pa.array(q), "p": pa.array(p)}
    rule = Sum(("o",), ("q",), "p").fit(read(table))
    assert rule.holds == 200 and rule.tolerance < 0.01
    wrong = read(changed(table, "p", {3: p[3] + 0.5}))
    assert np.flatnonzero(rule.violations(wrong)).tolist() == [3]


@pytest.mark.parametrize(
    ("low", "high", "form"),
    [
        (["2024-01-31", "2024-02-01"], ["2024-02-01", "2024-01-01"], "ISO 8601"),
        (["31/01/2024", "01/02/2024"], ["01/02/2024", "01/01/2024"], "%d/%m/%Y"),
        (
            ["2024-01-31 10:00:00.5", "2024-02-01 10:00"],
            ["2024-01-31 10:00:01", "2024-02-01 09:59"],
            "ISO 8601",
        ),
        (
            ["2024-01-31T10:00:00+01:00", "2024-01-31 10:00Z"],
            ["2024-01-31T09:30:00.123456789Z", "2024-01-31 10:30 +0100"],
            "ISO 8601",
        ),
    ],
)
def test_dates_are_in_order_however_they_are_written(low: list[str], high: list[str], form: str) -> None:
    table = {"start": column(*low), "end": column(*high)}
    rule = Order("start", "end").fit(table)
    assert rule.forms == (form, form) and rule.violations(table).tolist() == [False, True]


def test_numbers_are_in_order() -> None:
    table = {"low": column(1.0, 2.0, 3.0, None), "high": column(1.0, 1.0, 4.0, 0.0)}
    assert Order("low", "high").fit(table).violations(table).tolist() == [False, True, False, False]
    assert Order("low", "high", True).fit(table).violations(table).tolist() == [True, True, False, False]
    assert Order("low", "high").fit(table).applies == 3


def test_values_as_rules_read_them() -> None:
    assert decimals(column("1.250", "3", "2.5e-3")) == 12 and decimals(column("1.250", "3")) == 2
    assert find_date_format(column("1", "2")) is None and find_date_format(column("a", "b")) is None
    assert to_seconds(["02.01.1970", None, "x"], "%d.%m.%Y")[0] == 86_400
    assert np.isnan(to_seconds(["2024-01-01-0007", "2024-01-01x", "2024-01-01 25:00"], "ISO 8601")).all()
    assert without_midnight("2024-01-01-7.0") == "2024-01-01-7.0"  # no date
    assert known_texts(column("Nan", "NaN", " n/a ")) == ["Nan", None, None]
    assert without_midnight("2024-01-01 00:00:00") == "2024-01-01" and without_midnight("12.00") == "12.00"


def test_a_number_among_dates_is_no_date() -> None:
    dates = [f"2024-01-{day:02}" for day in range(1, 20)]
    assert find_date_format(column(*dates, "7")) == "ISO 8601"
    assert find_date_format(column(*dates[:5], "7")) is None


CHECKED: dict[str, pa.Array] = {
    "label": pa.array(["red", "blue", None]),
    "list": pa.array([[1], [2], [3]]),
    "nothing": pa.array([None, "n/a", None]),
    "one": pa.array([1.5, None, None]),
    "two": pa.array(["2", "3", "n/a"]),
    "other": pa.array([None, None, 3.5]),
    "date": pa.array(["2024-01-01", "2024-01-02", None]),
    "day": pa.array(["31.12.2024", "01.01.2025", None]),
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "label -> list",
            "needs text, numbers or dates in the column 'list', which holds values of the type list",
        ),
        ("nothing -> label", "needs text, numbers or dates in the column 'nothing', which holds no values"),
        ("one + label = two", "needs numbers in the column 'label', which holds 'red'"),
        ("one = date", "needs numbers in the column 'date', which holds '2024-01-01'"),
        ("one <= label", "needs numbers or dates in the column 'label', which holds 'red'"),
        ("one < date", "compares 'one', which holds numbers, with 'date', which holds dates"),
        ("one -> other", "is about no row: none has values in all of its columns"),
        ("one = other", "is about no row"),
        ("one <= other", "is about no row"),
    ],
)
def test_a_rule_that_can_say_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(OptionError) as error:
        check_stated(read_rules(text, list(CHECKED)), CHECKED)
    assert f"rules: {text!r} {said}" in error.value.message and "leave out the rule" in str(error.value.hint)


def test_a_rule_that_says_something_is_accepted() -> None:
    texts = ["label -> one", "one = two", "one <= two", "date <= day", "label -> date"]
    check_stated(read_rules(texts, list(CHECKED)), CHECKED)
    check_stated((), {})


def fitted_rules() -> list[Rule]:
    table = read(orders())
    texts = ["provider -> city", "net + tax = gross", "start <= end", "net < gross"]
    return [parse_rule(text, list(table)).fit(table) for text in texts]


@pytest.mark.parametrize("rule", fitted_rules(), ids=lambda rule: rule.text)
def test_rules_survive_a_model_file(rule: Rule) -> None:
    again = rule_from_json(json.loads(json.dumps(rule.to_json())))
    assert again == rule and type(again) in KINDS
    broken = read(changed(orders(), rule.columns[-1], {7: orders()[rule.columns[-1]][8].as_py()}))
    assert (again.violations(broken) == rule.violations(broken)).all()


FORGED: dict[str, list[tuple[str, Any]]] = {
    "determines": [
        ("kind", "magic"),
        ("kind", []),
        ("holds", -1),
        ("holds", 10_000),
        ("applies", 1.5),
        ("exceptions", -1.0),
        ("exceptions", "many"),
        ("stated", 1),
        ("right", "provider"),
        ("left", 3),
        ("values", [["a"], ["b"], [3], [2]]),
        ("values", [["a", "a"], ["b", "b"], [1, 1], [2, 2]]),
        ("values", [["a"], ["b"], [1]]),
        ("values", [["a"], [3], [1], [2]]),
        ("counts", [["a"], [1], [2]]),
        ("counts", [["a"], [1], [1], [1]]),
        ("counts", [["a", "b"], [1], [1]]),
    ],
    "sum": [
        ("plus", []),
        ("plus", ["net", "net"]),
        ("plus", ["net", "gross"]),
        ("minus", ["net"]),
        ("total", None),
        ("tolerance", -1.0),
        ("tolerance", float("nan")),
        ("digits", []),
        ("digits", [2, 2]),
        ("digits", [2, 2, -1]),
        ("digits", [2, 2, 13]),
        ("digits", [2, 2, 2.0]),
        ("digits", "222"),
    ],
    "order": [
        ("low", None),
        ("high", "start"),
        ("strict", "yes"),
        ("forms", ["%d"]),
        ("forms", ["%Q", "%Q"]),
    ],
}


@pytest.mark.parametrize(
    ("kind", "name", "value"), [(k, *change) for k, some in FORGED.items() for change in some]
)
def test_forged_rules_are_refused(kind: str, name: str, value: Any) -> None:
    rule = next(rule for rule in fitted_rules() if rule.kind == kind)
    with pytest.raises((ValueError, TypeError)):
        rule_from_json({**rule.to_json(), name: value})


def test_rules_are_described() -> None:
    rules = [
        Determines("a", "b", holds=9, applies=10),
        Order("low", "high", holds=2000, applies=2000),
        Determines("b", "a", holds=8, applies=10),
    ]
    assert describe_rules(rules) == ["a <-> b (8 of 10 rows)", "low <= high (2,000 of 2,000 rows)"]
    assert describe_rules([]) == []
