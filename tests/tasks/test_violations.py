"""Rules that are stated and found: in the model, in its file, in its answers and in new rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diabolo import Autoencoder, load
from diabolo.cleaning.rules.kinds import Sum
from diabolo.cleaning.rules.parsing import read_rules
from diabolo.errors import OptionError, UnsupportedError
from diabolo.generation import Request
from diabolo.tasks import violations
from diabolo.tasks.kept_rules import keep_rules
from tests import made
from tests.cleaning.made_rules import changed, orders, read
from tests.fits import fitted

WRONG = {"city": (3, "nowhere"), "gross": (4, 99_999.0)}


@pytest.fixture(scope="module")
def table() -> pa.Table:
    found = orders()
    for name, (row, value) in WRONG.items():
        found = changed(found, name, {row: value})
    return pa.table(found)


@pytest.fixture(scope="module")
def ordered(table: pa.Table) -> Autoencoder:
    return fitted(table, epochs=2, rules=["provider -> city", "gross - tax = net"])


def test_violations_are_listed(ordered: Autoencoder, table: pa.Table) -> None:
    answer = violations(ordered, table)
    net, tax = (table[name][4].as_py() for name in ("net", "tax"))
    assert answer.to_arrow().to_pylist() == [
        {
            "rule": "provider -> city",
            "row": 3,
            "values": f"provider = {table['provider'][3]}, city = nowhere",
        },
        {
            "rule": "gross - tax = net",
            "row": 4,
            "values": f"gross = 99999, tax = {tax:.10g}, net = {net:.10g}",
        },
        {
            "rule": "net + tax = gross",
            "row": 4,
            "values": f"net = {net:.10g}, tax = {tax:.10g}, gross = 99999",
        },
    ]
    assert answer.counts["provider -> city"] == 1 and answer.counts["start <= end"] == 0


@pytest.mark.parametrize("library", made.LIBRARIES)
def test_the_answer_is_in_the_library_of_the_question(
    ordered: Autoencoder, table: pa.Table, library: str
) -> None:
    frame = violations(ordered, made.as_library(table, library)).to_frame()
    assert made.library_of(frame) == library and made.values_of(frame, "row") == [3, 4, 4]
    right = violations(ordered, made.as_library(table.slice(10, 5), library)).to_frame()
    assert made.library_of(right) == library and made.values_of(right, "rule") == []


def test_as_many_violations_as_rows_are_no_answer_for_each_row(ordered: Autoencoder, table: pa.Table) -> None:
    frame = table.slice(3, 3).to_pandas()
    frame.index = pd.Index(["x", "y", "z"])
    assert violations(ordered, frame).to_frame().index.tolist() == [0, 1, 2]


def test_rules_are_listed_and_saved(ordered: Autoencoder, table: pa.Table, tmp_path: Path) -> None:
    assert ordered.rules_[:2] == ["provider -> city (399 of 400 rows)", "gross - tax = net (399 of 400 rows)"]
    assert "start <= end (400 of 400 rows)" in ordered.rules_
    again = load(ordered.save(tmp_path / "m.diabolo"))
    assert (again.rules, again.rules_) == (ordered.rules, ordered.rules_)
    assert violations(again, table).to_arrow() == violations(ordered, table).to_arrow()


def test_what_violates_a_rule_is_repaired(ordered: Autoencoder, table: pa.Table) -> None:
    repaired = ordered.repair(table).to_frame()
    assert repaired["city"][3].as_py() == orders()["city"][3].as_py()
    assert repaired["gross"][4].as_py() == pytest.approx(orders()["gross"][4].as_py())


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (["provider -> town"], "'town', which the data does not have"),
        (["provider = "], "cannot be read"),
        ("a <= b", "'a', which the data does not have"),
    ],
)
def test_wrong_rules_are_said_before_the_work(rules: Any, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Autoencoder(rules=rules).fit(orders())


def test_a_series_has_no_rules(wave: pa.Table, wave_model: Autoencoder) -> None:
    with pytest.raises(OptionError, match="rules are about the columns of a table"):
        Autoencoder(time="time", window=32, rules=["a -> b"]).fit(wave)
    with pytest.raises(UnsupportedError, match="only a model of a table"):
        violations(wave_model, wave)
    assert wave_model.rules_ == []


@pytest.mark.parametrize("recipe", ["default", "variational"])
def test_new_rows_satisfy_exact_rules(table: pa.Table, recipe: str) -> None:
    model = fitted(table, recipe, epochs=1, rules="provider -> city")
    new = model.generate(300, seed=0).to_frame()
    assert set(violations(model, new).counts.values()) == {0}
    assert {new[name].type for name in ("start", "gross", "size")} == {
        table[n].type for n in ("start", "gross", "size")
    }


def test_what_is_asked_for_stays(ordered: Autoencoder) -> None:
    new = ordered.generate(100, seed=0, given={"city": "city 1", "gross": 500.0}).to_frame()
    assert set(new["city"].to_pylist()) == {"city 1"} and np.allclose(new["gross"].to_numpy(), 500)
    asked = ordered.generate(100, seed=0, where="gross >= 600").to_frame()
    assert min(asked["gross"].to_pylist()) >= 600


def kept(table: dict[str, pa.Array], seen: dict[str, pa.Array], *rules: str, **asked: Any) -> dict[str, Any]:
    """A table in which rules are satisfied that were fitted to another one."""
    fitted_rules = [rule.fit(read(seen)) for rule in read_rules(list(rules), list(seen))]
    return keep_rules(fitted_rules, table, Request.of(1, seed=0, **asked))


def test_conditions_settle_the_columns_that_they_name() -> None:
    table = {"a": pa.array([1.5, 2.5]), "b": pa.array([9.0, 2.5]), "b total": pa.array([1.0, 1.0])}
    seen = {**table, "b": table["a"]}
    assert kept(table, seen, "a = b", where="b total >= 1")["b"].to_pylist() == [1.5, 2.5]
    assert kept(table, seen, "a = b", where="b >= 1")["b"].to_pylist() == [9.0, 2.5]
    assert kept(table, seen, "a = b", where="b total <= b")["b"].to_pylist() == [9.0, 2.5]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (pa.int64(), [12, 0, 7]),
        (pa.uint16(), [12, 0, 7]),
        (pa.float64(), [11.75, -0.25, 7.0]),
        (pa.string(), ["11.75", "-0.25", "7"]),
    ],
)
def test_totals_are_in_the_type_of_their_column(kind: pa.DataType, wanted: list[Any]) -> None:
    seen = {"a": pa.array([1.5, 2.5]), "b": pa.array([0.25, 0.25]), "c": pa.array([1.75, 2.75])}
    table = {"a": pa.array([11.5, -0.5, 5.0]), "b": pa.array([0.25, 0.25, 2.0]), "c": pa.array([1, 9, 7])}
    found = kept({**table, "c": table["c"].cast(kind)}, seen, "a + b = c")["c"]
    assert found.type == kind and found.to_pylist() == wanted


def test_totals_are_rounded_as_in_the_fit_whatever_was_generated() -> None:
    rng = np.random.default_rng(0)
    parts = rng.gamma(2, 40, (2, 300)).round(2)
    seen = {"a": pa.array(parts[0]), "b": pa.array(parts[1]), "c": pa.array(parts.sum(0).round())}
    rule = Sum(("a", "b"), (), "c").fit(read(seen))
    assert rule.digits == (2, 2, 0) and rule.tolerance > 0.5
    table = {"a": pa.array([10.0]), "b": pa.array([5.33]), "c": pa.array([99.5])}
    assert kept(table, seen, "a + b = c")["c"].to_pylist() == [15.0]
    exact = {**seen, "c": pa.array(parts.sum(0).round(2))}
    assert kept({**table, "c": pa.array([99.0])}, exact, "a + b = c")["c"].to_pylist() == [15.33]


def test_of_rules_that_contradict_each_other_the_first_is_satisfied() -> None:
    seen = {"a": pa.array([1.0, 2.0]), "b": pa.array([1.0, 2.0]), "c": pa.array([1.0, 2.0])}
    table = {"a": pa.array([1.0]), "b": pa.array([2.0]), "c": pa.array([3.0])}
    assert kept(table, seen, "a = c", "b = c")["c"].to_pylist() == [1.0]


def test_ids_of_new_rows_stay_different() -> None:
    rng = np.random.default_rng(0)
    number = np.arange(1, 301)
    part = rng.integers(0, 10, 300)
    table = pa.table({"id": number, "part": part, "rest": number - part, "size": rng.normal(size=300)})
    model = fitted(table, "vanilla", epochs=1, rules=["part + rest = id", "id <= rest"])
    new = model.generate(50, seed=0).to_frame()
    assert new["id"].to_pylist() == list(range(301, 351))
