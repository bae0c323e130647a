"""Text of which nearly every value is different: ids, names, free text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.characters import classes_of
from diabolo.data.columns.base import Column, Part, Values
from diabolo.data.columns.convert import (
    cast_text,
    find_date_formats,
    is_text,
    known_texts,
    plain_type,
    plain_values,
    to_array,
    to_text,
)
from diabolo.data.fields import Symbol
from diabolo.utils.checks import is_text_list, require

MIN_ROWS = 20  # that it takes to say that nearly all values differ: a choice
MIN_DISTINCT_SHARE = 0.9  # of the values are different: a choice
MAX_FORMS, MIN_FORM_ROWS = 30, 3  # forms with a symbol of their own, and the rows that each has: a choice
MAX_FORM_LENGTH = 40  # characters of a form; what follows is left out: a choice
N_LENGTHS = 8  # steps of the length, with about as many rows in each: a choice
RUNS = "Aa0 "  # classes of characters of which a run counts as one
STRETCHED = "a0A"  # characters of a form of which the first that it has is repeated


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass
class Text(Column):
    """Text that is no label. Networks read its form and its length; what is in it, they do not predict.

    The form is the text with each run of capital letters, other letters, digits and spaces as one character.

    Attributes:
        forms: the frequent forms, most frequent first; the others share a symbol.
        other: one of the other forms; None if there is none.
        form_counts: (symbols,) how often each form occurs; symbol 0 is for forms that did not occur.
        lengths: (steps,) the largest length of each step, in characters.
        length_counts: (steps + 1,) likewise; symbol 0 is for lengths far outside those of the fit.
        shortest: the smallest length.
        type: the arrow type of the column, restored in answers.
    """

    forms: list[str] = field(default_factory=list)
    other: str | None = None
    form_counts: np.ndarray = field(default_factory=_none)
    lengths: np.ndarray = field(default_factory=_none)
    length_counts: np.ndarray = field(default_factory=_none)
    shortest: int = 0
    type: str = "string"

    kind = "text"
    predicts_values = False

    def __post_init__(self) -> None:
        self.lengths = np.asarray(self.lengths, dtype=np.int64)
        self.form_counts = np.asarray(self.form_counts, dtype=float)
        self.length_counts = np.asarray(self.length_counts, dtype=float)

    @classmethod
    def claims(cls, values: Values) -> bool:
        if not isinstance(values, pa.Array):
            return False
        values = plain_values(values)
        if not is_text(values.type) or find_date_formats(values):
            return False
        known = values.cast(pa.string()).drop_null()
        return len(known) >= MIN_ROWS and bool(
            pc.count_distinct(known).as_py() > MIN_DISTINCT_SHARE * len(known)
        )

    def fit(self, values: Values, name: str) -> Self:
        """Count the forms and the lengths.

        Args:
            values: (rows,) texts, see `to_text`.
            name: the column's.

        Raises:
            ColumnError: there is no text.
        """
        text = known_texts(values, name)
        found = pc.value_counts(forms_of(text))
        counted = sorted(((c["counts"], c["values"]) for c in found.to_pylist()), key=lambda c: (-c[0], c[1]))
        own = [(n, form) for n, form in counted[:MAX_FORMS] if n >= MIN_FORM_ROWS]
        rest = counted[len(own) :]
        form_counts = [0, *(n for n, _ in own)] + [sum(n for n, _ in rest)] * bool(rest)
        length = _lengths(text)
        ends = np.unique(np.quantile(length, np.arange(1, N_LENGTHS + 1) / N_LENGTHS, method="higher"))
        return replace(
            self,
            forms=[form for _, form in own],
            other=rest[0][1] if rest else None,
            form_counts=np.array(form_counts, float),
            lengths=ends,
            length_counts=np.bincount(np.searchsorted(ends, length) + 1, minlength=len(ends) + 1),
            shortest=int(length.min()),
            type=str(plain_type(to_array(values).type)),
        )

    @property
    def fields(self) -> tuple[Symbol, Symbol]:
        return Symbol(self.form_counts), Symbol(self.length_counts)

    def encode(self, values: Values, name: str) -> list[Part]:
        """Return the symbols of forms and of lengths.

        Args:
            values: (rows,) texts, see `to_text`.
            name: the column's.

        Raises:
            ColumnError: the values cannot be read as text.
        """
        text = to_text(values, name)
        visible = text.is_valid().to_numpy(zero_copy_only=False)
        index = pc.index_in(forms_of(text), value_set=pa.array(self.forms, pa.string()))
        unknown = 0 if self.other is None else len(self.forms) + 1
        form = pc.add(index, 1).fill_null(unknown).to_numpy(zero_copy_only=False).astype(np.int64)
        length = _lengths(text)
        step = np.minimum(np.searchsorted(self.lengths, length), len(self.lengths) - 1) + 1
        # A little outside the lengths of the fit is no surprise, unless these are all the same.
        margin = (self.lengths[-1] - self.shortest) // 2
        outside = (length > self.lengths[-1] + margin) | (length < self.shortest - margin)
        return [(np.where(visible, form, 0), visible), (np.where(outside | ~visible, 0, step), visible)]

    def decode(self, parts: Sequence[np.ndarray], *, exact: bool = True) -> pa.Array:
        """Return texts of the forms and lengths, of the characters "a", "A" and "0".

        Args:
            parts: two arrays, (rows,) symbols of forms and of lengths.
            exact: whether to restore the type of the column; else text.
        """
        forms = [self.other or "", *self.forms, self.other or ""]
        longest = [int(self.lengths[-1]), *map(int, self.lengths)]
        pairs = np.stack([part.astype(np.int64) for part in parts], axis=1).reshape(-1, 2)
        different, where = np.unique(pairs, axis=0, return_inverse=True)
        texts = [stretched(forms[form], longest[length]) for form, length in different.tolist()]
        text = pa.array(texts, pa.string()).take(pa.array(where.ravel()))
        return cast_text(text, self.type) if exact else text

    def check(self) -> None:
        """Check that forms and lengths have symbols.

        Raises:
            ValueError: they have not.
        """
        require(is_text_list(self.forms) and (self.other is None or isinstance(self.other, str)), "forms")
        require(self.form_counts.shape == (len(self.forms) + 1 + (self.other is not None),), "forms")
        require(len(self.lengths) > 0 and bool((np.diff(self.lengths) > 0).all()), "lengths")
        require(self.length_counts.shape == (len(self.lengths) + 1,), "lengths")
        require(type(self.shortest) is int and 0 <= self.shortest <= self.lengths[-1], "lengths")
        require(is_text(self.type), "type of a text")

    def describe(self) -> str:
        longest = int(self.lengths[-1])
        length = f"{longest}" if longest == self.shortest else f"{self.shortest} to {longest}"
        shown = f", most often like {self.forms[0]!r}" if self.forms else ""
        return f"{length} characters{shown}"


def forms_of(text: pa.Array) -> pa.Array:
    """Return the forms of texts.

    Args:
        text: (rows,) texts or nulls.

    Example:
        >>> forms_of(pa.array(["Anna-17", "x  y"])).to_pylist()
        ['Aa-0', 'a a']
    """
    text = classes_of(text)
    for character in RUNS:
        text = pc.replace_substring_regex(text, f"{character}+", character)
    return pc.utf8_slice_codeunits(text, 0, MAX_FORM_LENGTH)


def stretched(form: str, length: int) -> str:
    """Return a text of a form that is as long as is wanted, or nearly so.

    Args:
        form: as by `forms_of`.
        length: in characters.

    Example:
        >>> stretched("Aa-0", 7)
        'Aaaaa-0'
    """
    longest = next((c for c in STRETCHED if c in form), "")
    runs = [i for i, c in enumerate(form) if c == longest]
    missing = max(length - len(form), 0) if runs else 0
    more = {place: missing // len(runs) + (n < missing % len(runs)) for n, place in enumerate(runs)}
    return "".join(c * (1 + more.get(i, 0)) for i, c in enumerate(form))


def _lengths(text: pa.Array) -> np.ndarray:
    """Return (rows,) the lengths of texts in characters; 0 for nulls."""
    return np.asarray(pc.fill_null(pc.utf8_length(text), 0).to_numpy(zero_copy_only=False), dtype=np.int64)
