"""Rules as users write them: "provider -> address", "net + tax = gross", "start <= end"."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from diabolo.cleaning.rules.base import Rule, quoted
from diabolo.cleaning.rules.kinds import Determines, Order, Sum
from diabolo.errors import OptionError

# A quoted name, or an operator; plus and minus only between spaces, as names have hyphens.
TOKEN = re.compile(r"\"([^\"]*)\"|`([^`]*)`|(<->|->|<=|>=|==|=|<|>|(?<=\s)[+-](?=\s))")
RELATIONS = ("->", "<=", "<", ">=", ">", "=", "==")
EXAMPLES = '"provider -> address", "net + tax = gross" or "start <= end"'
MAX_LISTED_NAMES = 20


def read_rules(rules: Sequence[str] | str | None, columns: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rules that a user states.

    Args:
        rules: the option; one rule may stand by itself.
        columns: names of the columns of the data.

    Raises:
        OptionError: a rule cannot be read, or names a column that the data does not have.
    """
    given = [rules] if isinstance(rules, str) else list(rules or ())
    return tuple(parse_rule(rule, columns) for rule in given)


def parse_rule(text: str, columns: Sequence[str]) -> Rule:
    """Return a rule from text.

    Names stand as they are; those that hold an operator stand in quotation marks or backticks. A plus or a
    minus has a space on each side.

    Args:
        text: "a -> b", "a + b = c", "a - b = c", "a <= b" or "a < b".
        columns: names of the columns of the data.

    Raises:
        OptionError: the rule cannot be read, or names a column that the data does not have.

    Example:
        >>> parse_rule("education -> education-num", ["education", "education-num"]).text
        'education -> education-num'
        >>> parse_rule('gross = net + "a = b"', ["net", "gross", "a = b"]).text
        'net + `a = b` = gross'
    """
    if not isinstance(text, str):
        raise OptionError(f"rules: expected text, got {text!r}", hint=f"for example {EXAMPLES}")
    names, signs = _split(text)
    if "<->" in signs and len(signs) == 1:
        one, other = (quoted(name) for name in names)
        raise OptionError(
            f"rules: {text!r} is two rules", hint=f"rules=[{f'{one} -> {other}'!r}, {f'{other} -> {one}'!r}]"
        )
    relations = [place for place, sign in enumerate(signs) if sign in RELATIONS]
    if len(relations) != 1 or "" in names or len(relations) + sum(s in "+-" for s in signs) < len(signs):
        raise OptionError(f"rules: {text!r} cannot be read", hint=f"rules are like {EXAMPLES}")
    for name in names:
        _check_name(text, name, columns)
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"rules: {text!r} names {name!r} twice", hint=f"rules are like {EXAMPLES}")
    place = relations[0]
    sides = (names[: place + 1], signs[:place]), (names[place + 1 :], signs[place + 1 :])
    rule = _sum(*sides) if signs[place] in ("=", "==") else _pair(signs[place], names)
    if rule is None:
        raise OptionError(f"rules: {text!r} cannot be read", hint=f"rules are like {EXAMPLES}")
    return rule


def _split(text: str) -> tuple[list[str], list[str]]:
    """Return the names of a rule, and the operators between them."""
    names, signs, inside, end = [], [], "", 0
    for token in TOKEN.finditer(text):
        inside += text[end : token.start()].strip()
        end = token.end()
        if token[3]:
            names.append(inside)
            signs.append(token[3])
            inside = ""
        else:
            inside += token[1] if token[1] is not None else token[2]
    return [*names, inside + text[end:].strip()], signs


def _pair(sign: str, names: Sequence[str]) -> Rule | None:
    """Return a rule of two columns."""
    if len(names) != 2:
        return None
    one, other = names
    if sign == "->":
        return Determines(one, other)
    return Order(other, one, sign == ">") if sign[0] == ">" else Order(one, other, sign == "<")


def _sum(
    left: tuple[Sequence[str], Sequence[str]], right: tuple[Sequence[str], Sequence[str]]
) -> Rule | None:
    """Return a sum, whose total may stand on either side."""
    (names, signs), (others, _) = (left, right) if len(right[0]) == 1 else (right, left)
    if len(others) != 1:
        return None
    plus = [names[0], *(n for n, s in zip(names[1:], signs, strict=True) if s == "+")]
    return Sum(tuple(plus), tuple(n for n, s in zip(names[1:], signs, strict=True) if s == "-"), others[0])


def _check_name(text: str, name: str, columns: Sequence[str]) -> None:
    """Raise an error for a name that is no column."""
    if name in columns:
        return
    parts = [part.strip() for part in re.split(r"[+-]", name)]
    if len(parts) > 1 and all(part in columns for part in parts):
        spaced = re.sub(r"\s*([+-])\s*", r" \1 ", name)
        raise OptionError(
            f"rules: {text!r} names the column {name!r}, which the data does not have",
            hint=f"put spaces around the operators: {spaced!r}",
        )
    near = difflib.get_close_matches(name, list(columns), n=1)
    raise OptionError(
        f"rules: {text!r} names the column {name!r}, which the data does not have",
        hint=f"did you mean {near[0]!r}?"
        if near
        else f"the columns are: {', '.join(list(columns)[:MAX_LISTED_NAMES])}",
    )
