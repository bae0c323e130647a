"""The model of a series can be updated with newer points."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo import Autoencoder, DiaboloWarning, load, tasks
from diabolo.detection.metrics.windows import MAX_WINDOWS
from diabolo.errors import DataError, UnsupportedError
from tests import made
from tests.fits import fitted

WINDOW, ROWS, LATER = 16, 8_000, 20_000


def drifting(rows: int, first: int, seed: int, drift: float = 0.0) -> pd.DataFrame:
    """A wave, a point a minute; level, size, noise and shape move by what is given."""
    noise = np.random.default_rng(seed).normal(size=rows)
    phase = np.arange(first, first + rows) * 2 * np.pi / 12
    shape = np.sin(phase) + drift * 0.5 * np.sin(2 * phase)
    value = drift * 0.5 + (1 + drift * 0.2) * shape + (0.2 + 0.05 * drift) * noise
    return pd.DataFrame(
        {"time": pd.Timestamp("2024-01-01") + pd.to_timedelta(first + np.arange(rows), "min"), "value": value}
    )


@pytest.fixture(scope="module")
def old() -> Autoencoder:
    return fitted(drifting(ROWS, 0, 1), time="time", window=WINDOW, alarm_rate=0.01)


def updated(model: Autoencoder, data: Any) -> Autoencoder:
    """Return a model updated with newer points; the given one is not changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiaboloWarning)
        return copy.copy(model).partial_fit(data)


def alarms(model: Autoencoder, data: Any) -> float:
    return float((model.predict(data) == -1).mean())


def test_the_rate_of_false_alarms_holds_before_and_after_a_slow_drift(old: Autoencoder) -> None:
    assert 0.0015 <= alarms(old, drifting(LATER, ROWS, 2)) <= 0.02
    model, first = old, ROWS
    for number, drift in enumerate([0.3, 0.6, 1.0]):
        model = updated(model, drifting(4_000, first, 3 + number, drift))
        first += 4_000
    later = drifting(LATER, first, 9, 1.0)
    # The level of the fit is exceeded for good; a level that follows keeps the share of alarms down.
    assert np.mean(tasks.score(old, later, follow=False).alarm) > 0.5 > 4 * alarms(old, later)
    assert 0.0015 <= alarms(model, later) <= 0.02


def test_the_rate_holds_where_nothing_has_changed(old: Autoencoder) -> None:
    model = updated(old, drifting(4_000, ROWS, 3))
    assert 0.0015 <= alarms(model, drifting(LATER, ROWS + 4_000, 9)) <= 0.02


def test_what_was_anomalous_stays_anomalous(old: Autoencoder) -> None:
    newer = drifting(2_000, ROWS, 3)
    newer.loc[1_000:1_010, "value"] = 0.0
    model = updated(old, newer)
    assert 0 < model.engine_.facts["left_out"] < 0.05
    again = drifting(600, ROWS + 2_000, 4)
    again.loc[300:310, "value"] = 0.0
    assert model.anomaly_score(again)[305] > 2 * model.threshold_


def test_a_change_is_learnt_and_noted(old: Autoencoder) -> None:
    newer = drifting(2_000, ROWS, 3, drift=3.0)
    with pytest.warns(DiaboloWarning) as said:
        model = copy.copy(old).partial_fit(newer)
    assert any("what is normal has changed" in str(warning.message) for warning in said)
    assert model.engine_.facts["left_out"] == 0
    assert alarms(model, drifting(2_000, ROWS + 2_000, 4, drift=3.0)) < 0.05


def test_the_past_keeps_two_thirds(old: Autoencoder) -> None:
    before = (old.engine_.memory.positions, old.engine_.source.to_json())
    model = updated(old, drifting(1_000, ROWS, 3))
    positions, start = model.engine_.memory.positions, old.engine_.source.to_json()["end"]
    assert positions is not None and len(positions) == MAX_WINDOWS
    assert (positions >= start).mean() == pytest.approx(1 / 3, abs=0.02)
    assert len(np.unique(positions)) > 0.99 * MAX_WINDOWS
    assert model.engine_.facts["rows"] > old.engine_.facts["rows"]
    assert before == (old.engine_.memory.positions, old.engine_.source.to_json())


def test_generated_segments_follow_the_newest_point(old: Autoencoder) -> None:
    newer = drifting(1_000, ROWS, 3)
    drawn = updated(old, newer).generate(5, seed=0).to_frame()
    assert drawn["time"][0] == newer["time"].iloc[-1] + pd.Timedelta("1min")


def test_a_model_from_a_file_is_updated_alike(old: Autoencoder, tmp_path: Path) -> None:
    newer = drifting(1_000, ROWS, 3)
    model = updated(old, newer)
    loaded = updated(load(old.save(tmp_path / "old.diabolo")), newer)
    again = load(loaded.save(tmp_path / "new.diabolo"))
    later = drifting(200, ROWS + 1_000, 4)
    np.testing.assert_allclose(again.anomaly_score(later), model.anomaly_score(later), rtol=1e-4, atol=1e-4)


def test_rows_without_times_follow_those_of_the_fit() -> None:
    wave = {"value": drifting(1_500, 0, 1)["value"].to_numpy()}
    model = fitted(wave, window=WINDOW)
    more = updated(model, {"value": wave["value"][:500]})
    positions = more.engine_.memory.positions
    assert positions is not None and positions.max() > 1_500
    assert more.engine_.source.to_json()["end"] == 2_000


def test_an_update_with_several_series_and_new_ones() -> None:
    data = made.fleet(600).to_pandas()
    model = fitted(data[data["machine"] != "a"].iloc[:800], time="time", by="machine", window=8)
    more = updated(model, data.iloc[-900:])
    assert more.engine_.source.to_json()["series_names"] == ("b", "c", "a")
    assert np.isfinite(more.anomaly_score(data)).all()


def test_not_fitted_yet_it_fits() -> None:
    data = drifting(800, 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiaboloWarning)
        one = Autoencoder(time="time", window=WINDOW).partial_fit(data)
    np.testing.assert_array_equal(
        one.anomaly_score(data), fitted(data, time="time", window=WINDOW).anomaly_score(data)
    )


def test_models_that_cannot_be_updated_are_refused(
    old: Autoencoder, model: Autoencoder, wave_model: Autoencoder, wave: Any
) -> None:
    for other in (Autoencoder(), model, wave_model):
        assert not hasattr(other, "partial_fit")
    with pytest.raises(UnsupportedError, match="fit again"):
        wave_model.partial_fit(wave)
    with pytest.raises(DataError, match="too few"):
        old.partial_fit(drifting(10 * WINDOW - 1, ROWS, 3))
    with pytest.raises(DataError, match="a step of 120, those of the fit 60"):
        old.partial_fit(drifting(1_000, ROWS, 3).iloc[::2])
