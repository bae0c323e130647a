"""The entries of a schema: one column each, and the options that decide about its kind and its role."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from diabolo.data.columns import Category, Column, Datetime, Number, Text, Values
from diabolo.data.columns.convert import to_array
from diabolo.data.inference import (
    ROW_COUNTER_REASON,
    describe_values,
    infer_kind,
    missing_share,
    reason_to_ignore,
)
from diabolo.data.surrogates import SurrogateColumn
from diabolo.errors import OptionError

# The reason for the kind or the role of a column that an option names; stored in model files.
REQUESTED_REASON = "as asked"
CALENDAR_REASON = "calendar of the series"
# Ignored columns of which generated rows get values all the same begin their reason with one of these.
SURROGATE_REASONS = ("constant", "an id")
MAX_LISTED_NAMES = 20  # columns that a message lists


@dataclass(frozen=True)
class Entry:
    """One column of the data.

    Attributes:
        name: the name in the user's data.
        role: "scored" (read and predicted), "context" (read only) or "ignored" (passed through).
        column: its kind and what was learnt of it; None if ignored.
        reason: why it has this kind and role, in a few words.
        missing: the share of the rows in which it has no value.
        surrogate: how generated rows get values of an id or of a constant; None for other columns.
    """

    name: str
    role: str
    column: Column | None
    reason: str
    missing: float = 0.0
    surrogate: SurrogateColumn | None = None

    @property
    def predicts_values(self) -> bool:
        """Whether the column is read, and its values can be predicted: those of `Text` cannot."""
        return self.column is not None and self.column.predicts_values


@dataclass(frozen=True)
class SchemaOptions:
    """The options of `Schema.infer`, and the decisions that they lead to."""

    scored: frozenset[str]
    context: frozenset[str]
    ignore: frozenset[str]
    kinds: Mapping[str, Column]
    calendar: str | None
    named: bool
    rest: str
    counters: frozenset[str]
    texts: bool

    def check_names(self, columns: Mapping[str, Values]) -> None:
        """Raise `OptionError` if an option names a column that the data does not have."""
        named = {"scored": self.scored, "context": self.context, "ignore": self.ignore}
        check_column_names(columns, {**named, "columns": set(self.kinds)})

    def make_entry(self, name: str, values: Values) -> Entry:
        """Return the entry of one column: its kind fitted to the values, or why it is ignored.

        Args:
            name: the column's.
            values: (rows,) its values.

        Raises:
            ColumnError: the requested kind cannot be fitted to the values.
        """
        missing = missing_share(values)
        if self._is_left_out(name):
            return Entry(name, "ignored", None, REQUESTED_REASON, missing)
        if (reason := self._reason_to_ignore(name, values)) is not None:
            return Entry(name, "ignored", None, reason, missing, _surrogate(reason, values))
        column = self._kind(name, values)
        if column is None:
            return Entry(name, "ignored", None, f"{to_array(values).type} values have no kind", missing)
        fitted = column.fit(values, name)
        if not fitted.fields:
            return Entry(name, "ignored", None, "too short for a calendar", missing)
        reason = self._reason(name, values)
        surrogate = _surrogate(reason, values) if isinstance(column, Text) else None
        return Entry(name, self._role(name), fitted, reason, missing, surrogate)

    def _is_requested(self, name: str) -> bool:
        return name in self.scored or name in self.context or name in self.kinds

    def _is_left_out(self, name: str) -> bool:
        """Return whether the options say that a column is not read."""
        if name in self.ignore:
            return True
        named = name in self.scored or name in self.context or name == self.calendar
        return bool(self.scored) and not named and self.rest == "ignored"

    def _reason_to_ignore(self, name: str, values: Values) -> str | None:
        """Return why a column that no option names is not read; None if it is read."""
        if self._is_requested(name) or name == self.calendar:
            return None
        if name in self.counters:
            return ROW_COUNTER_REASON
        if not self.texts and Text.claims(values):
            return describe_values(values)
        return reason_to_ignore(name, values, self.named)

    def _kind(self, name: str, values: Values) -> Column | None:
        """Return the kind of a column, requested or inferred, not yet fitted; None if there is none."""
        if name in self.kinds:
            return self.kinds[name]
        column = infer_kind(values)
        if name == self.calendar and isinstance(column, Datetime):
            return Datetime(elapsed=False)
        return column

    def _role(self, name: str) -> str:
        if name in self.context:
            return "context"
        is_rest = bool(self.scored) or name == self.calendar
        return "context" if is_rest and name not in self.scored else "scored"

    def _reason(self, name: str, values: Values) -> str:
        """Return why a column that is read has its kind and role."""
        if self._is_requested(name):
            return REQUESTED_REASON
        return CALENDAR_REASON if name == self.calendar else describe_values(values)


def _surrogate(reason: str, values: Values) -> SurrogateColumn | None:
    """Return how generated rows get values of an id or of a constant; None for other columns."""
    return SurrogateColumn.fit(values) if reason.startswith(SURROGATE_REASONS) else None


def check_column_names(columns: Mapping[str, Any], options: Mapping[str, Collection[str]]) -> None:
    """Check that options name columns of the data.

    Args:
        columns: name -> anything.
        options: option -> names of columns.

    Raises:
        OptionError: a name in an option is no column of the data.
    """
    for option, names in options.items():
        for name in sorted(set(names) - set(columns)):
            near = difflib.get_close_matches(name, list(columns), n=1)
            raise OptionError(
                f"{option} names the column {name!r}, which the data does not have",
                hint=f"did you mean {near[0]!r}?"
                if near
                else f"the columns are: {', '.join(list(columns)[:MAX_LISTED_NAMES])}",
            )


def requested_kinds(
    columns: Mapping[str, Values], numeric: Iterable[str], categorical: Iterable[str]
) -> dict[str, Column]:
    """Return the options `numeric` and `categorical` as kinds: name -> column, not yet fitted.

    Args:
        columns: name -> values of the data.
        numeric: names of columns that are numbers.
        categorical: names of columns that are categories.

    Raises:
        OptionError: a name is not in the data.
    """
    check_column_names(columns, {"numeric": set(numeric), "categorical": set(categorical)})
    return {**{n: Number() for n in numeric}, **{n: Category() for n in categorical}}
