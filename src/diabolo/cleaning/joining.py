"""One judgement of each cell: what the networks and what the checks of the table say, joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diabolo.cleaning.verdicts import UNLIKELY, Verdicts
from diabolo.detection.cell_errors import CellErrorModel

UNEXPECTED = 0.5  # P(wrong) from which a cell is suspicious


@dataclass(frozen=True)
class JudgedCells:
    """How likely the cells of rows are wrong, and why.

    Attributes:
        names: columns.
        nats: (rows, columns) evidence that the cell is wrong; NaN where it has no value.
        p_wrong: (rows, columns) probability that it is wrong; 0 where it has no value.
        verdicts: column -> what the checks of the table say; columns that were not checked are left out.
    """

    names: Sequence[str]
    nats: np.ndarray
    p_wrong: np.ndarray
    verdicts: Mapping[str, Verdicts]

    @classmethod
    def join(
        cls,
        nats: Mapping[str, np.ndarray],
        verdicts: Mapping[str, Verdicts],
        model: CellErrorModel,
    ) -> JudgedCells:
        """Join the evidence: of each cell, the stronger counts.

        The network sees what its row makes unlikely, in every direction a little; the checks see single
        ways of being wrong, each surely. Neither is evidence for the other: a mean of the two is worse than
        the stronger of them (measured on tables with planted and with real errors).

        Args:
            nats: column -> (rows,) evidence of the network.
            verdicts: of the checks; columns that were not checked are left out.
            model: from evidence to probabilities.
        """
        names, joined = list(nats), np.stack(list(nats.values()), axis=1).astype(float)
        for name, verdict in verdicts.items():
            known, number = np.isfinite(verdict.log_odds), names.index(name)
            checked = model.nats(verdict.log_odds[known])
            joined[known, number] = np.fmax(joined[known, number], checked)
        return cls(names, joined, model.wrong(joined), verdicts)

    def sure(self, name: str, threshold: float, alike: bool = False) -> np.ndarray:
        """Return (rows,) whether the right value of each cell of a column is known well enough.

        Args:
            name: of the column.
            threshold: the lowest probability of a correction: that of being wrong, times that of the right
                value.
            alike: whether values that are right, but written unlike most of their column, count as well.
        """
        p_wrong = self.p_wrong[:, self.names.index(name)]
        if name not in self.verdicts:
            return np.zeros(len(p_wrong), bool)
        verdicts = self.verdicts[name]
        sure = np.where(verdicts.is_style, alike, p_wrong * verdicts.confidence >= threshold)
        return np.asarray(sure & np.array([s is not None for s in verdicts.suggestions], dtype=bool))

    def reasons(self, name: str) -> list[str | None]:
        """Return why each cell of a column is suspicious; None for cells that are not.

        Args:
            name: of the column.
        """
        p = self.p_wrong[:, self.names.index(name)]
        said = self.verdicts[name].reasons if name in self.verdicts else [None] * len(p)
        return [
            None if wrong < UNEXPECTED else UNLIKELY if reason is None else reason
            for reason, wrong in zip(said, p, strict=True)
        ]
