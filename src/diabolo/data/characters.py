"""A model of the characters of a column's values: how likely a string is as a new value of the column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ORDER = 3  # characters that the next one is predicted from
ALPHABET = 100  # characters that are equally likely where nothing is known; a choice
BACK_OFF = 0.7  # share of the mass of Witten and Bell that goes to shorter contexts; a choice
START, END = "\x02", "\x03"
MAX_CHARACTERS = 50_000  # different ones; keys of four of them fit into 64 bits
DIGITS = str.maketrans("123456789", "000000000")
# Classes of characters; every other character is a class of its own.
CLASS_REGEXES = (
    (r"\p{Lu}", "A"),
    (r"[\p{Ll}\p{Lm}\p{Lo}\p{Lt}\p{M}]", "a"),
    (r"\p{Nd}", "0"),
    (r"\s", " "),
)
MAX_DRAWS = 8  # of a character of the wanted class, before a shorter context is used: a choice


def shape(text: str) -> str:
    """Return a text with every digit replaced by 0: texts of one shape differ in their digits only."""
    return text.translate(DIGITS)


def classes_of(text: pa.Array) -> pa.Array:
    """Return texts with each character replaced by its class: A, a, 0, a space, or the character itself.

    Args:
        text: (rows,) texts or nulls.

    Example:
        >>> classes_of(pa.array(["Anna-17"])).to_pylist()
        ['Aaaa-00']
    """
    for regex, character in CLASS_REGEXES:
        text = pc.replace_substring_regex(text, regex, character)
    return text


@dataclass(frozen=True)
class Encoded:
    """Strings as one array of characters.

    Attributes:
        ids: (characters,) of all strings, each with ORDER starts before it and an end after it.
        owner: (characters,) the string of each.
        predicted: positions that are predicted: all but the starts.
    """

    ids: np.ndarray
    owner: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class CharacterModel:
    """N-grams of the characters of strings, with back-off to shorter contexts.

    p(c | context) = (n(context, c) + u p(c | shorter context)) / (n(context) + u), where u grows with the
    number of different characters that follow the context (Witten and Bell, "The zero-frequency problem",
    1991). Half of the probability is that of the string's shape with random digits, so that new numbers in
    a known form are likely.

    Attributes:
        values: different strings.
        weights: (values,) how much each counts.
    """

    values: Sequence[str]
    weights: np.ndarray

    def log_prob(self, strings: Sequence[str], own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log probability of strings as new values, and the surprise of their least likely place.

        Args:
            strings: to judge.
            own: (strings,) the weight with which each was counted; it is left out.

        Returns:
            (strings,) log probabilities, and (strings,) -log p of the least likely character or pair of them.
        """
        encoded = self._encode(strings)
        by_character = self._log_prob_of_characters(encoded, own)
        starts = np.flatnonzero(np.r_[True, np.diff(encoded.owner[encoded.predicted]) > 0])
        total = np.add.reduceat(by_character, starts)
        pairs = (by_character + np.r_[by_character[1:], 0.0]) / 1.3
        # The last character of a string, its end, begins no pair; nor does the last letter with the end.
        ends = np.r_[starts[1:], len(by_character)]
        pairs[ends - 1] = 0.0
        pairs[np.maximum(ends - 2, starts)] = 0.0
        surprise = -np.minimum(np.minimum.reduceat(by_character, starts), np.minimum.reduceat(pairs, starts))
        in_shape = self._log_prob_of_shapes(strings, own)
        return np.logaddexp(total, in_shape) + np.log(0.5), surprise

    def sample(self, classes: Sequence[str], random: np.random.Generator, *, order: int = ORDER) -> list[str]:
        """Sample strings, one character after the other, each given those before it.

        Args:
            classes: for each string, the classes of its characters, see `classes_of`.
            random: source of all random numbers.
            order: characters that the next one is predicted from, at most.
        """
        lengths = np.array([len(c) for c in classes], dtype=np.int64)
        width = ORDER + int(lengths.max(initial=0))
        ids, wanted = np.zeros((len(classes), width), np.int64), np.full((len(classes), width), -1)
        known = list(self._ids)
        kinds = {c: i for i, c in enumerate(dict.fromkeys("".join(classes)))}
        kind_of = np.array([kinds.get(c, -2) for c in _classes_of_each(known)])
        kind_of[: len((START, END))] = -2  # a start and an end are no characters
        for row, text in enumerate(classes):
            wanted[row, ORDER : ORDER + len(text)] = [kinds[c] for c in text]
        for place in range(ORDER, width):
            rows = np.flatnonzero(lengths + ORDER > place)
            ids[rows, place] = self._sample_next(
                ids[rows, place - ORDER : place], wanted[rows, place], kind_of, order, random
            )
        written = (
            zip(row[ORDER : ORDER + n], text, strict=True)
            for row, n, text in zip(ids.tolist(), lengths, classes, strict=True)
        )
        return ["".join(known[i] if i > 1 else c for i, c in row) for row in written]

    def _sample_next(
        self,
        before: np.ndarray,
        wanted: np.ndarray,
        kind_of: np.ndarray,
        order: int,
        random: np.random.Generator,
    ) -> np.ndarray:
        """Return (strings,) the ids of the next characters; 0 where no character is of the wanted class.

        The longest context that is known is used with the probability that the model gives it, and so on
        for the shorter ones; of its followers those of another class are passed over.

        Args:
            before: (strings, ORDER) ids of the characters before.
            wanted: (strings,) class of the next one.
            kind_of: (ids,) class of each character.
            order: the longest context.
            random: source of all random numbers.
        """
        chosen, size = np.zeros(len(before), np.int64), len(self._ids) + 1
        for length in range(order, -1, -1):
            rows = np.flatnonzero(chosen == 0)
            context = np.zeros(len(rows), np.int64)
            for back in range(length, 0, -1):
                context = context * size + before[rows, -back]
            contexts, followers = self._followers[length]
            low, high = (np.searchsorted(contexts, context, side) for side in ("left", "right"))
            kinds = lookup(self._tables[length][2], self._tables[length][4], context) * BACK_OFF
            seen = high - low
            used = random.random(len(rows)) * (seen + kinds * (length > 0)) < seen
            for _ in range(MAX_DRAWS):
                left = np.flatnonzero(used & (chosen[rows] == 0))
                drawn = followers[low[left] + (random.random(len(left)) * seen[left]).astype(np.int64)]
                right = kind_of[drawn] == wanted[rows[left]]
                chosen[rows[left[right]]] = drawn[right]
        for row in np.flatnonzero(chosen == 0):
            alike = np.flatnonzero(kind_of == wanted[row])
            chosen[row] = random.choice(alike) if len(alike) else 0
        return chosen

    @cached_property
    def _own(self) -> Encoded:
        """The values themselves."""
        return self._encode(self.values)

    @cached_property
    def _followers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each order: the contexts of all characters, in order, and the characters."""
        encoded, found = self._own, []
        character = encoded.ids[encoded.predicted]
        for order in range(ORDER + 1):
            context, _ = self._keys(encoded, order)
            ranked = np.argsort(context, kind="stable")
            found.append((context[ranked], character[ranked]))
        return found

    @cached_property
    def _ids(self) -> dict[str, int]:
        fitted = (value for value, weight in zip(self.values, self.weights, strict=True) if weight > 0)
        characters = sorted({c for value in fitted for c in value} - {START, END})[:MAX_CHARACTERS]
        return {c: i for i, c in enumerate([START, END, *characters])}

    def _encode(self, strings: Sequence[str]) -> Encoded:
        unknown = len(self._ids)
        lengths = np.array([len(s) for s in strings], dtype=np.int64) + ORDER + 1
        text = "".join(START * ORDER + s + END for s in strings)
        # Starts and ends within a string, which a file may hold, count as unknown characters do.
        ids = np.fromiter((self._ids.get(c, unknown) for c in text), np.int64, len(text))
        owner = np.repeat(np.arange(len(strings)), lengths)
        first = np.repeat(np.cumsum(lengths) - lengths, lengths)
        return Encoded(ids, owner, np.flatnonzero(np.arange(len(ids)) - first >= ORDER))

    def _keys(self, encoded: Encoded, order: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the keys of each predicted character's context, and of the context with the character."""
        size = len(self._ids) + 1
        context = np.zeros(len(encoded.predicted), dtype=np.int64)
        for back in range(order, 0, -1):
            context = context * size + encoded.ids[encoded.predicted - back]
        return context, context * size + encoded.ids[encoded.predicted]

    @cached_property
    def _tables(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Of each order: n-grams and counts; contexts, counts and numbers of different characters."""
        encoded, tables = self._own, []
        weight = self.weights[encoded.owner[encoded.predicted]]
        for order in range(ORDER + 1):
            _, ngram = self._keys(encoded, order)
            counted = weight > 0
            ngrams, where = np.unique(ngram[counted], return_inverse=True)
            counts = np.bincount(where, weight[counted], len(ngrams))
            contexts, owner = np.unique(ngrams // (len(self._ids) + 1), return_inverse=True)
            totals = np.bincount(owner, counts, len(contexts))
            tables.append((ngrams, counts, contexts, totals, np.bincount(owner, minlength=len(contexts))))
        return tables

    def _log_prob_of_characters(self, encoded: Encoded, own: np.ndarray) -> np.ndarray:
        owner = encoded.owner[encoded.predicted]
        p, known = np.full(len(owner), 1 / max(ALPHABET, len(self._ids))), np.ones(len(owner), bool)
        for order, (ngrams, counts, contexts, totals, kinds) in enumerate(self._tables):
            context, ngram = self._keys(encoded, order)
            there = lookup(ngrams, counts, ngram)
            n = there - own[owner] * _repeats(owner, ngram)
            total = lookup(contexts, totals, context) - own[owner] * _repeats(owner, context)
            known &= total > 1e-9
            # A character that only the string itself has is none of those that follow without it.
            left_out = (n <= 1e-9) & (there > 0)
            followers = np.maximum(lookup(contexts, kinds, context) - left_out, 0.5) * BACK_OFF
            p = np.where(known, (np.maximum(n, 0) + followers * p) / (np.maximum(total, 0) + followers), p)
        return np.asarray(np.log(p))

    @cached_property
    def _shapes(self) -> dict[str, float]:
        shapes: dict[str, float] = {}
        for value, weight in zip(self.values, self.weights, strict=True):
            if weight > 0:  # a value that was not fitted does not count
                shapes[shape(value)] = shapes.get(shape(value), 0.0) + float(weight)
        return shapes

    def _log_prob_of_shapes(self, strings: Sequence[str], own: np.ndarray) -> np.ndarray:
        shapes, result = self._shapes, np.full(len(strings), -np.inf)
        total = sum(shapes.values()) + 0.5 * len(shapes)
        for i, string in enumerate(strings):
            form = shape(string)
            weight = shapes.get(form, 0.0) - own[i]
            if "0" in form and weight > 1e-9:
                share = weight / max(total - own[i], 0.1)
                result[i] = np.log(share) - form.count("0") * np.log(10)
        return result


def _classes_of_each(characters: Sequence[str]) -> list[str]:
    """Return the class of each character."""
    return [str(c) for c in classes_of(pa.array(characters, pa.string())).to_pylist()]


def lookup(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the value of each wanted key, 0 where it is not there.

    Args:
        keys: (n,) ascending.
        values: (n,) of the keys.
        wanted: keys to look for.
    """
    if not len(keys):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0.0)


def _repeats(owner: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Return how often each key occurs in its own string."""
    _, dense = np.unique(key, return_inverse=True)
    both = owner * (dense.max(initial=0) + 1) + dense
    _, where, counts = np.unique(both, return_inverse=True, return_counts=True)
    return np.asarray(counts[where])
