"""The recipe of CONTRIBUTING: a new kind of evidence is one class, and one more name in the tuple."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pytest

from diabolo import load
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source
from diabolo.detection import EVIDENCE, EncodedRows, Evidence, ModelParts, RowEvidence, TrainingRows
from diabolo.detection.base import Arrays, Shapes, shape_of_cells
from tests import made
from tests.fits import fitted


class MissingValues(RowEvidence):
    """The number of missing values of a row, over the usual number."""

    name = "missing_values"
    shares_are_relative = False

    def __init__(self, usual: np.ndarray) -> None:
        self.usual = usual

    @classmethod
    def fit(cls, parts: ModelParts, training: TrainingRows, fitted: Sequence[Evidence]) -> Self | None:
        if parts.source.overlaps:
            return None
        return cls(np.array([count_missing(EncodedRows(parts, training.batch)).mean()]))

    @classmethod
    def restore(cls, parts: ModelParts, arrays: Arrays, state: Mapping[str, Any]) -> Self:
        return cls(arrays["usual"])

    @classmethod
    def check(cls, shapes: Shapes, schema: Schema, source: Source) -> dict[str, tuple[str, tuple[int, ...]]]:
        return {"usual": ("F64", (1,))}

    def arrays(self) -> dict[str, np.ndarray]:
        return {"usual": self.usual}

    def score(self, rows: EncodedRows) -> np.ndarray:
        return (1 + count_missing(rows)) / (1 + self.usual)

    def shares(self, rows: EncodedRows) -> dict[str, np.ndarray]:
        return shape_of_cells(rows.batch)

    def words(self, parts: ModelParts, frame: Frame, row: int) -> str:
        return "values are missing"


def count_missing(rows: EncodedRows) -> np.ndarray:
    visible = rows.batch.visible.values()
    return np.asarray(sum((~v).flatten(1).sum(1) for v in visible).numpy(), dtype=float)  # type: ignore[union-attr]


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line: the tuple names the new kind too, for everyone who reads it."""
    kinds = (*EVIDENCE, MissingValues)
    for module in ("detection", "persistence.storage", "persistence.validation"):
        monkeypatch.setattr(f"diabolo.{module}.EVIDENCE", kinds)


def test_a_listed_kind_is_fitted_scored_explained_told_and_stored(
    listed: None, table: pa.Table, fresh: pa.Table, tmp_path: Path
) -> None:
    model = fitted(table, epochs=1)
    scorer = model.engine_.rows
    assert [e.name for e in scorer.of_rows] == ["distance", "residual", "missing_values"]
    assert set(scorer.calibration.medians) == {"distance", "residual", "missing_values"}
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values())
    gone = fresh
    for name in ("number", "count", "city"):
        gone = made.with_cell(gone, name, row, None)
    assert model.anomaly_score(gone)[row] > model.anomaly_score(fresh)[row]
    assert np.allclose(model.explain(gone, rows=[row]).share.sum(1), 100)
    assert "values are missing" in scorer.words(model.engine_.read(gone), row)
    again = load(model.save(tmp_path / "model.diabolo"))
    assert np.array_equal(again.anomaly_score(gone), model.anomaly_score(gone))


def test_it_may_say_nothing_about_such_data(listed: None, wave: pa.Table) -> None:
    names = [e.name for e in fitted(wave, time="time", window=32).engine_.rows.evidence]
    assert "missing_values" not in names
