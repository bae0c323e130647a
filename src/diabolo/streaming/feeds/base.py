"""What a feed is: where points come from, or where answers go."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from diabolo.errors import DataError

Read = Mapping[str, Any] | DataError


@dataclass(frozen=True)
class Message:
    """What arrives in one piece.

    Attributes:
        points: what is in it; an error for what is no point.
        name: what to call it.
        mark: what its feed knows it by.
    """

    points: list[Read]
    name: str
    mark: Any


class Feed(ABC):
    """A file or a topic that points are read from, or answers written to; one of both.

    Args:
        address: what the user calls it.

    Attributes:
        name: the address without secrets.
        place: how far it was read or written, as plain values; None if it has no places.
    """

    schemes: ClassVar[Mapping[str, int]]
    """What its addresses begin with, before ://, and the port then."""

    def __init__(self, address: str) -> None:
        self.name = address
        self.place: Any = None

    @abstractmethod
    def listen(self, place: Any, memory: str | None) -> None:
        """Begin to read.

        Args:
            place: where to go on; None for a first start.
            memory: the name under which a broker keeps what arrives while nobody reads; None: it need not.

        Raises:
            DataError: it cannot be read.
        """

    @abstractmethod
    def messages(self) -> Iterator[Message | None]:
        """What arrives; None whenever nothing waits."""

    @abstractmethod
    def answered(self, message: Message) -> None:
        """Move `place` behind a message."""

    @abstractmethod
    def confirm(self) -> None:
        """What was answered is noted, and need not come again."""

    @abstractmethod
    def speak(self, place: Any) -> None:
        """Begin to write; what is there behind `place` is taken back, where that can be.

        Raises:
            DataError: it cannot be written.
        """

    @abstractmethod
    def write(self, line: bytes) -> None:
        """Write one answer."""

    @abstractmethod
    def flush(self) -> None:
        """Wait until all that was written is there to stay, and move `place` behind it."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it, whether or not it was opened."""


def to_point(text: str | bytes) -> Read:
    """A JSON object as a point."""
    try:
        point = json.loads(text)
    except ValueError as error:
        return DataError(f"no JSON: {error}")
    return point if isinstance(point, dict) else DataError(f"expected an object, got {str(point)[:60]}")
