"""Slips of the keyboard in numbers: a decimal point, a sign, a digit."""

from __future__ import annotations

MIN_DIGITS = 3  # of a number in which one wrong digit is a slip: among shorter ones, any is near any other
MAX_SHIFT = 4  # places that a decimal point is moved by


def is_slip(observed: str, right: str) -> bool:
    """Return whether a number is another one with a slip of the keyboard.

    Args:
        observed: the number as it stands.
        right: the number that was perhaps meant.

    Example:
        >>> [is_slip(observed, "125.5") for observed in ("1255", "-125.5", "152.5", "135.5", "125.55", "130")]
        [True, True, True, True, True, False]
    """
    try:
        one, other = float(observed), float(right)
    except ValueError:
        return False
    if one == other or one == 0 or other == 0:
        return False
    if one == -other or _is_shifted(one, other):
        return True
    plain = f"{one:.12g}", f"{other:.12g}"
    return min(map(_digits, plain)) >= MIN_DIGITS and _is_one_edit(*plain)


def _is_shifted(one: float, other: float) -> bool:
    """Return whether two numbers differ by their decimal point."""
    powers = (10.0**n for n in range(-MAX_SHIFT, MAX_SHIFT + 1) if n)
    return any(abs(one - other * power) <= 1e-9 * abs(one) for power in powers)


def _is_one_edit(one: str, other: str) -> bool:
    """Return whether a character replaced, added or lost, or two exchanged, make one text the other."""
    if len(one) == len(other):
        places = [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        exchanged = len(places) == 2 and places[1] == places[0] + 1
        if exchanged:
            first = places[0]
            return one[first : first + 2] == other[first : first + 2][::-1]
        return len(places) == 1
    short, long = sorted((one, other), key=len)
    return len(long) == len(short) + 1 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)
