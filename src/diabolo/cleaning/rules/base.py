"""What all kinds of rules between columns have in common."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from diabolo.cleaning.reading import CheckedColumn

OPERATORS = re.compile(r"->|[<>=+`\"]|\s-\s|^\s|\s$|^$")  # in a name that must be quoted

Columns = Mapping[str, CheckedColumn]


@dataclass(frozen=True)
class Rule(ABC):
    """A dependency between columns.

    Attributes:
        holds: rows of the fit that satisfy it.
        applies: rows of the fit that have all values that it is about.
        exceptions: rows that violate it, as far as other checks hold their cells for right.
        stated: whether the user stated it, and it counts as exact.
    """

    kind: ClassVar[str]
    holds: int = field(default=0, kw_only=True)
    applies: int = field(default=0, kw_only=True)
    exceptions: float = field(default=0.0, kw_only=True)
    stated: bool = field(default=False, kw_only=True)

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that it is about."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The rule as a user states it."""

    @property
    def holds_in(self) -> str:
        """How many rows of the fit satisfy it, in words."""
        return f"{self.holds:,} of {self.applies:,} rows"

    @abstractmethod
    def fit(self, columns: Columns) -> Self:
        """Return the rule with what the rows of a fit say of it.

        Args:
            columns: name -> values.
        """

    @abstractmethod
    def violations(self, columns: Columns) -> np.ndarray:
        """Return (rows,) which rows violate the rule; rows without one of its values do not.

        Args:
            columns: name -> values.
        """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return what distinguishes it from other rules of its kind, as plain values."""

    @classmethod
    @abstractmethod
    def from_options(cls, state: Mapping[str, Any]) -> Self:
        """Return the inverse of `options`.

        Raises:
            ValueError: no fit can have left this.
        """

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a model file."""
        counts = {"holds": self.holds, "applies": self.applies, "exceptions": self.exceptions}
        return {"kind": self.kind, **counts, "stated": self.stated, **self.options()}

    def exception_rate(self, *, without_one: bool) -> float:
        """Return the share of the rows that are exceptions.

        Args:
            without_one: whether to leave one of them out: a row of the fit does not vouch for itself.
        """
        return max(self.exceptions - without_one, 0.0) / max(self.applies, 1)

    def counted(self, columns: Columns, applies: np.ndarray) -> Self:
        """Return the rule with the number of rows that satisfy it, of those that it applies to.

        Args:
            columns: name -> values.
            applies: (rows,) whether it applies.
        """
        number, violated = int(applies.sum()), int(self.violations(columns).sum())
        return replace(self, applies=number, holds=number - violated, exceptions=float(violated))

    def weighted(self, columns: Columns, right: Mapping[str, np.ndarray]) -> Self:
        """Return the rule with its exceptions counted by what other checks say of their cells.

        Args:
            columns: name -> values.
            right: column -> (rows,) the probability that each cell is right; columns that are not known to
                be checked are left out.
        """
        weights = self.violations(columns).astype(float)
        for name in self.columns:
            weights *= right.get(name, 1.0)
        return replace(self, exceptions=float(weights.sum()))


def quoted(name: str) -> str:
    """Return a name as it stands in a rule: in backticks if it holds something that is an operator there.

    Example:
        >>> quoted("education-num"), quoted("a = b")
        ('education-num', '`a = b`')
    """
    if not OPERATORS.search(name):
        return name
    return f'"{name}"' if "`" in name else f"`{name}`"
