"""What wrong cells are like in data like that of the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diabolo.data.fields import Field


@dataclass(frozen=True)
class CellErrorModel:
    """How many cells are wrong, in which ways, and how sure their evidence makes.

    Attributes:
        rate: the share of cells with a value that are wrong.
        ways: kind of field -> the shares of the ways in which its cells are wrong, as in `Field.faults`;
            a kind that is not named is wrong in each way alike.
        knots: evidence in nats, ascending, at which the log odds that a cell is wrong are known; between them
            they are interpolated, beyond them a nat counts as a nat. None if nothing was learnt: then a cell
            without evidence is wrong at `rate`.
        odds: the log odds at each knot.
    """

    rate: float = 0.01
    error_types: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    knots: tuple[float, ...] = ()
    odds: tuple[float, ...] = ()

    def log_q(self, of: Field, values: np.ndarray, alone: bool) -> np.ndarray:
        """Log q(value): how likely the values of a field are where they are wrong; `alone` as in `Field`."""
        ways = of.log_prob_if_wrong(values, alone)
        shares = np.asarray(self.error_types.get(of.kind, [1 / len(ways)] * len(ways)))
        return np.asarray(np.logaddexp.reduce(ways + np.log(shares).reshape(-1, *[1] * values.ndim), axis=0))

    def wrong(self, nats: np.ndarray) -> np.ndarray:
        """P(wrong) of cells from their evidence, log q - log p in nats; 0 where it is NaN."""
        known = np.nan_to_num(nats)
        if self.knots:
            beyond = known - np.clip(known, self.knots[0], self.knots[-1])
            log_odds = np.interp(known, self.knots, self.odds) + beyond
        else:
            log_odds = known + np.log(self.rate / (1 - self.rate))
        return np.where(np.isnan(nats), 0.0, 1 / (1 + np.exp(-np.clip(log_odds, -50, 50))))

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a model file."""
        ways = {k: list(v) for k, v in self.error_types.items()}
        return {"rate": self.rate, "ways": ways, "knots": list(self.knots), "odds": list(self.odds)}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> CellErrorModel:
        """The inverse of `to_json`."""
        ways = {k: tuple(v) for k, v in state["ways"].items()}
        return cls(state["rate"], ways, tuple(state["knots"]), tuple(state["odds"]))
