"""How odd a row is that the fit itself has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diabolo.calibration import Calibration
from diabolo.fields import Codes
from diabolo.memory import fingerprints

SHARE = 0.1  # of the remembered rows: the crowd
EXPONENT = 0.25  # of the residual, where a row is judged by the crowd


@dataclass
class Crowd:
    """Rows of the fit are judged by their distance from the crowd: to the nearest tenth of the table.

    What is odd and comes in groups was learnt as normal, and each row of a group finds its like nearby: such
    rows betray themselves only by how far they are from the many (k nearest neighbours with a large k:
    Ramaswamy et al., "Efficient algorithms for mining outliers from large data sets", 2000). The network has
    learnt them too, so that its residual counts by its fourth root.

    Attributes:
        prints: (rows,) of every row of the fit, ascending.
        calibration: from evidence to bits, of rows of the fit.
    """

    prints: np.ndarray
    calibration: Calibration

    def knows(self, codes: Codes) -> np.ndarray:
        """(rows,) whether the fit has seen a row with this content."""
        found = short_prints(codes)
        place = np.minimum(np.searchsorted(self.prints, found), len(self.prints) - 1)
        return np.asarray(self.prints[place] == found)


def short_prints(codes: Codes) -> np.ndarray:
    """(rows,) fingerprints of 32 bits: two of a million new rows are taken for one of 10,000 known ones."""
    prints = fingerprints(codes)
    return np.asarray((prints ^ (prints >> np.uint64(32))).astype(np.uint32).view(np.int32))
