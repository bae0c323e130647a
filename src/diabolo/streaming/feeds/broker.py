"""The part that all feeds of message brokers share."""

from __future__ import annotations

import socket
from abc import abstractmethod
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from diabolo.errors import DataError, OptionError
from diabolo.streaming.feeds.base import Feed, Message, ParsedPoint, parse_point

# Choices: how long a broker may take to answer, and how long to wait for a message before the watcher gets
# its turn to save its state.
CONNECT_TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.5


class Broker(Feed):
    """A topic of a broker; each of its messages is one JSON object, or one JSON object per line.

    Args:
        address: SCHEME://[USER:PASSWORD@]HOST[:PORT]/TOPIC.

    Raises:
        OptionError: the address names no host or no topic, or its port is not a number.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        url = self.url = urlsplit(address, allow_fragments=False)
        default_port = self.schemes[url.scheme]
        try:
            port = url.port or default_port
        except ValueError:
            port = 0
        self.host, self.port, self.topic = url.hostname or "", port, unquote(url.path[1:])
        if not (self.host and self.port and self.topic) or url.query:
            raise OptionError(
                f"expected the address of a broker's topic, got "
                f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}",
                hint=f"{url.scheme}://127.0.0.1:{default_port}/plant",
            )
        self.name = f"{url.scheme}://{self.host}:{self.port}/{self.topic}"

    def messages(self) -> Iterator[Message | None]:
        while True:
            message = self.receive(0)
            if message is None:
                yield None
                message = self.receive(POLL_SECONDS)
            if message is not None:
                yield message

    @abstractmethod
    def receive(self, timeout: float) -> Message | None:
        """Return the next message, or None if none arrives within `timeout` seconds."""

    def check_reachable(self) -> None:
        """Check that something listens at the address: clients would retry for minutes, or for ever.

        Raises:
            DataError: no connection can be made.
        """
        try:
            socket.create_connection((self.host, self.port), CONNECT_TIMEOUT_SECONDS).close()
        except OSError as error:
            raise self.make_error(error.strerror or str(error)) from error

    def make_error(self, reason: object) -> DataError:
        """Return the error that this broker cannot be used, for the given reason."""
        return DataError(f"{self.name} cannot be used: {reason}", hint=f"nc -vz {self.host} {self.port}")


def parse_points(payload: bytes) -> list[ParsedPoint]:
    """Parse the payload of a message: one JSON object on any number of lines, or one object per line."""
    whole = parse_point(payload)
    lines = [line for line in payload.splitlines() if line.strip()]
    return [parse_point(line) for line in lines] if isinstance(whole, DataError) else [whole]
