"""A table as it is checked for wrong cells: every column as text, as numbers, or as both."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.cleaning.texts.values import MISSING_WORDS
from diabolo.data.columns.convert import plain_type, plain_values
from diabolo.utils.checks import is_finite_number, require

MIN_NUMERIC = 0.9  # share of the values of a column of numbers that are numbers: the rest are wrong
MIN_DIFFERENT = 5  # different numbers of a column that is judged as numbers; fewer are labels ...
MAX_LABELS = 20  # ... and up to this many are judged as labels too
MIN_CODE_DIGITS = 5  # digits that all numbers of a column of codes have, as postcodes do ...
MAX_CODES_SHARE = 0.2  # ... and different codes for each value
MIN_CODES = 0.95  # share of the values that are such codes
MAX_GROUPS_SHARE = 0.9  # different values for each row of a column that others can follow from
MAX_WHOLE = 1e18  # numbers below it that are whole are written without an exponent
N_RANGES = 8  # equally frequent ranges of numbers, as which other columns see them
LEADING_ZERO = re.compile(r"^[-+]?0\d")
NUMBER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
# A currency or a mark, a number, and a unit that is no single letter next to it but for usual ones.
INNER_NUMBER = re.compile(
    r"^[^\w\-<>=≤≥~(]{0,3}(-?\d+\.?\d*)(?:[^\w]{1,3}[^\d]{0,12}(?:(?<=[^\W\d_])[23])?|[^\W\d_]{2,12}\.?|[hmgktslM])?$"
)

MULTIPLIER = re.compile(
    r"(?i)(%|[\d\s](k|m|b|t|bn|mn|mio|mrd|tsd|hundreds?|thousands?|millions?|billions?|dozens?|lakhs?|crores?)\.?)$"
)


def to_texts(values: pa.Array) -> list[str | None] | None:
    """Return values as text, whole numbers without a fraction; None if they have no text.

    Args:
        values: of a column of the user.
    """
    if isinstance(values.type, pa.DictionaryType):
        values = values.dictionary_decode()
    if pa.types.is_float64(values.type):
        return [_float_text(v) for v in values.to_pylist()]
    if pa.types.is_floating(values.type):
        # The shortest text that a number of so few bits has: .1 is .1, as in double precision.
        return [None if v is None else _float_text(float(str(np.float32(v)))) for v in values.to_pylist()]
    if pa.types.is_decimal(values.type):
        return [None if v is None else _decimal_text(v) for v in values.to_pylist()]
    if pa.types.is_timestamp(values.type):
        try:
            moments = values.cast(pa.timestamp("us", values.type.tz), safe=False).to_pylist()
            return [None if v is None else _moment_text(v) for v in moments]
        except (OverflowError, ValueError):  # years that a date of Python cannot have
            return None
    try:
        texts: list[str | None] = values.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return [v if v else None for v in texts]  # an empty text is no value


def _float_text(value: float | None) -> str | None:
    """Return a number as text, exactly; a whole number as the same integer would be."""
    if value is None or value != value:
        return None
    return str(int(value)) if value.is_integer() and abs(value) < MAX_WHOLE else repr(value)


def _decimal_text(value: Decimal) -> str:
    """Return a decimal number as text, without zeros at its end."""
    return f"{value.normalize():f}"


def _moment_text(value: datetime) -> str:
    """Return a moment as text, in UTC if it has a time zone; without a time of day if that is midnight."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    text = value.isoformat(sep=" ").removesuffix(" 00:00:00")
    return text.rstrip("0") if "." in text else text


