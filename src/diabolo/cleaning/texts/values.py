"""What is known of the different values of a column: their characters, their typos, their forms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diabolo.data.characters import CharacterModel

MISSING_WORDS = frozenset(
    {
        *(
            "",
            "?",
            "-",
            "--",
            "nan",
            "NaN",
            "NAN",
            "null",
            "NULL",
            "Null",
            "none",
            "None",
            "NONE",
            "na",
            "NA",
        ),
        *("#N/A", "#n/a", "inf", "-inf", "empty", "Empty", "EMPTY", "missing", "Missing", "MISSING"),
        *("unknown", "Unknown", "UNKNOWN", "tbd", "TBD", "xxx", "XXX"),
        *("n/a", "N/A", "n.a.", "N.A.", "<NA>", "NaT", "nil", "NIL"),
    }
)
"""Words that stand for a missing value, as people and programs write them; Nan is also a name."""

MISSING_CODES = frozenset(
    {
        *("-1", "0", "99", "999", "9999", "99999", "999999", "-99", "-999", "-9999"),
        *("1900-01-01", "01/01/1900", "1970-01-01", "9999-12-31"),
    }
)
"""Numbers and dates that often stand for a missing value."""

N_DAMAGED = 250  # values that damage is planted into, to learn how odd a damaged value looks
MIN_DIFFERENT = 30  # values from which that is learnt
DAMAGE_QUANTILES = (0.3, 0.5, 0.65, 0.8, 0.9)  # of oddness, between which damaged and right ones are compared
PER_PLANTED = (0.6, 0.2, 0.2)  # of the damage: a character replaced, lost, gained
MAX_TAIL = 6.0  # nats that a value gains by being odder than all others
MAX_CHARACTERS = 300  # of a value that are read
LOWEST = -500.0  # log probability of a string


@dataclass(frozen=True)
class Strings:
    """The characters of different values.

    Attributes:
        base: (values,) log probability as a new value of the column.
        damaged: (values,) log probability as a right value that was damaged.
    """

    base: np.ndarray
    damaged: np.ndarray


def read_strings(values: Sequence[str], weights: np.ndarray, counts: np.ndarray) -> Strings:
    """Return what the characters of values say: that of the fit, and new ones.

    Args:
        values: different ones.
        weights: (values,) how much each counts in the model of characters; 0 for a new value.
        counts: (values,) weight of the rows with each value.
    """
    model = CharacterModel([v[:MAX_CHARACTERS] for v in values], weights)
    base, surprise = model.log_prob(model.values, weights)
    base = np.maximum(base, LOWEST)
    known = np.flatnonzero(counts > 0)
    if len(known) < MIN_DIFFERENT:
        return Strings(base, base - 3.0)
    planted = _plant_damage([model.values[i] for i in known.tolist()])
    _, surprise_planted = model.log_prob(planted, np.zeros(len(planted)))
    cuts = np.quantile(surprise_planted, DAMAGE_QUANTILES)
    bins, planted_bins = np.searchsorted(cuts, surprise), np.searchsorted(cuts, surprise_planted)
    n_bins = len(cuts) + 1
    log_ratio = np.log((np.bincount(planted_bins, minlength=n_bins) + 0.5) / (len(planted) + 3))
    log_ratio -= np.log((np.bincount(bins[known], counts[known], n_bins) + 0.5) / (counts[known].sum() + 3))
    log_ratio = np.minimum.accumulate(log_ratio[::-1])[::-1]  # odder values are no less likely damaged
    high, middle = np.quantile(surprise[known], 0.9), np.median(surprise[known])
    tail = np.clip((surprise - 1.3 * high) / max(high - middle, 0.3), 0, MAX_TAIL) * (bins == n_bins - 1)
    return Strings(base, base + log_ratio[bins] + tail)


def _plant_damage(values: Sequence[str]) -> list[str]:
    """Return values with one character replaced, lost or gained at random."""
    random = np.random.default_rng(0)
    characters = sorted({c for v in values[:2000] for c in v} | set("x#*0"))
    damaged = []
    for i in random.choice(len(values), min(len(values), N_DAMAGED), replace=False):
        value = values[i]
        if len(value) < 2:
            continue
        place, new = int(random.integers(len(value))), characters[random.integers(len(characters))]
        way = random.choice(3, p=PER_PLANTED)
        rest = value[place + 1 :] if way != 2 else value[place:]
        wrong = value[:place] + ("" if way == 1 else new) + rest
        if wrong != value:
            damaged.append(wrong)
    return damaged or list(values[:1])


def are_missing_words(values: Sequence[str]) -> np.ndarray:
    """Return (values,) whether each is a word or a number that often stands for a missing value."""
    both = MISSING_WORDS | MISSING_CODES
    return np.array([v.strip() in both for v in values], dtype=bool)


@dataclass(frozen=True)
class Formats:
    """Values that are written with another mark or unit than the rest of their column.

    Attributes:
        p_wrong: (values,) probability that the way of writing is wrong; 0 for the usual way.
        alike: (values,) the same number in the usual way; None where that is not known.
        marks: (values,) the mark.
        rare: (values,) whether so few cells have the mark that it is an error, not a habit.
        usual_share: of the cells of the column in the usual form.
    """

    p_wrong: np.ndarray
    alike: list[str | None]
    marks: list[str]
    rare: np.ndarray
    usual_share: float


CENSORED = re.compile("[<>=≤≥~]")  # marks of numbers that are not known exactly
NUMBER_WITH_MARKS = re.compile(r"^([^0-9+\-.]{0,3})([-+]?[0-9][0-9,]*\.?[0-9]*)([^0-9/:\-]{0,12})$")
MIN_NUMBERS_WITH_MARKS = 0.9  # of the cells of a column of numbers with marks
MAX_FORMS = 12  # marks that a column has
RARE_FORM = 0.02  # of the cells: a mark that is wrong even if its numbers occur with no other


def find_formats(values: Sequence[str], counts: np.ndarray) -> Formats | None:
    """Find the marks of numbers that a minority of a column has; None if there are none.

    Args:
        values: different values of the column.
        counts: (values,) rows with each.
    """
    matches = [NUMBER_WITH_MARKS.match(v) for v in values]
    is_missing = np.array([v.strip() in MISSING_WORDS for v in values], dtype=bool)
    of_form: dict[tuple[str, str], list[int]] = {}
    for i, match in enumerate(matches):
        if match:
            of_form.setdefault((match.group(1), match.group(3)), []).append(i)
    forms = {form: int(counts[some].sum()) for form, some in of_form.items() if counts[some].sum() > 0}
    number = sum(forms.values())
    if not 1 <= len(forms) <= MAX_FORMS or number < MIN_NUMBERS_WITH_MARKS * counts[~is_missing].sum():
        return None
    if any(CENSORED.search(before + after) for before, after in forms):
        return None  # "<=50" is no number with a unit
    usual = max(forms, key=lambda form: forms[form])
    numbers = {matches[i].group(2) for i in of_form[usual] if counts[i]}  # type: ignore[union-attr]
    p_wrong, rare = np.zeros(len(values)), np.zeros(len(values), bool)
    alike: list[str | None] = [None] * len(values)
    marks = [""] * len(values)
    for form, some in of_form.items():
        count = forms.get(form, 0)
        is_rare = count < RARE_FORM * number
        shared = [i for i in some if counts[i] and matches[i].group(2) in numbers]  # type: ignore[union-attr]
        if (
            form == usual
            or CENSORED.search("".join(form))
            or not (is_rare or (len(shared) > 1 and counts[shared].sum() > 0.5 * count))
        ):
            continue
        for i in some:
            p_wrong[i] = np.clip(1.2 * forms[usual] / (forms[usual] + count), 0.5, 0.95)
            alike[i] = usual[0] + matches[i].group(2) + usual[1]  # type: ignore[union-attr]
            marks[i], rare[i] = "".join(form), is_rare
    return Formats(p_wrong, alike, marks, rare, forms[usual] / number) if p_wrong.any() else None
