"""Series go on after the fit."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder, load
from diabolo.errors import OptionError, UnsupportedError

POINTS = 1_500


def waves(**columns: object) -> pa.Table:
    rng, step = np.random.default_rng(0), np.arange(POINTS)
    angle = 2 * np.pi * step / 24
    values = {"a": np.sin(angle), "b": 3 + 2 * np.cos(angle)}
    noisy = {name: value + 0.1 * rng.normal(size=POINTS) for name, value in values.items()}
    return pa.table({**columns, **noisy})


def hours() -> pa.Array:
    return pa.array([datetime(2024, 1, 1) + timedelta(hours=i) for i in range(POINTS)])


@pytest.fixture(scope="module", params=["default", "variational", "vanilla"])
def model(request: pytest.FixtureRequest) -> Autoencoder:
    trained = {} if request.param == "default" else {"epochs": 80}
    return Autoencoder(request.param, time="time", window=64, **trained).fit(waves(time=hours()))


def test_a_series_goes_on_where_it_ended(model: Autoencoder) -> None:
    made = model.generate(300, seed=0).to_frame()
    assert made.column_names == ["time", "a", "b"]
    times = made["time"].to_pylist()
    assert times[0] == datetime(2024, 1, 1) + timedelta(hours=POINTS)
    assert {b - a for a, b in pairwise(times)} == {timedelta(hours=1)}


def test_new_points_are_like_the_old_ones(model: Autoencoder) -> None:
    made, real = model.generate(600, seed=1).to_frame(), waves()
    for name in ("a", "b"):
        values, known = made[name].to_numpy(), real[name].to_numpy()
        assert values.min() >= known.min() - 1e-5 and values.max() <= known.max() + 1e-5
        assert 0.5 < values.std() / known.std() < 1.5
        power = np.abs(np.fft.rfft(values - values.mean()))
        assert abs(np.argmax(power) - 600 / 24) <= 2  # the period is kept
    a, b = made["a"].to_numpy(), made["b"].to_numpy()
    assert (
        np.corrcoef(np.roll(a, -6), b)[0, 1] > 0.3
    )  # and so is what the channels have to do with each other


def test_draws_follow_the_seed(model: Autoencoder) -> None:
    first, again, other = (model.generate(50, seed=s).to_frame() for s in (3, 3, 4))
    assert first.equals(again) and not first.equals(other)


def test_nothing_is_copied(model: Autoencoder) -> None:
    known = waves()["a"].to_numpy()
    made = model.generate(200, seed=5).to_frame()["a"].to_numpy()
    pieces = np.lib.stride_tricks.sliding_window_view(known, 8)
    gaps = np.abs(pieces[:, None] - made.reshape(-1, 8)[None]).max(-1).min(0)
    assert (gaps > 1e-6).mean() > 0.9


def test_it_works_from_a_file_without_a_time_and_with_other_clocks(tmp_path: object) -> None:
    model = Autoencoder("vanilla", window=32, epochs=1).fit(waves())
    made = load(model.save(f"{tmp_path}/m.diabolo")).generate(10, seed=0).to_frame()
    assert made.column_names == ["a", "b"] and made.num_rows == 10
    numbered = waves(t=np.arange(POINTS) * 0.5)
    made = Autoencoder("vanilla", time="t", window=32, epochs=1).fit(numbered).generate(3, seed=0).to_frame()
    np.testing.assert_allclose(made["t"].to_numpy(), POINTS * 0.5 + np.arange(3) * 0.5)


def test_what_cannot_be_drawn_is_refused(model: Autoencoder) -> None:
    with pytest.raises((OptionError, UnsupportedError), match="given"):
        model.generate(5, given={"a": 1.0})
    with pytest.raises(OptionError, match="series"):
        Autoencoder(epochs=1).fit(waves()).generate(5, series=2)


@pytest.fixture(scope="module")
def machines() -> Autoencoder:
    """Two machines by the hour, a day's rhythm, whole numbers, holes, and a label beside."""
    random, hour = np.random.default_rng(0), np.arange(1_200)
    tables = []
    for name, level in (("a", 100), ("b", 300)):
        rhythm = np.sin(2 * np.pi * hour / 24)
        load = np.round(level + 40 * rhythm + 4 * random.normal(size=len(hour))).astype(int)
        gone = np.zeros(len(hour), bool)
        for start in random.integers(0, 1_190, 12):
            gone[start : start + 8] = True
        heat = np.where(gone, np.nan, np.round(20 + load / 10 + random.normal(size=len(hour)), 1))
        tables.append(
            pa.table(
                {
                    "machine": [name] * len(hour),
                    "time": hours().slice(0, len(hour)),
                    "load": load,
                    "heat": pa.array(heat, from_pandas=True),
                    "state": np.where(rhythm > 0, "day", "night"),
                }
            )
        )
    return Autoencoder(time="time", by="machine", window=12).fit(pa.concat_tables(tables))


