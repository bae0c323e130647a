"""What a schema infers, how it is overruled, and how it is compared with new data."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder, Category, Number, Schema
from diabolo.data.entries import requested_kinds
from diabolo.errors import ColumnError, DataError, OptionError, SchemaError
from tests import made


def columns(table: pa.Table) -> dict[str, pa.Array]:
    return {n: c.combine_chunks() for n, c in zip(table.column_names, table.columns, strict=True)}


@pytest.fixture(scope="module")
def schema(table: pa.Table) -> Schema:
    return Schema.infer(columns(table))


def roles(schema: Schema) -> dict[str, str]:
    return {e.name: e.role for e in schema.entries}


def kinds(schema: Schema) -> dict[str, str]:
    return {e.name: e.column.kind for e in schema.entries if e.column}


def test_what_columns_are(schema: Schema, table: pa.Table) -> None:
    assert [e.name for e in schema.entries] == table.column_names
    assert kinds(schema) == {
        "number": "number",
        "double": "number",
        "count": "number",
        "city": "category",
        "flag": "boolean",
        "when": "datetime",
        "remark": "text",
    }
    assert {n for n, role in roles(schema).items() if role == "ignored"} == set(made.IGNORED)
    assert schema.scored == made.SCORED and schema.predicted == made.PREDICTED


def test_reasons_are_given(schema: Schema) -> None:
    reasons = {e.name: e.reason for e in schema.entries}
    assert reasons["id"] == "an id: consecutive whole numbers"
    assert reasons["unit"] == "constant: 'kg'"
    assert reasons["remark"] == "free text"
    assert all(reasons.values())


def test_missing_values_are_counted(schema: Schema, table: pa.Table) -> None:
    missing = {e.name: e.missing for e in schema.entries}
    assert missing["double"] == 0
    assert missing["number"] == pytest.approx(table["number"].null_count / 600) and missing["number"] > 0


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("x", list(range(100, 150)), "an id"),
        ("user_id", [i * i for i in range(50)], "an id"),
        ("ID", [i * i for i in range(50)], "an id"),
        ("x", [None] * 50, "no values"),
        ("x", [float("nan")] * 50, "no values"),
        ("x", [float("inf")] * 50, "no values"),
        ("x", [7] * 50, "constant: 7"),
        ("x", [True] * 49 + [None], "constant: True"),
        ("x", [[i] for i in range(50)], "have no kind"),
        ("x", [b"bytes"] * 50, "have no kind"),
    ],
)
def test_what_is_ignored(name: str, values: list[Any], reason: str) -> None:
    made_of = Schema.infer({name: pa.array(values), "y": pa.array([0.5, 1.5] * 25)})
    entry = made_of.entries[0]
    assert entry.role == "ignored" and entry.column is None and reason in entry.reason
    assert made_of.scored == ["y"]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("x", [i * i for i in range(50)], "number"),  # distinct, but neither consecutive nor called an id
        ("grid", [i * i for i in range(50)], "number"),
        ("paid", [i * i for i in range(50)], "number"),
        ("x", [f"u{i % 40}" for i in range(50)], "category"),
        ("x", [True, None] + [False] * 48, "boolean"),
        ("x", list(range(10)), "number"),  # too few to call it an id
        ("x", [i + 0.5 for i in range(50)], "number"),
        ("x", [f"u{i}" for i in range(50)], "text"),
        ("x", [f"{i} words that go on and on for longer than a label would" for i in range(50)], "text"),
    ],
)
def test_what_is_not_ignored(name: str, values: list[Any], kind: str) -> None:
    entry = Schema.infer({name: pa.array(values)}).entries[0]
    assert entry.role == "scored" and entry.column is not None and entry.column.kind == kind


def test_a_plain_array_has_no_ids() -> None:
    counted = {"x0": pa.array(np.arange(50))}
    assert Schema.infer(counted, named=False).scored == ["x0"]
    with pytest.raises(DataError, match=r"no column is left to score.*x0: ignored, an id") as caught:
        Schema.infer(counted)
    assert caught.value.hint and "scored=" in caught.value.hint


def test_roles_are_overruled(table: pa.Table) -> None:
    schema = Schema.infer(columns(table), context=["city", "id"], ignore=["count"])
    assert roles(schema)["city"] == roles(schema)["id"] == "context"
    assert roles(schema)["count"] == "ignored" and "count" not in kinds(schema)
    assert kinds(schema)["id"] == "number"
    only = Schema.infer(columns(table), scored=["number", "double"])
    assert only.scored == ["number", "double"]
    assert roles(only)["city"] == "context" and roles(only)["unit"] == "ignored"
    assert set(roles(schema).values()) <= {"scored", "context", "ignored"}


def test_kinds_are_overruled(table: pa.Table) -> None:
    made_of = Schema.infer(columns(table), kinds={"count": Category(), "remark": Category()})
    assert kinds(made_of)["count"] == kinds(made_of)["remark"] == "category"
    assert made_of["count"].decode([np.array([1])]).type == pa.int64()
    text = {"x": pa.array(["1", "2", "3.5", None] * 10), "y": pa.array([1, 2] * 20)}
    overruled = Schema.infer(text, kinds=requested_kinds(text, ["x"], ["y"]))
    assert kinds(overruled) == {"x": "number", "y": "category"}
    assert isinstance(overruled["x"], Number) and overruled["x"].high == 3.5


def test_instances_are_not_shared() -> None:
    kind = Number()
    Schema.infer({"x": pa.array([1.0, 2.0])}, kinds={"x": kind})
    assert kind.mean == 0 and len(kind.counts) == 0


@pytest.mark.parametrize("option", ["scored", "context", "ignore"])
def test_names_in_options_are_checked(table: pa.Table, option: str) -> None:
    with pytest.raises(OptionError, match=f"{option} names the column 'cit'") as caught:
        Schema.infer(columns(table), **{option: ["cit"]})
    assert caught.value.hint == "did you mean 'city'?"
    with pytest.raises(OptionError) as caught:
        Schema.infer(columns(table), **{option: ["zzzzzz"]})
    assert caught.value.hint and "number" in caught.value.hint
    with pytest.raises(OptionError, match="numeric names"):
        requested_kinds(columns(table), ["cit"], [])


def test_a_column_that_cannot_be_of_the_kind_asked_for_is_named(table: pa.Table) -> None:
    with pytest.raises(ColumnError, match="column 'city', row 0: expected a number, got '"):
        Schema.infer(columns(table), kinds=requested_kinds(columns(table), ["city"], []))


def test_missing_columns_are_shown_as_a_diff(schema: Schema, table: pa.Table) -> None:
    renamed = table.rename_columns(["cty" if n == "city" else n for n in table.column_names]).drop_columns(
        ["flag"]
    )
    with pytest.raises(SchemaError) as caught:
        schema.encode(columns(renamed))
    message = str(caught.value)
    assert "2 column(s)" in message
    assert "  - city   (the data has 'cty')" in message
    assert "  - flag\n" in message
    assert "  + cty" in message
    assert caught.value.hint


def test_ignored_columns_may_be_missing(schema: Schema, table: pa.Table) -> None:
    batch = schema.encode(columns(table.drop_columns(made.IGNORED)))
    assert len(batch) == 600


def test_the_model_shows_the_diff(model: Autoencoder, fresh: pa.Table) -> None:
    with pytest.raises(SchemaError, match=r"- double +\(the data has 'doubles'\)"):
        model.anomaly_score(
            fresh.rename_columns(["doubles" if n == "double" else n for n in fresh.column_names])
        )


def test_a_series_shows_the_diff(wave_model: Autoencoder, wave: pa.Table) -> None:
    with pytest.raises(SchemaError, match="the data has 'values'"):
        wave_model.anomaly_score(wave.rename_columns(["time", "values"]))


def test_slots_say_where_columns_lie(schema: Schema, table: pa.Table) -> None:
    batch = schema.encode(columns(table))
    assert sum(v.shape[1] for v in batch.values.values()) == len(schema.slots)
    for kind, fields in schema.fields.items():
        assert batch.values[kind].shape == batch.visible[kind].shape == (600, len(fields))
        assert [s.index for s in schema.slots if s.kind == kind] == list(range(len(fields)))
    values = {k: v.numpy() for k, v in batch.values.items()}
    known = table["city"].is_valid().to_numpy()
    assert np.array_equal(
        np.array(schema.decode("city", values).to_pylist(), object)[known],
        np.array(table["city"].to_pylist(), object)[known],
    )
    assert len(schema.slots_of("when")) == 4 and not schema.slots_of("unit")
    with pytest.raises(KeyError):
        schema["unit"]


def test_context_is_not_scored(table: pa.Table) -> None:
    schema = Schema.infer(columns(table), context=["city", "count"])
    assert schema.scored_fields["symbol"].tolist() == [
        s.name != "city" for s in schema.slots if s.kind == "symbol"
    ]
    assert schema.scored_fields["real"].tolist() == [True, True, False, True]


def test_survives_json(schema: Schema, table: pa.Table) -> None:
    again = Schema.from_json(json.loads(json.dumps(schema.to_json(), allow_nan=False)))
    assert str(again) == str(schema) and again.slots == schema.slots
    one, other = schema.encode(columns(table)), again.encode(columns(table))
    for kind in one.values:
        assert (one.values[kind] == other.values[kind]).all() and (
            one.visible[kind] == other.visible[kind]
        ).all()


def test_is_shown_one_line_a_column(schema: Schema, table: pa.Table) -> None:
    lines = str(schema).splitlines()
    assert len(lines) == 1 + table.num_columns
    assert lines[0].split() == ["column", "kind", "role", "missing", "why", "learnt"]
    assert "3 levels" in lines[1 + table.column_names.index("city")]


def test_infinities_are_values() -> None:
    values = pa.array([float("inf"), -float("inf"), None, float("nan"), *np.linspace(0, 1, 60)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch = Schema.infer({"x": values}).encode({"x": values})
    assert batch.visible["real"][:4, 0].tolist() == [True, True, False, False]
    assert batch.values["real"][0, 0] == 1e6 and batch.values["real"][1, 0] == -1e6


def test_with_both_lists_nothing_else_is_read() -> None:
    table = {"a": pa.array([1.0, 2.0, 3.0]), "b": pa.array(["x", "y", "x"]), "label": pa.array([0, 1, 0])}
    open_ended = Autoencoder(scored="a").inspect(table)
    assert [e.role for e in open_ended.entries] == ["scored", "context", "context"]
    closed = Autoencoder(scored="a", context="b").inspect(table)
    assert [e.role for e in closed.entries] == ["scored", "context", "ignored"]
    alone = Autoencoder(scored="a", context=[]).inspect(table)
    assert [e.role for e in alone.entries] == ["scored", "ignored", "ignored"]
