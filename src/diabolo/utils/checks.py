"""Options that are numbers, checked before work starts."""

from __future__ import annotations

from diabolo.errors import OptionError


def check_non_negative(name: str, value: object) -> float:
    """A number of at least 0, or an OptionError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise OptionError(f"{name}={value!r}: expected a number of at least 0")
    return float(value)


def check_int(name: str, value: object, least: int = 1) -> int:
    """A whole number of at least so much, or an OptionError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name}={value!r}: expected a whole number of at least {least}")
    return value


def check_fraction(name: str, value: object) -> float:
    """A share between 0 and 1, or an OptionError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise OptionError(f"{name}={value!r}: expected a number between 0 and 1")
    return float(value)
