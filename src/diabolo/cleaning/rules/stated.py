"""Whether rules that a user states can be checked in the data: said before work starts, not kept silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from diabolo.cleaning.reading import CheckedColumn, read_columns
from diabolo.cleaning.rules.base import Rule
from diabolo.cleaning.rules.kinds import Order, Sum
from diabolo.cleaning.rules.values import find_date_format, known_texts
from diabolo.errors import OptionError
from diabolo.utils.sampling import evenly_spaced
from diabolo.utils.text import shorten

MAX_ROWS = 20_000  # rows of the data that are read, evenly spaced: those that a fit reads
MAX_SHOWN = 30  # characters of a value in a message


def check_stated(rules: Sequence[Rule], columns: Mapping[str, pa.Array]) -> None:
    """Check that each rule says something of the rows of the data.

    Args:
        rules: stated by the user.
        columns: name -> values; those of the rules among them.

    Raises:
        OptionError: a column has no values that the rule can be about, or no row has all of them.

    Example:
        >>> from diabolo.cleaning.rules.kinds import Sum
        >>> check_stated([Sum(("a",), (), "b")], {"a": pa.array([1]), "b": pa.array(["x"])})
        Traceback (most recent call last):
        ...
        diabolo.errors.OptionError: rules: 'a = b' needs numbers in the column 'b', which holds 'x'
        Hint: leave out the rule, or write numbers such as 12.5 without units
    """
    if not rules:
        return
    names = list(dict.fromkeys(name for rule in rules for name in rule.columns))
    rows = pa.array(evenly_spaced(len(columns[names[0]]), MAX_ROWS))
    read = read_columns({name: columns[name].take(rows) for name in names}, names)
    for rule in rules:
        for name in rule.columns:
            _check_column(rule, name, read.get(name), columns[name].type)
        if isinstance(rule, Order):
            _check_order(rule, read[rule.low], read[rule.high])
        if rule.fit(read).applies == 0:
            raise OptionError(
                f"rules: {rule.text!r} is about no row: none has values in all of its columns",
                hint="leave out the rule",
            )


def _check_column(rule: Rule, name: str, column: CheckedColumn | None, kind: pa.DataType) -> None:
    """Raise an error for a column without values that the rule can be about."""
    wanted, hint = "text, numbers or dates", "leave out the rule"
    if isinstance(rule, Sum):
        wanted, hint = "numbers", f"{hint}, or write numbers such as 12.5 without units"
    if isinstance(rule, Order):
        wanted, hint = (
            "numbers or dates",
            f"{hint}, or write numbers such as 12.5, or dates such as 2024-12-31",
        )
    known = [] if column is None else [text for text in known_texts(column) if text is not None]
    usable = bool(known)
    if column is not None and isinstance(rule, Sum | Order):
        is_date = isinstance(rule, Order) and find_date_format(column) is not None
        usable = is_date or bool(np.isfinite(column.numbers).any())
    if usable:
        return
    observed = repr(shorten(known[0], MAX_SHOWN)) if known else "no values"
    raise OptionError(
        f"rules: {rule.text!r} needs {wanted} in the column {name!r}, which holds "
        f"{f'values of the type {kind}' if column is None else observed}",
        hint=hint,
    )


def _check_order(rule: Order, low: CheckedColumn, high: CheckedColumn) -> None:
    """Raise an error for numbers that are compared with dates."""
    kinds = ["numbers" if find_date_format(column) is None else "dates" for column in (low, high)]
    if kinds[0] != kinds[1]:
        raise OptionError(
            f"rules: {rule.text!r} compares {rule.low!r}, which holds {kinds[0]}, with {rule.high!r}, which "
            f"holds {kinds[1]}",
            hint="leave out the rule, or compare numbers with numbers and dates with dates",
        )
