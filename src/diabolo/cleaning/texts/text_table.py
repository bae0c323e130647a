"""The texts of the rows of a fit, as whole numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from diabolo.cleaning.texts.cooccurrence import STRIDE
from diabolo.cleaning.texts.typos import TypoPairs, find_typos
from diabolo.utils.sampling import evenly_spaced

MAX_SHARE_OF_WORDS, MAX_WORD = 0.2, 8  # different values for each row of a column of words; their length
MAX_PARTNERS, N_SAMPLED = 24, 1_000  # columns that one may follow from, chosen on so many rows; choices
MAX_COMMON = 0.1  # overlap of the distributions of two columns that hold different things
MAX_SHARE_OF_LABELS = 0.5  # different values for each row of a column whose values another may hold


@dataclass(frozen=True)
class TextTable:
    """A table whose texts are judged.

    Attributes:
        values: judged column -> its different values.
        codes: judged column -> (rows,) number of the value; -1 without one.
        groups: column -> (rows,) number of its value, or of a range of numbers; -1 without one. The columns
            that others may follow from.
        labels: column -> the values of a column of labels, by their numbers in `groups`.
    """

    values: Mapping[str, Sequence[str]]
    codes: Mapping[str, np.ndarray]
    groups: Mapping[str, np.ndarray]
    labels: Mapping[str, Sequence[str]]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(next(iter({**self.codes, **self.groups}.values()), ()))

    @cached_property
    def rows_of(self) -> dict[str, np.ndarray]:
        """Judged column -> the rows that have a value."""
        return {name: np.flatnonzero(codes >= 0) for name, codes in self.codes.items()}

    @cached_property
    def pairs(self) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
        """Judged column -> other column -> keys of the pairs of values, and the key of each judged row."""
        found: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
        for name, codes in self.codes.items():
            rows, found[name] = self.rows_of[name], {}
            for other in self._partners(name):
                key = np.maximum(self.groups[other][rows], 0).astype(np.int64) * STRIDE + codes[rows]
                found[name][other] = np.unique(key, return_inverse=True)
        return found

    def _partners(self, name: str) -> list[str]:
        """Return the columns that a column may follow from; of a wide table, those that say most of it.

        On a sample of the rows: how much more often two rows agree in the column if they agree in the other.
        """
        others = [other for other in self.groups if other != name]
        if len(others) <= MAX_PARTNERS:
            return others
        rows = self.rows_of[name]
        rows = rows[evenly_spaced(len(rows), N_SAMPLED)]
        codes = self.codes[name][rows].astype(np.int64)
        alone = _agreement(codes)
        gains = {}
        for other in others:
            group = self.groups[other][rows]
            known = group >= 0
            together = _agreement(group[known] * STRIDE + codes[known])
            gains[other] = together / max(_agreement(group[known]), 1 / N_SAMPLED) - alone
        return sorted(others, key=lambda other: -gains[other])[:MAX_PARTNERS]

    @cached_property
    def typos(self) -> dict[str, TypoPairs]:
        """Judged column -> the pairs of its values of which one can be a typing error of the other."""
        return {
            name: find_typos(
                values,
                np.bincount(self.codes[name][self.rows_of[name]], minlength=len(values)),
                self.rows,
                self.words(name),
            )
            for name, values in self.values.items()
        }

    def words(self, name: str) -> set[str]:
        """Return short words that are values of the other columns."""
        few = MAX_SHARE_OF_WORDS * self.rows
        listed = (v for other, v in self.labels.items() if other != name and len(v) < few)
        return {word for values in listed for word in values if 1 < len(word) < MAX_WORD and word.isalpha()}

    def elsewhere(self, name: str, values: Sequence[str]) -> np.ndarray:
        """Return (values,) the mean share of the cells of the other columns that hold each value.

        Columns that hold the same kind of value, such as two dates, do not count: there it is no error.
        """
        own, counts = self.values[name], np.bincount(self.codes[name][self.rows_of[name]])
        shares = []
        for other, found in self._shares.items():
            pairs = ((n / counts.sum(), found.get(value, 0.0)) for value, n in zip(own, counts, strict=False))
            if other != name and sum(map(min, pairs)) <= MAX_COMMON:
                shares.append(found)
        if not shares:
            return np.zeros(len(values))
        return np.array([sum(s.get(v, 0.0) for s in shares) / len(shares) for v in values])

    @cached_property
    def _shares(self) -> dict[str, dict[str, float]]:
        return {
            name: dict(
                zip(values, np.bincount(group[group >= 0], minlength=len(values)) / len(group), strict=True)
            )
            for name, values in self.labels.items()
            for group in [self.groups[name]]
            if len(values) < MAX_SHARE_OF_LABELS * self.rows
        }


def _agreement(codes: np.ndarray) -> float:
    """Return the share of the pairs of rows that have the same code."""
    _, counts = np.unique(codes, return_counts=True)
    number = counts.sum()
    return float((counts * (counts - 1)).sum() / max(number * (number - 1), 1))
