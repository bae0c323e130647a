"""Drift is reported where the data has changed, and not where differences are due to chance."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.tasks import drift
from tests import made
from tests.fits import fitted


def noise(rows: int, seed: int, level: float = 0.0, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Noise that is autocorrelated over a few points."""
    white = np.random.default_rng(seed).normal(size=rows + 4)
    return {"value": level + scale * np.convolve(white, np.full(5, 5**-0.5), "valid")}


@pytest.fixture(scope="module")
def series() -> Autoencoder:
    return fitted(noise(6_000, 0), window=16, alarm_rate=0.01)


def test_the_index_is_the_population_stability_index() -> None:
    table = pa.table({"label": ["a"] * 60 + ["b"] * 40, "other": ["x", "y"] * 50})
    model = fitted(table, epochs=1)
    answer = drift(model, pa.table({"label": ["a"] * 30 + ["b"] * 70, "other": ["x", "y"] * 50}))
    p, q = (np.array([30.5, 70.5]) / 101, np.array([60.5, 40.5]) / 101)
    assert answer.per_column["label"].index == pytest.approx(float(((p - q) * np.log(p / q)).sum()), rel=1e-6)
    assert answer.per_column["other"].index == pytest.approx(0)
    assert answer.moved == ["label"] and answer.per_column["label"].p_value < 1e-3


def test_means_and_deviations_are_in_the_units_of_the_data(series: Autoencoder) -> None:
    newer = noise(3_000, 1, level=2.0, scale=3.0)
    newer["value"][::10] = np.nan
    found = drift(series, newer).per_column["value"]
    assert found.mean_fit == pytest.approx(0, abs=0.1) and found.mean_new == pytest.approx(2, abs=0.3)
    assert found.std_fit == pytest.approx(1, abs=0.1)
    assert found.std_new == pytest.approx(3, abs=0.3)
    assert (found.missing_fit, found.missing_new) == (0, pytest.approx(0.1, abs=0.01))


def test_drift_is_reported(series: Autoencoder) -> None:
    answer = drift(series, noise(3_000, 1, level=2.0))
    assert answer.moved == ["value"] and answer.more_alarms
    assert answer.bits > 3 and answer.alarms > 0.1
    assert answer.verdict.startswith("value moved; more alarms than expected: ")


def test_chance_is_not_reported(series: Autoencoder) -> None:
    answers = [drift(series, noise(rows, seed)) for seed, rows in enumerate([200, 500, 1_000, 3_000] * 3, 10)]
    assert not any(answer.moved or answer.more_alarms for answer in answers)
    assert answers[-1].verdict.startswith("no column moved; no more alarms than expected: ")
    assert np.mean([answer.bits for answer in answers]) == pytest.approx(np.log2(np.e), abs=0.7)


def test_one_anomalous_segment_in_few_points_may_be_chance(series: Autoencoder) -> None:
    # Its windows overlap: sixteen alarms are not sixteen independent observations.
    few = noise(400, 3)
    few["value"][200] = 6.0
    answer = drift(series, few)
    assert answer.alarms > 2 * answer.alarm_rate and not answer.more_alarms


def test_columns_of_a_table_drift(model: Autoencoder, fresh: pa.Table) -> None:
    assert set(drift(model, fresh).moved) <= {"remark"}  # it ends with a number, which has fewer digits
    moved = made.with_cell(fresh, "number", 0, 0.0).to_pandas()
    moved["number"] += 2
    moved["city"] = "Rome"
    answer = model.drift(moved)
    assert set(answer.moved) >= {"number", "city"} and answer.more_alarms
    frame = answer.to_frame()
    assert isinstance(frame, pd.DataFrame) and frame["column"].tolist() == made.SCORED
    assert frame.loc[frame["column"] == "city", "mean_new"].isna().all()


def test_partial_fit_warns_of_drift(series: Autoencoder) -> None:
    with pytest.warns() as warned:
        model = copy.copy(series).partial_fit(noise(2_000, 1, level=2.0))
    assert any("value moved; more alarms than expected" in str(warning.message) for warning in warned)
    assert "value moved" in model.engine_.facts["drift"]
    quiet = copy.copy(series).partial_fit(noise(2_000, 1))
    assert "no column moved" in quiet.engine_.facts["drift"]
