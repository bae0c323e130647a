"""Numbers, values and moments as a reader wants them."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from typing import Any

LONGEST = 60  # characters of a value from the data that are shown


def count(number: float) -> str:
    """A whole number with a comma between thousands."""
    return f"{round(number):,}"


def several(number: int, noun: str, nouns: str | None = None) -> str:
    """A number and its noun: 1 row, 2 rows.

    Example:
        >>> several(1, "row"), several(2500, "row"), several(2, "series", "series")
        ('1 row', '2,500 rows', '2 series')
    """
    return f"{count(number)} {noun if number == 1 else nouns or noun + 's'}"


def percent(share: float) -> str:
    """A share in percent, with the digits that matter: 0.05 %, 3.2 %, 47 %."""
    value = 100 * share
    if value == 0 or not math.isfinite(value):
        return "0 %" if value == 0 else "–"
    return f"{value:.2g} %" if abs(value) < 9.95 else f"{value:.0f} %"


def rough(value: float) -> str:
    """An estimate: two digits, no exponent where it can be helped."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    if abs(value) >= 99.5:
        return count(value)
    return f"{value:.2g}" if abs(value) >= 1e-4 else f"{value:.1e}"


def one_in(bits: float) -> str:
    """What an oddness of so many bits means: 1 in 1,000."""
    normal = 2.0 ** min(bits, 1000)
    if normal < 10:
        return f"1 in {normal:.2g}"
    if normal < 1e15:
        digits = 10 ** max(0, math.floor(math.log10(normal)) - 1)
        return f"1 in {count(round(normal / digits) * digits)}"
    return f"1 in 10^{math.floor(math.log10(normal))}"


def shown(value: Any, *, digits: int = 5) -> str | None:
    """A value of the data in at most `LONGEST` characters, fractions in so many digits; None if missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return figure(value, digits)
    if isinstance(value, datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S") if value.time() != time(0) else value.strftime("%Y-%m-%d")
        return text.removesuffix(":00") if value.second == 0 and value.time() != time(0) else text
    return clipped(value.isoformat() if isinstance(value, date) else str(value))


def figure(value: float, digits: int = 5) -> str:
    """A measured number in so many digits, with an exponent only where it is very large or small."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    if value == round(value) and abs(value) < 1e9:
        return f"{value:.0f}"
    return f"{value:.0f}" if 10**digits <= abs(value) < 1e9 else f"{value:.{digits}g}"


def clipped(text: str, longest: int = LONGEST) -> str:
    """Text on one line, cut to a length. Characters that only steer a terminal or a text's direction go."""
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * longest])
    return line if len(line) <= longest and len(text) <= 4 * longest else line[: longest - 1] + "…"


def duration(seconds: float) -> str:
    """A length of time in its two largest units: 3 d 4 h, 5 h 20 min, 40 s."""
    for size, unit, small, part in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            whole, rest = divmod(round(seconds / small) * small, size)
            left = round(rest / small)
            return f"{whole:.0f} {unit}" + (f" {left} {part}" if left and whole < 100 else "")
    return f"{seconds:.3g} s"
