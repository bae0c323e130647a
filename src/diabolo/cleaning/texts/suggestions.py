"""What a wrong text was meant to be, and why it is suspicious, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diabolo.cleaning.texts.channel import P_OF_OTHER_COLUMN, WAYS, Evidence, Rows
from diabolo.cleaning.texts.cooccurrence import STRIDE
from diabolo.cleaning.verdicts import UNLIKELY, Verdicts

if TYPE_CHECKING:
    from diabolo.cleaning.texts.errors import Judged

SUSPECT = 0.05  # P(wrong) from which a reason is given
MIN_P_TO_SUGGEST = 0.3  # P(wrong) from which a right value is looked for
MAX_BY_CONTEXT = 5  # values of a group that are candidates
MAX_P = 1 - 1e-12
TYPO, DAMAGED, SWAPPED, ANY, MISSING = range(len(WAYS))


def verdicts(
    judged: Judged,
    rows: Rows,
    found: Evidence,
    p_wrong: np.ndarray,
    places: np.ndarray,
    size: int,
) -> Verdicts:
    """Return the verdicts on a column of a table.

    Args:
        judged: the column in the fit.
        rows: the judged rows that have a value.
        found: what is known of their cells.
        p_wrong: of their cells.
        places: (rows,) their numbers among all rows.
        size: the number of all rows.
    """
    result, values = Verdicts.empty(size), judged.channel.values
    p = np.clip(p_wrong, 1 - MAX_P, MAX_P)
    result.log_odds[places] = np.log(p / (1 - p))
    by_way = found.ways * judged.rates.shares
    way = by_way.argmax(1)
    stuck = judged.stuck[rows.codes]
    formats = judged.formats
    in_form = formats.p_wrong[rows.codes] > 0 if formats is not None else np.zeros(len(rows.codes), bool)
    in_form &= (way != TYPO) | (found.intended < 0)
    suspects = np.flatnonzero(p > SUSPECT)
    suggested, confidence = _suggest(judged, rows, found, np.flatnonzero(p > MIN_P_TO_SUGGEST))
    for row in suspects:
        place, meant = places[row], suggested[row]
        if in_form[row] and formats is not None:
            code = rows.codes[row]
            mark = formats.marks[code].strip()
            how = f"with {mark!r}" if mark else "without a mark"
            result.reasons[place] = f"written {how}, unlike {formats.usual_share:.0%} of the column"
            result.suggestions[place], result.confidence[place] = formats.alike[code], 1.0
            result.is_style[place] = not formats.rare[code]
            continue
        if stuck[row]:
            result.reasons[place] = "comes with anything, unlike the other values of the column"
            continue
        if meant >= 0 and way[row] != MISSING:
            result.suggestions[place], result.confidence[place] = values[meant], confidence[row]
        intended = found.intended[row] if meant < 0 else meant
        result.reasons[place] = _reason(judged, rows, found, int(row), int(way[row]), int(intended))
    return result


def _reason(judged: Judged, rows: Rows, found: Evidence, row: int, way: int, intended: int) -> str:
    """Return why a cell is suspicious."""
    channel = judged.channel
    typo = int(found.intended[row])
    if way == TYPO and typo >= 0:
        return f"typo of {channel.values[typo]!r}"
    if way == MISSING:
        return "stands for a missing value"
    if way == DAMAGED:
        if channel.elsewhere[rows.codes[row]] > 0 and channel.marginal.counts[rows.codes[row]] < 2:
            return "a value of another column"
        return "characters that are unusual in the column"
    return _contradiction(judged, rows, row, intended) or (
        UNLIKELY if channel.contexts else "unlikely in this column"
    )


def _contradiction(judged: Judged, rows: Rows, row: int, intended: int) -> str | None:
    """Return which column says otherwise, with its counts; None if none does."""
    best, said = 0.0, None
    for context in judged.channel.contexts:
        group = rows.groups[context.name][row]
        if group < 0 or intended < 0:
            continue
        one = np.array([group]), np.array([intended])
        pair, number = context.counts(*one)
        if number[0] >= 3 and pair[0] / number[0] > max(best, 0.5):
            best = pair[0] / number[0]
            said = f"{judged.channel.values[intended]!r} comes with this {context.name} in " + (
                f"{pair[0]:.0f} of {number[0]:.0f} rows"
            )
    return said


def _suggest(
    judged: Judged, rows: Rows, found: Evidence, suspects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows,) the value that was most likely meant, -1 for none, and the probability that it was.

    Candidates are the values that are written alike, and the most frequent ones of the groups of the row.
    """
    channel, shares = judged.channel, judged.rates.shares
    best, confidence = np.full(len(rows.codes), -1), np.zeros(len(rows.codes))
    if not len(suspects):
        return best, confidence
    line, value, log_typo = _candidates(judged, rows, suspects)
    if not len(line):
        return best, confidence
    at = suspects[line]
    groups = {c.name: rows.groups[c.name][at] for c in channel.contexts}
    weights = channel.weights(
        Rows(rows.codes[suspects], {c: g[suspects] for c, g in rows.groups.items()}, rows.own[suspects])
    )
    prior = channel.p_of(Rows(rows.codes[at], groups, rows.own[at]), value, weights[line])
    other = found.ways[suspects, SWAPPED:] @ shares[SWAPPED:]
    # A value of another column says nothing of what was meant, as little as a value of another row does.
    elsewhere = P_OF_OTHER_COLUMN * channel.elsewhere[rows.codes[suspects]]
    other = other + shares[DAMAGED] * elsewhere
    posterior = prior * (shares[TYPO] * np.exp(log_typo) + other[line])
    total, known = np.zeros(len(suspects)), np.zeros(len(suspects))
    np.add.at(total, line, posterior)
    np.add.at(known, line, prior)
    damaged = np.exp(channel.strings.damaged[rows.codes[suspects]]) * channel.of_new
    rest = np.maximum(1 - known, 0) * other + shares[DAMAGED] * damaged
    order = np.argsort(posterior, kind="stable")
    best[suspects[line[order]]] = value[order]
    confidence[suspects[line[order]]] = posterior[order] / (total + rest)[line[order]]
    return best, confidence


def _candidates(
    judged: Judged, rows: Rows, suspects: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return candidates for right values: position in `suspects`, value, and log T of the typing error."""
    channel = judged.channel
    found: dict[tuple[int, int], float] = {}
    log_typo = dict(
        zip(
            zip(channel.typos.wrong.tolist(), channel.typos.right.tolist(), strict=True),
            channel.log_typos.tolist(),
            strict=True,
        )
    )
    by_wrong: dict[int, list[int]] = {}
    for wrong, right in log_typo:
        by_wrong.setdefault(wrong, []).append(right)
    for position, row in enumerate(suspects):
        code = int(rows.codes[row])
        near = dict.fromkeys(by_wrong.get(code, ()))
        for context in channel.contexts:
            group = int(rows.groups[context.name][row])
            if group < 0:
                continue
            low, high = np.searchsorted(context.keys, [group * STRIDE, (group + 1) * STRIDE])
            top = low + np.argsort(-context.sums[low:high], kind="stable")[:MAX_BY_CONTEXT]
            top = top[context.sums[top] > 0]
            near |= dict.fromkeys((context.keys[top] % STRIDE).tolist())
        near.pop(code, None)
        for value in near:
            found[position, value] = log_typo.get((code, value), -np.inf)
    pairs = list(found)
    line = np.array([p[0] for p in pairs], dtype=np.int64)
    values = np.array([p[1] for p in pairs], dtype=np.int64)
    return line, values, np.array(list(found.values()))