def test_new_series_begin_anew(machines: Autoencoder) -> None:
    made = machines.generate(60, series=40, seed=0).to_frame()
    assert made.column_names == ["series", "machine", "time", "load", "heat", "state"]
    assert made["series"].to_pylist() == np.repeat(np.arange(40), 60).tolist()
    assert made["load"].type == pa.int64() and made["load"].null_count == 0
    heat = made["heat"].to_numpy()
    assert 0.01 < np.isnan(heat).mean() < 0.3
    assert np.allclose(heat, np.round(heat, 1), equal_nan=True)  # as many digits as before
    load, who = made["load"].to_numpy(), np.array(made["machine"].to_pylist())
    assert {"a", "b"} == set(who)
    assert load[who == "a"].mean() == pytest.approx(100, abs=25)
    assert load[who == "b"].mean() == pytest.approx(300, abs=25)
    assert not made.equals(machines.generate(60, series=40, seed=1).to_frame())
    assert made.equals(machines.generate(60, series=40, seed=0).to_frame())


def test_the_calendar_rules_what_is_longer_than_a_window(machines: Autoencoder) -> None:
    made = machines.generate(96, series=20, seed=0, given={"machine": "a"}).to_frame()
    assert set(made["machine"].to_pylist()) == {"a"}
    hour = np.array([t.hour for t in made["time"].to_pylist()])
    load = made["load"].to_numpy()
    by_hour = np.array([load[hour == h].mean() for h in range(24)])
    assert np.corrcoef(by_hour, np.sin(2 * np.pi * np.arange(24) / 24))[0, 1] > 0.9
    assert by_hour.max() - by_hour.min() > 40
    state = np.array(made["state"].to_pylist())
    day = np.sin(2 * np.pi * hour / 24) > 0.2
    assert (state[day] == "day").mean() > 0.8  # labels beside go with the channels


def test_the_first_channel_goes_with_the_second(machines: Autoencoder) -> None:
    made = machines.generate(48, series=30, seed=3).to_frame()
    load, heat = made["load"].to_numpy().astype(float), made["heat"].to_numpy()
    assert np.corrcoef(load[~np.isnan(heat)], heat[~np.isnan(heat)])[0, 1] > 0.9


def test_new_series_of_codes_begin_anew() -> None:
    model = Autoencoder("vanilla", window=32, epochs=1).fit(waves())
    made = model.generate(50, series=3, seed=0).to_frame()
    assert made.column_names == ["series", "a", "b"] and made.num_rows == 150
    with pytest.raises(UnsupportedError, match="context"):
        model.generate(5, given={"a": 1.0})


def test_conditions_that_cannot_be_met_are_refused(machines: Autoencoder) -> None:
    with pytest.raises(OptionError, match="'c' does not occur"):
        machines.generate(5, series=1, given={"machine": "c"})
    with pytest.raises(OptionError, match="no context"):
        machines.generate(5, series=1, given={"load": 3})
    with pytest.raises(OptionError, match="series"):
        machines.generate(5, series=0)
