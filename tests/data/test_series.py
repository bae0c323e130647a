"""What a user is promised of a model of a series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diabolo import Autoencoder, tasks
from diabolo.detection import Level
from diabolo.errors import DataError
from tests import made
from tests.fits import fitted


@pytest.fixture(scope="module")
def new() -> pa.Table:
    return made.wave(900, seed=7, start="2024-06-01")


def test_answers_have_one_row_a_row(wave_model: Autoencoder, new: pa.Table) -> None:
    assert wave_model.anomaly_score(new).shape == (900,)
    assert wave_model.transform(new).shape[0] == 900
    assert wave_model.reconstruct(new).to_frame().num_rows == 900
    assert np.isfinite(wave_model.anomaly_score(new)).all()


def test_a_normal_series_is_normal(wave_model: Autoencoder, new: pa.Table) -> None:
    assert (wave_model.predict(new) == -1).mean() < 0.05


def test_rows_keep_their_order(wave_model: Autoencoder, new: pa.Table) -> None:
    order = np.random.default_rng(0).permutation(900)
    assert np.allclose(
        wave_model.anomaly_score(new.take(pa.array(order))), wave_model.anomaly_score(new)[order], atol=1e-6
    )
    frame = new.to_pandas().iloc[order]
    scores = wave_model.score_rows(frame)
    assert scores.index.equals(frame.index)


def test_a_spike_is_found(wave_model: Autoencoder, new: pa.Table) -> None:
    odd = made.with_cell(new, "value", 500, 4.0)
    bits, before = wave_model.anomaly_score(odd), wave_model.anomaly_score(new)
    assert abs(int(bits.argmax()) - 500) < 32 and bits.max() > before.max() + 2
    assert np.allclose(bits[:400], before[:400], atol=1e-6) and np.allclose(
        bits[600:], before[600:], atol=1e-6
    )
    answer = tasks.score(wave_model, odd)
    found = [e for e in answer.episodes if e.start <= 500 <= e.end]
    assert len(found) == 1 and found[0].start > 430 and found[0].end < 570
    assert found[0].bits == answer.bits[found[0].peak] == answer.bits[found[0].start : found[0].end + 1].max()
    cells = wave_model.explain(odd, rows=[500, 100])
    assert cells.p_wrong[0, 0] > 0.5 > cells.p_wrong[1, 0]
    assert cells.expected["value"].to_pylist()[0] == pytest.approx(new["value"][500].as_py(), abs=0.5)


def test_a_level_shift_is_found(wave_model: Autoencoder, new: pa.Table) -> None:
    value = new["value"].to_numpy().copy()
    value[600:] += 1.5
    odd = new.set_column(1, "value", pa.array(value))
    bits = wave_model.anomaly_score(odd)
    assert bits[640:].min() > np.quantile(bits[:560], 0.99)
    assert (wave_model.predict(odd)[640:] == -1).all()
    assert (wave_model.predict(odd)[:560] == -1).mean() < 0.05


def test_a_missing_wave_is_found(wave_model: Autoencoder, new: pa.Table) -> None:
    value = new["value"].to_numpy().copy()
    value[400:460] = 0.0
    odd = new.set_column(1, "value", pa.array(value))
    bits = wave_model.anomaly_score(odd)
    assert 380 <= int(bits.argmax()) <= 480
    assert (wave_model.predict(odd)[400:460] == -1).mean() > 0.4


def test_gaps_of_time_are_allowed(channels_model: Autoencoder) -> None:
    table = made.two_channels(seed=2)
    bits = channels_model.anomaly_score(table)
    assert bits.shape == (table.num_rows,) and np.isfinite(bits).all()
    # What is not there is not odd: rows beside a gap are no alarms.
    assert (channels_model.predict(table) == -1).mean() < 0.05
    odd = made.with_cell(table, "up", 500, 5.0)
    assert abs(int(channels_model.anomaly_score(odd).argmax()) - 500) < 32


def test_missing_values_of_a_series_are_imputed(channels_model: Autoencoder) -> None:
    table = made.two_channels(seed=2)
    answer = channels_model.repair(table)
    frame = answer.to_frame()
    assert frame.num_rows == table.num_rows and frame["side"].null_count == 0
    assert answer.changes.num_rows == table["side"].null_count > 0
    assert frame["time"].equals(table["time"]) and frame["up"].equals(table["up"])
    phase = (
        (np.array(table["time"].to_numpy(), "datetime64[s]").astype(int) - 1709251200) / 60 * 2 * np.pi / 20
    )
    filled = answer.changes["row"].to_numpy()
    errors = np.abs(frame["side"].to_numpy()[filled] - np.cos(phase)[filled])
    assert np.median(errors) < 0.35


def test_series_by_a_key(fleet_model: Autoencoder) -> None:
    table = made.fleet(200, seed=5)
    bits = fleet_model.anomaly_score(table)
    assert bits.shape == (600,) and np.isfinite(bits).all()
    machine = np.array(table["machine"].to_pylist())
    row = int(np.flatnonzero(machine == "b")[100])
    odd = fleet_model.anomaly_score(made.with_cell(table, "value", row, 6.0))
    assert machine[int(odd.argmax())] == "b" and abs(int(odd.argmax()) - row) < 3 * 24
    # The other series have nothing to do with it.
    assert np.allclose(odd[machine != "b"], bits[machine != "b"], atol=1e-6)


def test_a_series_is_scored_alike_alone_and_in_company(fleet_model: Autoencoder) -> None:
    for table in (made.fleet(), made.fleet(200, seed=5)):
        bits, machine = fleet_model.anomaly_score(table), np.array(table["machine"].to_pylist())
        for name in "abc":
            alone = table.filter(pa.array(machine == name))
            assert np.allclose(fleet_model.anomaly_score(alone), bits[machine == name], atol=1e-6)


def test_rows_without_times_follow_each_other() -> None:
    value = made.wave(700)["value"].to_numpy()
    model = fitted({"value": value}, window=24, epochs=4)
    odd = value.copy()
    odd[300] = 5.0
    assert abs(int(model.anomaly_score({"value": odd}).argmax()) - 300) < 24
    assert model.engine_.source.length == 24
    assert fitted({"value": value}, window="auto", epochs=1).engine_.source.length == 128


def test_a_pandas_series_is_a_series() -> None:
    value = pd.Series(made.wave(700)["value"].to_numpy(), name="load")
    model = fitted(value, window=24, epochs=1)
    assert model.schema_.scored == ["load"]
    assert model.anomaly_score(value).shape == (700,)


def test_short_and_single_points_are_answered(wave_model: Autoencoder, new: pa.Table) -> None:
    for rows in (1, 2, 31, 32, 33):
        assert np.isfinite(wave_model.anomaly_score(new.slice(0, rows))).all()
        assert wave_model.repair(new.slice(0, rows)).to_frame().equals(new.slice(0, rows))


def test_labels_next_to_a_series_can_be_repaired() -> None:
    """A channel of labels changes with the level of the value; its holes are to be filled with its labels."""
    rng = np.random.default_rng(0)
    state = (np.arange(1_500) // 150) % 3
    value = state * 4.0 + 0.1 * rng.normal(size=1_500)
    label = np.array(["off", "idle", "run"])[state]
    table = pa.table({"value": value, "state": label.tolist()})
    model = fitted(table, window=16, epochs=30)
    assert model.schema_.scored == ["value", "state"]
    made_of_it = np.array(model.reconstruct(table).to_frame()["state"].to_pylist())
    inner = np.abs(np.arange(1_500) % 150 - 75) < 50
    assert (made_of_it == label)[inner].mean() > 0.9


def test_labels_that_alternate_next_to_a_series() -> None:
    """Labels have no middle: what is expected at a point is one of the labels that fit there."""
    rng = np.random.default_rng(0)
    low = np.arange(1_200) % 2 == 0
    value = np.where(low, -1.0, 1.0) + 0.05 * rng.normal(size=1_200)
    label = np.where(low, "a", "c")
    label[::10] = "b"
    table = pa.table({"value": value, "state": label.tolist()})
    model = fitted(table, window=8, epochs=30)
    expected = np.array(model.reconstruct(table).to_frame()["state"].to_pylist())[20:-20]
    assert (expected == label[20:-20]).mean() > 0.8


def test_seasons_of_the_calendar_are_context(wave_model: Autoencoder) -> None:
    roles = {e.name: e.role for e in wave_model.schema_.entries}
    assert roles == {"value": "scored", "time": "context"}
    assert [e.reason for e in wave_model.schema_.entries if e.name == "time"] == ["calendar of the series"]


def numbered(ids: np.ndarray, points: int = 200) -> pd.DataFrame:
    time = pd.date_range("2024", periods=points, freq="h")
    return pd.DataFrame({"time": time, "value": np.sin(np.arange(points) / 5), "row": ids})


@pytest.mark.parametrize("ids", [np.arange(200), np.arange(1001, 1201), np.arange(200)[::-1]])
def test_an_id_is_no_channel(ids: np.ndarray) -> None:
    table = numbered(ids)
    model = fitted(table, "vanilla", time="time", epochs=1)
    assert model.notes_[0].startswith("ignored: row (an id: consecutive whole numbers)")
    assert model.schema_.scored == ["value"] and model.engine_.source.channels == ("value",)
    # It is passed through, and may be anything, or missing, elsewhere.
    assert model.repair(table).to_frame()["row"].tolist() == ids.tolist()
    np.testing.assert_array_equal(
        model.anomaly_score(table.drop(columns="row")), model.anomaly_score(table.assign(row="a"))
    )


def test_an_id_goes_on_from_series_to_series() -> None:
    parts = [numbered(np.arange(200)).assign(pump=name) for name in "abc"]
    table = pd.concat(parts, ignore_index=True).assign(row=np.arange(600))
    schema = Autoencoder(time="time", by="pump").inspect(table)
    assert {e.name: e.role for e in schema.entries}["row"] == "ignored"


@pytest.mark.parametrize(
    ("options", "role"),
    [
        ({"scored": ["row", "value"]}, "scored"),
        ({"context": ["row"]}, "context"),
        ({"numeric": "row"}, "scored"),
        ({"ignore": ["row"]}, "ignored"),
    ],
)
def test_an_id_is_read_where_it_is_named(options: dict[str, Any], role: str) -> None:
    (entry,) = (
        e
        for e in Autoencoder(time="time", **options).inspect(numbered(np.arange(200))).entries
        if e.name == "row"
    )
    assert (entry.role, entry.reason) == (role, "as asked")


@pytest.mark.parametrize(
    "ids", [np.arange(200) * 2, np.arange(200.0), np.arange(200) // 2, np.arange(200) % 50]
)
def test_other_numbers_are_channels(ids: np.ndarray) -> None:
    assert Autoencoder(time="time").inspect(numbered(ids)).scored == ["value", "row"]


def test_an_id_alone_is_no_series() -> None:
    table = numbered(np.arange(200)).drop(columns="value")
    with pytest.raises(DataError, match=r"'row' is an id.*\n.*scored=\['row'\]"):
        Autoencoder(time="time").fit(table)
    assert Autoencoder(time="time", scored=["row"]).inspect(table).scored == ["row"]


def test_an_anomalous_level_is_told_in_words(wave_model: Autoencoder, new: pa.Table) -> None:
    engine = wave_model.engine_
    level = next(e for e in engine.rows.evidence if isinstance(e, Level))

    def said(value: np.ndarray, row: int) -> str:
        moved = new.set_column(new.column_names.index("value"), "value", pa.array(value))
        return level.words(engine.parts, engine.read(moved), row)

    value = new["value"].to_numpy()
    assert said(value, 450) == ""
    for shift, words in ((3.0, "the level is higher than usual"), (-3.0, "the level is lower than usual")):
        moved = value.copy()
        moved[300:600] += shift
        assert said(moved, 450) == words and said(moved, 50) == ""
    spike = value.copy()
    spike[450] += 6
    assert said(spike, 450) == ""


def _daily(start: str, rows: int = 3000) -> pa.Table:
    """A daily series in plain waves."""
    noise = np.random.default_rng(3).normal(size=rows) / 10
    times = np.datetime64(start, "s") + np.arange(rows) * np.timedelta64(86_400, "s")
    return pa.table({"time": pa.array(times), "value": np.sin(np.arange(rows) / 5) + noise})


def _fit_daily(table: pa.Table, **options: Any) -> Autoencoder:
    return Autoencoder(time="time", recipe="vanilla", epochs=1, seed=0, **options).fit(table)


def test_a_series_may_lie_before_1970() -> None:
    """Positions in time are then negative; they must not be taken for gaps between series."""
    table = _daily("1949-01-01")
    model = _fit_daily(table)
    assert np.isfinite(model.anomaly_score(table)).all()
    following = tasks.generate(model, 2, seed=0).to_frame()
    assert str(following["time"][0].as_py())[:10] == "1957-03-20"  # 3,000 days after the first


def test_several_series_may_lie_before_1970() -> None:
    several = pa.concat_tables(
        [_daily("1949-01-01", 1500).append_column("key", pa.array([name] * 1500)) for name in ("a", "b")]
    )
    model = _fit_daily(several, by="key")
    memory = model.engine_.memory
    assert memory.positions is not None
    starts = model.engine_.source.starts(memory.positions, model.engine_.read(several))
    assert set(starts["key"].to_pylist()) == {"a", "b"}
    days = starts["time"].to_numpy(zero_copy_only=False).astype("datetime64[D]")
    assert days.min() >= np.datetime64("1949-01-01") and days.max() <= np.datetime64("1953-02-08")
