"""Checks of answers, as kinds name them: each looks at what was asked and asserts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo import Autoencoder, tasks
from diabolo.data.sources import read_user_table
from diabolo.detection import SeenRows
from tests.inputs.kinds import Answer, Asked, Stages, plain, plain_model

# Single precision, and numbers that went through text or a smaller type.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def _bits(asked: Asked, data: Any) -> np.ndarray:
    return plain_model(asked.base).anomaly_score(data)


def _as_new(asked: Asked) -> np.ndarray:
    """(rows,) the bits that rows of the fit would have if they were new: a row with another cell is."""
    engine = plain_model(asked.base).engine_
    rows = replace(
        engine.rows, evidence=tuple(e for e in engine.rows.evidence if not isinstance(e, SeenRows))
    )
    return rows.bits(engine.read(plain(asked.base)))


def _same(asked: Asked) -> None:
    base, answer = plain(asked.base), asked.answer
    if asked.stage == "fit":
        assert np.allclose(answer.anomaly_score(base), _bits(asked, base), **CLOSE)
        kinds = {e.name: e.column and e.column.kind for e in answer.schema_.entries}
        assert kinds == {e.name: e.column and e.column.kind for e in plain_model(asked.base).schema_.entries}
    elif asked.stage == "score":
        assert np.allclose(answer.bits, _bits(asked, base), **CLOSE)
    elif asked.stage == "explain":
        wanted = plain_model(asked.base).explain(base)
        assert answer.names == wanted.names
        assert np.allclose(answer.bits, wanted.bits, **CLOSE) and np.allclose(
            answer.share, wanted.share, atol=0.01
        )
    else:
        wanted = plain_model(asked.base).repair(base)
        assert answer.changed["row"].equals(wanted.changed["row"])
        assert answer.changed["column"].equals(wanted.changed["column"])


SAME_FIT = Answer("as from the plain data: the same model", _same)
SAME: Stages = {
    "score": Answer("as the plain data", _same),
    "explain": Answer("as the plain data", _same),
    "repair": Answer("as the plain data; its type kept", _same),
}
ANSWERED: Stages = dict.fromkeys(("score", "explain", "repair"), Answer("answered"))


def is_kind(name: str, wanted: str, says: str | None = None) -> Answer:
    """At the fit: a column is read as this kind."""

    def check(asked: Asked) -> None:
        assert asked.answer.schema_[name].kind == wanted

    return Answer(says or f"`{name}` is a {wanted}", check)


def ignored(name: str, reason: str) -> Answer:
    """At the fit: a column is left out, for this reason, and the model says so."""

    def check(asked: Asked) -> None:
        model: Autoencoder = asked.answer
        entry = next(e for e in model.schema_.entries if e.name == name)
        assert entry.role == "ignored" and reason in entry.reason
        assert any(name in note and reason in note for note in model.notes_)

    return Answer(f"`{name}` is left out with a note: {reason}", check)


def _place(asked: Asked, name: str) -> int:
    return list(asked.answer.names).index(name)


def odd(name: str, rows: Sequence[int], kept: str = "kept as it is") -> Stages:
    """The cells are odd: their rows score high, they are what is wrong with them, and repair leaves them."""

    def score(asked: Asked) -> None:
        bits, before = asked.answer.bits, _as_new(asked)
        assert bits[list(rows)].mean() > before[list(rows)].mean()
        assert bits[list(rows)].mean() > np.median(before)

    def explain(asked: Asked) -> None:
        answer, place = asked.answer, _place(asked, name)
        assert (answer.bits[list(rows), place] > 0).all()
        assert (answer.share[list(rows), place] > 100 / len(answer.names)).all()

    def repair(asked: Asked) -> None:
        touched = set(
            zip(
                asked.answer.changed["row"].to_pylist(),
                asked.answer.changed["column"].to_pylist(),
                strict=True,
            )
        )
        assert not touched & {(row, name) for row in rows}

    return {
        "score": Answer("the rows are anomalous", score),
        "explain": Answer(f"`{name}` is the anomalous cell", explain),
        "repair": Answer(kept, repair),
    }


def accused(name: str, rows: Sequence[int]) -> Stages:
    """Explain says that the cells are what is odd; how odd their rows are is not looked at."""
    return {**ANSWERED, "explain": odd(name, rows)["explain"], "repair": odd(name, rows)["repair"]}


def holes(name: str, rows: Sequence[int]) -> Stages:
    """The cells are holes: they do not count, nothing is said against them, and repair fills them."""

    def score(asked: Asked) -> None:
        table = plain(asked.base)
        values = [None if i in rows else v for i, v in enumerate(table[name].to_pylist())]
        holed = table.set_column(table.column_names.index(name), name, pa.array(values, table[name].type))
        assert np.allclose(asked.answer.bits, _bits(asked, holed), **CLOSE)

    def explain(asked: Asked) -> None:
        place = _place(asked, name)
        assert not asked.answer.bits[list(rows), place].any()
        assert not asked.answer.p_wrong[list(rows), place].any()

    def repair(asked: Asked) -> None:
        filled = {
            r
            for r, c in zip(
                asked.answer.changed["row"].to_pylist(),
                asked.answer.changed["column"].to_pylist(),
                strict=True,
            )
            if c == name
        }
        assert filled >= set(rows)

    return {
        "score": Answer("missing values do not count", score),
        "explain": Answer("a missing value is no evidence", explain),
        "repair": Answer("filled", repair),
    }


def passed(name: str) -> Stages:
    """The column is not read: answers are those of the plain data, and repair passes it through."""

    def repair(asked: Asked) -> None:
        user_table = read_user_table(asked.data)
        assert asked.answer.table[name].equals(user_table.columns()[name])

    return {**SAME, "repair": Answer("passed through as it is", repair)}


def own(model: Autoencoder, data: Any) -> tuple[Any, Any, Any]:
    """A model's three answers about data."""
    return tasks.score(model, data), model.explain(data), model.repair(data)
