"""Tables: every row stands for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from diabolo.data.sources.base import Frame, Source
from diabolo.data.user_table import UserTable


@dataclass
class Table(Source):
    """The rows of a table, as they are."""

    kind = "table"

    @classmethod
    def claims(cls, options: Mapping[str, Any]) -> bool:
        return options.get("time") is None and options.get("window") is None and options.get("by") is None

    def fit(self, user_table: UserTable) -> Self:
        return self

    def read(self, user_table: UserTable) -> Frame:
        return Frame(user_table.columns(), user_table.rows, user_table)

    def fold(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        return answers

    def at_centre(self, frame: Frame, answers: np.ndarray) -> np.ndarray:
        return answers

    def group_alarms(self, frame: Frame, chosen: np.ndarray) -> list[np.ndarray]:
        return [np.array([row]) for row in np.flatnonzero(chosen)]

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind}
