"""The values of a column, as rules between columns read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from diabolo.cleaning.reading import CheckedColumn
from diabolo.cleaning.texts.values import MISSING_WORDS
from diabolo.data.columns.convert import DATE_FORMATS, TIME_FORMATS
from diabolo.utils.sampling import evenly_spaced

DECIMALS_SHARE = 0.95  # of the numbers have at most so many digits after the decimal point ...
MAX_DECIMALS = 12  # ... and so many are told
N_NUMBERS = 1_000  # numbers whose digits are counted
ISO = "ISO 8601"  # the format of dates as the library writes them
ISO_MOMENT = re.compile(  # a date; a time of day; its offset from UTC
    r"\s*(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(Z|[+-]\d\d(?::?\d\d)?)?)?\s*"
)
MIDNIGHT = re.compile(r"([ T]00:00(:00)?)?(\.0+)?$")
FORMATS = (ISO, *(date + time for date in DATE_FORMATS for time in TIME_FORMATS))
N_PROBED, MIN_DATES = 50, 0.9  # values that are tried as dates, and the share of them that must be


def known_texts(column: CheckedColumn) -> list[str | None]:
    """Return (rows,) the texts; None for words that stand for a missing value too.

    Example:
        >>> known_texts(CheckedColumn(["Nan", "NaN", None], np.full(3, np.nan)))
        ['Nan', None, None]
    """
    missing = {t for t in set(column.texts) if t is not None and t.strip() in MISSING_WORDS}
    return [None if t in missing else t for t in column.texts]


def decimals(column: CheckedColumn) -> int:
    """Return how many digits nearly all numbers have after the decimal point, at most.

    Example:
        >>> decimals(CheckedColumn(["1.25", "3", "2.5"], np.array([1.25, 3.0, 2.5])))
        2
    """
    known = np.flatnonzero(np.isfinite(column.numbers))
    probed = known[evenly_spaced(len(known), N_NUMBERS)]
    found = [_decimals(text) for row in probed if (text := column.texts[row]) is not None]
    return int(np.quantile(found, DECIMALS_SHARE, method="higher")) if found else 0


def find_date_format(*columns: CheckedColumn) -> str | None:
    """Return how nearly all dates of columns are written; None if they do not hold dates of one format.

    Args:
        columns: one or more.

    Example:
        >>> find_date_format(CheckedColumn(["31/12/2024", "01/02/2024"], np.full(2, np.nan)))
        '%d/%m/%Y'
    """
    texts = [[t for t in dict.fromkeys(known_texts(column)) if t is not None] for column in columns]
    probed = [text for some in texts for text in some[:N_PROBED]]
    numbers = [np.isfinite(column.numbers).sum() > (1 - MIN_DATES) * len(column.texts) for column in columns]
    if not all(texts) or any(numbers):
        return None
    shares = [np.mean([_seconds(t, form) is not None for t in probed]) for form in FORMATS]
    best = int(np.argmax(shares))
    return FORMATS[best] if shares[best] >= MIN_DATES else None


def to_seconds(texts: Sequence[str | None], form: str) -> np.ndarray:
    """Return (rows,) dates as seconds, NaN for what is no date; times without an offset are in UTC.

    Args:
        texts: dates.
        form: how they are written, as `find_date_format` returns it.

    Example:
        >>> to_seconds(["1970-01-02", "1970-01-01T01:00+01:00", "never", None], "ISO 8601").tolist()
        [86400.0, 0.0, nan, nan]
    """
    seconds = {t: _seconds(t, form) for t in dict.fromkeys(texts) if t is not None}
    return np.array([np.nan if t is None or (s := seconds[t]) is None else s for t in texts])


def without_midnight(text: str) -> str:
    """Return a date as a reader writes it: without a time of day if that is 0, and without parts of a second.

    Example:
        >>> [without_midnight(f"2024-03-01 {time}.000000") for time in ("00:00:00", "12:30:00")]
        ['2024-03-01', '2024-03-01 12:30:00']
    """
    return MIDNIGHT.sub("", text) if ISO_MOMENT.fullmatch(text) else text


def _seconds(text: str, form: str) -> float | None:
    """Return a date as seconds; None for what is no date."""
    try:
        if form != ISO:
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC).timestamp()
        match = ISO_MOMENT.fullmatch(text)
        if match is None:
            return None
        return datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}{match[3] or 'Z'}").timestamp()
    except ValueError:
        return None


def _decimals(text: str) -> int:
    """Return the digits of a number after its decimal point."""
    if "e" in text.lower():
        return MAX_DECIMALS
    return min(len(text.strip().partition(".")[2].rstrip("0")), MAX_DECIMALS)