@dataclass(frozen=True)
class ColumnKind:
    """How a column is judged.

    Attributes:
        as_text: whether as labels or texts.
        as_number: whether as numbers.
        edges: between the ranges of numbers, as which other columns see it; None for labels.
        is_group: whether other columns may follow from it.
    """

    as_text: bool
    as_number: bool
    edges: np.ndarray | None
    is_group: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a model file."""
        edges = None if self.edges is None else self.edges.tolist()
        return {"text": self.as_text, "number": self.as_number, "edges": edges, "group": self.is_group}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> ColumnKind:
        """Return the inverse of `to_json`.

        Raises:
            ValueError: the values cannot be right.
        """
        flags, edges = [state[k] for k in ("text", "number", "group")], state["edges"]
        require(all(isinstance(f, bool) for f in flags), "kind of a column")
        if edges is None:
            require(flags[0], "kind of a column")
            return cls(flags[0], flags[1], None, flags[2])
        require(all(map(is_finite_number, edges)) and 0 < len(edges) < N_RANGES, "ranges of a column")
        require(edges == sorted(edges) and flags == [False, True, True], "ranges of a column")
        return cls(flags[0], flags[1], np.array(edges, dtype=float), flags[2])


@dataclass(frozen=True)
class CheckedColumn:
    """The values of a column.

    Attributes:
        texts: (rows,) as text; None without a value.
        numbers: (rows,) as numbers; NaN without a value, or for one that is no number.
    """

    texts: Sequence[str | None]
    numbers: np.ndarray

    @classmethod
    def of(cls, values: pa.Array) -> CheckedColumn | None:
        """Read a column; None if its values have no text."""
        texts = to_texts(values)
        if texts is None:
            return None
        plain = plain_values(values)
        if pa.types.is_floating(plain.type) or pa.types.is_integer(plain.type):
            numbers = np.asarray(plain.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        else:
            numbers = to_numbers(texts)
        return cls(texts, np.where(np.isfinite(numbers), numbers, np.nan))

    def kind(self) -> ColumnKind | None:
        """Return how the column is judged; None if there is nothing to judge."""
        known = [t for t in self.texts if t is not None]
        different = len(set(known))
        if different < 2:
            return None
        values = [t for t in known if t.strip() not in MISSING_WORDS]
        found = np.isfinite(self.numbers)
        numeric = found.sum() > MIN_NUMERIC * max(len(values), 1)
        numeric = numeric and not any(LEADING_ZERO.match(v) for v in values)
        numbers = np.unique(self.numbers[found])
        is_group = different < MAX_GROUPS_SHARE * len(self.texts)
        if not numeric or len(numbers) <= MIN_DIFFERENT or self._are_codes(values):
            return ColumnKind(True, False, None, is_group)
        if len(numbers) <= MAX_LABELS:
            return ColumnKind(True, True, None, is_group)
        inner = np.linspace(0, 1, N_RANGES + 1)[1:-1]
        return ColumnKind(False, True, np.unique(np.quantile(self.numbers[found], inner)), True)

    def _are_codes(self, values: Sequence[str]) -> bool:
        """Return whether whole numbers of one length repeat so often that they are labels, like postcodes."""
        lengths = Counter(len(v) for v in values if v.isdigit())
        if not lengths or len(set(values)) > MAX_CODES_SHARE * len(values):
            return False
        length, count = lengths.most_common(1)[0]
        return length >= MIN_CODE_DIGITS and count >= MIN_CODES * len(values)

    def ranges(self, edges: np.ndarray) -> np.ndarray:
        """Return (rows,) the range of each number, -1 without one."""
        known = np.isfinite(self.numbers)
        return np.where(known, np.searchsorted(edges, np.where(known, self.numbers, 0.0)), -1)


def to_numbers(texts: Sequence[str | None]) -> np.ndarray:
    """Return (rows,) the numbers that texts are, NaN for all else."""
    return np.array([float(t) if t is not None and NUMBER.match(t.strip()) else np.nan for t in texts])


def inner_number(text: str) -> str | None:
    """Return the number in a text with a unit or a mark around it; None if there is none."""
    match = INNER_NUMBER.match(text.strip())
    if match is None or MULTIPLIER.search(text.strip()):
        return None  # "10k" is not 10
    return match.group(1)


def row_hashes(columns: Sequence[Sequence[str | None]]) -> np.ndarray:
    """Return (rows,) 64-bit hashes of the texts of rows.

    Args:
        columns: (columns, rows).
    """
    prints = (
        hashlib.blake2b(
            "\x1f".join("\x1e" if v is None else v for v in row).encode(errors="surrogatepass"), digest_size=8
        ).digest()
        for row in zip(*columns, strict=True)
    )
    return np.frombuffer(b"".join(prints), dtype="<i8").copy()


def as_type(values: pa.Array, name: str) -> pa.Array:
    """Return values in the type that the column had in the fit, as far as they can have it.

    Args:
        values: of the column.
        name: of the arrow type.
    """
    if str(plain_type(values.type)) == name:
        return values
    try:
        return plain_values(values).cast(pa.type_for_alias(name))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
        return values


def read_columns(columns: Mapping[str, pa.Array], names: Sequence[str]) -> dict[str, CheckedColumn]:
    """Return the columns that can be read as text.

    Args:
        columns: name -> values.
        names: of the wanted ones; those that the data does not have are left out.
    """
    found = {n: CheckedColumn.of(_combined(columns[n])) for n in names if n in columns}
    return {n: column for n, column in found.items() if column is not None}


def _combined(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return pc.cast(values, values.type).combine_chunks() if isinstance(values, pa.ChunkedArray) else values
