"""The interface of a feed: a file or a topic that points are read from, or that answers are written to."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from diabolo.errors import DataError

ParsedPoint = Mapping[str, Any] | DataError
"""Column -> value, or the error that says why a text is no point."""


@dataclass(frozen=True)
class Message:
    """One line of a file, or one message of a broker.

    Attributes:
        points: the points in the message; an error in place of each text that is no point.
        name: how error messages refer to the message, for example "line 7".
        handle: what the feed needs to mark this message as answered.
    """

    points: list[ParsedPoint]
    name: str
    handle: Any


class Feed(ABC):
    """A file or a topic that points are read from or answers are written to: one of the two, not both.

    Args:
        address: the address as the user wrote it.

    Attributes:
        name: the address without user name and password.
        offset: how far the feed has been read or written, as plain JSON values; None if it has no offsets.
    """

    schemes: ClassVar[Mapping[str, int]]
    """The schemes of its addresses (the text before ://), each with its default port."""

    def __init__(self, address: str) -> None:
        self.name = address
        self.offset: Any = None

    @abstractmethod
    def open_input(self, offset: Any, session: str | None) -> None:
        """Start to read.

        Args:
            offset: where to continue, as an earlier `self.offset`; None at the first start.
            session: the name under which a broker keeps the messages that arrive while nobody reads; None if
                it need not keep them.

        Raises:
            DataError: the feed cannot be read.
        """

    @abstractmethod
    def messages(self) -> Iterator[Message | None]:
        """Yield the messages as they arrive, and None whenever no message is waiting."""

    @abstractmethod
    def mark_answered(self, message: Message) -> None:
        """Record that a message was answered: move `offset` behind it."""

    @abstractmethod
    def acknowledge(self) -> None:
        """Acknowledge all messages answered so far, so that a broker does not send them again."""

    @abstractmethod
    def open_output(self, offset: Any) -> None:
        """Start to write; whatever was written behind `offset` is removed where the feed can do that.

        Args:
            offset: where to continue, as an earlier `self.offset`; None at the first start.

        Raises:
            DataError: the feed cannot be written to.
        """

    @abstractmethod
    def write(self, line: bytes) -> None:
        """Write one answer, a line that ends with a newline."""

    @abstractmethod
    def flush(self) -> None:
        """Wait until everything written is stored durably, and move `offset` behind it."""

    @abstractmethod
    def close(self) -> None:
        """Release the file or the connection, whether or not it was opened."""


def parse_point(text: str | bytes) -> ParsedPoint:
    """Parse a JSON object as a point; return (not raise) a DataError if the text is no JSON object."""
    try:
        point = json.loads(text)
    except ValueError as error:
        return DataError(f"this is not valid JSON: {error}")
    return point if isinstance(point, dict) else DataError(f"expected a JSON object, got {str(point)[:60]}")
