"""Text from data, made safe to show."""

from __future__ import annotations

MAX_LENGTH = 60


def shorten(text: str, longest: int = MAX_LENGTH) -> str:
    """Return text on one line, cut to a length, without characters that steer a terminal or its direction.

    Args:
        text: any text.
        longest: characters at most.
    """
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * longest])
    return line if len(line) <= longest and len(text) <= 4 * longest else line[: longest - 1] + "…"
