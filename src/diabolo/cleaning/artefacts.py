"""Traces that programs leave in texts: escapes, entities, and texts that were read in the wrong encoding."""

from __future__ import annotations

import html
import re

REPLACEMENT = "\ufffd"  # what a decoder writes for bytes that it cannot read
MOJIBAKE = re.compile("[\u00c2\u00c3\u00e2][\u0080-\u00bf\u20ac\u2122\u0161\u0153\u02c6\u201a-\u203a]")
ENTITY = re.compile(r"&(?:#\d{2,6}|#x[0-9a-fA-F]{2,5}|[a-z]{2,6});")
DOUBLED_QUOTE = re.compile(r"(?<=[^\W\d_])(''|\"\")(?=[^\W\d_])")
ESCAPED = re.compile(r"\\(['\"])")


def find_artefact(text: str) -> tuple[str, str | None] | None:
    """Return what a program left in a text, in words, and the text without it; None if there is nothing.

    Args:
        text: a value.

    Example:
        >>> find_artefact("d''Argence")
        ('a doubled quotation mark', "d'Argence")
        >>> find_artefact("Smith &amp; Sons")
        ('an HTML entity', 'Smith & Sons')
    """
    if REPLACEMENT in text:
        return "a character that could not be read", None
    if MOJIBAKE.search(text):
        try:
            return "text read in the wrong encoding", text.encode("cp1252").decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            return "text read in the wrong encoding", None
    if ENTITY.search(text) and html.unescape(text) != text:
        return "an HTML entity", html.unescape(text)
    if DOUBLED_QUOTE.search(text):
        return "a doubled quotation mark", DOUBLED_QUOTE.sub(lambda m: m.group(1)[0], text)
    if ESCAPED.search(text):
        return "an escaped character", ESCAPED.sub(lambda m: m.group(1), text)
    return None
