"""What a violated rule says of the cells of its row: which is to blame, and what it should be.

Which of the cells is wrong is not known from the rule alone. They share the blame by what else is known: by
what other checks say of each, by the other rules that a cell satisfies or violates, and, of sums, by whether
a slip of the keyboard (a decimal point, a sign, a digit) would explain the number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from diabolo.cleaning.reading import NUMBER
from diabolo.cleaning.rules.base import Columns, Rule
from diabolo.cleaning.rules.kinds import Determines, Order, Sum
from diabolo.cleaning.rules.slips import is_slip
from diabolo.cleaning.rules.values import known_texts, without_midnight
from diabolo.cleaning.verdicts import Verdicts
from diabolo.utils.text import shorten

# Choices:
MIN_ROWS = 3  # other rows that must hold the usual value, for a rule that was found
P_STATED = 0.98  # that a cell is wrong where a rule of the user is violated
P_SLIP = 0.95  # where a slip explains the violation
OTHERS_RIGHT = 0.95  # that the other numbers of a sum are right, if one is wrong
ERRORS = 0.005  # share of wrong cells in a column, against which exceptions of a rule are weighed
EXCEPTIONS = 0.02  # exceptions that a value counts for before any is seen
# Log odds from other checks that count, and how much: they know of some of the values of the rule too.
MAX_KNOWN, KNOWN = 4.0, 0.3
SWAPPED, NEW = 0.05, 1.0  # wrong rows of a value before any is seen: for each row that has it, and in all
PER_RULE = 1.5  # log odds that another violated or satisfied rule of a cell counts
PER_SLIP = 4.0  # log odds that a slip counts
SUSPECT, SURER = 0.05, 0.3  # P(wrong) that is worth a reason, and one that may replace a suggestion
MAX_SHOWN = 30  # characters of a value in a reason


@dataclass
class Fix:
    """What a rule says of one cell, if this is the wrong one.

    Attributes:
        reason: why it is suspicious.
        suggestion: what it should be; None if that is not known.
        confidence: the probability that it should.
        is_slip: whether a slip of the keyboard explains it.
        score: log odds that this cell is the wrong one, for what the rule knows of its value.
    """

    reason: str
    suggestion: str | None = None
    confidence: float = 0.0
    is_slip: bool = False
    score: float = 0.0


@dataclass
class Blame:
    """Cells of a row of which one is wrong.

    Attributes:
        p: probability that one is.
        fixes: column -> what is said of its cell.
    """

    p: float
    fixes: dict[str, Fix] = field(default_factory=dict)


def judge_rules(
    rules: Sequence[Rule], columns: Columns, own: np.ndarray, verdicts: Mapping[str, Verdicts]
) -> None:
    """Raise the verdicts on cells of rows that violate rules.

    Args:
        rules: of the table.
        columns: name -> values.
        own: (rows,) the row of the fit that each row is; -1 for a new one. It does not vouch for itself.
        verdicts: of the columns, by the other checks; changed in place.
    """
    blames: dict[tuple[int, frozenset[str]], Blame] = {}
    satisfied: dict[frozenset[str], np.ndarray] = {}
    for rule in rules:
        if not all(name in columns for name in rule.columns):
            continue
        names = frozenset(rule.columns)
        for row, blame in _blames(rule, columns, own):
            known = blames.setdefault((row, names), Blame(0.0))
            known.p = max(known.p, blame.p)
            # Of two rules, the one that knows the right value says what it is.
            for name, fix in blame.fixes.items():
                if name not in known.fixes or fix.suggestion is not None:
                    known.fixes[name] = fix
        if not isinstance(rule, Order):
            holds = _confirmed(rule, columns)
            satisfied[names] = satisfied.get(names, True) & holds
    by_row: dict[int, list[tuple[frozenset[str], Blame]]] = {}
    for (row, names), blame in blames.items():
        by_row.setdefault(row, []).append((names, blame))
    for row, found in by_row.items():
        for names, blame in found:
            _say(row, names, blame, [other for other, _ in found], satisfied, verdicts)


def _say(
    row: int,
    names: frozenset[str],
    blame: Blame,
    violated: Sequence[frozenset[str]],
    satisfied: Mapping[frozenset[str], np.ndarray],
    verdicts: Mapping[str, Verdicts],
) -> None:
    """Share a blame among the cells of a row, and raise their verdicts."""
    if any(name in verdicts and verdicts[name].is_style[row] for name in names):
        return  # the value is right, but written unlike the others
    scores = []
    for name in blame.fixes:
        known = float(verdicts[name].log_odds[row]) if name in verdicts else -np.inf
        others = sum(name in other for other in violated if other != names)
        confirmed = sum(bool(rows[row]) for other, rows in satisfied.items() if name in other)
        score = KNOWN * float(np.clip(known, -MAX_KNOWN, MAX_KNOWN)) + PER_RULE * (others - confirmed)
        scores.append(score + blame.fixes[name].score + PER_SLIP * blame.fixes[name].is_slip)
    shares = np.exp(np.array(scores) - max(scores))
    for (name, fix), share in zip(blame.fixes.items(), shares / shares.sum(), strict=True):
        p = float(np.clip(blame.p * share, 0, P_STATED))
        if name not in verdicts or p < SUSPECT:
            continue
        said = verdicts[name]
        surer = np.log(p / (1 - p)) > said.log_odds[row]
        if surer or (p >= SURER and fix.suggestion is not None and said.suggestions[row] is None):
            kept = said.suggestions[row], float(said.confidence[row])
            better = (fix.suggestion, fix.confidence) if fix.suggestion is not None else kept
            said.say(row, p, fix.reason, *better)


def _confirmed(rule: Rule, columns: Columns) -> np.ndarray:
    """Return (rows,) which rows satisfy a rule, so that its cells vouch for each other."""
    if isinstance(rule, Sum):
        return np.asarray(np.isfinite(rule.excess(columns)) & ~rule.violations(columns))
    assert isinstance(rule, Determines)
    left, right = known_texts(columns[rule.left]), known_texts(columns[rule.right])
    return np.array(
        [
            a is not None and (u := rule.usual.get(a)) is not None and u.value == b and u.rows > MIN_ROWS
            for a, b in zip(left, right, strict=True)
        ],
        dtype=bool,
    )


def _blames(rule: Rule, columns: Columns, own: np.ndarray) -> Iterator[tuple[int, Blame]]:
    """Yield the rows that violate a rule, with what is to be said of their cells."""
    rows = np.flatnonzero(rule.violations(columns)).tolist()
    if isinstance(rule, Determines):
        yield from _of_dependency(rule, columns, rows, own)
        return
    excess = rule.excess(columns) if isinstance(rule, Sum) else np.empty(0)
    for row in rows:
        exceptions = rule.exception_rate(without_one=bool(own[row] >= 0))
        exceptions += EXCEPTIONS / max(rule.applies, 1)
        p = P_STATED if rule.stated else ERRORS / (ERRORS + exceptions)
        if isinstance(rule, Sum):
            fixes = _sum_fixes(rule, columns, row, float(excess[row]))
            p = max(p, P_SLIP) if any(fix.is_slip for fix in fixes.values()) else p
            yield row, Blame(p, fixes)
        elif isinstance(rule, Order):
            low, high = (columns[name].texts[row] or "" for name in rule.columns)
            yield (
                row,
                Blame(
                    p,
                    {
                        rule.low: Fix(f"above {rule.high} {_shown(high)}"),
                        rule.high: Fix(f"below {rule.low} {_shown(low)}"),
                    },
                ),
            )


def _of_dependency(
    rule: Determines, columns: Columns, rows: Sequence[int], own: np.ndarray
) -> Iterator[tuple[int, Blame]]:
    """Yield the rows that violate a functional dependency; values that have exceptions have more of them."""
    for row in rows:
        left, right = columns[rule.left].texts[row], columns[rule.right].texts[row]
        if left is None or right is None:
            continue
        usual = rule.usual[left]
        others = usual.of - int(own[row] >= 0)
        exceptions = (max(others - usual.rows, 0) + EXCEPTIONS) / (others + 1)
        exceptions += rule.exception_rate(without_one=bool(own[row] >= 0))
        p = P_STATED if rule.stated else ERRORS / (ERRORS + exceptions)
        if usual.value is None or (usual.rows < MIN_ROWS and not rule.stated):
            if rule.stated:
                said = f"{rule.left} {_shown(left)} comes with several values of {rule.right}"
                yield row, Blame(p, {rule.left: Fix(said), rule.right: Fix(said)})
            continue
        said = f"comes with {_shown(usual.value)} in {usual.rows:,} of {others:,} rows"
        score = _right_is_wrong(rule, left, right, own=bool(own[row] >= 0))
        yield (
            row,
            Blame(
                p,
                {
                    rule.left: Fix(f"{said}, not with {_shown(right)}"),
                    rule.right: Fix(
                        f"{_shown(left)} {said}",
                        usual.value,
                        (usual.rows + 0.5) / (others + 1),
                        score=score,
                    ),
                },
            ),
        )


def _right_is_wrong(rule: Determines, left: str, right: str, *, own: bool) -> float:
    """Return the log odds that the value on the right is wrong, and not the one on the left.

    Either the row is one of those of the left value, and the right one took another's place, or the other way
    round. A value takes another's place the more often the more it is seen to, and the more frequent it is.
    """
    usual, (rows, violating) = rule.usual[left], rule.counts.get(right, (0, 0))
    rows, violating = max(rows - own, 0), max(violating - own, 0)
    lefts, lefts_violating = max(usual.of - own, 0), max(usual.of - usual.rows - own, 0)
    right_is_wrong = (lefts - lefts_violating + 0.5) * (violating + SWAPPED * rows + NEW)
    left_is_wrong = (rows - violating + 0.5) * (lefts_violating + SWAPPED * lefts + NEW)
    return float(np.log(right_is_wrong / left_is_wrong))


def _sum_fixes(rule: Sum, columns: Columns, row: int, excess: float) -> dict[str, Fix]:
    """Return what each number of a sum would have to be, if the others are right."""
    fixes = {}
    for name, digits in zip(rule.columns, rule.digits, strict=True):
        number = float(columns[name].numbers[row])
        right = number + (excess if name in rule.plus else -excess)
        text = f"{round(right, digits):.15g}"
        slip = is_slip(columns[name].texts[row] or "", text)
        sign = "+" if excess > 0 else "-"
        reason = f"{rule.text} is off by {sign}{abs(excess):.6g}"
        fixes[name] = Fix(f"{reason}; {text} would be right", text, OTHERS_RIGHT, slip)
    return fixes


def _shown(text: str) -> str:
    """Return a value for a reason: all but numbers in quotation marks."""
    if NUMBER.match(text.strip()):
        return shorten(text, MAX_SHOWN)
    return repr(shorten(without_midnight(text), MAX_SHOWN))
