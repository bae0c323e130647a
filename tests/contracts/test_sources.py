"""What every source promises."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo.data.sources import SOURCES, Series, Source, Table, UserTable
from diabolo.errors import ColumnError, DataError, OptionError
from tests import made

OPTIONS: dict[type[Source], list[tuple[dict[str, Any], pa.Table]]] = {
    Table: [({}, made.mixed(50))],
    Series: [
        ({"time": "time", "window": 32}, made.wave(200)),
        ({"time": "time", "window": 16}, made.two_channels(500)),
        ({"time": "time", "by": "machine", "window": 24}, made.fleet(60)),
        ({"window": 10}, pa.table({"value": np.arange(60.0)})),
    ],
}
CASES = [(kind, options, table) for kind in SOURCES for options, table in OPTIONS.get(kind, [])]
pytestmark = pytest.mark.filterwarnings("error")


def shuffled(table: pa.Table, seed: int = 0) -> tuple[pa.Table, np.ndarray]:
    order = np.random.default_rng(seed).permutation(table.num_rows)
    return table.take(pa.array(order)), order


def test_every_kind_is_tried() -> None:
    assert set(OPTIONS) == set(SOURCES)


@pytest.mark.parametrize(
    "options", [{}, {"time": "t"}, {"window": 5}, {"time": "t", "by": "m"}, {"window": "auto"}]
)
def test_one_source_claims_the_options(options: dict[str, Any]) -> None:
    claims = [kind for kind in SOURCES if kind.claims(options)]
    assert claims == [Series if options else Table]


@pytest.mark.parametrize(("kind", "options", "table"), CASES)
class TestEverySource:
    def test_fit_leaves_the_instance_as_it_was(
        self, kind: type[Source], options: dict[str, Any], table: pa.Table
    ) -> None:
        source = kind(**options)
        before = source.to_json()
        source.fit(UserTable(table))
        assert source.to_json() == before

    def test_reading_again_is_the_same(
        self, kind: type[Source], options: dict[str, Any], table: pa.Table
    ) -> None:
        source = kind(**options).fit(UserTable(table))
        one, other = source.read(UserTable(table)), source.read(UserTable(table))
        assert one.rows == other.rows and list(one.columns) == list(other.columns)
        for name, values in one.columns.items():
            assert len(values) == one.rows
            if isinstance(values, np.ndarray):
                assert np.array_equal(values, other.columns[name], equal_nan=True)
            else:
                assert values.equals(other.columns[name])

    def test_fold_of_a_constant_is_that_constant(
        self, kind: type[Source], options: dict[str, Any], table: pa.Table
    ) -> None:
        source = kind(**options).fit(UserTable(table))
        frame = source.read(UserTable(table))
        folded = source.fold(frame, np.full(frame.rows, 3.5))
        assert folded.shape == (table.num_rows,)
        assert np.allclose(folded, 3.5, atol=1e-9)

    def test_fold_ignores_what_is_not_known(
        self, kind: type[Source], options: dict[str, Any], table: pa.Table
    ) -> None:
        source = kind(**options).fit(UserTable(table))
        frame = source.read(UserTable(table))
        answers = np.full(frame.rows, 2.0)
        answers[frame.rows // 2] = np.nan
        folded = source.fold(frame, answers)
        assert np.allclose(folded[np.isfinite(folded)], 2.0)
        assert np.isfinite(folded).sum() >= table.num_rows - 1

    def test_order_of_the_user_is_kept(
        self, kind: type[Source], options: dict[str, Any], table: pa.Table
    ) -> None:
        if kind is Series and "time" not in options:
            return
        source = kind(**options).fit(UserTable(table))
        mixed, order = shuffled(table)
        frame, other = source.read(UserTable(table)), source.read(UserTable(mixed))
        assert kind(**options).fit(UserTable(mixed)).to_json() == source.to_json()
        assert frame.rows == other.rows
        rng = np.random.default_rng(1).normal(size=frame.rows)
        said = rng if kind is Series else rng[order]
        assert np.allclose(source.fold(frame, rng)[order], source.fold(other, said))

    def test_survives_json(self, kind: type[Source], options: dict[str, Any], table: pa.Table) -> None:
        source = kind(**options).fit(UserTable(table))
        state = json.loads(json.dumps(source.to_json()))
        assert state.pop("kind") == kind.kind
        assert kind(**state) == source

    def test_some_of_the_rows(self, kind: type[Source], options: dict[str, Any], table: pa.Table) -> None:
        source = kind(**options).fit(UserTable(table))
        frame = source.read(UserTable(table))
        picked = np.array([3, 1, 7])
        some = frame.only(picked)
        assert some.rows == 3
        for name, values in frame.columns.items():
            one, whole = some.columns[name], values
            if isinstance(whole, np.ndarray):
                assert np.array_equal(one, whole[picked], equal_nan=True)
            else:
                assert one.to_pylist() == [whole[int(i)].as_py() for i in picked]
        pieces = [frame[s] for s in frame.chunks(7)]
        assert sum(len(p[next(iter(p))]) for p in pieces) == frame.rows


def windows(table: pa.Table, **options: Any) -> tuple[Series, Any]:
    source = Series(**options).fit(UserTable(table))
    return source, source.read(UserTable(table))


def test_windows_lie_on_the_grid() -> None:
    table = made.wave(200)
    source, frame = windows(table, time="time", window=32)
    value = table["value"].to_numpy()
    assert source.step == 300 and source.length == 32 and frame.rows == 200 - 31
    for start in (0, 5, 168):
        assert np.array_equal(frame.columns["value"][start], value[start : start + 32])
    # A window's calendar is that of its middle.
    assert frame.columns["time"][5].as_py() == table["time"][5 + 16].as_py()


def test_windows_of_shuffled_rows_are_those_of_sorted_rows() -> None:
    table = made.two_channels(300)
    mixed, _ = shuffled(table)
    one, other = windows(table, time="time", window=16)[1], windows(mixed, time="time", window=16)[1]
    for name in ("up", "side"):
        assert np.array_equal(one.columns[name], other.columns[name], equal_nan=True)


def test_gaps_are_holes() -> None:
    table = made.two_channels(500)
    source, frame = windows(table, time="time", window=16)
    assert source.step == pytest.approx(60, abs=1)
    up = frame.columns["up"]
    points = np.r_[up[:, 0], up[-1, 1:]]
    assert len(points) == 500
    assert (
        np.isnan(points[300:340]).all()
        and np.isfinite(points[:300]).all()
        and np.isfinite(points[340:]).all()
    )
    assert np.array_equal(points[340:], table["up"].to_numpy()[300:])
    # A window of a gap alone holds nothing, and no row of the user is asked about it.
    assert np.isnan(up[310]).all()
    answers = np.where(np.isnan(up).all(1), 1e9, 1.0)
    folded = source.fold(frame, answers)
    assert folded.shape == (460,) and folded[0] == 1.0 and np.isfinite(folded).all()


def test_a_point_gets_the_mean_of_the_windows_that_cover_it() -> None:
    source, frame = windows(pa.table({"value": np.arange(20.0)}), window=4)
    answers = np.arange(17.0)
    folded = source.fold(frame, answers)
    expected = [np.mean([answers[s] for s in range(17) if s <= point < s + 4]) for point in range(20)]
    assert np.allclose(folded, expected)
    inside = np.arange(17.0)[:, None] + np.arange(4) * 100.0
    expected = [
        np.mean([inside[s, point - s] for s in range(17) if s <= point < s + 4]) for point in range(20)
    ]
    assert np.allclose(source.fold(frame, inside), expected)


def test_series_of_one_table_stay_apart() -> None:
    table = made.fleet(60)
    source, frame = windows(table, time="time", by="machine", window=24)
    assert frame.rows == 3 * (60 - 23)
    machine = np.array(table["machine"].to_pylist())
    for index, name in enumerate("abc"):
        own = table.filter(pa.array(machine == name))["value"].to_numpy()
        rows = slice(index * 37, index * 37 + 37)
        assert np.array_equal(frame.columns["value"][rows][5], own[5:29])
        assert set(frame.columns["machine"][rows].to_pylist()) == {name}
        answers = np.zeros(frame.rows)
        answers[rows] = 1
        assert np.allclose(source.fold(frame, answers), machine == name)
    assert np.abs(np.subtract.outer(frame.positions[:37], frame.positions[37:])).min() > 1e6


def test_irregular_times_follow_each_other() -> None:
    rng = np.random.default_rng(0)
    table = pa.table({"t": np.cumsum(rng.exponential(1.0, 300)), "value": rng.normal(size=300)})
    source, frame = windows(table, time="t", window=20)
    assert source.step == 0 and frame.rows == 281
    assert np.array_equal(frame.columns["value"][7], table["value"].to_numpy()[7:27])


def test_a_series_shorter_than_the_window_is_padded() -> None:
    source, _ = windows(made.wave(200), time="time", window=32)
    short = made.wave(5, start="2024-05-01")
    frame = source.read(UserTable(short))
    assert frame.rows == 1 and np.isnan(frame.columns["value"][0, 5:]).all()
    assert np.array_equal(frame.columns["value"][0, :5], short["value"].to_numpy())
    assert np.allclose(source.fold(frame, np.array([4.0])), 4.0)


def test_two_rows_of_one_time_share_a_point() -> None:
    table = made.wave(60)
    twice = pa.concat_tables([table, table.slice(10, 1)])
    source, frame = windows(twice, time="time", window=8)
    assert frame.rows == 53
    inside = np.arange(frame.rows * 8, dtype=float).reshape(-1, 8)
    folded = source.fold(frame, inside)
    assert folded.shape == (61,) and folded[60] == folded[10]


def test_numbers_can_be_times() -> None:
    source, frame = windows(
        pa.table({"t": np.arange(0, 100, 2), "value": np.arange(50.0)}), time="t", window=8
    )
    assert source.step == 2 and frame.rows == 43 and "t" not in frame.columns


def test_a_window_that_suits_the_data_is_chosen() -> None:
    assert Series(time="time").fit(UserTable(made.wave(1_000))).length == 128
    assert Series(time="time").fit(UserTable(made.wave(90))).length == 30


def test_rows_that_belong_together() -> None:
    table = made.wave(200)
    source, frame = windows(table, time="time", window=32)
    chosen = np.zeros(200, bool)
    chosen[[5, 6, 15, 100, 199]] = True
    assert [s.tolist() for s in source.group_alarms(frame, chosen)] == [[5, 6, 15], [100], [199]]
    assert source.group_alarms(frame, np.zeros(200, bool)) == []
    mixed, order = shuffled(table)
    found = source.group_alarms(source.read(UserTable(mixed)), chosen[order])
    assert [order[s].tolist() for s in found] == [[5, 6, 15], [100], [199]]
    assert [s.tolist() for s in Table().group_alarms(Table().read(UserTable(table)), chosen)] == [
        [5],
        [6],
        [15],
        [100],
        [199],
    ]


def test_series_of_one_table_never_share_a_stretch() -> None:
    table = made.fleet(60)
    source, frame = windows(table, time="time", by="machine", window=24)
    chosen = np.zeros(180, bool)
    chosen[[177, 1]] = True  # the end of series a, the start of series b
    assert sorted(s.tolist() for s in source.group_alarms(frame, chosen)) == [[1], [177]]


def test_what_is_wrong_with_a_series_is_said() -> None:
    table = made.wave(60)
    with pytest.raises(OptionError, match="'tme' is not a column"):
        Series(time="tme").fit(UserTable(table))
    with pytest.raises(OptionError, match="needs a series"):
        Series.claims({"by": "machine"})
    for window in (1, 0, -3, 61):
        with pytest.raises(OptionError, match=f"window={window}"):
            Series(time="time", window=window).fit(UserTable(table))
    with pytest.raises(DataError, match="5 points"):
        Series(time="time").fit(UserTable(table.slice(0, 5)))
    with pytest.raises(DataError, match="no column of numbers"):
        Series(time="time").fit(UserTable(table.select(["time"])))
    with pytest.raises(ColumnError, match="row 3: a point without a time"):
        Series(time="time").fit(UserTable(made.with_cell(table, "time", 3, None)))
    source, _ = windows(table, time="time", window=8)
    with pytest.raises(DataError, match="no column 'value'"):
        source.read(UserTable(table.rename_columns(["time", "other"])))


def test_a_series_with_a_gap_of_years_is_refused() -> None:
    source, _ = windows(made.wave(60), time="time", window=8)
    far = pa.concat_tables([made.wave(30), made.wave(30, start="2124-03-01")])
    with pytest.raises(DataError, match="at a step of 300"):
        source.read(UserTable(far))


def test_a_series_without_a_name_is_a_series_of_its_own() -> None:
    table = made.fleet(60)
    nameless = table.set_column(
        1, "machine", pa.array([None if m == "b" else m for m in table["machine"].to_pylist()], pa.string())
    )
    source, frame = windows(nameless, time="time", by="machine", window=24)
    assert frame.rows == 3 * 37
    assert np.allclose(source.fold(frame, np.ones(frame.rows)), 1)
