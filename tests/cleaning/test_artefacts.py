"""Traces of programs in texts are found, named and undone."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diabolo.cleaning.artefacts import find_artefact

any_text = st.text(st.characters(), max_size=60) | st.text(
    "ÃÂâ\u0080©€™&;#x019amp'\"\\nt \ufffd", max_size=12
)


@pytest.mark.parametrize(
    ("text", "why", "right"),
    [
        ("Caf\u00c3\u00a9", "text read in the wrong encoding", "Café"),
        ("It\u00e2\u20ac\u2122s", "text read in the wrong encoding", "It\u2019s"),
        ("20 \u00c2\u00b0C", "text read in the wrong encoding", "20 °C"),
        ("Smith &amp; Sons", "an HTML entity", "Smith & Sons"),
        ("it&#39;s", "an HTML entity", "it's"),
        ("&#xe9;t&#xe9;", "an HTML entity", "été"),
        ("d''Argence", "a doubled quotation mark", "d'Argence"),
        ("O\\'Brien", "an escaped character", "O'Brien"),
        ("caf\ufffd", "a character that could not be read", None),
        ("\u00c3\u00a9\u2603", "text read in the wrong encoding", None),
    ],
)
def test_a_trace_is_named_and_undone(text: str, why: str, right: str | None) -> None:
    assert find_artefact(text) == (why, right)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "Smith & Sons",
            "AT&T",
            "R&D;",
            "a & b; c",
            "&nosuch;",
            "O'Brien",
            "'quoted'",
            '"quoted"',
            "''",
        ),
        *(
            "SÃO PAULO",
            "Ångström",
            "château",
            "Âge",
            "naïve",
            "東京",
            "😀",
            "C:\\data\\reports",
            "\\\\host\\share",
        ),
    ],
)
def test_usual_text_has_no_trace(text: str) -> None:
    assert find_artefact(text) is None


@given(any_text | st.text(st.characters(categories=["Cs", "Cc", "L", "P"]), max_size=20))
def test_whatever_the_text_there_is_an_answer(text: str) -> None:
    found = find_artefact(text)
    if found is not None and found[1] is not None:
        assert found[1] != text


@given(st.text(st.characters(codec="cp1252", min_codepoint=160), min_size=1, max_size=20))
def test_text_in_the_wrong_encoding_comes_back(text: str) -> None:
    try:
        wrong = text.encode().decode("cp1252")
    except UnicodeDecodeError:
        return
    found = find_artefact(wrong)
    if found is not None and found[0] == "text read in the wrong encoding":
        assert found[1] == text


@given(st.text(st.sampled_from("ab <>&"), min_size=1, max_size=20))
def test_escaped_html_comes_back(text: str) -> None:
    escaped = html.escape(text, quote=False)
    if escaped != text and html.unescape(escaped) == text:
        assert find_artefact(escaped) == ("an HTML entity", text)
