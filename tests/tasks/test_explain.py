"""Explanations: the anomalous cells of a row, the expected values, and the most similar rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.detection import EncodedRows, Residual
from diabolo.detection.memory import Memory
from diabolo.errors import OptionError
from tests import made
from tests.fits import fitted


def usual_row(fresh: pa.Table) -> int:
    """Return a row without missing values, near the mean."""
    return next(
        i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and abs(r["number"]) < 0.3
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("double", 60.0),
        ("number", -9.0),
        ("count", 400),
        ("count", -3),
        ("double", float("inf")),
        ("city", "Rome"),
    ],
)
def test_an_anomalous_cell_is_found(model: Autoencoder, fresh: pa.Table, name: str, value: Any) -> None:
    row = usual_row(fresh)
    if name == "city":
        row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and r["number"] > 1)
    anomalous = made.with_cell(fresh, name, row, value)
    assert model.anomaly_score(anomalous)[row] > model.anomaly_score(fresh)[row] + 1.5
    answer = model.explain(anomalous, rows=[row])
    # The wrong cell has the most evidence, and the others have little.
    assert answer.names[int(answer.bits[0].argmax())] == name
    others = [i for i, n in enumerate(answer.names) if n != name]
    assert answer.p_wrong[0, others].max() < 0.5
    assert answer.share[0, answer.names.index(name)] > 100 / len(answer.names)
    assert model.explain(fresh, rows=[row]).p_wrong[0].max() < 0.5


@pytest.mark.parametrize("value", [5.0, -6.0])
def test_a_cell_that_is_anomalous_only_in_its_row_is_found(
    model: Autoencoder, fresh: pa.Table, value: float
) -> None:
    row = usual_row(fresh)
    anomalous = made.with_cell(fresh, "double", row, value)
    assert model.anomaly_score(anomalous)[row] > model.anomaly_score(fresh)[row] + 1.5
    answer, sane = model.explain(anomalous, rows=[row]), model.explain(fresh, rows=[row])
    place = answer.names.index("double")
    assert place in np.argsort(-answer.bits[0])[:2] and answer.bits[0, place] > sane.bits[0, place] + 2
    assert answer.names[int(answer.share[0].argmax())] == "double"


def test_cells_that_contradict_each_other_are_found(model: Autoencoder, fresh: pa.Table) -> None:
    """The flag is whether the count is above 4: one of the two is wrong, and it is unknown which."""
    row = usual_row(fresh)
    anomalous = made.with_cell(fresh, "flag", row, not fresh["flag"][row].as_py())
    answer = model.explain(anomalous, rows=[row])
    assert {answer.names[i] for i in np.argsort(-answer.bits[0])[:2]} == {"flag", "count"}


def test_expected_values_and_ranges(model: Autoencoder, fresh: pa.Table) -> None:
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values() and 1 < r["number"] < 1.5)
    number = fresh["number"][row].as_py()
    answer = model.explain(made.with_cell(fresh, "double", row, -3.0), rows=[row])
    assert answer.observed["double"].to_pylist() == [-3.0]
    assert answer.expected["double"].to_pylist()[0] == pytest.approx(2 * number, abs=1.0)
    low, high = (answer_.to_pylist()[0] for answer_ in (answer.low["double"], answer.high["double"]))
    assert low < answer.expected["double"].to_pylist()[0] < high and low > -3.0
    assert answer.low["city"] is None and answer.expected["city"].to_pylist()[0] in ("Oslo", "Lima", "Rome")


def test_an_unseen_label_is_anomalous(any_model: Autoencoder, fresh: pa.Table) -> None:
    known = np.flatnonzero(fresh["city"].is_valid().to_numpy())
    unseen = pa.array([None if v is None else "Atlantis" for v in fresh["city"].to_pylist()])
    anomalous = fresh.set_column(fresh.column_names.index("city"), "city", unseen)
    before, after = any_model.anomaly_score(fresh)[known], any_model.anomaly_score(anomalous)[known]
    assert (after > before).mean() > 0.95 and np.median(after - before) > 1
    answer = any_model.explain(anomalous, rows=known[:20].tolist())
    place = answer.names.index("city")
    assert (answer.bits[:, place] > any_model.explain(fresh, rows=known[:20].tolist()).bits[:, place]).all()
    assert answer.observed["city"].to_pylist() == ["Atlantis"] * 20


def test_infinities_are_anomalous_and_not_missing(model: Autoencoder, fresh: pa.Table) -> None:
    anomalous = made.with_cell(made.with_cell(fresh, "double", 3, float("inf")), "double", 4, float("-inf"))
    bits = model.anomaly_score(anomalous)
    assert np.isfinite(bits).all() and set(np.argsort(-bits)[:2]) == {3, 4}
    answer = model.explain(anomalous, rows=[3, 4])
    assert (answer.share[:, answer.names.index("double")] > 60).all()
    assert np.isfinite(answer.bits).all()


def test_rows_without_any_value_are_explained(any_model: Autoencoder, fresh: pa.Table) -> None:
    blank = pa.table(
        {
            n: pa.nulls(2, t) if n in made.PREDICTED else fresh[n].slice(0, 2)
            for n, t in zip(fresh.column_names, fresh.schema.types, strict=True)
        }
    )
    assert np.isfinite(any_model.anomaly_score(blank)).all()
    answer = any_model.explain(blank)
    scored = [answer.names.index(n) for n in made.PREDICTED]
    assert not answer.p_wrong[:, scored].any() and not answer.bits[:, scored].any()
    assert np.allclose(answer.share.sum(1), 100)
    assert all(any_model.repair(blank).to_frame()[n].null_count == 0 for n in made.PREDICTED)


def test_context_is_read_but_never_scored(table: pa.Table, fresh: pa.Table) -> None:
    model = fitted(table, epochs=60, context=["city", "count"])
    assert model.schema_.scored == ["number", "double", "flag", "when", "remark"]
    answer = model.explain(fresh, rows=[0, 1])
    assert answer.names == model.schema_.scored
    assert set(model.reconstruct(fresh).to_frame().column_names) == set(model.schema_.predicted)
    changed = made.with_cell(made.with_cell(fresh, "count", 0, None), "city", 1, None)
    repaired = model.repair(changed).to_frame()
    assert repaired["count"][0].as_py() is None and repaired["city"][1].as_py() is None
    batch = model.engine_.schema.encode(model.engine_.read(fresh).columns)
    engine = model.engine_
    residual = next(e for e in engine.rows.evidence if isinstance(e, Residual))
    parts = residual.shares(EncodedRows(engine.parts, batch))
    for slot in model.schema_.slots:
        if slot.name in ("city", "count"):
            assert not parts[slot.kind][:, slot.index].any()
    # The context is read: the flag is predicted from the count.
    row = next(i for i, r in enumerate(fresh.to_pylist()) if None not in r.values())
    wrong = made.with_cell(fresh, "flag", row, not fresh["flag"][row].as_py())
    assert model.explain(wrong, rows=[row]).bits[0, 2] > model.explain(fresh, rows=[row]).bits[0, 2] + 2


def test_ignored_columns_change_nothing(model: Autoencoder, fresh: pa.Table) -> None:
    other = fresh.set_column(0, "id", pa.array(["strange"] * 120)).drop_columns(["unit"])
    assert np.array_equal(model.anomaly_score(other), model.anomaly_score(fresh))
    assert model.repair(other).to_frame()["id"].to_pylist() == ["strange"] * 120
    assert model.explain(other).names == model.schema_.scored


def test_shares_sum_to_100(any_model: Autoencoder, fresh: pa.Table) -> None:
    answer = any_model.explain(fresh)
    assert np.allclose(answer.share.sum(1), 100) and (answer.share >= 0).all()
    assert answer.rows.tolist() == list(range(120))


def test_rows_can_be_picked(model: Autoencoder, fresh: pa.Table) -> None:
    whole, some = model.explain(fresh), model.explain(fresh, rows=[7, 3, 7])
    assert np.allclose(some.bits, whole.bits[[7, 3, 7]], atol=1e-4)
    assert some.to_arrow()["row"].to_pylist() == np.repeat([7, 3, 7], len(some.names)).tolist()
    for rows in ([120], [-1], [5, 1_000]):
        with pytest.raises(OptionError, match=f"row {rows[-1]} is not in the data, which has 120 rows"):
            model.explain(fresh, rows=rows)


def test_no_rows_can_be_picked(model: Autoencoder, fresh: pa.Table) -> None:
    assert model.explain(fresh, rows=[]).to_arrow().num_rows == 0


def test_similar_rows_are_shown(model: Autoencoder, table: pa.Table) -> None:
    answer = model.explain(table.to_pandas(), rows=[4, 5], neighbours=3)
    near = answer.nearest
    assert near["row"].tolist() == [4, 4, 4, 5, 5, 5]
    known = table.select(made.PREDICTED).to_pylist()
    for place, row in ((0, 4), (3, 5)):
        shown = near.iloc[place]
        assert shown["distance"] >= 0
        assert abs(shown["double"] - known[row]["double"]) < 2
        # It is a row of the fit, with its own values, and another one than the explained row.
        twins = [i for i, k in enumerate(known) if abs(k["double"] - shown["double"]) < 1e-4]
        assert twins and twins != [row]
        when = known[twins[0]]["when"]
        assert when is None or abs(pd.Timestamp(when) - shown["when"]) < pd.Timedelta(seconds=20)


@pytest.mark.parametrize("kind", ["table", "series", "pictures"])
def test_without_neighbours_the_cells_are_the_same(
    kind: str,
    model: Autoencoder,
    fresh: pa.Table,
    wave_model: Autoencoder,
    wave: pa.Table,
    picture_models: dict[str, Autoencoder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, data = {
        "table": (model, fresh),
        "series": (wave_model, wave.slice(0, 200)),
        "pictures": (picture_models["default"], made.pictures(20, seed=4)),
    }[kind]
    usual = asked.explain(data)
    if kind != "series":  # the points of a series are scored to find the peaks of alarms
        monkeypatch.setattr(Memory, "search", lambda *_, **__: pytest.fail("the memory was searched"))
    lean = asked.explain(data, neighbours=0)
    assert np.array_equal(lean.bits, usual.bits) and np.array_equal(lean.p_wrong, usual.p_wrong)
    for name in lean.names:
        assert lean.expected[name].equals(usual.expected[name])
    assert np.allclose(lean.share.sum(1), 100) and (lean.share >= 0).all()
    assert len(lean.nearest) == 0 and lean.nearest.column_names == usual.nearest.column_names
    with pytest.raises(OptionError, match="neighbours=-1"):
        asked.explain(data, neighbours=-1)


def test_the_start_of_the_nearest_window_of_a_series(wave_model: Autoencoder, wave: pa.Table) -> None:
    nearest = wave_model.explain(wave, rows=[100, 300], neighbours=2).nearest
    names = nearest.column_names if isinstance(nearest, pa.Table) else list(nearest.columns)
    assert names == ["row", "distance", "time"]
    table = pa.table(nearest) if not isinstance(nearest, pa.Table) else nearest
    assert table["row"].to_pylist() == [100, 100, 300, 300]
    first, last = min(wave["time"].to_pylist()), max(wave["time"].to_pylist())
    assert all(first <= start <= last for start in table["time"].to_pylist())


def test_every_similar_row_has_a_distance_of_its_own(model: Autoencoder, fresh: pa.Table) -> None:
    nearest = model.explain(fresh, rows=[3, 7], neighbours=4).nearest.to_pylist()
    for row in (3, 7):
        distances = [line["distance"] for line in nearest if line["row"] == row]
        assert len(distances) == 4 and distances == sorted(distances) and len(set(distances)) > 1
