"""Bad and odd input: every kind is answered rightly, or refused in words that help."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from diabolo import Autoencoder, DiaboloWarning, tasks
from diabolo.data.columns import Image
from diabolo.data.columns.image import channels_first, is_image, to_pixels
from diabolo.data.images import find_encoded_images
from diabolo.data.sources import read_user_table
from diabolo.errors import DiaboloError
from diabolo.tasks import Explanation
from tests.inputs.everything import KINDS
from tests.inputs.kinds import OPTIONS, QUICK, STAGES, Asked, Kind, Refusal, plain_model
from tests.inputs.page import PAGE, page


def ask(stage: str, kind: Kind, data: Any) -> Any:
    """The answer of one stage, and of a fit a model that says what it was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DiaboloWarning)
        answer = _answer(stage, kind, data)
    said = [str(w.message) for w in caught if issubclass(w.category, DiaboloWarning)]
    missing = [word for word in kind.warned if not any(word in text for text in said)]
    assert not missing, f"{missing} not in {said}"
    assert stage == "fit" or bool(said) == bool(kind.warned), said
    return answer


def _answer(stage: str, kind: Kind, data: Any) -> Any:
    if stage == "fit":
        return Autoencoder(**{**QUICK, **OPTIONS.get(kind.base, {}), **kind.options}).fit(data)
    model = plain_model(kind.base)
    return tasks.score(model, data) if stage == "score" else getattr(model, stage)(data)


def plainly(values: pa.Array) -> pa.Array:
    """Values in a type that arrow can compare."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.float32()) if pa.types.is_float16(values.type) else values


def scores_are_right(answer: Any, rows: int) -> None:
    for values in (answer.bits, answer.severity):
        assert values.shape == (rows,) and np.isfinite(values).all() and (values >= 0).all()
    assert answer.alarm.dtype == bool
    frame = answer.to_frame()
    assert len(frame) == rows and list(answer.to_arrow().column_names)[:3] == ["bits", "severity", "alarm"]


def explanation_is_right(answer: Explanation, rows: int, predicted: list[str]) -> None:
    assert answer.bits.shape == answer.p_wrong.shape == answer.share.shape == (rows, len(answer.names))
    assert np.isfinite(answer.bits).all()
    assert (answer.p_wrong >= 0).all() and (answer.p_wrong <= 1).all()
    assert (answer.share >= 0).all() and np.allclose(answer.share.sum(1), 100)
    for name in answer.names:
        if name in predicted:
            assert answer.expected[name].null_count == 0
        low, high = answer.low[name], answer.high[name]
        for values in (answer.expected[name], low, high):
            if values is not None and pa.types.is_floating(values.type):
                assert pc.all(pc.is_finite(values)).as_py()
        if low is not None and is_image(low.type):
            assert (to_pixels(low) <= to_pixels(high)).all()
        elif low is not None:
            assert pc.all(pc.less_equal(plainly(low), plainly(high))).as_py()
    assert answer.to_arrow().num_rows == len(answer.to_frame()) == rows * len(answer.names)
    # A row of missing values only has no row that is most like it.
    assert len(answer.nearest) <= rows


def repair_is_right(answer: Any, data: Any, predicted: list[str]) -> None:
    before, after = read_user_table(data), read_user_table(answer.to_frame())
    assert after.library == before.library and after.rows == before.rows
    assert after.table.column_names == before.table.column_names
    filled: dict[str, set[int]] = {}
    corrected: dict[str, set[int]] = {}
    lines = (answer.changed[part].to_pylist() for part in ("row", "column", "why"))
    for row, name, why in zip(*lines, strict=True):
        (filled if why == "missing" else corrected).setdefault(name, set()).add(row)
    was, now = before.columns(), after.columns()
    for name in predicted:
        one, other = was[name], now[name]
        if find_encoded_images({name: one}):
            assert one.equals(other)  # files are whole, and what is not there has no size
            continue
        if is_image(one.type):
            holes_of_images_are_filled(one, other, filled.get(name, set()))
            continue
        assert not pc.any(other.is_null(nan_is_null=True)).as_py()
        holes = one.is_null(nan_is_null=True).to_pylist()
        assert filled.get(name, set()) == {i for i, hole in enumerate(holes) if hole}
        changed = corrected.get(name, set())
        there = pa.array([not hole and row not in changed for row, hole in enumerate(holes)])
        assert pa.types.is_null(one.type) or plainly(one).filter(there).equals(plainly(other).filter(there))
    if before.library == "pandas" and not isinstance(data, pd.Series):
        assert answer.to_frame().dtypes.equals(data.dtypes)
        assert answer.to_frame().index.equals(data.index)
    elif before.library == "polars" and isinstance(data, pl.DataFrame):
        assert answer.to_frame().schema == data.schema
    elif isinstance(data, pa.Table):
        types = zip(answer.to_frame().schema.types, data.schema.types, strict=True)
        assert all(new == old or pa.types.is_null(old) for new, old in types)


def holes_of_images_are_filled(before: pa.Array, after: pa.Array, filled: set[int]) -> None:
    was, now = (channels_first(values, "")[0] for values in (before, after))
    holes = Image().missing(before)
    assert filled == set(np.flatnonzero(holes.any((1, 2, 3))).tolist())
    assert after.null_count == 0 and not np.isnan(now).any() and np.array_equal(now[~holes], was[~holes])


def answers_are_right(stage: str, answer: Any, data: Any, rows: int, predicted: list[str]) -> None:
    if stage == "score":
        scores_are_right(answer, rows)
    elif stage == "explain":
        explanation_is_right(answer, rows, predicted)
    else:
        repair_is_right(answer, data, predicted)


def tried(kind: Kind, stage: str, folder: Path) -> None:
    """One kind of input at one stage, against what is expected of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiaboloWarning)  # `ask` looks at them
        _tried(kind, stage, folder)


def _tried(kind: Kind, stage: str, folder: Path) -> None:
    data, expected = kind.make(folder), kind.expected[stage]
    if isinstance(expected, Refusal):
        with pytest.raises(DiaboloError) as caught:
            ask(stage, kind, data)
        assert type(caught.value) is expected.error
        assert isinstance(caught.value, ValueError)
        missing = [w for w in expected.words if w not in str(caught.value)]
        assert not missing, f"{missing} not in {caught.value}"
        assert caught.value.hint and "\nHint: " in str(caught.value), f"no hint: {caught.value}"
        assert len(str(caught.value)) < 2_000
        return
    answer = ask(stage, kind, data)
    if stage == "fit":
        for name in STAGES[1:]:
            again = kind.make(folder)
            own = tasks.score(answer, again) if name == "score" else getattr(answer, name)(again)
            again = kind.make(folder)
            answers_are_right(name, own, again, kind.rows, answer.schema_.predicted)
    else:
        answers_are_right(
            stage, answer, kind.make(folder), kind.rows, plain_model(kind.base).schema_.predicted
        )
    if expected.check is not None:
        expected.check(Asked(stage, kind.base, kind.make(folder), answer))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_of_input(kind: Kind, stage: str, tmp_path: Path) -> None:
    tried(kind, stage, tmp_path)


def test_there_are_many_kinds_each_named_once() -> None:
    names = [(k.group, k.name) for k in KINDS]
    assert len(set(names)) == len(names) >= 60
    assert all(set(k.expected) == set(STAGES) for k in KINDS)


def test_the_page_says_what_the_tests_try() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.inputs.page"
