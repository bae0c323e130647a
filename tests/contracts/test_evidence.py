"""Every kind of evidence scores rows, shares its score among cells, and survives a model file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder, load
from diabolo.data.sources.points import CoveredPoints
from diabolo.detection import EVIDENCE, EncodedRows, Evidence, PointEvidence, RowEvidence
from diabolo.engine import Engine
from tests import made
from tests.fits import fitted

TYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "BOOL": np.bool_}


@pytest.fixture(scope="module")
def cases(table: pa.Table, wave: pa.Table) -> list[tuple[Autoencoder, pa.Table]]:
    """Models that together have every kind, with the data of their fits."""
    series = fitted(wave, "denoising", time="time", window=32, epochs=1)
    return [(fitted(table, epochs=1), table), (fitted(wave, time="time", window=32), wave), (series, wave)]


def found(cases: list[tuple[Autoencoder, pa.Table]]) -> list[tuple[Evidence, Engine, pa.Table]]:
    return [(e, model.engine_, data) for model, data in cases for e in model.engine_.rows.evidence]


def test_together_they_have_every_listed_kind(cases: list[tuple[Autoencoder, pa.Table]]) -> None:
    assert {type(e) for e, *_ in found(cases)} == set(EVIDENCE)
    assert len({kind.name for kind in EVIDENCE}) == len(EVIDENCE)


def test_rows_get_a_score_and_cells_a_share(cases: list[tuple[Autoencoder, pa.Table]]) -> None:
    for evidence, engine, data in found(cases):
        frame = engine.read(data)
        rows = np.arange(min(frame.rows, 40))
        batch = engine.schema.encode(frame[rows])
        encoded = EncodedRows(engine.parts, batch, frame.positions_of(rows))
        if isinstance(evidence, RowEvidence):
            scores, shares = evidence.score(encoded), evidence.shares(encoded)
            assert scores.shape == (len(rows),) and not np.isnan(scores).any()
            assert {k: v.shape for k, v in shares.items()} == {k: v.shape for k, v in batch.values.items()}
            assert evidence.unfit_for_calibration(encoded).shape == scores.shape
            # The score of a row does not depend on the rows next to it.
            alone = evidence.score(encoded[np.array([7])])
            assert np.allclose(alone, scores[7], rtol=1e-6)
        else:
            assert isinstance(evidence, PointEvidence)
            points = CoveredPoints.of(frame, engine.source.length, engine.parts.channels, rows)
            points.take(slice(None), batch)
            log = evidence.score(points)
            assert log.shape == points.values.shape and (log >= 0).all() and np.isfinite(log).all()


def test_stored_arrays_are_those_that_are_checked(cases: list[tuple[Autoencoder, pa.Table]]) -> None:
    for evidence, engine, _ in found(cases):
        arrays = evidence.arrays()
        shapes = {name: array.shape for name, array in arrays.items()}
        expected = type(evidence).check(shapes, engine.schema, engine.source)
        got = {name: (np.dtype(a.dtype), a.shape) for name, a in arrays.items()}
        assert got == {name: (np.dtype(TYPES[kind]), shape) for name, (kind, shape) in expected.items()}
        again = type(evidence).restore(engine.parts, arrays, evidence.state())
        assert all(np.array_equal(a, arrays[name]) for name, a in again.arrays().items())
        assert again.state() == evidence.state()


def test_a_model_file_keeps_every_kind(cases: list[tuple[Autoencoder, pa.Table]], tmp_path: Path) -> None:
    for model, data in cases:
        again = load(model.save(tmp_path / "model.diabolo"))
        kinds = [type(e) for e in model.engine_.rows.evidence]
        assert [type(e) for e in again.engine_.rows.evidence] == kinds
        assert np.array_equal(again.anomaly_score(data), model.anomaly_score(data))


def test_words_are_sentences_without_an_end(cases: list[tuple[Autoencoder, pa.Table]]) -> None:
    for evidence, engine, data in found(cases):
        text = evidence.words(engine.parts, engine.read(data), 5)
        assert isinstance(text, str) and not text.endswith(".")


def test_an_anomalous_row_has_more_of_its_evidence(model: Autoencoder, fresh: pa.Table) -> None:
    engine = model.engine_
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values())
    usual = EncodedRows(engine.parts, engine.schema.encode(engine.read(fresh)[np.array([row])]))
    changed = made.with_cell(fresh, "double", row, 40.0)
    anomalous = EncodedRows(engine.parts, engine.schema.encode(engine.read(changed)[np.array([row])]))
    for evidence in engine.rows.of_rows:
        assert evidence.score(anomalous)[0] > evidence.score(usual)[0]
        assert math.isfinite(evidence.score(anomalous)[0])
