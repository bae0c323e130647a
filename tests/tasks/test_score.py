"""Bits, severity and alarms."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.errors import OptionError
from tests.fits import fitted


def test_alarm_rates(table: pa.Table, model: Autoencoder, fresh: pa.Table) -> None:
    rows = model.engine_.facts["rows_calibrated_on"]
    assert model.alarm_rate_ == pytest.approx(max(0.001, 1 / (rows + 1)))
    assert model.threshold_ == pytest.approx(-np.log2(model.alarm_rate_))
    few, many = (np.array(model.score_rows(fresh, alarm_rate=rate)["alarm"]).sum() for rate in (0.02, 0.3))
    assert few < many and 0.1 < many / 120 < 0.5
    with pytest.raises(OptionError, match="calibration rows"):
        model.score_rows(fresh, alarm_rate=1e-6)
    for rate in (1e-6, 0.0, 1.0):
        with pytest.raises(OptionError, match="alarm_rate"):
            fitted(table, "denoising", epochs=1, alarm_rate=rate)


def test_score_rows_returns_bits_severity_and_alarm(model: Autoencoder, fresh: pa.Table) -> None:
    frame = model.score_rows(fresh.to_pandas())
    assert list(frame.columns) == ["bits", "severity", "alarm"]
    assert np.array_equal(frame["bits"], model.anomaly_score(fresh))
    assert np.allclose(frame["severity"], 100 * (1 - 2 ** (-frame["bits"] / 10)))
    assert np.array_equal(frame["alarm"], model.predict(fresh) == -1)
