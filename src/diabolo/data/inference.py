"""Infer the kind of a column from its values, and whether the column is better left out."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns import COLUMNS, Column, Text, Values
from diabolo.data.columns.convert import find_date_formats, format_in_words, is_text, plain_values
from diabolo.data.columns.image import Image, is_image

# The start and the end of reasons that tell a user that a column is perhaps read in a way that was not meant.
NUMERIC_TEXT_PREFIX, AMBIGUOUS_DATE_SUFFIX = "text: ", "would fit too"
ROW_COUNTER_REASON = "an id: consecutive whole numbers"
MIN_ID_ROWS = 20  # rows that it takes to call a column an id: a choice
# Mean length of free text, in characters, and of free text of which most values have a space: a choice.
FREE_TEXT_LENGTH, FREE_TEXT_LENGTH_WITH_SPACES = 40, 20
ID_NAME_REGEX = r"(?i)(id|uuid|guid|key|index|.*[_\- ]id|id[_\- ].*)"
MIN_NUMERIC_SHARE, MIN_UNIT_SHARE = 0.8, 0.9  # of texts that look like numbers, and of these with one unit
NUMBER_REGEX = r"^[-+]?(\d+([.,' ]\d+)*|\.\d+)([eE][-+]?\d+)?$"
UNIT_REGEX = r"^(?P<before>[$€£¥]?) ?[-+]?\d+(?:[.,' ]\d+)*\s?(?P<after>[^\d\s.,]{0,6})$"


def infer_kind(values: Values) -> Column | None:
    """Return a new column of the kind that claims such values; None if no kind does."""
    for kind in COLUMNS:
        if kind.claims(values):
            return kind()
    return None


def describe_values(values: Values) -> str:
    """Return what made a column be of its kind, in a few words."""
    if isinstance(values, np.ndarray):
        return "windows of a series"
    if is_image(values.type):
        return f"images of {values.type.value_type} pixels"
    if Text.claims(values):
        return describe_different_texts(values)
    if forms := find_date_formats(values):
        first, *others = [format_in_words(f) for f in forms]
        return f"text, read as {first}" + (f"; {others[0]} {AMBIGUOUS_DATE_SUFFIX}" if others else "")
    numeric = describe_numeric_text(values)
    return f"{values.type} values" if numeric is None else f"{NUMERIC_TEXT_PREFIX}{numeric}"


def missing_share(values: Values) -> float:
    """Return the share of the rows in which a column has no value."""
    if isinstance(values, np.ndarray):
        return float(np.isnan(values[:, 0]).mean()) if len(values) else 0.0
    if is_image(values.type):
        return float(Image().missing(values).mean())
    missing = pc.sum(values.is_null(nan_is_null=True)).as_py() or 0
    return missing / len(values) if len(values) else 0.0


def reason_to_ignore(name: str, values: Values, named: bool) -> str | None:
    """Return a reason to leave a column out, or None.

    Args:
        name: the column's.
        values: (rows,) its values.
        named: whether the name means anything; without, no id is looked for.
    """
    if _is_empty(values):
        return "no values"
    if isinstance(values, np.ndarray) or is_image(values.type):
        return None
    if infer_kind(values) is None:
        return f"{values.type} values have no kind"
    known = plain_values(values.drop_null())
    n_distinct = len(pc.unique(known))
    if n_distinct == 1 and len(values) > 1:
        return f"constant: {known[0].as_py()!r}"
    if not named or len(known) < MIN_ID_ROWS:
        return None
    if pa.types.is_integer(known.type) and n_distinct == len(known):
        ends = pc.min_max(known)
        if ends["max"].as_py() - ends["min"].as_py() == len(known) - 1:
            return ROW_COUNTER_REASON
        if re.fullmatch(ID_NAME_REGEX, name):
            return "an id: by its name, and every value is different"
    return None


def is_row_counter(values: pa.Array) -> bool:
    """Return whether a column holds whole numbers that rise, or fall, by one from each row to the next."""
    if len(values) < MIN_ID_ROWS or not pa.types.is_integer(values.type) or values.null_count:
        return False
    steps = np.diff(values.to_numpy(zero_copy_only=False))
    return bool((steps == steps[0]).all() and abs(int(steps[0])) == 1)


def describe_different_texts(values: pa.Array) -> str:
    """Return what texts are that nearly all differ, in a few words."""
    known = values.drop_null()
    if (numeric := describe_numeric_text(known)) is not None:
        return f"{NUMERIC_TEXT_PREFIX}{numeric}; nearly every value is different"
    text = known.cast(pa.string())
    length = pc.mean(pc.utf8_length(text)).as_py()
    spaced = pc.mean(pc.match_substring(text, " ")).as_py()
    if length > FREE_TEXT_LENGTH or (spaced > 0.5 and length > FREE_TEXT_LENGTH_WITH_SPACES):
        return "free text"
    return "an id: nearly every value is different"


def describe_numeric_text(values: Values) -> str | None:
    """Return what keeps text from being read as numbers, in a few words; None if it is not like numbers.

    Example:
        >>> describe_numeric_text(pa.array(["5 %", "12 %"]))
        "numbers with '%'"
        >>> describe_numeric_text(pa.array(["5", "7", "8", "9", "new"]))
        "numbers but for 'new'"
    """
    if not isinstance(values, pa.Array) or not is_text(values.type):
        return None
    text = pc.utf8_trim_whitespace(values.cast(pa.string()).drop_null())
    parts = pc.extract_regex(text, UNIT_REGEX).drop_null()
    plain = pc.match_substring_regex(text, NUMBER_REGEX)
    if len(text) and len(parts) >= MIN_NUMERIC_SHARE * len(text):
        units = pc.value_counts(pc.binary_join_element_wise(parts.field("before"), parts.field("after"), ""))
        unit = max(units.to_pylist(), key=lambda u: u["counts"])
        if unit["values"] and unit["counts"] >= MIN_UNIT_SHARE * len(parts):
            return f"numbers with {unit['values']!r}"
    if len(text) == 0 or pc.mean(plain).as_py() < MIN_NUMERIC_SHARE:
        return None
    others = pc.unique(text.filter(pc.invert(plain))).to_pylist()
    if not others:
        return "numbers as text" if pc.any(pc.match_substring_regex(text, "[.,]")).as_py() else None
    return f"numbers but for {others[0][:20]!r}" + (f" and {len(others) - 1} more" if others[1:] else "")


def _is_empty(values: Values) -> bool:
    """Return whether a column has no value that something can be learnt from."""
    if isinstance(values, np.ndarray):
        return not np.isfinite(values).any()
    if is_image(values.type):
        return bool(Image().missing(values).all())
    known = values.drop_null()
    return len(known) == 0 or (pa.types.is_floating(values.type) and not pc.any(pc.is_finite(known)).as_py())
