"""How anomalous is a row, and how probably is a cell wrong: evidence, and its calibration to bits.

Kinds of evidence are fitted in the order of `EVIDENCE`; a new kind is a file, and a line there.
"""

from diabolo.detection.base import EncodedRows, Evidence, PointEvidence, RowEvidence, TrainingRows
from diabolo.detection.cell_prediction import CellPredictor
from diabolo.detection.distance import Distance
from diabolo.detection.level import Level
from diabolo.detection.parts import ModelParts
from diabolo.detection.residuals import Residual
from diabolo.detection.rows import RowScorer
from diabolo.detection.seen_rows import SeenRows
from diabolo.detection.subsequences import Subsequences

EVIDENCE: tuple[type[Evidence], ...] = (Distance, Residual, Level, Subsequences, SeenRows)

__all__ = [
    "EVIDENCE",
    "CellPredictor",
    "Distance",
    "EncodedRows",
    "Evidence",
    "Level",
    "ModelParts",
    "PointEvidence",
    "Residual",
    "RowEvidence",
    "RowScorer",
    "SeenRows",
    "Subsequences",
    "TrainingRows",
    "fit_evidence",
]


def fit_evidence(parts: ModelParts, training: TrainingRows) -> tuple[Evidence, ...]:
    """Fit every kind of evidence that applies to such data.

    Args:
        parts: of the model.
        training: the rows of the fit.
    """
    fitted: list[Evidence] = []
    for kind in EVIDENCE:
        made = kind.fit(parts, training, tuple(fitted))
        if made is not None:
            fitted.append(made)
    return tuple(fitted)
