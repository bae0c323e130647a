"""Error model of cells: error rate, mix of error types, and calibration from evidence to probability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from diabolo.data.fields import Field, Real, Symbol
from diabolo.utils.checks import is_finite_number, require

N_TYPES = {Real.kind: 3, Symbol.kind: 2}  # of errors whose shares are learnt, by kind of field
MAX_KNOTS = 100  # that a model file may claim


@dataclass(frozen=True)
class CellErrorModel:
    """What wrong cells are like in data like that of the fit.

    Attributes:
        rate: the share of cells with a value that are wrong.
        error_types: kind of field -> the shares of the types of its errors, as in `Field.log_prob_if_wrong`;
            a kind that is not named has equal shares.
        knots: evidence in nats, ascending, at which the log odds that a cell is wrong are known; between them
            they are interpolated, beyond them a nat counts as a nat. Empty if nothing was learnt: then a cell
            without evidence is wrong at `rate`.
        log_odds: at each knot.
    """

    rate: float = 0.01
    error_types: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    knots: tuple[float, ...] = ()
    log_odds: tuple[float, ...] = ()

    def log_q(self, of: Field, values: np.ndarray, alone: bool) -> np.ndarray:
        """Return log q(value): the log probability of the values of a field where they are wrong.

        Args:
            of: the field.
            values: of any shape.
            alone: as in `Field.log_prob_if_wrong`.
        """
        log_q = of.log_prob_if_wrong(values, alone)
        shares = np.asarray(self.error_types.get(of.kind, [1 / len(log_q)] * len(log_q)))
        weighted = log_q + np.log(shares).reshape(-1, *[1] * values.ndim)
        return np.asarray(np.logaddexp.reduce(weighted, axis=0))

    def wrong(self, nats: np.ndarray) -> np.ndarray:
        """Return P(wrong) of cells from their evidence, log q - log p in nats; 0 where it is NaN."""
        known = np.nan_to_num(nats)
        if self.knots:
            beyond = known - np.clip(known, self.knots[0], self.knots[-1])
            log_odds = np.interp(known, self.knots, self.log_odds) + beyond
        else:
            log_odds = known + np.log(self.rate / (1 - self.rate))
        return np.where(np.isnan(nats), 0.0, 1 / (1 + np.exp(-np.clip(log_odds, -50, 50))))

    def nats(self, log_odds: np.ndarray) -> np.ndarray:
        """Return the evidence at which a cell is wrong with these log odds: the inverse of `wrong`.

        Args:
            log_odds: of any shape; finite.
        """
        if not self.knots:
            return np.asarray(log_odds - np.log(self.rate / (1 - self.rate)))
        inside = np.clip(log_odds, self.log_odds[0], self.log_odds[-1])
        return np.asarray(np.interp(inside, self.log_odds, self.knots) + log_odds - inside)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a model file."""
        types = {k: list(v) for k, v in self.error_types.items()}
        return {
            "rate": self.rate,
            "error_types": types,
            "knots": list(self.knots),
            "log_odds": list(self.log_odds),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> CellErrorModel:
        """Return the inverse of `to_json`.

        Raises:
            ValueError: the values cannot be right.
        """
        require(is_finite_number(state["rate"]) and 0 < state["rate"] < 1, "rate of errors")
        knots, log_odds, types = state["knots"], state["log_odds"], state["error_types"]
        for part in (knots, log_odds):
            require(isinstance(part, list) and all(map(is_finite_number, part)), "log odds")
        ascending = all(a < b for a, b in pairwise(knots))
        require(len(knots) == len(log_odds) <= MAX_KNOTS and ascending, "log odds")
        require(isinstance(types, dict) and types.keys() <= N_TYPES.keys(), "types of errors")
        for kind, shares in types.items():
            known = isinstance(shares, list) and len(shares) == N_TYPES[kind]
            known = known and all(map(is_finite_number, shares))
            require(known and min(shares) > 0, "types of errors")
        shares_of = {k: tuple(v) for k, v in types.items()}
        return cls(state["rate"], shares_of, tuple(knots), tuple(log_odds))
