"""A point that arrives alone is scored as the last of a batch of all points so far."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from warnings import catch_warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo import Autoencoder
from diabolo.errors import ColumnError, DataError, ModelFileError, OptionError, UnsupportedError
from diabolo.streaming.stream import Stream
from tests.fits import fitted

WINDOW = 16


def pumps(points: int = 300, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    value = np.sin(np.arange(points) / 4)
    return pd.DataFrame(
        {
            "time": pd.date_range("2026-01-01", periods=points, freq="h"),
            "flow": value + 0.05 * random.normal(size=points),
            "load": 3 - value + 0.05 * random.normal(size=points),
            "mode": np.where(value > 0, "high", "low"),
        }
    )


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    return fitted(pumps(), time="time", window=WINDOW)


def points_of(data: pd.DataFrame) -> list[dict[str, object]]:
    return data.to_dict("records")


def test_points_are_scored_as_the_last_of_a_batch(model: Autoencoder) -> None:
    data = pumps(60, seed=1)
    data.loc[20, "flow"], data.loc[40:42, "load"] = 9.0, np.nan
    stream = model.stream()
    answers = [stream.push(point) for point in points_of(data)]
    for count in (1, 2, 15, 16, 17, 21, 42, 60):
        batch = model.anomaly_score(data.head(count))
        assert answers[count - 1].bits == pytest.approx(batch[-1], rel=1e-6, abs=1e-5)
    assert answers[20].alarm and answers[20].severity > 50  # type: ignore[operator]
    assert stream.seen == 60 and {a.status for a in answers} == {"new"}


def test_gaps_late_and_repeated_points(model: Autoencoder) -> None:
    data = pumps(80, seed=2)
    stream = model.stream()
    first = data.drop(index=[30, *range(50, 75)]).reset_index(drop=True)
    for point in points_of(first.iloc[:40]):
        stream.push(point)
    late = stream.push(points_of(data)[30])
    so_far = pd.concat([first.iloc[:40], data.iloc[[30]]])
    assert late.status == "late"
    assert late.bits == pytest.approx(model.anomaly_score(so_far)[-1], abs=1e-5)
    assert stream.push(points_of(data)[30]).status == "repeated"
    assert stream.push(points_of(data)[5]).status == "too late"
    seen = stream.seen
    assert stream.push(points_of(data)[2]).bits is None and stream.seen == seen
    for place in range(40, len(first)):
        answer = stream.push(points_of(first)[place])
    whole = pd.concat([so_far, first.iloc[40:]])
    assert answer.bits == pytest.approx(model.anomaly_score(whole)[-1], abs=1e-5)


def test_several_series_at_once() -> None:
    data = pd.concat([pumps(120, seed=s).assign(pump=f"p{s}") for s in (0, 1)]).sort_values("time")
    model = fitted(data, time="time", by="pump", window=WINDOW, epochs=1)
    new = pd.concat([pumps(40, seed=s).assign(pump=f"p{s}") for s in (1, 2)]).sort_values(
        "time", kind="stable"
    )
    stream = model.stream()
    answers = [stream.push(point).bits for point in points_of(new)]
    batch = model.anomaly_score(new)
    ends = [int(np.flatnonzero((new["pump"] == name).to_numpy())[-1]) for name in ("p1", "p2")]
    assert [answers[e] for e in ends] == pytest.approx([batch[e] for e in ends], rel=5e-6)


def test_series_without_times_and_without_a_grid() -> None:
    random = np.random.default_rng(0)
    wave = np.sin(np.arange(300) / 5) + 0.1 * random.normal(size=300)
    plain = fitted({"value": wave}, window=WINDOW, epochs=1)
    stream = plain.stream()
    answers = [stream.push({"value": v}).bits for v in wave[:50]]
    assert answers[-1] == pytest.approx(plain.anomaly_score({"value": wave[:50]})[-1], abs=1e-5)
    data = pd.DataFrame({"t": np.cumsum(random.exponential(size=300)), "value": wave})
    loose = fitted(data, time="t", window=WINDOW, epochs=1)
    stream = loose.stream()
    answers = [stream.push(point).bits for point in points_of(data.head(50))]
    assert answers[-1] == pytest.approx(loose.anomaly_score(data.head(50))[-1], abs=1e-5)


def test_times_as_text(model: Autoencoder) -> None:
    data = pumps(30, seed=3)
    texts = data.assign(time=data["time"].astype(str), flow=data["flow"].astype(str))
    one, two = model.stream(), model.stream()
    for plain, text in zip(points_of(data), points_of(texts), strict=True):
        assert one.push(plain).bits == pytest.approx(two.push(text).bits, abs=1e-9)


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_the_calendar_is_that_of_the_zone(zone: str | None) -> None:
    # Unlike the default model, a trained one reads the hour; by it alone these hours differ.
    data = pumps(24 * 30).assign(time=pd.date_range("2026-01-01", periods=24 * 30, freq="h", tz=zone))
    data["flow"] += 3 * (data["time"].dt.hour == 9)
    model = fitted(data, "denoising", time="time", window=8, epochs=3)
    stream, new = model.stream(), data.head(40)
    answers = [stream.push(point).bits for point in points_of(new)]
    assert answers[-1] == pytest.approx(model.anomaly_score(new)[-1], abs=1e-5)
    if zone:
        elsewhere = new.assign(time=new["time"].dt.tz_convert("Asia/Tokyo"))
        assert answers[-1] != pytest.approx(model.anomaly_score(elsewhere)[-1], abs=1e-3)


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%f+01:00"])
def test_text_may_say_how_far_it_is_from_utc(form: str) -> None:
    data = pumps(120)[["time", "flow"]]
    text = data.assign(time=data["time"].dt.strftime(form))
    zoned = data.assign(time=pd.to_datetime(text["time"], utc=True))
    model = fitted(zoned, time="time", window=8)
    stream = model.stream()
    answers = [stream.push(point).bits for point in points_of(text.head(20))]
    for batch in (zoned, text):
        assert answers[-1] == pytest.approx(model.anomaly_score(batch.head(20))[-1], abs=1e-5)


@pytest.mark.parametrize("value", [10**400, float("inf"), {"a": 1}, [1], "9" * 5000, True, b"x"])
@pytest.mark.parametrize("name", ["time", "flow", "mode"])
def test_no_value_is_more_than_an_error(model: Autoencoder, name: str, value: object) -> None:
    stream, data = model.stream(), points_of(pumps(20, seed=4))
    for point in data[:10]:
        stream.push(point)
    with suppress(DataError):
        stream.push({**data[10], name: value})
    for point in data[11:]:
        assert stream.push(point).bits is not None


def test_what_cannot_be_read_changes_nothing(model: Autoencoder) -> None:
    data, stream = points_of(pumps(20, seed=4)), model.stream()
    for point in data[:10]:
        stream.push(point)
    with pytest.raises(ColumnError, match="flow"):
        stream.push({**data[10], "flow": "n/a"})
    with pytest.raises(DataError, match="without a time"):
        stream.push({"flow": 1.0})
    with pytest.raises(ColumnError, match="yesterday"):
        stream.push({**data[10], "time": "yesterday"})
    other = model.stream()
    for point in data:
        wanted = other.push(point)
    for point in data[10:]:
        got = stream.push(point)
    assert got == wanted


def test_only_a_series_arrives_point_by_point() -> None:
    table = fitted(np.random.default_rng(0).normal(size=(60, 2)), epochs=1)
    with pytest.raises(UnsupportedError, match="series"):
        table.stream()


def test_the_alarm_rate_can_be_asked_for(model: Autoencoder) -> None:
    assert model.stream(alarm_rate=0.05).threshold < model.stream().threshold
    with pytest.raises(OptionError):
        model.stream(alarm_rate=1e-9)


@settings(deadline=None, max_examples=10)
@given(cut=st.integers(0, 38))
def test_a_stream_goes_on_from_a_file(
    model: Autoencoder, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("state") / "state"
    data = points_of(pumps(40, seed=5).drop(index=[7, 8]))
    one, other = model.stream(), model.stream()
    whole = [one.push(point) for point in data]
    for point in data[:cut]:
        other.push(point)
    other.save(path, line=cut)
    again = model.stream()
    assert again.load(path) == {"line": cut} and again.seen == min(cut, len(data))
    assert [again.push(point) for point in data[cut:]] == whole[cut:]


def test_states_of_older_versions_are_read(model: Autoencoder, tmp_path: Path) -> None:
    path, data = tmp_path / "state", points_of(pumps(40, seed=5))
    stream = model.stream()
    for point in data[:20]:
        stream.push(point)
    state = json.loads(stream.save(path, line=20).read_bytes())
    state["strands"] = state.pop("series")
    for series in state["strands"].values():
        for point in series["points"]:
            point["beside"] = point.pop("context")
    path.write_text(json.dumps(state))
    resumed = model.stream()
    assert resumed.load(path) == {"line": 20} and resumed.seen == 20
    assert resumed.buffers[""].context == stream.buffers[""].context
    assert [resumed.push(point) for point in data[20:]] == [stream.push(point) for point in data[20:]]


def test_states_that_do_not_fit(model: Autoencoder, tmp_path: Path) -> None:
    stream, path = model.stream(), tmp_path / "state"
    with pytest.raises(ModelFileError):
        stream.load(path)
    for text in ("", "[]", '{"model": 1}', '{"model": [], "seen": 1, "series": {}, "more": {}}'):
        path.write_text(text)
        with pytest.raises(ModelFileError):
            stream.load(path)
    fitted({"value": np.sin(np.arange(100) / 3)}, window=8, epochs=1).stream().save(path)
    with pytest.raises(ModelFileError, match="another model"):
        stream.load(path)


def test_memory_stays_flat(model: Autoencoder) -> None:
    stream, data = model.stream(), points_of(pumps(100, seed=6))
    for point in data:
        stream.push(point)
    size = len(str({g: s.to_json() for g, s in stream.buffers.items()}))
    step = pd.Timedelta("1h")
    for number in range(300):
        stream.push({**data[number % 100], "time": data[-1]["time"] + (number + 1) * step})  # type: ignore[operator]
    assert len(str({g: s.to_json() for g, s in stream.buffers.items()})) < 1.2 * size


def test_a_stream_goes_on_with_a_model_that_has_learnt(tmp_path: Path) -> None:
    data = pumps(1_000)
    model = fitted(data.head(400), time="time", window=WINDOW)
    stream, points = Stream(model, 0.05, keep=300), points_of(data.iloc[400:])
    for point in points[:400]:
        stream.push(point)
    kept = pa.table(dict(stream.recent())).to_pandas()
    np.testing.assert_array_equal(kept["flow"], data["flow"].iloc[500:800])
    with catch_warnings(action="ignore"):
        model.partial_fit(stream.recent())
    engine, threshold = stream.engine, stream.threshold
    assert engine is not model.engine_
    stream.save(tmp_path / "old")
    stream.refresh(model).save(tmp_path / "new")
    assert stream.engine is model.engine_ and stream.threshold == pytest.approx(threshold)
    assert stream.push(points[399]).status == "repeated"
    answer = stream.push(points[400])
    assert answer.bits == pytest.approx(model.anomaly_score(data.iloc[400:801])[-1], abs=1e-4)
    Stream(model, keep=50).load(tmp_path / "new")
    with pytest.raises(ModelFileError, match="another model"):
        Stream(model).load(tmp_path / "old")
    with pytest.raises(UnsupportedError, match="cannot continue"):
        stream.refresh(fitted(data.head(400), time="time", window=WINDOW + 1))
