"""Rows that a model has judged for its calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from diabolo.data.sources import Frame
from diabolo.data.splitting import overlaps_any


@dataclass(frozen=True)
class JudgedRows:
    """What a model that had not learnt some rows said of them.

    Attributes:
        rows: numbers of the rows of the frame.
        scores: name of the evidence -> (rows,) its scores.
        of_points: (user rows,) the logarithm of the evidence about single points; 0 where there is none.
        left_out: number of rows that were judged but must not calibrate.
    """

    rows: np.ndarray
    scores: Mapping[str, np.ndarray]
    of_points: np.ndarray
    left_out: int = 0

    def scaled(self, factors: Mapping[str, float]) -> JudgedRows:
        """Return the rows with the scores of each kind of evidence multiplied by a factor.

        Args:
            factors: name of the evidence -> factor.
        """
        return replace(self, scores={name: part * factors[name] for name, part in self.scores.items()})

    def without(self, unfit: np.ndarray, frame: Frame, length: int) -> JudgedRows:
        """Return the windows that share no point with an unfit one; all of them if that is half or more.

        Where unfit windows are the rule, they are what is normal.

        Args:
            unfit: (rows,) flags.
            frame: windows.
            length: points of a window.
        """
        assert frame.positions is not None
        near = overlaps_any(frame.positions[self.rows], unfit, length)
        if len(near) == 0 or near.mean() >= 0.5:
            return self
        kept = {name: part[~near] for name, part in self.scores.items()}
        return replace(self, rows=self.rows[~near], scores=kept, left_out=int(near.sum()))
