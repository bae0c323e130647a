"""Find the rows that violate dependencies between columns: those that the user stated, and those found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.cleaning.rules.base import quoted
from diabolo.cleaning.rules.values import without_midnight
from diabolo.data.sources import UserTable
from diabolo.errors import UnsupportedError
from diabolo.tasks.base import Answer, Model


@dataclass
class Violations(Answer):
    """The rows that violate rules.

    Attributes:
        rule: the rule, as text.
        row: number of the row, counted from 0.
        values: what the columns of the rule hold there, as text: "city = Oslo, country = Italy".
        counts: rule -> rows that violate it, of all rules that were checked.
    """

    user_table: UserTable
    rule: list[str]
    row: list[int]
    values: list[str]
    counts: dict[str, int]

    def columns(self) -> dict[str, Any]:
        """Return a line for each violation: rule, row and values, in the order of the rules."""
        return {
            "rule": pa.array(self.rule, pa.string()),
            "row": pa.array(self.row, pa.int64()),
            "values": pa.array(self.values, pa.string()),
        }

    def to_frame(self) -> Any:
        """Return a dataframe of the caller's library; an Arrow table if the data was a file or an array."""
        return self.user_table.to_native(self.columns(), aligned=False)


def violations(model: Model, data: Any) -> Violations:
    """Find the rows that violate the rules of a table: those that were stated, and those that were found.

    That a value of one column determines that of another is judged by what the fit has seen; a value that the
    fit has not seen twice violates nothing.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.

    Returns:
        A line for each violation, and how many rows violate each rule.

    Raises:
        UnsupportedError: the model is not one of a table, or was written by a version without rules.
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    if engine.table_errors is None:
        raise UnsupportedError(
            "only a model of a table has rules between its columns",
            hint='fit one again: Autoencoder(rules=["start <= end"]).fit(table)',
        )
    user_table = engine.read(data).user_table
    found, columns = engine.table_errors.violations(user_table.columns())
    answer = Violations(user_table, [], [], [], {})
    for rule, violated in found:
        answer.counts[rule.text] = int(violated.sum())
        for row in np.flatnonzero(violated).tolist():
            answer.rule.append(rule.text)
            answer.row.append(row)
            shown = ((name, columns[name].texts[row] or "") for name in rule.columns)
            answer.values.append(", ".join(f"{quoted(n)} = {without_midnight(text)}" for n, text in shown))
    return answer
