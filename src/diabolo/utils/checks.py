"""Checks of values: options before work starts, and what model files claim."""

from __future__ import annotations

import math
from typing import Any

from diabolo.errors import OptionError


def check_non_negative(name: str, value: object) -> float:
    """Return a number if it is at least 0.

    Args:
        name: name of the option, for the message.
        value: its value.

    Raises:
        OptionError: the value is not a number, or is negative.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise OptionError(f"{name}={value!r}: expected a number of at least 0")
    return float(value)


def check_int(name: str, value: object, least: int = 1) -> int:
    """Return an integer if it is at least `least`.

    Args:
        name: name of the option, for the message.
        value: its value.
        least: the smallest allowed value.

    Raises:
        OptionError: the value is not an integer, or is smaller.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name}={value!r}: expected a whole number of at least {least}")
    return value


def check_fraction(name: str, value: object) -> float:
    """Return a number if it lies between 0 and 1, both included.

    Args:
        name: name of the option, for the message.
        value: its value.

    Raises:
        OptionError: the value is not a number, or lies outside.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise OptionError(f"{name}={value!r}: expected a number between 0 and 1")
    return float(value)


def require(fits: bool, what: str) -> None:
    """Raise `ValueError` if a part of a model file is invalid.

    Args:
        fits: whether the part is valid.
        what: noun of the part, for the message.

    Raises:
        ValueError: `fits` is False.
    """
    if not fits:
        raise ValueError(f"invalid {what}")


def is_finite_number(value: Any) -> bool:
    """Whether a value is an int or float, and neither a flag nor infinite nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_text_list(value: Any) -> bool:
    """Whether a value is a list or tuple of strings."""
    return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
