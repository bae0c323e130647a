"""Columns that no network reads, made anew for rows that are generated: ids and constants."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from diabolo.data.columns.base import Values

SAMPLE = 10_000  # ids that are looked at for the signs in their places
LONGEST = 200  # signs in an id


@dataclass(frozen=True)
class SurrogateColumn:
    """How to make values of a column that is not scored.

    Attributes:
        type: the arrow type of the column.
        constant: the one value, as text.
        start, step: whole numbers that count on behind those of the fit.
        letters: place by place, the signs that ids of the fit have there; new ids are made of them.
        missing: share of rows without a value.
    """

    type: str
    constant: str | None = None
    start: int = 0
    step: int = 0
    alphabet: tuple[str, ...] = ()
    missing: float = 0.0

    @classmethod
    def fit(cls, values: Values) -> Self | None:
        """How to make values like these; None if they are neither constant nor ids."""
        if not isinstance(values, pa.Array):
            return None
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
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
        texts = known[:: max(len(known) // SAMPLE, 1)].to_pylist()
        length, _ = Counter(map(len, texts)).most_common(1)[0]
        if not 0 < length <= LONGEST:
            return None
        places = zip(*(t for t in texts if len(t) == length), strict=True)
        return cls(kind, alphabet=tuple("".join(sorted(set(p))) for p in places), missing=missing)

    def make(self, first: int, rows: int, seed: int) -> pa.Array:
        """Values for new rows; ids differ from each other, over all batches of one seed.

        Args:
            first: the number of the first of these rows.
            rows: how many.
            seed: of ids that are drawn, and of rows without a value.
        """
        random = np.random.default_rng([seed, first])
        gone = random.random(rows) < self.missing
        made: list[Any]
        if self.constant is not None:
            made = [self.constant] * rows
        elif self.step:
            count = pa.array([self.start + self.step * (first + i) for i in range(rows)])
            return pc.if_else(pa.array(gone), None, count).cast(pa.type_for_alias(self.type), safe=False)
        else:
            made = self._ids(first, rows, seed)
        texts = pa.array([None if g else v for v, g in zip(made, gone, strict=True)], pa.string())
        return texts.cast(pa.type_for_alias(self.type)) if self.type != "string" else texts

    def _ids(self, first: int, rows: int, seed: int) -> list[str]:
        """A walk through all ids that can be made, in steps that meet each of them once."""
        letters, size = list(self.alphabet), math.prod(len(p) for p in self.alphabet)
        while size < 2 * (first + rows):  # too few: they become longer
            letters, size = [*letters, "0123456789"], size * 10
        random = np.random.default_rng([seed, len(letters)])
        words = random.integers(0, 2**62, size=2 * (size.bit_length() // 60 + 1)).tolist()
        half = len(words) // 2
        begin, stride = (
            sum(w << (62 * i) for i, w in enumerate(part)) for part in (words[:half], words[half:])
        )
        # Near the golden section of all ids, so that neighbours in the table are no neighbours among them.
        stride = (size * 618 // 1000 + stride % max(size // 1000, 1)) | 1
        while math.gcd(stride, size) != 1:
            stride += 2
        made = []
        for place in range(first, first + rows):
            number, signs = (begin + place * stride) % size, []
            for known in reversed(letters):
                number, sign = divmod(number, len(known))
                signs.append(known[sign])
            made.append("".join(reversed(signs)))
        return made

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a model file."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**{**state, "alphabet": tuple(state["alphabet"])})
