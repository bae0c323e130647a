"""Numbers, values and times formatted as text."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from typing import Any

from diabolo.utils.text import shorten


def count(number: float) -> str:
    """Return a whole number with a comma between thousands."""
    return f"{round(number):,}"


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun: 1 row, 2 rows.

    Args:
        number: how many.
        noun: the noun in the singular.
        plural: the noun in the plural; None to append an s.

    Example:
        >>> count_of(1, "row"), count_of(2500, "row"), count_of(2, "series", "series")
        ('1 row', '2,500 rows', '2 series')
    """
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """Return a share in percent with its significant digits: 0.05 %, 3.2 %, 47 %."""
    value = 100 * share
    if value == 0 or not math.isfinite(value):
        return "0 %" if value == 0 else "–"
    return f"{value:.2g} %" if abs(value) < 9.95 else f"{value:.0f} %"


def approximate(value: float) -> str:
    """Return an estimate with two digits, without an exponent unless it is very small."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    if abs(value) >= 99.5:
        return count(value)
    return f"{value:.2g}" if abs(value) >= 1e-4 else f"{value:.1e}"


def format_bits(bits: float, most: float) -> str:
    """Return an anomaly score as text: 12.3 bits, or > 16.4 bits where the data support no more.

    Args:
        bits: the score.
        most: the bits that the calibration supports.
    """
    return f"{bits:.1f} bits" if bits <= most else f"> {most:.1f} bits"


def one_in(bits: float) -> str:
    """Return the share of normal rows that reach an anomaly score in bits, as text: 1 in 1,000."""
    normal = 2.0 ** min(bits, 1000)
    if normal < 10:
        return f"1 in {normal:.2g}"
    if normal < 1e15:
        digits = 10 ** max(0, math.floor(math.log10(normal)) - 1)
        return f"1 in {count(round(normal / digits) * digits)}"
    return f"1 in 10^{math.floor(math.log10(normal))}"


def format_value(value: Any, *, digits: int = 5) -> str | None:
    """Return a value of the data as text of limited length; None if it is missing.

    Args:
        value: a Python value of any type.
        digits: significant digits of a fraction.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return format_number(value, digits)
    if isinstance(value, datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S") if value.time() != time(0) else value.strftime("%Y-%m-%d")
        return text.removesuffix(":00") if value.second == 0 and value.time() != time(0) else text
    return shorten(value.isoformat() if isinstance(value, date) else str(value))


def format_number(value: float, digits: int = 5) -> str:
    """Return a number as text, with an exponent only where it is very large or small.

    Args:
        value: the number.
        digits: significant digits.
    """
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    if value == round(value) and abs(value) < 1e9:
        return f"{value:.0f}"
    return f"{value:.0f}" if 10**digits <= abs(value) < 1e9 else f"{value:.{digits}g}"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units: 3 d 4 h, 5 h 20 min, 40 s."""
    for size, unit, small, part in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            whole, rest = divmod(round(seconds / small) * small, size)
            left = round(rest / small)
            return f"{whole:.0f} {unit}" + (f" {left} {part}" if left and whole < 100 else "")
    return f"{seconds:.3g} s"
