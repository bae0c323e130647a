"""How odd a row is that the fit itself has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from diabolo.data.fields import Batch
from diabolo.detection.calibration import Calibration
from diabolo.detection.memory import fingerprints

SHARE = 0.1  # of the remembered rows: the crowd
EXPONENT = 0.5  # of the residual's part, a root itself in rows of numbers, where a row is judged by the crowd
ALONE = 1 / 8  # of the chances that a row of the fit has to be odd, those of being odd as a new row is


@dataclass
class SeenRows:
    """Rows of the fit are judged by their distance from the crowd: to the nearest tenth of the table.

    What is odd and comes in groups was learnt as normal, and each row of a group finds its like nearby: such
    rows betray themselves only by how far they are from the many (k nearest neighbours with a large k:
    Ramaswamy et al., "Efficient algorithms for mining outliers from large data sets", 2000). The network has
    learnt them too, so that its residual counts less: by the root of what it counts in new rows.

    A row that is odd all alone is told by its nearest row. Both questions are asked, and the rarer answer
    counts, at 8/7 of its share by the crowd and at 8 times that of a new row: so no more rows are as odd as
    that than its bits say (weighted Bonferroni: Genovese et al., "False discovery control with p-value
    weighting", 2006).

    Attributes:
        prints: (rows,) of every row of the fit, ascending.
        calibration: from evidence to bits, of rows of the fit.
    """

    fingerprints: np.ndarray
    calibration: Calibration

    @classmethod
    def fit(cls, prints: np.ndarray, evidence: Mapping[str, np.ndarray]) -> SeenRows:
        """Know these rows again, and rank by the evidence of some of them."""
        return cls(np.unique(prints), Calibration.fit(_weighed(evidence)))

    def bits(self, evidence: Mapping[str, np.ndarray]) -> np.ndarray:
        """Evidence of rows of the fit ("crowd" and "residual") -> how odd they are."""
        return self.calibration.bits(self.calibration.join(_weighed(evidence)))

    def join(self, alone: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """(rows,) the bits that rows would have if they were new, and by the crowd, NaN if they are."""
        rarer = np.maximum(alone + np.log2(ALONE), beside + np.log2(1 - ALONE))
        return np.where(np.isnan(beside), alone, np.maximum(rarer, 0))

    def contains(self, batch: Batch) -> np.ndarray:
        """(rows,) whether the fit has seen a row with this content."""
        found = short_fingerprints(batch)
        place = np.minimum(np.searchsorted(self.fingerprints, found), len(self.fingerprints) - 1)
        return np.asarray(self.fingerprints[place] == found)


def _weighed(evidence: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**evidence, "residual": evidence["residual"] ** EXPONENT}


def short_fingerprints(batch: Batch) -> np.ndarray:
    """(rows,) fingerprints of 32 bits: two of a million new rows are taken for one of 10,000 known ones."""
    prints = fingerprints(batch)
    return np.asarray((prints ^ (prints >> np.uint64(32))).astype(np.uint32).view(np.int32))
