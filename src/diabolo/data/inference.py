"""What a column looks like: its kind, and whether it is better left out."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns import COLUMNS, Category, Column, Values
from diabolo.data.columns.category import nearly_numbers
from diabolo.data.columns.datetime import forms_of, in_words
from diabolo.data.columns.image import Image, is_picture

NEARLY, TOO = "text: ", "would fit too"
COUNTED = "an id: consecutive whole numbers"
FEWEST = 20  # rows that it takes to call a column an id


def kind_of(values: Values) -> Column | None:
    """The kind that claims such values, fresh; None if there is none."""
    for kind in COLUMNS:
        if kind.claims(values):
            return kind()
    return None


def looks(values: Values) -> str:
    """What made a column be of its kind, in a few words."""
    if isinstance(values, np.ndarray):
        return "windows of a series"
    if is_picture(values.type):
        return f"pictures of {values.type.value_type} pixels"
    if forms := forms_of(values):
        other = [in_words(f) for f in forms[1:]]
        return f"text, read as {in_words(forms[0])}" + (f"; {other[0]} {TOO}" if other else "")
    near = nearly_numbers(values)
    return f"{values.type} values" if near is None else f"{NEARLY}{near}"


def missing_share(values: Values) -> float:
    """The share of the rows in which a column has no value."""
    if isinstance(values, np.ndarray):
        return float(np.isnan(values[:, 0]).mean()) if len(values) else 0.0
    if is_picture(values.type):
        return float(Image().missing(values).mean())
    holes = pc.sum(values.is_null(nan_is_null=True)).as_py() or 0
    return holes / len(values) if len(values) else 0.0


def why_ignored(name: str, values: Values, named: bool) -> str | None:
    """A reason to leave a column out, or None."""
    if isinstance(values, np.ndarray):
        points = values[:, 0] if values.size else values.ravel()
        return "no values" if not np.isfinite(points).any() and not np.isfinite(values).any() else None
    if is_picture(values.type):
        return "no values" if Image().missing(values).all() else None
    known = values.drop_null()
    if len(known) == 0 or (pa.types.is_floating(values.type) and not pc.any(pc.is_finite(known)).as_py()):
        return "no values"
    if kind_of(values) is None:
        return f"{values.type} values have no kind"
    if pa.types.is_dictionary(known.type):
        known = known.dictionary_decode()
    distinct = len(pc.unique(known))
    if distinct == 1 and len(values) > 1:
        return f"constant: {known[0].as_py()!r}"
    if not named or len(known) < FEWEST:
        return None
    share = distinct / len(known)
    if isinstance(kind_of(values), Category) and share > 0.9:
        if (near := nearly_numbers(known)) is not None:
            return f"{NEARLY}{near}; nearly every value is different"
        text = known.cast(pa.string())
        length, spaced = pc.mean(pc.utf8_length(text)).as_py(), pc.mean(pc.match_substring(text, " ")).as_py()
        return (
            "free text"
            if length > 40 or (spaced > 0.5 and length > 20)
            else "an id: nearly every value is different"
        )
    if pa.types.is_integer(known.type) and distinct == len(known):
        ends = pc.min_max(known)
        if ends["max"].as_py() - ends["min"].as_py() == len(known) - 1:
            return COUNTED
        if re.fullmatch(r"(?i)(id|uuid|guid|key|index|.*[_\- ]id|id[_\- ].*)", name):
            return "an id: by its name, and every value is different"
    return None


def counts_rows(values: pa.Array) -> bool:
    """Whether whole numbers rise, or fall, by one from each row to the next."""
    if len(values) < FEWEST or not pa.types.is_integer(values.type) or values.null_count:
        return False
    steps = np.diff(values.to_numpy(zero_copy_only=False))
    return bool((steps == steps[0]).all() and abs(int(steps[0])) == 1)
