"""Text for one line of output."""

from __future__ import annotations

MAX_CHARACTERS = 60  # of a value of the data that is shown: a choice


def shorten(text: str, longest: int = MAX_CHARACTERS) -> str:
    r"""Return text on one line, cut to a length; control and direction characters become spaces.

    Args:
        text: any text, also from the data of a user.
        longest: the maximum number of characters, including the ellipsis that marks a cut.

    Example:
        >>> shorten("two\tparts"), shorten("abcdef", 4)
        ('two parts', 'abc…')
    """
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * longest])
    return line if len(line) <= longest and len(text) <= 4 * longest else line[: longest - 1] + "…"
