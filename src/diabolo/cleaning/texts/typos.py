"""Typing errors: which values of a column can be a mistyped other value, and how likely the mistake is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

MAX_LENGTH = 200  # characters of values that are compared
MAX_CHANGED_SHARE = 0.6  # of the characters of a value, all by the same one, that an error replaces
MIN_LENGTH_TO_LOSE = 4  # characters of a value that can lose or gain one
ANOTHER = 0.5  # probability that one more character is wrong
P_TRANSPOSED = 0.1  # of two characters exchanged, over all places
P_CASE, P_MARK, P_WORD = 0.05, 0.05, 0.1  # other case or spaces; marks after a value; a word after it
PRIOR_SAME, PRIOR_ALL = 6.0, 10.0  # typing errors that keep the length, of all, before any is observed
PRIOR_REPLACED, PRIOR_ALPHABET = 8.0, 60.0  # replacements before any is observed, and their characters
APPENDED_REGEX = re.compile(r"^(.+?)([ ,;_\-/(]+[^ ]{1,6}|[%$€£°*]|[-_*#]+)$")
NO_DIGITS = re.compile(r"\D+")
CHUNK = 4_000_000  # comparisons of characters in memory at once

SAME, SHORTER, LONGER, DOUBLED, FIXED, EVERYWHERE = range(6)


Add = Callable[[int, int, int, float, str], None]


@dataclass
class Replacements:
    """What typing errors do, learnt from those that were found.

    Attributes:
        characters: character -> how often it replaced another one.
        same, other: how many errors keep the length of the value, and how many do not.
    """

    characters: dict[str, float] = field(default_factory=dict)
    same: float = 0.0
    other: float = 0.0

    def without(self, part: Replacements, share: float) -> Replacements:
        """Return what was learnt from all but a share of a part: a column must not vouch for itself.

        Args:
            part: what was learnt from one column.
            share: of it to leave out.
        """
        characters = {c: n - share * part.characters.get(c, 0.0) for c, n in self.characters.items()}
        return Replacements(characters, self.same - share * part.same, self.other - share * part.other)

    def add(self, other: Replacements) -> None:
        """Add what was learnt elsewhere."""
        for c, n in other.characters.items():
            self.characters[c] = self.characters.get(c, 0.0) + n
        self.same += other.same
        self.other += other.other

    def log_prob(self, character: str) -> float:
        """Return the log probability that a replaced character becomes this one."""
        total = sum(self.characters.values()) + PRIOR_REPLACED
        return float(np.log((self.characters.get(character, 0.0) + PRIOR_REPLACED / PRIOR_ALPHABET) / total))


@dataclass(frozen=True)
class TypoPairs:
    """Pairs of a right value and a wrong one that is written like it.

    Attributes:
        right, wrong: (pairs,) numbers of values.
        kind: (pairs,) SAME length, SHORTER, LONGER, DOUBLED or FIXED probability.
        log_base: (pairs,) log probability of the places of the mistake, or of all of it where it is FIXED.
        characters: of each pair, those that stand in place of others.
    """

    right: np.ndarray
    wrong: np.ndarray
    kind: np.ndarray
    log_base: np.ndarray
    characters: list[str]

    def log_prob(self, learnt: Replacements) -> np.ndarray:
        """Return (pairs,) log T(right -> wrong).

        Args:
            learnt: what typing errors do.
        """
        of = {c: learnt.log_prob(c) for c in {c for part in self.characters for c in part}}
        letters = np.array([sum(of[c] for c in part) for part in self.characters])
        same = (learnt.same + PRIOR_SAME) / (learnt.same + learnt.other + PRIOR_ALL)
        by_kind = np.log([same, 1 - same, 1 - same, 1 - same, 1.0, same])
        return np.asarray(self.log_base + by_kind[self.kind] + (letters if len(letters) else 0.0))

    def joined(self, other: TypoPairs) -> TypoPairs:
        """Return the pairs of both."""
        return TypoPairs(
            np.r_[self.right, other.right],
            np.r_[self.wrong, other.wrong],
            np.r_[self.kind, other.kind],
            np.r_[self.log_base, other.log_base],
            [*self.characters, *other.characters],
        )


def fold(text: str) -> str:
    """Return a text in lower case, with one space for every run of spaces, hyphens and underscores."""
    return re.sub(r"[\s\-_]+", " ", text.casefold()).strip()


def find_typos(
    values: Sequence[str], counts: np.ndarray, rows: int, words: Collection[str], new_from: int = 0
) -> TypoPairs:
    """Find the pairs of values of which one can be the other, mistyped.

    The right value must be well known: at least twice as frequent as the wrong one, and not rare; the wrong
    one must be rare. Without this rule, names and codes, which resemble each other by nature, are typos.

    Args:
        values: different values of a column.
        counts: (values,) how often each occurs.
        rows: of the table.
        words: values of other columns, which may have been appended to a value.
        new_from: pairs are found for the wrong values from this number on.
    """
    found: dict[tuple[int, int, bool], tuple[int, float, str]] = {}
    usual = counts >= rows**0.2 - 1
    right = [i for i, v in enumerate(values) if usual[i] and counts[i] > 0 and len(v) <= MAX_LENGTH]
    wrong = [i for i in range(new_from, len(values)) if 0 < len(values[i]) <= MAX_LENGTH]
    wrong = [i for i in wrong if counts[i] <= 0.1 * rows]

    def add(u: int, v: int, kind: int, log_base: float, characters: str) -> None:
        key = u, v, kind == EVERYWHERE
        if u != v and (kind == FIXED or found.get(key, (0, -np.inf, ""))[1] < log_base):
            found[key] = (kind, log_base, characters)

    _add_same_length(values, right, wrong, add)
    _add_other_length(values, right, wrong, add)
    by_fold = defaultdict(list)
    for u in right:
        by_fold[fold(values[u])].append(u)
    at = {v: i for i, v in enumerate(values) if counts[i] > 0}
    for v in wrong:
        for u in by_fold.get(fold(values[v]), ()):
            add(u, v, FIXED, np.log(P_CASE), "")
    appended = set()
    for v in wrong:
        match = APPENDED_REGEX.match(values[v])
        if match and match.group(1) in at:
            tail = match.group(2)
            if not re.search("[A-Za-z0-9]", tail):
                add(at[match.group(1)], v, FIXED, np.log(P_MARK), "")
                appended.add((at[match.group(1)], v))
            elif tail.strip(" ,;_-/()") in words:
                add(at[match.group(1)], v, FIXED, np.log(P_WORD), "")
                appended.add((at[match.group(1)], v))
    pairs = [
        (u, v, everywhere)
        for u, v, everywhere in found
        if _is_plausible(counts, u, v, known=usual[u], appended=(u, v) in appended)
        and not _has_other_digits(values[u], values[v])
    ]
    rest = [found[p] for p in pairs]
    return TypoPairs(
        np.array([p[0] for p in pairs], dtype=np.int64),
        np.array([p[1] for p in pairs], dtype=np.int64),
        np.array([r[0] for r in rest], dtype=np.int64),
        np.array([r[1] for r in rest], dtype=float),
        [r[2] for r in rest],
    )


def _is_plausible(counts: np.ndarray, right: int, wrong: int, *, known: bool, appended: bool) -> bool:
    """Return whether a value is rare enough to be an error of another, which is well known."""
    if counts[wrong] > 0.1 * counts[right] and counts[wrong] > 3:
        return False
    return bool(appended or (known and counts[right] >= 2 * counts[wrong]))


def _has_other_digits(right: str, wrong: str) -> bool:
    """Return whether two texts have other digits: numbers and codes are near to each other by nature.

    A digit that became another character is an error all the same.
    """
    digits, others = NO_DIGITS.sub("", right), NO_DIGITS.sub("", wrong)
    return digits != others and (len(right) != len(wrong) or len(digits) == len(others))


def _add_same_length(values: Sequence[str], right: Sequence[int], wrong: Sequence[int], add: Add) -> None:
    """Add pairs of equal length that differ in few characters, or in two that are exchanged."""
    by_length = _by_length(values, right)
    wrong_by_length = _by_length(values, wrong)
    for length, indices in wrong_by_length.items():
        others = by_length.get(length, [])
        if length < 2 or not others:
            continue
        usual = _characters(values, others, length)
        step = max(1, CHUNK // (len(others) * length))
        for start in range(0, len(indices), step):
            part = indices[start : start + step]
            differ = _characters(values, part, length)[:, None] != usual[None]
            number = differ.sum(2)
            near = (number > 0) & (number <= max(MAX_CHANGED_SHARE * length, 1, 2 * (length < 4)))
            for row, column in zip(*np.nonzero(near), strict=True):
                places = np.flatnonzero(differ[row, column])
                for kind, log_base, new in _replaced(values[others[column]], values[part[row]], places):
                    add(others[column], part[row], kind, log_base, new)


def _replaced(right: str, wrong: str, places: np.ndarray) -> Iterator[tuple[int, float, str]]:
    """Yield kind, log probability of the places, and new characters of the ways from one text to another.

    Args:
        right: the text that was meant.
        wrong: the text that stands there, of the same length.
        places: where they differ.
    """
    length, old, new = len(right), [right[p] for p in places], [wrong[p] for p in places]
    if len(places) == 2 and places[1] == places[0] + 1 and old == new[::-1]:
        yield FIXED, np.log(P_TRANSPOSED / length), ""
        return
    # Two different letters are two typing errors in one value: names are nearer to each other by nature.
    if len(set(new)) > 1:
        return
    yield SAME, len(places) * np.log(ANOTHER) - _log_choose(length, len(places)), "".join(new)
    kinds = dict(zip(old, new, strict=True))
    if not any(c in wrong for c in kinds):  # a letter that is replaced wherever it stands
        log_base = len(kinds) * np.log(ANOTHER) - _log_choose(len(set(right)), len(kinds))
        yield EVERYWHERE, log_base, "".join(kinds.values())


def _add_other_length(values: Sequence[str], right: Sequence[int], wrong: Sequence[int], add: Add) -> None:
    """Add pairs of which one has a character more than the other."""
    at = {values[u]: u for u in right}
    shorter = defaultdict(list)
    for u in right:
        if len(values[u]) >= MIN_LENGTH_TO_LOSE:
            for place in range(len(values[u])):
                shorter[values[u][:place] + values[u][place + 1 :]].append(u)
    for v in wrong:
        text = values[v]
        for u in dict.fromkeys(shorter.get(text, ())):
            add(u, v, SHORTER, np.log(ANOTHER / (len(values[u]) + 1)), "")
        if len(text) < MIN_LENGTH_TO_LOSE:
            continue
        for place in range(len(text)):
            known = at.get(text[:place] + text[place + 1 :])
            if known is not None:
                log_base = np.log(ANOTHER / (len(values[known]) + 1))
                if text[place] in text[max(place - 1, 0) : place] + text[place + 1 : place + 2]:
                    add(known, v, DOUBLED, log_base + np.log(0.5), "")
                else:
                    add(known, v, LONGER, log_base, text[place])


def _by_length(values: Sequence[str], some: Sequence[int]) -> Mapping[int, list[int]]:
    by_length: dict[int, list[int]] = defaultdict(list)
    for i in some:
        by_length[len(values[i])].append(i)
    return by_length


def _characters(values: Sequence[str], some: Sequence[int], length: int) -> np.ndarray:
    text = "".join(values[i] for i in some)
    return np.array([ord(c) for c in text], dtype=np.int32).reshape(len(some), length)


def _log_choose(n: int, k: int) -> float:
    return float(sum(np.log((n - j) / (j + 1)) for j in range(k)))
