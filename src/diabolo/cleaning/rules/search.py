"""Dependencies between columns that hold in nearly all rows, found by counts and by differences.

A dependency is listed only if it says more than the columns by themselves: it fails in at most a tenth of the
rows in which it would fail if the columns were independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations

import numpy as np

from diabolo.cleaning.reading import CheckedColumn
from diabolo.cleaning.rules.base import Rule
from diabolo.cleaning.rules.kinds import RELATIVE, ROUND_OFF, Determines, Order, Sum
from diabolo.cleaning.rules.values import decimals, find_date_format, known_texts, to_seconds
from diabolo.utils.sampling import evenly_spaced

# Choices, set on the tables of the benchmarks so that nearly all that is listed makes sense to a reader:
MAX_FOUND = 20  # rules that are kept; two columns that determine each other count once
MAX_COLUMNS = 200  # among which dependencies are looked for
MIN_HOLDS = 0.95  # share of the rows that agree
MAX_UNEXPLAINED = 0.1  # failures for each one that is expected if the columns are independent
MIN_REST = 0.05  # share of the rows without the most frequent value of a column that is determined
MIN_REPEATED, MIN_REPEATED_SHARE = 30, 0.1  # rows whose value on the left has occurred in an earlier row
MIN_ROWS_OF_NUMBER = 10  # mean rows of each value of a column of numbers that determines others
PAIRS_AGREE, N_PAIRS = 0.85, 2_000  # of so many rows with one value on the left, before all are counted
MAX_NUMBERS, MAX_OF_THREE = 20, 12  # columns whose sums are tried, of two terms and of three
MIN_ROWS, N_SAMPLED, SAMPLE_HOLDS = 50, 300, 0.85  # rows of a sum or an order; rows that are tried first
MIN_TERM = 0.05  # share of the rows in which a term of a sum is not 0
ORDER_HOLDS = 0.995  # share of the rows in order
MIN_DISORDER = 0.1  # share of the rows out of order if the columns were independent
NEAR = 0.1  # how near to the limit a row is, of the spread of the numbers ...
NEAR_SHARE, PER_VIOLATION = 0.02, 20  # ... share of such rows, and their number for each violation


def find_rules(columns: Mapping[str, CheckedColumn]) -> tuple[Rule, ...]:
    """Return the dependencies of a table, by kind, the strictest first.

    Args:
        columns: name -> values.

    Example:
        >>> years = np.tile([9.0, 10.0, 13.0, 14.0], 50)
        >>> names = ["school" if y == 9 else "college" if y == 10 else f"degree {y:.0f}" for y in years]
        >>> texts = [f"{y:.0f}" for y in years]
        >>> table = {"name": CheckedColumn(names, np.full(200, np.nan)), "years": CheckedColumn(texts, years)}
        >>> [rule.text for rule in find_rules(table)]
        ['name -> years', 'years -> name']
    """
    sums = list(_find_sums(columns))
    pairs = {frozenset(rule.columns) for rule in sums}
    found = [*sums, *(r for r in _find_determined(columns) if frozenset(r.columns) not in pairs)]
    rules = [*found, *_find_orders(columns, [frozenset(rule.columns) for rule in found])]
    kept: list[Rule] = []
    for rule in rules:
        both = rule.columns[::-1] in [r.columns for r in kept if isinstance(r, Determines)]
        if both or len({frozenset(r.columns) for r in kept}) < MAX_FOUND:
            kept.append(rule)
    return tuple(kept)


def _find_determined(columns: Mapping[str, CheckedColumn]) -> list[Rule]:
    """Return functional dependencies, without those that follow from others."""
    names = list(columns)[:MAX_COLUMNS]
    codes = np.array([_codes(columns[name]) for name in names]).reshape(len(names), -1)
    shares = {
        (names[i], names[j]): s for i, j, s in _agreements(codes, [_is_group(columns[n]) for n in names])
    }
    classes: dict[str, str] = {}  # column -> the first one that determines it and is determined by it
    for name in names:
        classes[name] = next(
            (o for o in dict.fromkeys(classes.values()) if (o, name) in shares and (name, o) in shares), name
        )
    firsts = [name for name in names if classes[name] == name]
    kept = [pair for name in names if (o := classes[name]) != name for pair in ((o, name), (name, o))]
    for pair in permutations(firsts, 2):
        between = (o for o in firsts if (pair[0], o) in shares and (o, pair[1]) in shares)
        if pair in shares and next(between, None) is None:
            kept.append(pair)
    # Of two that determine each other, the second follows the first.
    kept.sort(key=lambda p: -max(shares[p], shares.get(p[::-1], 0.0)))
    return [Determines(*pair).fit(columns) for pair in kept]


def _agreements(codes: np.ndarray, groups: Sequence[bool]) -> Iterator[tuple[int, int, float]]:
    """Yield column, column that it determines, and the share of rows that agree with the others of a value.

    Args:
        codes: (columns, rows) numbers of values; -1 without one.
        groups: for each column, whether others can follow from it.
    """
    most = [np.bincount(c[c >= 0], minlength=1).max() for c in codes]
    for left in np.flatnonzero(groups):
        order = np.argsort(codes[left], kind="stable")
        order = order[codes[left][order] >= 0]
        same = codes[left][order][1:] == codes[left][order][:-1]
        firsts = np.flatnonzero(same)
        firsts = firsts[evenly_spaced(len(firsts), N_PAIRS)]
        one, other = codes[:, order[firsts]], codes[:, order[firsts + 1]]
        known = (one >= 0) & (other >= 0)
        agreement = ((one == other) & known).sum(1) / np.maximum(known.sum(1), 1)
        for right in np.flatnonzero((agreement >= PAIRS_AGREE) & (np.arange(len(codes)) != left)):
            rows = np.flatnonzero((codes[left] >= 0) & (codes[right] >= 0))
            share, repeated = _share_that_agrees(codes[left][rows], codes[right][rows])
            rest = 1 - most[right] / max((codes[right] >= 0).sum(), 1)
            enough = repeated >= max(MIN_REPEATED, MIN_REPEATED_SHARE * codes.shape[1])
            if enough and rest >= MIN_REST and 1 - share <= min(1 - MIN_HOLDS, MAX_UNEXPLAINED * rest):
                yield int(left), int(right), share


def _share_that_agrees(left: np.ndarray, right: np.ndarray) -> tuple[float, int]:
    """Return the share of the rows with the usual value on the right, and how many rows count.

    The first row of each value on the left says nothing: it is left out.
    """
    if not len(left):
        return 0.0, 0
    pairs, counts = np.unique(left * (right.max() + 1) + right, return_counts=True)
    groups = pairs // (right.max() + 1)
    most = np.zeros(left.max() + 1, dtype=np.int64)
    np.maximum.at(most, groups, counts)
    total = np.bincount(left)
    repeated = int((total - 1)[total > 0].sum())
    return float((most - 1)[total > 0].sum() / max(repeated, 1)), repeated


def _codes(column: CheckedColumn) -> np.ndarray:
    """Return (rows,) the number of each value; -1 without one."""
    number: dict[str, int] = {}
    texts = known_texts(column)
    return np.array([-1 if t is None else number.setdefault(t, len(number)) for t in texts], dtype=np.int64)


def _is_group(column: CheckedColumn) -> bool:
    """Return whether the values are labels: texts, or whole numbers that repeat."""
    numbers = column.numbers[np.isfinite(column.numbers)]
    if len(numbers) < len(column.texts) / 2:
        return True
    return bool((numbers % 1 == 0).all()) and len(numbers) >= MIN_ROWS_OF_NUMBER * len(np.unique(numbers))


def _find_sums(columns: Mapping[str, CheckedColumn]) -> Iterator[Rule]:
    """Yield equal columns of numbers, and sums of two and of three, the fewest terms first."""
    names = [n for n, c in columns.items() if _are_numbers(c)][:MAX_NUMBERS]
    rows = len(next(iter(columns.values())).texts)
    numbers = np.array([columns[n].numbers for n in names]).reshape(len(names), rows)
    some = np.random.default_rng(0).permutation(numbers.shape[1])[:N_SAMPLED]
    sampled, units = numbers[:, some], np.array([10.0 ** -decimals(columns[n]) for n in names])
    sizes = np.abs(sampled)
    found: list[set[str]] = []
    for size in (1, 2, 3):
        for terms in combinations(range(len(names) if size < 3 else min(len(names), MAX_OF_THREE)), size):
            excess = np.abs(sampled - sampled[list(terms)].sum(0))
            known = np.isfinite(excess)
            inexact = RELATIVE * sizes + ROUND_OFF * np.maximum(sizes, sizes[list(terms)].max(0))
            near = excess <= (0.51 * (units[list(terms)].sum() + units))[:, None] + inexact
            likely = (near & known).sum(1) >= SAMPLE_HOLDS * np.maximum(known.sum(1), 1)
            for total in np.flatnonzero(likely):
                used = {*(names[t] for t in terms), names[total]}
                if total in terms or (size == 1 and total < terms[0]) or any(f <= used for f in found):
                    continue
                rule = Sum(tuple(names[t] for t in terms), (), names[total]).fit(columns)
                if _is_real_sum(rule, columns):
                    found.append(used)
                    yield rule


def _is_real_sum(rule: Sum, columns: Mapping[str, CheckedColumn]) -> bool:
    """Return whether a sum holds in nearly all rows, and would not if one term came from other rows."""
    if rule.applies < MIN_ROWS or rule.holds < MIN_HOLDS * rule.applies:
        return False
    rows = np.flatnonzero(np.isfinite(rule.excess(columns)))
    read = {n: CheckedColumn([None] * len(rows), columns[n].numbers[rows]) for n in rule.columns}
    failures, rng = rule.violations(read).mean(), np.random.default_rng(0)
    for name in rule.plus:
        shuffled = CheckedColumn(read[name].texts, rng.permutation(read[name].numbers))
        by_chance = rule.violations({**read, name: shuffled}).mean()
        if by_chance < MIN_DISORDER or failures > MAX_UNEXPLAINED * by_chance:
            return False
        if (np.abs(read[name].numbers) > rule.tolerance).mean() < MIN_TERM:
            return False
    return True


def _find_orders(columns: Mapping[str, CheckedColumn], related: Sequence[frozenset[str]]) -> list[Rule]:
    """Return orders of numbers and of dates, but for columns of which another rule says more.

    Args:
        columns: name -> values.
        related: the columns of other rules.
    """
    numbers = {n: c.numbers for n, c in columns.items() if _are_numbers(c)}
    forms = {n: f for n, c in columns.items() if n not in numbers and (f := find_date_format(c)) is not None}
    dates = {n: to_seconds(columns[n].texts, f) for n, f in list(forms.items())[:MAX_NUMBERS]}
    found = []
    for values in (dates, dict(list(numbers.items())[:MAX_NUMBERS])):
        for low, high in permutations(values, 2):
            strength = _order(values[low], values[high])
            if strength > 0 and not any({low, high} <= names for names in related):
                found.append((strength, low, high))
    pairs = {(low, high) for _, low, high in found}
    kept = [
        (-strength, low, high)
        for strength, low, high in found
        if not any((low, o) in pairs and (o, high) in pairs for o in columns)
    ]
    return [Order(low, high).fit(columns) for _, low, high in sorted(kept)]


def _order(low: np.ndarray, high: np.ndarray) -> float:
    """Return the share of the rows out of order if the columns were independent; 0 if they are in no order.

    Columns that are in order by chance, or since one has larger numbers, are nowhere near the limit, or cross
    it as soon as they come near.
    """
    rows = np.isfinite(low) & np.isfinite(high)
    low, high = low[rows], high[rows]
    if len(low) < MIN_ROWS:
        return 0.0
    gap = high - low
    failures = float((gap < 0).mean())
    by_chance = float((np.random.default_rng(0).permutation(high) < low).mean())
    if by_chance < MIN_DISORDER or failures > min(1 - ORDER_HOLDS, MAX_UNEXPLAINED * by_chance):
        return 0.0
    spread = min(np.subtract(*np.quantile(values, [0.9, 0.1])) for values in (low, high))
    near = float((np.abs(gap) <= NEAR * spread).mean())
    return by_chance if near >= NEAR_SHARE and near >= PER_VIOLATION * failures else 0.0


def _are_numbers(column: CheckedColumn) -> bool:
    """Return whether a column holds different numbers."""
    numbers = column.numbers[np.isfinite(column.numbers)]
    known = sum(text is not None for text in known_texts(column))
    return len(numbers) >= max(MIN_ROWS, known / 2) and len(np.unique(numbers)) > 2
