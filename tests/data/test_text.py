"""Text that is no label: read by its form and its length."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from diabolo.data.columns import Category, Text
from diabolo.data.columns.text import forms_of, stretched
from diabolo.data.inference import describe_values, infer_kind
from diabolo.data.schema import Schema

IDS = [f"AB-{i:04d}" for i in range(200)]


def encoded(values: list[str | None], *new: str | None) -> list[tuple[int, int]]:
    column = Text().fit(pa.array(values), "x")
    (form, _), (length, _) = column.encode(pa.array(new, pa.string()), "x")
    return list(zip(form.tolist(), length.tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Braund, Mr. Owen", "Aa, Aa. Aa"),
        ("  two \t spaces", " a a"),
        ("ÅSE æøå ß", "A a a"),
        ("٣٤-12", "0-0"),
        ("日本 tokyo", "a a"),
        ("--", "--"),
        ("", ""),
    ],
)
def test_forms(text: str, form: str) -> None:
    assert forms_of(pa.array([text])).to_pylist() == [form]


def test_forms_are_no_longer_than_forty_characters() -> None:
    assert len(forms_of(pa.array(["a-" * 1000]))[0].as_py()) == 40


@pytest.mark.parametrize("length", [0, 4, 5, 6, 7, 23])
def test_a_stretched_form_is_still_that_form(length: int) -> None:
    text = stretched("Aa-0", length)
    assert len(text) == max(length, 4) and forms_of(pa.array([text])).to_pylist() == ["Aa-0"]


def test_a_form_without_runs_stays_as_it_is() -> None:
    assert stretched("--", 9) == "--"


def test_ids_of_one_form_tell_what_is_no_id() -> None:
    known, other = encoded(IDS, "ZX-9999", "9999-ZX")
    assert known == (1, 1) and other == (0, 1)
    assert encoded(IDS, "AB-99999", "AB-1", "") == [(1, 0), (1, 0), (0, 0)]


def test_new_forms_of_free_text_are_no_surprise() -> None:
    values = [f"{'word, ' * (i % 5)}{'and - ' * (i % 3)}{i}{'!' * i}" for i in range(100)]
    column = Text().fit(pa.array(values), "x")
    assert column.other is not None
    (form, _), _ = column.encode(pa.array(["? entirely ? new / form"]), "x")
    assert form[0] == len(column.forms) + 1


def test_lengths_a_little_outside_are_no_surprise() -> None:
    values = ["x" * (20 + i) for i in range(60)]
    steps = [step for _, step in encoded(values, "y" * 20, "y" * 79, "y" * 100, "y" * 120)]
    assert steps == [1, 8, 8, 0]


def test_steps_of_the_length_have_about_as_many_rows_each() -> None:
    values = ["x" * (20 + i) for i in range(80)]
    counts = Text().fit(pa.array(values), "x").length_counts
    assert counts[0] == 0 and counts[1:].min() >= 9 and counts[1:].max() <= 11


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (IDS, Text),
        (IDS[:19], Category),  # too few rows to say so
        (IDS + IDS, Category),
        ([*IDS, *IDS[:15], None, None], Text),
        ([f"remark {i % 90}" for i in range(200)], Category),
    ],
)
def test_text_is_what_nearly_always_differs(values: list[str | None], kind: type) -> None:
    assert type(infer_kind(pa.array(values))) is kind
    assert type(infer_kind(pa.array(values).dictionary_encode())) is kind


def test_why_it_is_text_is_said() -> None:
    assert describe_values(pa.array(IDS)) == "an id: nearly every value is different"
    assert describe_values(pa.array([f"word after word {i}" * 3 for i in range(50)])) == "free text"


def test_missing_values_have_no_symbol() -> None:
    column = Text().fit(pa.array([None, *IDS]), "x")
    for value, visible in column.encode(pa.array([None, "AB-0001"]), "x"):
        assert not visible[0] and visible[1] and value[0] == 0


def test_numbers_and_labels_can_be_read_as_text() -> None:
    column = Text().fit(pa.array(IDS), "x")
    (form, _), _ = column.encode(pa.array([12, 13]), "x")
    assert np.array_equal(form, [0, 0])


@pytest.mark.parametrize("texts", [True, False])
def test_dates_that_all_differ_are_dates(texts: bool) -> None:
    days = [datetime.date(2023, 1, 1) + datetime.timedelta(days=3 * i) for i in range(60)]
    columns = {"when": pa.array([f"{day:%d/%m/%Y}" for day in days]), "x": pa.array(np.arange(60) * 1.5)}
    entry = Schema.infer(columns, texts=texts).entries[0]
    assert entry.role == "scored" and entry.reason == "text, read as day/month/year"
    assert entry.surrogate is None and not Text.claims(columns["when"])


def test_text_of_a_series_is_ignored() -> None:
    columns = {"note": pa.array(IDS), "x": pa.array(np.arange(200) * 1.5)}
    entry = Schema.infer(columns, texts=False).entries[0]
    assert (entry.role, entry.column, entry.reason) == (
        "ignored",
        None,
        "an id: nearly every value is different",
    )
