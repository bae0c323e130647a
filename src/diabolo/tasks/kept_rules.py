"""New rows that satisfy the rules of the table: what is determined by other columns follows from these."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.cleaning.reading import read_columns
from diabolo.cleaning.rules.base import Rule
from diabolo.cleaning.rules.kinds import Determines, Order, Sum
from diabolo.cleaning.rules.values import known_texts
from diabolo.data.columns.convert import plain_type, plain_values
from diabolo.engine import Engine
from diabolo.generation import Request
from diabolo.generation.base import Table
from diabolo.tasks.base import to_values

MIN_HOLDS = 0.995  # share of the rows of the fit in which a rule that was found holds, to be kept
COMPARISON = re.compile(r"<=|>=|==|!=|<|>")  # between the two sides of a condition of `where`


def exact_rules(engine: Engine) -> list[Rule]:
    """Return the rules that new rows must satisfy: those that were stated, and those that hold nearly always.

    A column that determines others comes after the rule that determines it. Rules that would change ids or
    constants, which are made without a model, are left out.
    """
    known = () if engine.table_errors is None else engine.table_errors.rules
    made = {entry.name for entry in engine.schema.entries if entry.surrogate is not None}
    exact = [
        rule
        for rule in known
        if (rule.stated or rule.holds >= MIN_HOLDS * rule.applies) and not made & _changed_by(rule)
    ]
    waiting = [rule for rule in exact if not isinstance(rule, Order)]
    ordered: list[Rule] = []
    while waiting:
        results = {rule.columns[-1] for rule in waiting}
        first = next((r for r in waiting if not results & set(r.columns[:-1])), waiting[0])
        waiting.remove(first)
        ordered.append(first)
    return [*ordered, *(rule for rule in exact if isinstance(rule, Order))]


def keep_rules(rules: Iterable[Rule], table: Table, request: Request) -> Table:
    """Return new rows in which the last column of each rule follows from the others.

    Values that are in the wrong order are exchanged. Columns whose values were asked for stay as they are,
    and so do missing values, and columns that an earlier rule is about: of rules that contradict each other,
    the first one is satisfied.

    Args:
        rules: in the order in which they are applied.
        table: column -> values.
        request: what was asked for.
    """
    settled = {*request.given, *request.keep, *(name for group in request.observed for name in group)}
    settled |= {side.strip() for condition in request.where for side in COMPARISON.split(condition, 1)}
    kept = dict(table)
    for rule in rules:
        target = rule.columns[-1]
        if target in settled or any(name not in kept for name in rule.columns):
            continue
        if isinstance(rule, Order):
            if not settled & set(rule.columns) and kept[rule.low].type == kept[rule.high].type:
                kept |= _exchanged(rule, kept)
            continue
        settled |= set(rule.columns)
        values = kept[target]
        kind = plain_type(values.type)
        right = _right_values(rule, kept, kind)
        wanted = np.array([v is not None for v in right]) & values.is_valid().to_numpy(zero_copy_only=False)
        found = to_values(np.array(right, dtype=object), wanted, kind)
        plain = plain_values(values)
        kept[target] = pc.if_else(found.is_valid(), found, plain).cast(values.type)
    return kept


def _changed_by(rule: Rule) -> set[str]:
    """Return the columns that a rule changes in new rows."""
    return set(rule.columns if isinstance(rule, Order) else rule.columns[-1:])


def _exchanged(rule: Order, table: Table) -> Table:
    """Return two columns with their values exchanged where they are in the wrong order."""
    columns = read_columns(table, rule.columns)
    if len(columns) < len(rule.columns):
        return {}
    wrong, low, high = pa.array(rule.violations(columns)), table[rule.low], table[rule.high]
    return {rule.low: pc.if_else(wrong, high, low), rule.high: pc.if_else(wrong, low, high)}


def _right_values(rule: Rule, table: Table, kind: pa.DataType) -> Sequence[str | None]:
    """Return (rows,) what the last column of a rule, of a type, should hold; None where that is not known."""
    columns = read_columns(table, rule.columns)
    if len(columns) < len(rule.columns):
        return [None] * len(table[rule.columns[-1]])
    violated = rule.violations(columns)
    if isinstance(rule, Sum):
        right = columns[rule.total].numbers - rule.excess(columns)
        digits = _digits(rule, kind)
        return [
            f"{value:z.{digits}f}" if wrong else None for value, wrong in zip(right, violated, strict=True)
        ]
    assert isinstance(rule, Determines)
    left = known_texts(columns[rule.left])
    return [
        rule.usual[value].value if value is not None and wrong else None
        for value, wrong in zip(left, violated, strict=True)
    ]


def _digits(rule: Sum, kind: pa.DataType) -> int:
    """Return the digits of a total after the decimal point: its own, where the rule allows for rounding."""
    if pa.types.is_integer(kind):
        return 0
    if pa.types.is_decimal(kind):
        return max(int(kind.scale), 0)
    own = rule.digits[-1]
    return own if rule.tolerance > 0.5 * 10.0**-own else max(rule.digits)
