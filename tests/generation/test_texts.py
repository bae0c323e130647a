"""New texts of the forms and lengths of the fit."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from diabolo.data.characters import CharacterModel
from diabolo.data.columns import Text
from diabolo.data.columns.text import forms_of
from diabolo.generation.texts import TextSampler
from tests.fits import fitted

FIRST = ["Anna", "Berit", "Carl", "David", "Emil", "Frida", "Greta", "Hanna", "Ivar", "Jonas"]
LAST = ["Berg", "Dahl", "Haugen", "Lund", "Moen", "Nilsen", "Olsen", "Solberg", "Strand", "Vik"]


def names(rows: int) -> list[str]:
    people = [f"{last}, {first} {chr(65 + i)}." for first in FIRST for last in LAST for i in range(26)]
    return random.Random(0).sample(people, rows)


def sampled(values: Sequence[str], like: Sequence[str | None], seed: int = 0) -> list[str | None]:
    column = Text().fit(pa.array(values), "x")
    texts = TextSampler(column, values).sample(pa.array(like, pa.string()), np.random.default_rng(seed))
    return list(texts.to_pylist())


def test_texts_have_the_form_and_the_length_that_is_asked_for() -> None:
    values = names(400)
    column = Text().fit(pa.array(values), "x")
    like = column.decode([p for p, _ in column.encode(pa.array(values), "x")])
    texts = pa.array(sampled(values, like.to_pylist()))
    assert forms_of(texts).to_pylist() == forms_of(like).to_pylist()
    for one, other in zip(column.encode(texts, "x"), column.encode(like, "x"), strict=True):
        assert np.array_equal(one[0], other[0])


def test_no_text_of_the_fit_is_repeated() -> None:
    values = names(1500)
    texts = sampled(values, values[:500])
    assert not set(texts) & set(values)
    assert len(set(texts)) > 400


def test_texts_are_made_of_what_the_fit_has() -> None:
    texts = [t for t in sampled(names(1000), names(200)) if t is not None]
    assert all(re.fullmatch(r"[A-Z][a-z]+, [A-Z][a-z]+ [A-Z]\.", text) for text in texts)
    known = {word[i : i + 3] for word in FIRST + LAST for i in range(len(word) - 2)}
    trigrams = [
        t for text in texts for w in text.split(", ") for t in zip(*(w[i:] for i in range(3)), strict=False)
    ]
    share = np.mean(["".join(t) in known for t in trigrams if "".join(t).isalpha()])
    assert share > 0.7  # by chance: 60 of 26 ** 3


def test_missing_values_stay_missing() -> None:
    texts = sampled(names(50), [None, "Berg, Anna A.", None])
    assert texts[0] is None and texts[2] is None and texts[1]


def test_the_same_seed_gives_the_same_texts() -> None:
    values = names(100)
    assert sampled(values, values, 1) == sampled(values, values, 1) != sampled(values, values, 2)


def test_without_texts_of_the_fit_the_form_is_kept() -> None:
    column = Text().fit(pa.array(names(100)), "x")
    texts = TextSampler(column, ()).sample(pa.array(["Berg, Anna A."]), np.random.default_rng(0))
    assert forms_of(texts).to_pylist() == ["Aa, Aa A."] and texts[0].as_py() != "Berg, Anna A."


@pytest.mark.parametrize("text", ["\x02\x03", "é🙂 -", "", "a" * 3000])
def test_any_characters_can_be_sampled(text: str) -> None:
    values = [f"{text}{i}" for i in range(30)]
    texts = sampled(values, values)
    assert forms_of(pa.array(texts)).equals(forms_of(pa.array(values)))
    assert len(set(texts) - set(values)) > 10


def test_single_characters_need_no_context() -> None:
    model = CharacterModel(["abc"], np.ones(1))
    text = model.sample(["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], np.random.default_rng(0), order=0)[0]
    assert set(text) == {"a", "b", "c"}


def test_tables_have_new_names() -> None:
    rng = np.random.default_rng(0)
    code = [f"Q{i:05d}" for i in rng.choice(100_000, 300, replace=False)]
    table = pa.table({"name": names(300), "code": code, "x": rng.normal(size=300), "y": rng.normal(size=300)})
    model = fitted(table, epochs=20)
    new = model.generate(200, seed=3).to_arrow()
    assert new.column_names == table.column_names
    assert not set(new["name"].to_pylist()) & set(table["name"].to_pylist())
    assert all(re.fullmatch(r"[A-Z][a-z]+, [A-Z][a-z]+ [A-Z]\.", n) for n in new["name"].to_pylist())
    ids = new["code"].to_pylist()
    assert len(set(ids)) == 200 and all(re.fullmatch(r"Q\d{5}", i) for i in ids)
    assert new.equals(model.generate(200, seed=3).to_arrow())


def test_given_and_kept_names_stay() -> None:
    rng = np.random.default_rng(0)
    table = pa.table({"name": names(300), "x": rng.normal(size=300), "y": rng.normal(size=300)})
    model = fitted(table, epochs=20)
    assert set(model.generate(5, seed=0, given={"name": "Ny, Kari K."}).to_arrow()["name"].to_pylist()) == {
        "Ny, Kari K."
    }
    kept = model.generate(like=table.slice(0, 7), keep=["name"], seed=0).to_arrow()["name"].to_pylist()
    assert kept == table["name"].to_pylist()[:7]


def test_given_and_kept_ids_stay() -> None:
    rng = np.random.default_rng(0)
    code = [f"Q{i:05d}" for i in rng.choice(100_000, 300, replace=False)]
    table = pa.table({"code": code, "x": rng.normal(size=300), "y": rng.normal(size=300)})
    model = fitted(table, epochs=20)
    assert set(model.generate(5, seed=0, given={"code": "Q12345"}).to_arrow()["code"].to_pylist()) == {
        "Q12345"
    }
    kept = model.generate(like=table.slice(0, 7), keep=["code"], seed=0).to_arrow()["code"].to_pylist()
    assert kept == code[:7]
