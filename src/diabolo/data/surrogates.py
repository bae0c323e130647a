"""Surrogates: values for generated rows of columns that no network reads, ids and constants."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.base import Values
from diabolo.data.columns.convert import plain_values
from diabolo.utils.checks import is_finite_number, is_text_list, require

N_ID_SAMPLE = 10_000  # ids that the alphabet of each position is read from: a choice
MIN_SAME_LENGTH = 0.9  # of ids are of the same length: a choice
MAX_ID_LENGTH = 200  # characters: a choice
MAX_ALPHABET = 4096  # characters at one position, in a model file: more than any table of a fit has


@dataclass(frozen=True)
class SurrogateColumn:
    """How values of a column that is not scored are made.

    Attributes:
        type: the arrow type of the column.
        constant: the one value, as text.
        start: the first of whole numbers that continue those of the fit.
        step: their difference, 1 or -1; 0 for other columns.
        alphabet: for each position of an id, the characters that ids of the fit have there.
        missing: the share of rows without a value.
    """

    type: str
    constant: str | None = None
    start: int = 0
    step: int = 0
    alphabet: tuple[str, ...] = ()
    missing: float = 0.0

    @classmethod
    def fit(cls, values: Values) -> Self | None:
        """Return how to make values like these; None if they are neither constant nor ids."""
        if not isinstance(values, pa.Array):
            return None
        values = plain_values(values)
        known, kind = values.drop_null(), str(values.type)
        missing = values.null_count / max(len(values), 1)
        try:
            if pc.count_distinct(known).as_py() == 1:
                return cls(kind, constant=known[0].cast(pa.string()).as_py(), missing=missing)
            if pa.types.is_integer(known.type):
                ends = pc.min_max(known)
                falls = known[0].equals(ends["max"]) and known[-1].equals(ends["min"])
                start = ends["min"].as_py() - 1 if falls else ends["max"].as_py() + 1
                return cls(kind, start=start, step=-1 if falls else 1, missing=missing)
            if not (pa.types.is_string(known.type) or pa.types.is_large_string(known.type)):
                return None
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        texts = known[:: max(len(known) // N_ID_SAMPLE, 1)].to_pylist()
        length, count = Counter(map(len, texts)).most_common(1)[0]
        if not 0 < length <= MAX_ID_LENGTH or count < MIN_SAME_LENGTH * len(texts):
            return None
        places = zip(*(t for t in texts if len(t) == length), strict=True)
        return cls(kind, alphabet=tuple("".join(sorted(set(p))) for p in places), missing=missing)

    def make(self, first: int, rows: int, seed: int) -> pa.Array:
        """Return values for new rows; all ids of one seed differ from each other.

        Args:
            first: the number of the first of these rows among all that are generated.
            rows: the number of rows.
            seed: the seed of the ids, and of the choice of rows without a value.
        """
        random = np.random.default_rng([seed, first])
        missing = random.random(rows) < self.missing
        values: list[Any]
        if self.constant is not None:
            values = [self.constant] * rows
        elif self.step:
            count = pa.array([self.start + self.step * (first + i) for i in range(rows)])
            return pc.if_else(pa.array(missing), None, count).cast(pa.type_for_alias(self.type), safe=False)
        else:
            values = self._ids(first, rows, seed)
        texts = pa.array([None if m else v for v, m in zip(values, missing, strict=True)], pa.string())
        return texts.cast(pa.type_for_alias(self.type)) if self.type != "string" else texts

    def _ids(self, first: int, rows: int, seed: int) -> list[str]:
        """Return ids: a walk through all that the alphabet allows, which visits each of them once."""
        alphabet, size = list(self.alphabet), math.prod(len(p) for p in self.alphabet)
        while size < 2 * (first + rows):  # too few of them: ids become longer
            alphabet, size = [*alphabet, "0123456789"], size * 10
        random = np.random.default_rng([seed, len(alphabet)])
        words = random.integers(0, 2**62, size=2 * (size.bit_length() // 60 + 1)).tolist()
        half = len(words) // 2
        begin, stride = (
            sum(w << (62 * i) for i, w in enumerate(part)) for part in (words[:half], words[half:])
        )
        # A stride near the golden section of all ids, so that neighbouring rows do not get neighbouring ids.
        stride = (size * 618 // 1000 + stride % max(size // 1000, 1)) | 1
        while math.gcd(stride, size) != 1:
            stride += 2
        ids = []
        for row in range(first, first + rows):
            number, characters = (begin + row * stride) % size, []
            for known in reversed(alphabet):
                number, index = divmod(number, len(known))
                characters.append(known[index])
            ids.append("".join(reversed(characters)))
        return ids

    def check(self) -> None:
        """Check what was learnt, of a column that was read from a file.

        Raises:
            ValueError: no fit can have learnt it.
        """
        alphabet = self.alphabet
        require(is_text_list(alphabet) and all(alphabet), "alphabet of an id")
        require(len(alphabet) <= MAX_ID_LENGTH, "length of an id")
        require(max(map(len, alphabet), default=0) <= MAX_ALPHABET, "alphabet of an id")
        require(type(self.start) is int and type(self.step) is int, "first of the numbers")
        require(is_finite_number(self.missing), "share of missing values")
        require(self.constant is None or isinstance(self.constant, str), "constant")
        require(len(self.make(0, 2, 0)) == 2, "column of ids")

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a model file."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Return the column that `to_json` described."""
        return cls(**{**state, "alphabet": tuple(state["alphabet"])})
