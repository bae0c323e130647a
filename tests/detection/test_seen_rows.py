"""Rows of the fit are judged by how far they are from the many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.data.fingerprints import short_fingerprints
from diabolo.detection import EncodedRows
from diabolo.detection.seen_rows import SeenRows

GROUP = 40


@pytest.fixture(scope="module")
def grouped() -> pd.DataFrame:
    """600 rows on a curve, and a group of 40 far from it that are all alike."""
    random = np.random.default_rng(0)
    x = random.normal(size=600)
    many = np.stack([x, x**2 + random.normal(0, 0.1, 600), random.normal(size=600)], 1)
    group = np.array([4.0, -4.0, 4.0]) + random.normal(0, 0.02, (GROUP, 3))
    frame = pd.DataFrame(np.concatenate([many, group]), columns=list("abc"))
    frame["label"] = np.where(random.random(len(frame)) < 0.5, "red", "blue")
    return frame


@pytest.fixture(scope="module")
def model(grouped: pd.DataFrame) -> Autoencoder:
    return Autoencoder(seed=0, epochs=5, alarm_rate=0.05).fit(grouped)


def test_rows_that_are_odd_in_a_group_are_found(model: Autoencoder, grouped: pd.DataFrame) -> None:
    bits = model.anomaly_score(grouped)
    assert bits[-GROUP:].min() > np.quantile(bits[:-GROUP], 0.95)


def test_a_new_row_is_judged_by_its_nearest(model: Autoencoder, grouped: pd.DataFrame) -> None:
    """The group was learnt as normal: that a row is new and like it is no wonder."""
    near, far = grouped.iloc[[-1, 0]].copy(), grouped.iloc[[-1]].copy()
    near["a"] += 1e-4
    far["a"] -= 3
    assert (model.anomaly_score(far) > model.anomaly_score(near).max()).all()
    assert model.anomaly_score(near)[0] < model.anomaly_score(grouped)[-1] - 1


def test_a_row_of_the_fit_has_one_score_wherever_it_stands(model: Autoencoder, grouped: pd.DataFrame) -> None:
    whole = model.anomaly_score(grouped)
    mixed = pd.concat([grouped.iloc[[5, 620]], grouped.iloc[[5]].assign(a=1.25)], ignore_index=True)
    assert np.array_equal(model.anomaly_score(mixed)[:2], whole[[5, 620]])
    assert np.array_equal(model.anomaly_score(grouped[::-1])[::-1], whole)


def test_the_rate_of_alarms_is_kept_among_rows_of_the_fit(model: Autoencoder, grouped: pd.DataFrame) -> None:
    assert np.mean(model.predict(grouped) == -1) == pytest.approx(0.05, abs=0.005)


def test_the_reason_is_the_distance_from_the_crowd(model: Autoencoder, grouped: pd.DataFrame) -> None:
    """The nearest row of the group is next door: only what parts it from the many explains its score."""
    odd = grouped.index[-3]
    share = model.explain(grouped, rows=[odd]).to_frame().set_index("column")["share"]
    assert share[["a", "b", "c"]].sum() > 85


def test_knows_the_rows_of_the_fit(grouped: pd.DataFrame, model: Autoencoder) -> None:
    engine = model.engine_
    (_, known), (_, new) = (
        next(engine.chunks(engine.read(frame))) for frame in (grouped, grouped.assign(a=grouped["a"] + 1e-3))
    )
    seen = engine.rows.of_seen_rows
    assert isinstance(seen, SeenRows)
    assert seen.contains(known).all() and not seen.contains(new).any()
    assert np.array_equal(seen.fingerprints, np.unique(short_fingerprints(known)))


def test_series_have_no_evidence_of_seen_rows() -> None:
    """A window overlaps others of the fit; windows like it are told by their place in time."""
    wave = pd.DataFrame({"value": np.sin(np.arange(600) / 5)})
    assert Autoencoder(window=16, epochs=1).fit(wave).engine_.rows.of_seen_rows is None


def test_a_row_of_the_fit_with_a_wrong_cell_is_anomalous(grouped: pd.DataFrame) -> None:
    wrong = grouped.copy()
    wrong.loc[5, "a"] = 1000 * abs(wrong.loc[5, "a"])
    wrong.loc[9, "label"] = "blve"
    model = Autoencoder(seed=0, epochs=5).fit(wrong)
    seen = model.engine_.rows.of_seen_rows
    assert seen is not None and seen.cell_bits is not None
    places = np.searchsorted(
        seen.fingerprints, short_fingerprints(model.engine_.schema.encode(_columns(wrong)))
    )
    assert {5, 9} <= set(np.argsort(-seen.cell_bits[places])[:6].tolist())
    assert model.anomaly_score(wrong)[9] > np.quantile(model.anomaly_score(wrong), 0.95)


def test_rows_that_were_not_checked_lose_nothing(model: Autoencoder, grouped: pd.DataFrame) -> None:
    engine = model.engine_
    seen, frame = engine.rows.of_seen_rows, engine.read(grouped)
    assert seen is not None
    rows = EncodedRows(engine.parts, engine.schema.encode(frame.columns))
    residual = np.ones(len(grouped))
    alone = SeenRows(seen.fingerprints, seen.calibration).bits(rows, residual)
    unknown = SeenRows(seen.fingerprints, seen.calibration, np.full(len(seen.fingerprints), -1, np.float32))
    assert np.array_equal(unknown.bits(rows, residual), alone)


def _columns(frame: pd.DataFrame) -> dict[str, pa.Array]:
    return {name: pa.array(frame[name]) for name in frame}
