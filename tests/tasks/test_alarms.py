"""Alarms of series come at the rate that is asked for, and it is said where a series has moved for good."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder, DiaboloWarning, load, tasks
from diabolo.detection.following import AlarmLevel
from diabolo.errors import OptionError
from diabolo.tasks import Scores
from tests.fits import fitted
from tests.golden.make import DATA, HERE

RATE = 0.01
FITTED, MOVED = 1_500, 4_000
FASTER = 100  # so that a level has moved before the end of a short series
START = np.datetime64("2024-03-01", "us")


def wave(points: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=points)
    return np.sin(np.arange(points) * 2 * np.pi / 24) + 0.1 * noise


def table(values: np.ndarray, start: int = 0, **more: Any) -> pa.Table:
    """A series with a point every five minutes, whose first point is so many steps after the start."""
    steps = np.arange(start, start + len(values))
    return pa.table({"time": START + steps * np.timedelta64(300, "s"), **more, "value": values})


def scored(model: Autoencoder, data: Any, **options: Any) -> Scores:
    return tasks.score(model, data, **{"alarm_rate": RATE, **options})


@pytest.fixture(scope="module")
def series() -> np.ndarray:
    return wave(13_000)


@pytest.fixture(scope="module")
def model(series: np.ndarray) -> Autoencoder:
    return fitted(table(series[:FITTED]), time="time", window=32)


@pytest.fixture(scope="module")
def network(series: np.ndarray) -> Autoencoder:
    return fitted(table(series[:FITTED]), "denoising", time="time", window=32, epochs=4, layers=(32,))


@pytest.fixture(params=["default", "denoising"])
def either(request: pytest.FixtureRequest, model: Autoencoder, network: Autoencoder) -> Autoencoder:
    return model if request.param == "default" else network


@pytest.fixture(scope="module")
def shifted(series: np.ndarray) -> pa.Table:
    """Points after the fit, of which those from the 4,000th on lie higher for good."""
    values = series[FITTED:].copy()
    values[MOVED:] += 1.0
    return table(values, FITTED)


@pytest.mark.parametrize("follow", [True, False])
def test_a_clean_series_has_few_alarms(either: Autoencoder, series: np.ndarray, follow: bool) -> None:
    found = scored(either, table(series[FITTED : FITTED + 3_000], FITTED), follow=follow)
    assert found.alarm.mean() < 3 * RATE
    assert found.shifts == [] == found.notes
    # A rate that is far higher has alarms: the level is none that nothing exceeds.
    assert scored(either, table(series[FITTED : FITTED + 3_000], FITTED), alarm_rate=0.3).alarm.any()


def test_a_level_that_follows_forgets_a_lasting_shift(model: Autoencoder, shifted: pa.Table) -> None:
    follow, hold = (scored(model, shifted, follow=choice) for choice in (True, False))
    assert np.array_equal(follow.bits, hold.bits)
    assert np.array_equal(follow.severity, hold.severity)
    assert hold.alarm[MOVED + 100 :].mean() > 0.99
    assert follow.alarm[MOVED + 100 :].mean() < hold.alarm[MOVED + 100 :].mean() / 2
    assert follow.alarm[-2_000:].mean() < 0.2
    # Nothing is hidden where the shift begins, nor is an alarm raised that the fit's level would not raise.
    assert follow.alarm[MOVED + 40 : MOVED + 200].mean() > 0.9
    assert not (follow.alarm & ~hold.alarm).any()
    assert follow.threshold == hold.threshold and (follow.follows, hold.follows) == (True, False)


def test_alarms_are_bits_above_the_level_that_is_told(model: Autoencoder, shifted: pa.Table) -> None:
    for follow in (True, False):
        found = scored(model, shifted, follow=follow)
        clear = np.abs(found.bits - found.levels) > 1e-6
        assert clear.mean() > 0.99
        assert np.array_equal((found.bits > found.levels)[clear], found.alarm[clear])
        assert (found.levels >= found.threshold - 1e-6).all()
        assert (found.levels.max() > found.threshold + 1) == follow


def test_the_level_is_a_column_where_it_follows(model: Autoencoder, series: np.ndarray) -> None:
    data = table(series[FITTED : FITTED + 200], FITTED)
    plain = ["bits", "severity", "alarm"]
    assert scored(model, data, follow=False).to_arrow().column_names == plain
    assert scored(model, data, follow=True).to_arrow().column_names == [*plain, "level"]
    frame = model.score_rows(data.to_pandas(), follow=True)
    assert list(frame.columns) == [*plain, "level"] and (frame["level"] >= model.threshold_ - 1e-6).all()


def test_one_channel_follows_and_several_hold_unless_the_user_says_otherwise(
    model: Autoencoder, series: np.ndarray
) -> None:
    data = table(series[FITTED : FITTED + 100], FITTED)
    assert scored(model, data).follows and not scored(model, data, follow=False).follows
    pair = data.append_column("other", data["value"])
    several = fitted(pair, time="time", window=8)
    assert not scored(several, pair).follows and scored(several, pair, follow=True).follows
    held = fitted(data, time="time", window=8, follow=False)
    assert not scored(held, data).follows and scored(held, data, follow=True).follows


def test_episodes_are_those_of_the_alarms(model: Autoencoder, shifted: pa.Table) -> None:
    for follow in (True, False):
        found = scored(model, shifted, follow=follow)
        inside = np.zeros(len(found.bits), bool)
        for episode in found.episodes:
            assert found.alarm[episode.start] and found.alarm[episode.end] and found.alarm[episode.peak]
            inside[episode.start : episode.end + 1] = True
        assert inside[found.alarm].all()


def test_a_stream_decides_like_a_level_that_sees_each_point_as_it_arrives(
    series: np.ndarray, tmp_path: Path
) -> None:
    """Each point is judged as the last one of a batch of all points so far, by a level of its own."""
    model = fitted(table(series[:800]), time="time", window=24)
    # Far behind the fit: what it remembers is no part of the batch.
    values = series[1_200:1_350].copy()
    values[60:] += 1.0
    data = table(values, 1_200)
    engine = model.engine_
    totals = [engine.rows.totals(engine.read(data.slice(0, n + 1)))[0][-1] for n in range(len(data))]
    for follow in (True, False):
        level = AlarmLevel.of(engine.calibration, 0.1, -np.log2(0.1), follow=follow)
        level.gain *= FASTER
        alarms, _ = level.add_all(totals)
        stream = model.stream(alarm_rate=0.1, follow=follow)
        answers = []
        for number, point in enumerate(data.to_pylist()):
            if number == 1:
                stream.levels[""].gain *= FASTER
            if number == 100:  # as a process that is started again
                saved = stream.save(tmp_path / f"state-{follow}.json")
                stream = model.stream(alarm_rate=0.1, follow=follow)
                stream.load(saved)
                stream.levels[""].gain *= FASTER
            answers.append(stream.push(point))
        assert [a.alarm for a in answers] == alarms.tolist()
        bits = engine.calibration.bits(np.array(totals))
        assert [a.bits for a in answers] == pytest.approx(bits.tolist(), rel=1e-4, abs=1e-4)
        assert stream.levels[""].offset == pytest.approx(level.offset)
        assert (stream.levels[""].offset > 0) == follow
        assert alarms[-40:].mean() < 0.5 if follow else alarms[-40:].mean() > 0.9


def test_the_state_of_a_stream_holds_levels_and_shifts(series: np.ndarray, tmp_path: Path) -> None:
    model = fitted(table(series[:800]), time="time", window=24)
    values = series[1_200:1_400].copy()
    values[40:] += 1.0
    points = table(values, 1_200).to_pylist()
    stream = model.stream(alarm_rate=RATE, follow=True)
    notes = [stream.push(point).note for point in points]
    (place,) = [number for number, note in enumerate(notes) if note]
    assert 40 + 96 <= place <= 40 + 96 + 24  # half of eight windows later, and a window at most
    moment = notes[place].removeprefix("since ").partition(",")[0]
    assert abs(np.datetime64(moment) - points[40]["time"]) <= np.timedelta64(24 * 300, "s")
    state = json.loads(stream.save(tmp_path / "state.json").read_bytes())
    assert state["level_offsets"][""] == stream.levels[""].offset > 0
    assert state["shifts"][""]["seen"] == 200 and state["shifts"][""]["since"] is not None
    again = model.stream(alarm_rate=RATE, follow=True)
    again.load(tmp_path / "state.json")
    assert again.levels == stream.levels and again.shifts == stream.shifts
    # It has been said: the stream that goes on does not say it again.
    more = table(series[1_400:1_430] + 1.0, 1_400).to_pylist()
    answers = [(stream.push(point), again.push(point)) for point in more]
    assert all(one == two and not one.note for one, two in answers)
    # A state of an older version says neither.
    del state["level_offsets"], state["shifts"]
    (tmp_path / "older.json").write_text(json.dumps(state))
    older = model.stream(alarm_rate=RATE, follow=True)
    older.load(tmp_path / "older.json")
    assert older.levels[""].offset == 0 and older.shifts[""].since is None


def test_each_series_of_a_stream_has_a_level_of_its_own() -> None:
    both = {"a": wave(600, 1), "b": wave(600, 2)}
    data = pa.concat_tables([table(v[:300], by=pa.array([n] * 300)) for n, v in both.items()])
    model = fitted(data, time="time", by="by", window=24)
    stream = model.stream(alarm_rate=RATE, follow=True)
    for number in range(150):
        for name, jump in (("a", 0.0), ("b", 2.0 * (number > 20))):
            time = (START + (400 + number) * np.timedelta64(300, "s")).item()
            answer = stream.push({"time": time, "by": name, "value": both[name][400 + number] + jump})
            assert not answer.note or (name == "b" and answer.note.startswith("b: since "))
    assert stream.levels["b"].offset > 5 * stream.levels["a"].offset
    assert stream.shifts["a"].since is None and stream.shifts["b"].since is not None


@pytest.mark.parametrize("points", [3, 12, 30])
def test_short_clean_batches_have_few_alarms(either: Autoencoder, series: np.ndarray, points: int) -> None:
    starts = range(FITTED, FITTED + 2_000, 40)
    batches = (table(series[start : start + points], start) for start in starts)
    alarms = np.concatenate([scored(either, batch).alarm for batch in batches])
    assert alarms.mean() <= 3 * RATE


def test_points_behind_a_gap_have_few_alarms(either: Autoencoder, series: np.ndarray) -> None:
    alarms, kept = [], np.r_[0:60, 260:290]
    for start in range(FITTED, FITTED + 4_000, 400):
        found = scored(either, table(series[start : start + 290], start).take(kept), follow=False)
        alarms.append(found.alarm)
    assert np.mean(alarms) <= 3 * RATE
    assert np.mean([part[60:] for part in alarms]) <= 3 * RATE


def test_the_first_points_of_a_stream_have_few_alarms(either: Autoencoder, series: np.ndarray) -> None:
    alarms = []
    for start in range(FITTED, FITTED + 2_400, 480):
        stream = either.stream(alarm_rate=RATE)
        points = table(series[start : start + 40], start).to_pylist()
        alarms += [stream.push(point).alarm for point in points]
    assert np.mean(np.array(alarms, dtype=bool)) <= 3 * RATE


@pytest.mark.parametrize("place", [3, 20, 36])
def test_a_spike_in_a_short_batch_is_found(either: Autoencoder, series: np.ndarray, place: int) -> None:
    for start in (FITTED, FITTED + 1_001):
        values = series[start : start + 40].copy()
        values[place] += 3
        found = scored(either, table(values, start))
        assert found.bits.argmax() == place and found.alarm[place]


def machines(levels: dict[str, float], points: int, seed: int = 0) -> pa.Table:
    parts = [
        table(wave(points, seed + number) + level, machine=pa.array([name] * points))
        for number, (name, level) in enumerate(levels.items())
    ]
    return pa.concat_tables(parts)


@pytest.fixture(scope="module")
def fleet() -> Autoencoder:
    """A model of three machines, each at a level of its own."""
    return fitted(machines({"a": 0, "b": 5, "c": 10}, 500), time="time", by="machine", window=24)


@pytest.mark.parametrize(("name", "own", "other"), [("a", 0, 5), ("b", 5, 0), ("c", 10, 0)])
def test_a_machine_at_the_level_of_another_is_in_alarm(
    fleet: Autoencoder, name: str, own: float, other: float
) -> None:
    usual, moved = (scored(fleet, machines({name: level}, 150, seed=7)) for level in (own, other))
    assert usual.alarm.mean() <= 3 * RATE and usual.notes == []
    assert moved.bits.min() > usual.bits.max() + 5 and moved.alarm[:50].all()
    (note,) = moved.notes
    assert note.startswith(f"{name}: since 2024-03-01 00:00:00, 100 % of the points")
    row = int(moved.bits.argmax())
    said = fleet.engine_.rows.words(fleet.engine_.read(machines({name: other}, 150, seed=7)), row)
    assert f"the level is {'higher' if other > own else 'lower'} than usual" in said


def test_a_machine_that_was_not_seen_is_judged_by_the_range_of_all(fleet: Autoencoder) -> None:
    for level, alarmed in ((0, False), (5, False), (10, False), (60, True), (-60, True)):
        found = scored(fleet, machines({"new": level}, 150, seed=7))
        assert found.alarm[:50].all() if alarmed else found.alarm.mean() <= 3 * RATE


def test_the_ranges_of_machines_survive_a_file(fleet: Autoencoder, tmp_path: Path) -> None:
    asked = machines({"a": 0, "b": 0, "new": 5, "c": 60}, 100, seed=3)
    again = load(fleet.save(tmp_path / "fleet.diabolo"))
    for follow in (True, False):
        one, two = (scored(m, asked, follow=follow) for m in (fleet, again))
        assert np.array_equal(one.bits, two.bits) and np.array_equal(one.alarm, two.alarm)
        assert np.array_equal(one.levels, two.levels) and one.notes == two.notes
    assert fleet.engine_.calibration.tail == again.engine_.calibration.tail


def test_the_anomalies_of_the_fit_itself_are_found() -> None:
    values, places = wave(6_000, 3), [1_500, 3_100, 4_700]
    values[places] += 15 * values.std()
    model = fitted({"value": values}, window=32)
    for rate in (RATE, 0.001):
        found = scored(model, {"value": values}, alarm_rate=rate)
        assert found.alarm[places].any()
        assert len(found.episodes) < 10 and found.notes == []


def test_the_user_is_told_that_a_series_has_moved(model: Autoencoder, shifted: pa.Table) -> None:
    with pytest.warns(DiaboloWarning, match="since 2024-.*a long fault, or a new normal.*partial_fit"):
        model.score_rows(shifted)
    (shift,) = (found := scored(model, shifted)).shifts
    assert abs(shift.start - MOVED) <= 32 and shift.end == len(found.bits) - 1 and shift.lasts
    (note,) = found.notes
    assert note.startswith(f"since {shifted['time'][shift.start].as_py()}, 100 % of the points")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DiaboloWarning)
        model.score_rows(shifted.slice(0, MOVED - 100))


def test_a_shift_that_ended_and_one_without_times(model: Autoencoder, series: np.ndarray) -> None:
    values = series[FITTED : FITTED + 2_000].copy()
    values[500:1_000] += 1.0
    data = table(values, FITTED)
    (shift,), (note,) = (found := scored(model, data)).shifts, found.notes
    assert not shift.lasts and abs(shift.start - 500) <= 32 and abs(shift.end - 999) <= 32
    begin, end = (data["time"][row].as_py() for row in (shift.start, shift.end))
    assert note.startswith(f"from {begin} to {end}, ")
    timeless = fitted({"value": series[:FITTED]}, window=32)
    assert scored(timeless, {"value": values}).notes[0].startswith(f"from row {shift.start:,} to row ")


def test_rows_out_of_order_are_judged_in_time(model: Autoencoder, shifted: pa.Table) -> None:
    short = shifted.slice(MOVED - 500, 1_000)
    order = np.random.default_rng(0).permutation(1_000)
    one, two = scored(model, short), scored(model, short.take(order))
    assert np.array_equal(two.alarm, one.alarm[order]) and np.array_equal(two.levels, one.levels[order])
    assert two.notes == one.notes and order[two.shifts[0].start] == one.shifts[0].start


def test_rows_of_a_table_cannot_be_followed() -> None:
    rows = {"a": np.random.default_rng(0).normal(size=60), "b": np.arange(60) % 7}
    with pytest.raises(OptionError, match="follow=True: rows of a table have no order") as raised:
        fitted(rows, epochs=1).score_rows(rows, follow=True)
    assert "time=..." in str(raised.value)
    model = fitted(rows, epochs=1, follow=False)
    assert list(pa.table(model.score_rows(rows)).column_names) == ["bits", "severity", "alarm"]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("follow", [True, False, None])
def test_older_model_files_follow_and_hold(version: int, follow: bool | None) -> None:
    model = load(HERE / f"series.{version}.diabolo")
    found = tasks.score(model, DATA["series"], follow=follow)
    assert found.follows is (follow is not False)
    assert np.isfinite(found.levels).all() and (found.levels >= found.threshold - 1e-6).all()
    assert found.alarm[11] and np.array_equal(found.bits, model.anomaly_score(DATA["series"]))
    stream = model.stream(follow=follow)
    assert (stream.push({"time": "2024-03-02 00:00:00", "value": 9.0}).bits or 0) > 0
    assert (stream.levels[""].gain > 0) is found.follows
